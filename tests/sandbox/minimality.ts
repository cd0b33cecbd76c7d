/**
 * Claim C15: drops each entry of the lists in turn and expects a driver to
 * fail. What stays although this machine does without is named with its reason,
 * so that nothing is granted unseen.
 */

import {
  ALLOWED_CALLS,
  CHECKED_CALLS,
} from "../../driver/host/sandbox_policy_calls.ts";
import { USB_REQUESTS } from "../../driver/host/sandbox_policy_requests.ts";
import type { LaunchExperiment } from "../../ffi/linux/launcher.ts";
import { runOnBus } from "./bus_run.ts";
import { bundleOf, launchCommand, LIBUSB, Scratch, settle } from "./harness.ts";

/** Entries that stay although a driver works here without. */
interface Kept {
  readonly reason: string;
  readonly names: readonly string[];
}

function kept(reason: string, names: string): Kept {
  return { reason, names: names.trim().split(/\s+/) };
}

/** System calls. "Refused it goes on" is what Deno 2.9.6 and glibc 2.36 do; a later one may not. */
export const KEPT_CALLS: readonly Kept[] = [
  kept(
    "used on every start; refused, this runtime goes on without what it asked",
    `fstat brk rt_sigprocmask sigaltstack set_robust_list rseq set_tid_address
    gettid sched_yield sched_getparam sched_getscheduler lstat stat statx
    readlink access statfs sysinfo getpid geteuid prlimit64 mremap pkey_alloc
    timerfd_create clock_nanosleep`,
  ),
  kept(
    "the same calls by the names that aarch64 or another C library uses",
    `open ppoll pselect6 select epoll_pwait epoll_pwait2 pipe2 dup readv writev
    faccessat faccessat2 readlinkat getdents64 fstatfs nanosleep`,
  ),
  kept(
    "time where the kernel's shared page does not give it",
    "clock_gettime clock_getres gettimeofday",
  ),
  kept(
    "a signal, an abort, the end of a thread, a stop and continue",
    `rt_sigreturn rt_sigtimedwait restart_syscall exit kill tgkill`,
  ),
  kept(
    "memory of the JIT on processors with keys, and of its threads",
    "pkey_free pkey_mprotect membarrier",
  ),
  kept("a log line that must be on disk", "fsync fdatasync fadvise64"),
  kept(
    "what JavaScript may ask of its own process, and streams on its pipes",
    `times getrusage getppid getuid getgid getegid getresuid getresgid
    sendto recvfrom shutdown`,
  ),
];

/** USB requests. */
export const KEPT_REQUESTS: readonly Kept[] = [
  kept(
    "devices whose active configuration is not their first",
    "CONTROL",
  ),
  kept(
    "one transfer instead of many pieces, where the controller can",
    "GET_CAPABILITIES",
  ),
];

/** An entry that was dropped. */
export interface Dropped {
  readonly what: string;
  /** The driver failed without it, as it must. */
  readonly isNeeded: boolean;
}

/** What a run takes at most; without some entries a driver hangs. */
const TIME_LIMIT_MS = 6_000;

/** System calls that must be needed: all but those that are kept. */
export function neededCalls(): readonly string[] {
  const without = new Set(KEPT_CALLS.flatMap(({ names }) => names));
  return [
    ...ALLOWED_CALLS.flatMap(({ calls }) => calls),
    ...CHECKED_CALLS.map(({ call }) => call),
  ].filter((call) => !without.has(call));
}

/** USB requests that must be needed. */
export function neededRequests(): readonly string[] {
  const without = new Set(KEPT_REQUESTS.flatMap(({ names }) => names));
  return USB_REQUESTS.map(({ name }) => name).filter((name) =>
    !without.has(name)
  );
}

/** Drops them all, one at a time. */
export async function dropEach(): Promise<readonly Dropped[]> {
  const usual = await onBus({});
  if (usual === undefined) throw new Error("The driver fails with everything");
  const dropped: Dropped[] = [];
  for (const call of neededCalls()) {
    const experiment = { omitCalls: [call] };
    const isNeeded = await failsAlone({ ...experiment, standIn: true }) ||
      await onBus(experiment) !== usual;
    dropped.push({ what: call, isNeeded });
  }
  for (const name of neededRequests()) {
    const isNeeded = await onBus({ omitRequests: [name] }) !== usual;
    dropped.push({ what: `request ${name}`, isNeeded });
  }
  return dropped;
}

/** Whether the smallest driver fails: the quicker question. */
async function failsAlone(experiment: LaunchExperiment): Promise<boolean> {
  await using scratch = await Scratch.make();
  const driver = await bundleOf("echo_driver");
  const command = await launchCommand({
    scratch,
    driver,
    driverArguments: [LIBUSB],
    experiment,
  });
  const { code, stdout } = await settle(command.spawn(), {
    input: "one",
    timeLimitMs: TIME_LIMIT_MS,
  });
  return code !== 0 || !stdout.includes('{"echo":3}');
}

/** What a driver found on the bus; `undefined` if it failed. */
async function onBus(
  experiment: LaunchExperiment,
): Promise<string | undefined> {
  const { code, results } = await runOnBus({
    experiment,
    timeLimitMs: TIME_LIMIT_MS,
  });
  return code === 0 ? JSON.stringify(results) : undefined;
}
