import { assertEquals } from "../../driver/std.ts";
import plugin from "./lint_plugin.ts";

/** Rule ids that fire on a source, without the plugin's name. */
function findings(filename: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, filename, source)
    .map((diagnostic) => diagnostic.id.replace("house/", ""));
}

const PURE = "/x/driver/loop/thing.ts";

Deno.test("Lint finds the host's globals below driver/host", () => {
  for (
    const source of [
      "Deno.exit(1);",
      "const t = Date.now();",
      "setTimeout(f, 1);",
      "const r = Math.random();",
      "const n = performance.now();",
      "const d = new Date();",
      "const u = crypto.randomUUID();",
    ]
  ) assertEquals(findings(PURE, source), ["pure-core"], source);
});

Deno.test("Lint allows the host's globals in driver/host, ffi and tests", () => {
  for (
    const filename of [
      "/x/driver/host/log.ts",
      "/x/ffi/library.ts",
      "/x/tests/driver/a_test.ts",
    ]
  ) assertEquals(findings(filename, "const t = Date.now();"), [], filename);
});

Deno.test("Lint allows dates made of an argument in the core", () => {
  assertEquals(findings(PURE, "const d = new Date(wallMs);"), []);
});

Deno.test("Lint finds long functions and files", () => {
  const body = "  x++;\n".repeat(70);
  assertEquals(findings(PURE, `function f() {\n${body}}\n`), [
    "small-functions",
  ]);
  assertEquals(findings(PURE, "x;\n".repeat(400)), ["small-files"]);
});

Deno.test("Lint finds exported functions with more than three parameters", () => {
  const source =
    "export function f(a: number, b: number, c: number, d: number) {}";
  assertEquals(findings(PURE, source), ["few-parameters"]);
});

Deno.test("Lint allows default exports to driver modules only", () => {
  assertEquals(findings(PURE, "export default 1;"), ["named-exports"]);
  const driver = "/x/driver/class/usbtmc/driver.ts";
  assertEquals(findings(driver, "export default 1;"), []);
});

Deno.test("Lint finds pointer APIs and dlopen without a SAFETY comment", () => {
  const filename = "/x/ffi/library.ts";
  assertEquals(findings(filename, "Deno.UnsafePointer.of(b);"), [
    "unsafe-calls",
  ]);
  assertEquals(findings(filename, 'Deno.dlopen("x", {});'), ["unsafe-calls"]);
  const safe = '// SAFETY: nothing is called.\nDeno.dlopen("x", {});';
  assertEquals(findings(filename, safe), []);
});
