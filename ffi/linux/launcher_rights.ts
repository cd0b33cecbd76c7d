/**
 * What the launcher gives up before it becomes the driver: limits, namespaces,
 * capabilities, users. Works unprivileged; gives up more when it is root.
 *
 * @module
 */

import type { SandboxPolicy } from "../../driver/host/sandbox_policy.ts";
import {
  type LauncherRefusal,
  LaunchRefused,
} from "../../driver/host/sandbox_policy_failures.ts";
import { type Argument, type Libc, SyscallError } from "./libc.ts";
import type { SyscallName } from "./syscalls.ts";

/**
 * RLIMIT_* and what is left. No limit on address space: V8 reserves it; none on
 * file size: it counts what the log holds already.
 */
const LIMITS: readonly (readonly [resource: number, limit: bigint])[] = [
  [4, 0n], // CORE: memory holds what the device said
  [7, 256n], // NOFILE
  [8, 0n], // MEMLOCK
  [12, 0n], // MSGQUEUE
  [13, 0n], // NICE
  [14, 0n], // RTPRIO
];
const UMASK = 0o077;
/** CLONE_NEWNET, NEWIPC, NEWUTS, NEWCGROUP. include/uapi/linux/sched.h. */
const NAMESPACES = {
  net: 0x40000000,
  ipc: 0x08000000,
  uts: 0x04000000,
  cgroup: 0x02000000,
} as const;

/** include/uapi/linux/prctl.h. */
const PR_SET_PDEATHSIG = 1;
const PR_CAPBSET_READ = 23;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;
const SIGKILL = 9;
/** _LINUX_CAPABILITY_VERSION_3 and the caller itself. include/uapi/linux/capability.h. */
const CAPABILITY_HEADER = [0x20080522, 0] as const;
/** More than any kernel has; the loop ends at the first unknown one. */
const CAPABILITIES_MAX = 256;

/** The handler SIG_IGN. include/uapi/asm-generic/signal-defs.h. */
const SIG_IGN = 1n;
const SIGINT = 2;
/** `sigset_t` of the kernel. */
const SIGNAL_SET_BYTES = 8;

/**
 * A terminal sends Ctrl-C to the driver as well; only the host decides what it
 * means. It stays ignored in what the launcher becomes until that has a handler
 * of its own, which then has to do the same.
 */
export function leaveInterruptToHost(libc: Libc): void {
  // `struct sigaction` of the kernel: handler, flags, restorer, mask.
  const action = new BigUint64Array([SIG_IGN, 0n, 0n, 0n]);
  libc.check("rt_sigaction", [SIGINT, action, 0, SIGNAL_SET_BYTES]);
}

/** Gives up what is not needed, in the order that the kernel asks for. */
export function giveUpRights(
  libc: Libc,
  policy: SandboxPolicy,
  start: { readonly parentProcessId: number },
): void {
  for (const [resource, limit] of LIMITS) {
    const pair = new BigUint64Array([limit, limit]);
    demand(libc, "limits", "prlimit64", [0, resource, pair, 0]);
  }
  libc.call("umask", [UMASK]);
  if (policy.isolate) {
    const flags = Object.values(NAMESPACES).reduce((a, b) => a | b, 0);
    demand(libc, "namespaces", "unshare", [flags]);
  }
  const isRoot = libc.call("geteuid") === 0;
  // The bounding set first: afterwards dropping fails without a word.
  if (isRoot) dropBoundingSet(libc);
  if (policy.user !== undefined) changeUser(libc, policy.user);
  if (isRoot) {
    demand(libc, "identity", "capset", [
      new Uint32Array(CAPABILITY_HEADER),
      new Uint32Array(6),
    ]);
  }
  if (policy.parentProcessId !== undefined) {
    // A standby outlives it by the time it takes to make the device safe.
    if (!policy.isStandby) bindToParent(libc);
    checkParent(libc, policy.parentProcessId, start.parentProcessId);
  }
  demand(libc, "seccomp", "prctl", [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]);
}

/** Names of the namespaces that isolation makes. */
export function ownNamespaces(policy: SandboxPolicy): readonly string[] {
  return policy.isolate ? Object.keys(NAMESPACES) : [];
}

function dropBoundingSet(libc: Libc): void {
  for (let capability = 0; capability < CAPABILITIES_MAX; capability++) {
    if (libc.call("prctl", [PR_CAPBSET_DROP, capability, 0, 0, 0]) < 0) break;
  }
  if (libc.call("prctl", [PR_CAPBSET_READ, 0, 0, 0, 0]) !== 0) {
    throw new LaunchRefused(
      "identity",
      "Cannot drop the capability bounding set",
    );
  }
  demand(libc, "identity", "prctl", [
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_CLEAR_ALL,
    0,
    0,
    0,
  ]);
}

function changeUser(
  libc: Libc,
  user: { readonly userId: number; readonly groupId: number },
): void {
  const { userId, groupId } = user;
  demand(libc, "identity", "setgroups", [0, 0]);
  demand(libc, "identity", "setresgid", [groupId, groupId, groupId]);
  demand(libc, "identity", "setresuid", [userId, userId, userId]);
}

/** After the change of user, which clears the signal. */
function bindToParent(libc: Libc): void {
  demand(libc, "parent-gone", "prctl", [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
}

/** After it was bound: whether the parent is still there. */
function checkParent(libc: Libc, wanted: number, atStart: number): void {
  const now = libc.call("getppid");
  if (now !== wanted || atStart !== wanted) {
    throw new LaunchRefused(
      "parent-gone",
      `Cannot bind the driver to process ${wanted}: the parent is ${now}`,
    );
  }
}

/** A call that must succeed. @throws {LaunchRefused} With this name. */
function demand(
  libc: Libc,
  refusal: LauncherRefusal,
  call: SyscallName,
  args: readonly Argument[],
): void {
  try {
    libc.check(call, args);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    throw new LaunchRefused(
      refusal,
      `Cannot give up rights: ${error.message}`,
    );
  }
}
