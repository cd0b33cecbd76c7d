/**
 * Whether a driver that ended left its device as it was, so that somebody else
 * has to make it safe; and doing so within a time limit.
 *
 * @module
 */

import type { Clock } from "../../loop/clock.ts";
import type { SafeStateResult } from "../../loop/safe_state.ts";
import { within } from "../../loop/within.ts";
import type { DriverProcessEnd } from "../driver_process.ts";
import { DRIVER_EXIT } from "../exit_class.ts";

/** A process start and a few control transfers; a device that is slower is not made safe in time. */
export const SAFE_STATE_TIMEOUT_MS = 5_000;

/**
 * Whether it ended without performing its safe state itself. A driver that came
 * as far as to end with a code of its own did.
 */
export function needsSafeState(
  end: Pick<DriverProcessEnd, "exitClass" | "code">,
): boolean {
  switch (end.exitClass) {
    case "clean":
    case "device-gone":
    case "config":
    case "permission":
      return false;
    case "fault":
      return end.code !== DRIVER_EXIT.fault;
    case "native-crash":
    case "out-of-memory":
    case "sandbox-kill":
    case "start-crash":
    case "hang":
    case "protocol":
    case "killed":
      return true;
  }
}

/** Makes safe; `failed` when it takes too long or throws. */
export async function makeSafeWithin(
  clock: Clock,
  makeSafe: () => Promise<SafeStateResult>,
): Promise<SafeStateResult> {
  try {
    const promise = makeSafe();
    const timeoutMs = SAFE_STATE_TIMEOUT_MS;
    return await within(clock, { timeoutMs, promise }) ?? "failed";
  } catch {
    return "failed";
  }
}
