/**
 * The hostile attempts, as data: what captured native code in a driver would
 * try, which layers refuse it, and what happens when none does.
 */

import type { ErrnoName } from "../../ffi/linux/errno.ts";
import type { Argument, Libc } from "../../ffi/linux/libc.ts";
import type { SyscallName } from "../../ffi/linux/syscalls.ts";
import {
  DEVICE_ATTEMPTS,
  KERNEL_ATTEMPTS,
  NETWORK_ATTEMPTS,
  PROCESS_ATTEMPTS,
} from "./probe_calls.ts";
import { FILE_ATTEMPTS } from "./probe_files.ts";

/** What an attempt works on. */
export interface ProbeTargets {
  /** The device's node, or what plays it. */
  readonly node: string;
  /** Another node, of another device. */
  readonly otherNode: string;
  readonly log: string;
  /** A folder that the user may write. */
  readonly scratch: string;
  /** The probe's own code. */
  readonly script: string;
  readonly library: string;
  /** A process of the same user, no driver. */
  readonly otherProcess: number;
  /** Another sandboxed driver. */
  readonly sibling: number;
}

/** Makes calls on some thread. Negative: refused; on a pool thread any failure is -1. */
export type Call = (
  name: SyscallName,
  args: readonly Argument[],
) => number | Promise<number>;

/** What an attempt is given. */
export interface ProbeContext {
  readonly call: Call;
  /** Calls of the main thread, to put things back. */
  readonly libc: Libc;
  readonly targets: ProbeTargets;
  /** Memory for results nobody reads. */
  readonly space: bigint;
}

/** One attempt. */
export interface ProbeRow {
  readonly name: string;
  readonly attempt: (context: ProbeContext) => number | Promise<number>;
  /** Layers that refuse it, each by itself. Both together always do. */
  readonly refusedBy: readonly ("landlock" | "seccomp")[];
  /** What refusal looks like. */
  readonly refusal: readonly ErrnoName[];
  /** What the kernel says when nothing refuses; default: success. */
  readonly control?: readonly ErrnoName[];
  /** Does not work on a pool thread without doing harm, or only errno tells. */
  readonly isMainOnly?: boolean;
  /** The control needs root. */
  readonly needsRoot?: boolean;
  /** Open until stage 2, as said in SECURITY.md. */
  readonly leaksUntilStage2?: boolean;
  /** Must pass, in every mode: the sandbox is not closed to the driver's own work. */
  readonly mustPass?: boolean;
}

/** All rows, in the order of the fact sheet, then those that were added. */
export const PROBE_ROWS: readonly ProbeRow[] = [
  ...FILE_ATTEMPTS,
  ...NETWORK_ATTEMPTS,
  ...PROCESS_ATTEMPTS,
  ...DEVICE_ATTEMPTS,
  ...KERNEL_ATTEMPTS,
];

/** How a driver is confined in a run. */
export type ProbeMode = "none" | "landlock" | "seccomp" | "both" | "stage2";

/** The modes, in the order of the matrix. */
export const PROBE_MODES: readonly ProbeMode[] = [
  "none",
  "landlock",
  "seccomp",
  "both",
  "stage2",
];

/** Whether a row must be refused in a mode. */
export function isRefusedIn(row: ProbeRow, mode: ProbeMode): boolean {
  if (row.mustPass === true || mode === "none") return false;
  if (row.leaksUntilStage2 === true) return mode === "stage2";
  if (mode === "both" || mode === "stage2") return true;
  return row.refusedBy.includes(mode);
}

/** Calls that must end the process with SIGSYS, one launch each. */
export const KILLING_CALLS = [
  "ptrace",
  "process_vm_writev",
  "bpf",
  "perf_event_open",
  "userfaultfd",
  "io_uring_setup",
  "keyctl",
  "init_module",
  "kexec_load",
  "mount",
  "unshare",
  "setns",
  "personality",
  "open_by_handle_at",
  "pidfd_open",
  "memfd_create",
  "execve",
  "execveat",
  "setuid",
  "fork",
  "x32",
] as const;

/** One of them. */
export type KillingCall = (typeof KILLING_CALLS)[number];

/** Those the architecture has. */
export function killingCalls(): readonly KillingCall[] {
  const isArm = Deno.build.arch === "aarch64";
  return KILLING_CALLS.filter((call) =>
    !isArm || (call !== "fork" && call !== "x32")
  );
}
