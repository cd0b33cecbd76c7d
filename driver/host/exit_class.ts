/**
 * Why a driver process ended: decided once, by one pure function, from its last
 * words, its exit code, its signal, what we sent it and how far it had come.
 *
 * @module
 */

import type { LauncherRefusal } from "./sandbox_policy_failures.ts";
import type { ExitFrame } from "./wire.ts";

/** Why a driver process ended. Label values of metrics, so the set is closed. */
export type ExitClass =
  /** It was asked to stop, and did. */
  | "clean"
  /** The device was unplugged. */
  | "device-gone"
  /** Configuration or options are wrong: no retry helps. */
  | "config"
  /** Access refused, or no sandbox could be built: no retry helps. */
  | "permission"
  /** A handler threw, or the device broke its protocol for good. */
  | "fault"
  /** A memory error in native code. */
  | "native-crash"
  | "out-of-memory"
  /** The kernel killed it for a system call its policy forbids. */
  | "sandbox-kill"
  /** Ended by a signal before it was ready. */
  | "start-crash"
  /** We killed it: heartbeats missed, or not ready in time. */
  | "hang"
  /** It sent what is no frame, and was killed for it. */
  | "protocol"
  /** We killed it because somebody insisted, a second Ctrl-C for instance. */
  | "killed";

/** Exit codes of a driver process, for when even its last frame is missing. */
export const DRIVER_EXIT = {
  clean: 0,
  /** Deno's own code for what nobody caught. */
  uncaught: 1,
  deviceGone: 69,
  fault: 70,
  protocol: 76,
  permission: 77,
  config: 78,
} as const;

/** What is known about the end of a driver process. */
export interface ExitEvidence {
  /** Its last frame, if it sent one. */
  readonly report: Pick<ExitFrame, "reason"> | undefined;
  readonly code: number;
  readonly signal: string | undefined;
  /** What we did to it, if anything. */
  readonly sent:
    | "stop"
    | "kill-hang"
    | "kill-protocol"
    | "kill-refused"
    | "kill-insist"
    /** It was to stop, and had not said a word yet. */
    | "kill-unbegun"
    | undefined;
  readonly wasReady: boolean;
  /** What its launcher refused to start it for, if it did. */
  readonly refusal?: LauncherRefusal | undefined;
}

/** Decides the class. What we did ourselves outranks what it says of itself. */
export function classifyExit(evidence: ExitEvidence): ExitClass {
  const { report, signal, sent } = evidence;
  if (sent === "kill-hang") return "hang";
  if (sent === "kill-protocol") return "protocol";
  if (sent === "kill-refused") return "permission";
  if (sent === "kill-insist") return "killed";
  // As if it had not been started: it hung in nothing.
  if (sent === "kill-unbegun") return "clean";
  if (isCalledOff(evidence)) return "clean";
  if (signal !== undefined) return classOfSignal(signal, evidence.wasReady);
  if (report !== undefined) return classOfReport(report.reason, sent);
  const { refusal } = evidence;
  if (refusal !== undefined) return REFUSAL_CLASSES[refusal] ?? "permission";
  return classOfCode(evidence.code, sent, evidence.wasReady);
}

/** Whether a restart can help. */
export function mayRetry(exitClass: ExitClass): boolean {
  return !NEVER_RETRIED.has(exitClass);
}

/** What a class means, for people. */
export const EXIT_SENTENCES: Readonly<Record<ExitClass, string>> = {
  "clean": "it stopped in order",
  "device-gone": "the device is gone",
  "config": "its configuration is wrong",
  "permission": "access was refused, or its sandbox could not be built",
  "fault": "the driver failed",
  "native-crash": "native code crashed",
  "out-of-memory": "it ran out of memory, or somebody killed it",
  "sandbox-kill": "the kernel killed it for a forbidden system call",
  "start-crash": "it crashed before it was ready",
  "hang": "it stopped answering and was killed",
  "protocol": "it or its device broke the protocol",
  "killed": "it was killed on demand",
};

/** Refusals that are the world's doing and may be over at the next try. */
const REFUSAL_CLASSES: Partial<Record<LauncherRefusal, ExitClass>> = {
  "configuration": "config",
  // The bus was looked at before the device left.
  "device-missing": "device-gone",
  "device-other": "device-gone",
  "device-io": "fault",
  "interface-busy": "fault",
  "memory": "fault",
};

const NEVER_RETRIED: ReadonlySet<ExitClass> = new Set([
  "clean",
  "config",
  "permission",
  "killed",
]);

/** Ctrl-C at a terminal reaches a driver that has not come as far as to ignore it. */
function isCalledOff({ sent, wasReady, signal, code }: ExitEvidence): boolean {
  return sent === "stop" && !wasReady &&
    (signal === "SIGINT" || code === 130 || signal === "SIGTERM");
}

const SIGNAL_CLASSES: Readonly<Record<string, ExitClass>> = {
  SIGSEGV: "native-crash",
  SIGABRT: "native-crash",
  SIGBUS: "native-crash",
  SIGILL: "native-crash",
  SIGFPE: "native-crash",
  // V8's heap limit ends in a trap; a cgroup's or the kernel's in a kill.
  SIGTRAP: "out-of-memory",
  SIGKILL: "out-of-memory",
};

function classOfSignal(signal: string, wasReady: boolean): ExitClass {
  if (signal === "SIGSYS") return "sandbox-kill";
  if (!wasReady) return "start-crash";
  return SIGNAL_CLASSES[signal] ?? "fault";
}

function classOfReport(
  reason: ExitFrame["reason"],
  sent: ExitEvidence["sent"],
): ExitClass {
  if (reason === "deviceGone") return "device-gone";
  // It ended by itself and calls that clean: nobody asked it to.
  if (reason === "clean" && sent === undefined) return "fault";
  return reason;
}

function classOfCode(
  code: number,
  sent: ExitEvidence["sent"],
  wasReady: boolean,
): ExitClass {
  if (code >= FIRST_SIGNAL_CODE) {
    const signal = SIGNAL_NAMES[code - 128];
    if (signal !== undefined) return classOfSignal(signal, wasReady);
  }
  switch (code) {
    case DRIVER_EXIT.clean:
      return sent === "stop" ? "clean" : "fault";
    case DRIVER_EXIT.deviceGone:
      return "device-gone";
    case DRIVER_EXIT.permission:
      return "permission";
    case DRIVER_EXIT.config:
      return "config";
    default:
      return "fault";
  }
}

/** Shells and launchers report a signal as 128 and its number. */
const FIRST_SIGNAL_CODE = 129;

/** Numbers equal on every Linux architecture we run on. */
const SIGNAL_NAMES: Readonly<Record<number, string>> = {
  4: "SIGILL",
  5: "SIGTRAP",
  6: "SIGABRT",
  7: "SIGBUS",
  8: "SIGFPE",
  9: "SIGKILL",
  11: "SIGSEGV",
  15: "SIGTERM",
  31: "SIGSYS",
};
