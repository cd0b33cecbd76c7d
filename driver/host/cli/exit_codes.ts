/**
 * Exit codes of `driverspace`, all in one place. `driverspace help exit-codes`
 * prints this table.
 *
 * @module
 */

import type { UsbErrorCode } from "../../errors.ts";
import type { ExitClass } from "../exit_class.ts";
import type { LauncherRefusal } from "../sandbox_policy_failures.ts";

/** Codes above 2 are those of BSD's sysexits where one fits. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  /** EX_DATAERR. */
  data: 65,
  /** EX_UNAVAILABLE. */
  unavailable: 69,
  /** EX_SOFTWARE. */
  fault: 70,
  /** EX_OSFILE. */
  library: 72,
  /** EX_CANTCREAT. */
  cannotCreateLog: 73,
  /** EX_IOERR. */
  io: 74,
  /** EX_TEMPFAIL. */
  busy: 75,
  /** EX_PROTOCOL. */
  protocol: 76,
  /** EX_NOPERM. */
  permission: 77,
  /** EX_CONFIG. */
  config: 78,
  /** As shells say of a program that is there and cannot be run. */
  cannotExecute: 126,
  /** As shells say of a program that is not there. */
  noProgram: 127,
  /** 128 and SIGINT's number: a second Ctrl-C. */
  interrupted: 130,
} as const;

/** A code `driverspace` ends with. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What each code means, for people and scripts. */
export const EXIT_MEANINGS: Readonly<Record<ExitCode, string>> = {
  0: "Done, or stopped in order",
  1: "Failed for a reason without a code of its own, or a check of doctor failed",
  2: "Wrong usage: unknown command, flag or argument",
  65: "replay: the file is no crash bundle, or is damaged",
  69:
    "No such device, more than one that fits, or it is gone; no virtual bus can be had; no supervisor answers",
  70: "The driver failed: see the log for class and reason",
  72: "libusb is missing or too old",
  73: "The log cannot be written where it was asked for",
  74: "A transfer failed: bus error, stall, time limit",
  75: "Busy: the interface is held by a kernel driver or another process",
  76: "The device broke its protocol",
  77:
    "Permission: the node, the runtime's flags, the sandbox or a broker refused",
  78: "Configuration: unknown driver or device, wrong option",
  126: "simulate: the program cannot be run",
  127: "simulate: there is no such program",
  130: "Interrupted a second time and killed",
};

/** A command that ends with a sentence on stderr and a code. */
export class CliError extends Error {
  override readonly name = "CliError";
  /** What the process ends with. */
  readonly code: ExitCode;
  /** What to do next. */
  readonly advice: string | undefined;

  /** Makes an error from its code, its sentence and the next step. */
  constructor(code: ExitCode, message: string, advice?: string) {
    super(message);
    this.code = code;
    this.advice = advice;
  }
}

/** The code for a failure of the world. */
export function exitCodeOfUsbError(code: UsbErrorCode): ExitCode {
  return USB_CODES[code];
}

/** Whether a word that came over the wire is a code of ours. */
export function isUsbErrorCode(word: string): word is UsbErrorCode {
  return Object.hasOwn(USB_CODES, word);
}

/** The code for a start that the launcher refused: what direct mode ends with for the same cause. */
export function exitCodeOfRefusal(refusal: LauncherRefusal): ExitCode {
  if (refusal.startsWith("log-")) return EXIT.cannotCreateLog;
  return REFUSAL_CODES[refusal] ?? EXIT.permission;
}

const REFUSAL_CODES: Partial<Record<LauncherRefusal, ExitCode>> = {
  "configuration": EXIT.config,
  "library": EXIT.library,
  "device-missing": EXIT.unavailable,
  "device-other": EXIT.unavailable,
  "device-io": EXIT.io,
  "interface-busy": EXIT.busy,
};

/** The code for the end of a driver that will not be started again. */
export function exitCodeOfClass(exitClass: ExitClass): ExitCode {
  return CLASS_CODES[exitClass];
}

const USB_CODES: Readonly<Record<UsbErrorCode, ExitCode>> = {
  access: EXIT.permission,
  noDevice: EXIT.unavailable,
  notFound: EXIT.unavailable,
  busy: EXIT.busy,
  timedOut: EXIT.io,
  cancelled: EXIT.io,
  stall: EXIT.io,
  overflow: EXIT.io,
  io: EXIT.io,
  noMemory: EXIT.io,
  notSupported: EXIT.failed,
  protocol: EXIT.protocol,
  library: EXIT.library,
  state: EXIT.failed,
  invalidParameter: EXIT.failed,
};

const CLASS_CODES: Readonly<Record<ExitClass, ExitCode>> = {
  "clean": EXIT.done,
  "device-gone": EXIT.unavailable,
  "config": EXIT.config,
  "permission": EXIT.permission,
  "fault": EXIT.fault,
  "native-crash": EXIT.fault,
  "out-of-memory": EXIT.fault,
  "sandbox-kill": EXIT.fault,
  "start-crash": EXIT.fault,
  "hang": EXIT.fault,
  "protocol": EXIT.protocol,
  "killed": EXIT.interrupted,
};
