/**
 * The typed face of the standard library. npm's `deno-std` carries the same
 * code as `@std/*` without its types, so what we import gets them here, in one
 * place. Swapping to JSR is the three import lines of `deno.json`.
 *
 * @module
 */

// @ts-types="./std_assert.d.ts"
export {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertExists,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
} from "@std/assert";
// @ts-types="./std_parse_args.d.ts"
export { parseArgs } from "@std/cli/parse-args";
// @ts-types="./std_toml.d.ts"
export { parse as parseToml } from "@std/toml/parse";
