/** Calls that must fail, on a system whose one node is ours. */

import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../driver/std.ts";
import type { Toolbox } from "../../driver/host/cli/toolbox.ts";
import { call, fakeSystem, fakeToolbox } from "./fake_parts.ts";

/** The node of `fakeDevice`. */
export const NODE = "/dev/bus/usb/001/007";
/** A system on which it may be opened. */
export const OPEN = fakeSystem({ [NODE]: { uid: 1000, gid: 0, mode: 0o600 } });

/** A call that must fail: code, and what its sentence says. */
export async function assertRefused(
  args: readonly string[],
  expected: {
    readonly code: number;
    readonly text: string;
    readonly toolbox?: Toolbox;
  },
): Promise<void> {
  const { code, text, toolbox = fakeToolbox({ system: OPEN }) } = expected;
  const result = await call(args, toolbox);
  assertEquals(result.code, code, result.err);
  assertStringIncludes(result.err, text);
  assert(!result.err.includes("    at "), "A person sees no stack");
}
