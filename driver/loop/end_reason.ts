/**
 * Why a driver's life ended, decided once, by pure functions. The supervisor's
 * policy hangs on the class alone.
 *
 * @module
 */

import { UsbError, type UsbErrorCode } from "../errors.ts";
import type { SafeStateReport } from "./safe_state.ts";
import type { SessionState } from "./session_state.ts";

/**
 * - `clean`: a stop was asked for.
 * - `device-gone`: it was unplugged. Not a failure.
 * - `config`, `permission`: trying again is of no use until someone changes something.
 * - `fault`: the device or the driver failed; a restart may help.
 */
export type EndClass =
  | "clean"
  | "device-gone"
  | "config"
  | "permission"
  | "fault";

/** Why it ended. */
export interface EndReason {
  /** What the supervisor's policy goes by. */
  readonly class: EndClass;
  /** One sentence. */
  readonly message: string;
  /** The state in which the end began. */
  readonly state: SessionState;
  /** Set when the world failed; absent for a clean end and for bugs. */
  readonly code?: UsbErrorCode;
  /** An error that is no {@linkcode UsbError}: a bug of the driver or ours. */
  readonly isBug: boolean;
  /** What was thrown, if something was. */
  readonly error?: unknown;
}

/** The end, with what became of the device. */
export interface SessionEnd extends EndReason {
  /** What became of the safe state. */
  readonly safeState: SafeStateReport;
  /** Whether every transfer was back and the device closed in time. */
  readonly isDrained: boolean;
}

const CLASSES: Partial<Record<UsbErrorCode, EndClass>> = {
  noDevice: "device-gone",
  access: "permission",
  library: "config",
  notFound: "config",
  notSupported: "config",
};

/** The reason an error gives. What is not a {@linkcode UsbError} is a bug, and a fault. */
export function reasonOf(error: unknown, state: SessionState): EndReason {
  if (error instanceof UsbError) {
    return {
      class: CLASSES[error.code] ?? "fault",
      message: error.message,
      code: error.code,
      state,
      isBug: false,
      error,
    };
  }
  const message = error instanceof Error
    ? `${error.name}: ${error.message}`
    : `Thrown: ${String(error)}`;
  return { class: "fault", message, state, isBug: true, error };
}

/** The reason of a stop that was asked for. */
export function cleanReason(state: SessionState): EndReason {
  return { class: "clean", message: "Stopped as asked", state, isBug: false };
}

/**
 * A pulled plug often shows as a bus error first: a failure of the world that is
 * followed by the device's absence was the unplug.
 */
export function withDeviceGone(reason: EndReason): EndReason {
  const wasUnplug = reason.class === "fault" && !reason.isBug;
  return wasUnplug ? { ...reason, class: "device-gone" } : reason;
}

/** The state each class of end leads to. */
export const FINAL_STATES: Readonly<
  Record<EndClass, "stopped" | "failed" | "gone">
> = {
  "clean": "stopped",
  "device-gone": "gone",
  "config": "failed",
  "permission": "failed",
  "fault": "failed",
};

/** Codes that end the driver even when a command meets them; others are the command's answer. */
const FATAL_IN_COMMANDS: readonly UsbErrorCode[] = ["noDevice", "access"];

/** Whether what a command threw is its answer, and the driver goes on. */
export function isAnswer(error: unknown): error is UsbError {
  return error instanceof UsbError && !FATAL_IN_COMMANDS.includes(error.code);
}
