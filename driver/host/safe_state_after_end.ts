/**
 * Whether a driver that ended left its device as it was, so that somebody else
 * has to make it safe; and having that done before anything else is.
 *
 * @module
 */

import type { Clock } from "../loop/clock.ts";
import type { SafeStateReport } from "../loop/safe_state.ts";
import type { DeviceInfo } from "../port.ts";
import type { DriverProcessEnd } from "./driver_process.ts";
import { SAFE_STATE_TIMEOUT_MS } from "./safe_state_process.ts";
import { STANDBY_SAFE_TIMEOUT_MS } from "./standby_words.ts";

/**
 * Makes a device safe in a process of its own, and resolves when that process
 * is gone: it bounds its own time.
 */
export type MakeSafe = (device: DeviceInfo) => Promise<MadeSafe>;

/** What a process reports; of a standby it is said that it was one. */
export type MadeSafe = SafeStateReport & { readonly by?: "standby" };

/** What became of a device after a driver, and who saw to it. */
export interface SafeStateOutcome extends SafeStateReport {
  /** The driver itself, its standby, or a process that was started for it. */
  readonly by: "driver" | "standby" | "process";
}

/** What is known of an end. */
export type EndOfDriver = Pick<
  DriverProcessEnd,
  "exitClass" | "safeState" | "signal" | "wasReady" | "isRefused"
>;

/** After the time limits of a standby and of a process, and a SIGKILL: gone in milliseconds, unless it sits in the kernel. */
const STUCK_AFTER_MS = STANDBY_SAFE_TIMEOUT_MS + SAFE_STATE_TIMEOUT_MS + 2_000;

/**
 * Whether nobody vouches for the device. What the driver says of itself counts:
 * a captured one that lies has the device anyway.
 */
export function needsSafeState(end: EndOfDriver): boolean {
  if (end.exitClass === "device-gone") return false;
  if (end.safeState !== undefined) return end.safeState === "failed";
  // Neither a launcher nor a driver that cannot read its options has the device.
  if (end.isRefused) return false;
  const isRefusal = end.exitClass === "permission" ||
    end.exitClass === "config";
  return !isRefusal || end.wasReady || end.signal !== undefined;
}

/**
 * What became of the device after an end; makes it safe if nobody did.
 * `undefined` when there is nothing to tell: the driver never touched it.
 */
export async function safeAfter(
  end: EndOfDriver,
  options: {
    readonly clock: Clock;
    /** Begins to make it safe. */
    readonly make: () => Promise<MadeSafe>;
    /** The process does not end, even killed. */
    readonly onStuck?: () => void;
  },
): Promise<SafeStateOutcome | undefined> {
  if (!needsSafeState(end)) return toldBy(end);
  const { clock, make, onStuck = () => {} } = options;
  const stuck = clock.setTimer(STUCK_AFTER_MS, onStuck);
  try {
    return { by: "process", ...await make() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ...NOTHING_DONE, result: "failed", reason, by: "process" };
  } finally {
    stuck.cancel();
  }
}

/** What the driver's own word amounts to. */
function toldBy({ safeState }: EndOfDriver): SafeStateOutcome | undefined {
  if (safeState === undefined || safeState === "none") return undefined;
  return { ...NOTHING_DONE, result: safeState, by: "driver" };
}

const NOTHING_DONE = { stepsDone: 0, steps: 0 } as const;
