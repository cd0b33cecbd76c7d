/**
 * Why a driver process ends by itself, in the word of its last frame.
 *
 * @module
 */

import { UsbError } from "../errors.ts";
import type { SessionEnd } from "../loop/end_reason.ts";
import type { ExitReason } from "./wire.ts";

/** The reason after a session. */
export const SESSION_REASONS: Readonly<
  Record<SessionEnd["class"], ExitReason>
> = {
  "clean": "clean",
  "device-gone": "deviceGone",
  "config": "config",
  "permission": "permission",
  "fault": "fault",
};

/** The reason when there was not even a session: no device, no right, no library, not confined. */
export function refusalReason(error: unknown): ExitReason {
  return error instanceof UsbError ? REFUSALS[error.code] ?? "fault" : "fault";
}

const REFUSALS: Partial<Record<UsbError["code"], ExitReason>> = {
  access: "permission",
  noDevice: "deviceGone",
  library: "config",
  notFound: "config",
  notSupported: "config",
};
