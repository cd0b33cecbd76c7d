/**
 * The two filters: the driver's, installed by the launcher just before it
 * becomes the driver, and stage 2, which the driver adds on all its threads.
 *
 * @module
 */

import {
  ALLOWED_CALLS,
  FATAL_CALLS,
  STAGE2_PATH_CALLS,
  VIRTUAL_CALLS,
} from "../../driver/host/sandbox_policy_calls.ts";
import {
  ALLOW,
  assemble,
  type Condition,
  failWith,
  type Filter,
  KILL,
  type Rule,
  type Rules,
} from "./bpf.ts";
import { ERRNO } from "./errno.ts";
import type { Libc } from "./libc.ts";
import type { Architecture } from "./syscalls.ts";

/** The device's descriptor in a sandboxed driver. */
export const DEVICE_DESCRIPTOR = 100;
/** The log's, append only. */
export const LOG_DESCRIPTOR = 101;

/** What the driver's filter depends on. */
export interface DriverFilterOptions {
  /** Own process id, which exec keeps. */
  readonly processId: number;
  /** Numbers of the ioctl requests allowed on the device's descriptor, the frequent ones first. */
  readonly requests: readonly number[];
  /** Address of the one path that may be executed; `undefined` allows none. */
  readonly executableAddress?: bigint;
  /** The `virtual` profile: Unix sockets too. */
  readonly isVirtual?: boolean;
}

/** CLONE_THREAD. include/uapi/linux/sched.h. */
const CLONE_THREAD = 0x10000;
/** AT_EMPTY_PATH: the call is about a descriptor. include/uapi/linux/fcntl.h. */
const AT_EMPTY_PATH = 0x1000;
const PROT_EXEC = 4;
/** F_DUPFD F_GETFD F_SETFD F_GETFL F_DUPFD_CLOEXEC. */
const FCNTL_COMMANDS = [0, 1, 2, 3, 1030];
/**
 * GET_DUMPABLE SET_DUMPABLE SET_NAME GET_NAME GET_SECCOMP SET_SECCOMP
 * SET_NO_NEW_PRIVS GET_NO_NEW_PRIVS SET_MDWE GET_MDWE SET_VMA.
 * include/uapi/linux/prctl.h.
 */
const PRCTL_OPTIONS = [3, 4, 15, 16, 21, 22, 38, 39, 65, 66, 0x53564d41];
/** A standby that becomes the driver binds itself to its parent; nobody can be loosed. */
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;
/** ARCH_SET_FS and ARCH_CET_STATUS, which libc asks on start. */
const ARCH_PRCTL_OPTIONS = [0x1002, 0x3001];
/** SECCOMP_SET_MODE_FILTER and SECCOMP_GET_ACTION_AVAIL. */
const SECCOMP_OPERATIONS = [1, 2];
const TCGETS = 0x5401;
const TIOCGWINSZ = 0x5413;
/** FIONBIO FIONREAD FIOCLEX: no device hears of them. */
const FILE_REQUESTS = [0x5421, 0x541b, 0x5451];

/** Rules of the driver's filter, by call. */
export function driverRules(options: DriverFilterOptions): Rules {
  const { processId, executableAddress } = options;
  const rules = new Map<string, Rule>();
  // The one checked call of every transfer stands first.
  rules.set("ioctl", ioctlRule(options.requests));
  for (const { calls } of ALLOWED_CALLS) setAll(rules, calls, ALLOW);
  setAll(rules, FATAL_CALLS, KILL);
  rules.set(
    "execve",
    executableAddress === undefined
      ? KILL
      : when([is(0, executableAddress, 64)], KILL),
  );
  rules.set("clone", when([has(0, CLONE_THREAD)], failWith(ERRNO.EPERM)));
  rules.set("clone3", failWith(ERRNO.ENOSYS));
  rules.set("kill", when([is(0, processId, 32)], failWith(ERRNO.EPERM)));
  rules.set("tgkill", when([is(0, processId, 32)], failWith(ERRNO.EPERM)));
  rules.set("fcntl", oneOf(1, FCNTL_COMMANDS));
  rules.set("prctl", prctlRule());
  rules.set("arch_prctl", oneOf(0, ARCH_PRCTL_OPTIONS));
  rules.set("seccomp", oneOf(0, SECCOMP_OPERATIONS));
  // The new limit is a pointer: none means that limits are read.
  rules.set("prlimit64", when([is(2, 0, 64)], failWith(ERRNO.EPERM)));
  // AF_UNIX, SOCK_STREAM with any flags.
  const isStreamPair = [is(0, 1, 32), has(1, 0xf, 1)];
  rules.set("socketpair", when(isStreamPair, failWith(ERRNO.EPERM)));
  rules.set("recvfrom", when([is(4, 0, 64)], failWith(ERRNO.EPERM)));
  rules.set("sendto", when([is(4, 0, 64)], failWith(ERRNO.EPERM)));
  if (options.isVirtual === true) setVirtualRules(rules);
  return rules;
}

/** The driver's filter: an allow-list, anything else fails with EPERM. */
export function driverFilter(
  options: DriverFilterOptions,
  architecture: Architecture,
): Filter {
  return assemble(driverRules(options), failWith(ERRNO.EPERM), architecture);
}

/** What stage 2 depends on. */
export interface LockdownOptions {
  /** Refuses executable memory too; needs a runtime started with `--jitless`. */
  readonly noNewCode: boolean;
}

/** Rules of stage 2, by call. */
export function lockdownRules(options: LockdownOptions): Rules {
  const denied = failWith(ERRNO.EACCES);
  const rules = new Map<string, Rule>();
  // The other filter checks it; met first here, as there.
  rules.set("ioctl", ALLOW);
  setAll(rules, STAGE2_PATH_CALLS, denied);
  rules.set("newfstatat", when([has(3, AT_EMPTY_PATH)], denied));
  rules.set("statx", when([has(2, AT_EMPTY_PATH)], denied));
  setAll(rules, ["execve", "execveat"], KILL);
  // The virtual profile has made its sockets; the others never had any.
  const over = ["seccomp", "socket", "connect", "bind"];
  setAll(rules, over, failWith(ERRNO.EPERM));
  if (options.noNewCode) {
    setAll(rules, ["mmap", "mprotect", "pkey_mprotect"], {
      clauses: [{ when: [has(2, PROT_EXEC)], then: failWith(ERRNO.EPERM) }],
      otherwise: ALLOW,
    });
  }
  return rules;
}

/** Stage 2: it can only tighten, so what it does not name is allowed. */
export function lockdownFilter(
  options: LockdownOptions,
  architecture: Architecture,
): Filter {
  return assemble(lockdownRules(options), ALLOW, architecture);
}

/** SECCOMP_SET_MODE_FILTER. */
const SET_MODE_FILTER = 1;
/** SECCOMP_FILTER_FLAG_TSYNC: on every thread of the process. */
const TSYNC = 1;

/** A `struct sock_fprog` with its program, in C memory. */
export function programAddress(libc: Libc, filter: Filter): bigint {
  const struct = new Uint8Array(16);
  const view = new DataView(struct.buffer);
  view.setUint16(0, filter.length / 8, true);
  view.setBigUint64(8, libc.allocate(filter), true);
  return libc.allocate(struct);
}

/** Installs a filter; 0, the negated errno, or the id of a thread that could not follow. */
export function installFilter(
  libc: Libc,
  programAt: bigint,
  options: { readonly allThreads: boolean },
): number {
  const flags = options.allThreads ? TSYNC : 0;
  return libc.call("seccomp", [SET_MODE_FILTER, flags, programAt]);
}

function setVirtualRules(rules: Map<string, Rule>): void {
  const AF_UNIX = 1;
  setAll(rules, VIRTUAL_CALLS.calls, ALLOW);
  rules.set("socket", when([is(0, AF_UNIX, 32)], failWith(ERRNO.EPERM)));
}

function prctlRule(): Rule {
  const binds = [is(0, PR_SET_PDEATHSIG, 32), is(1, SIGKILL, 64)];
  const options = PRCTL_OPTIONS.map((option) => [is(0, option, 32)]);
  return {
    clauses: [...options, binds].map((when) => ({ when, then: ALLOW })),
    otherwise: failWith(ERRNO.EINVAL),
  };
}

function ioctlRule(requests: readonly number[]): Rule {
  return {
    clauses: [
      ...requests.map((request) => ({
        when: [is(1, request, 32), is(0, DEVICE_DESCRIPTOR, 32)],
        then: ALLOW,
      })),
      { when: [is(1, TCGETS, 32)], then: failWith(ERRNO.ENOTTY) },
      { when: [is(1, TIOCGWINSZ, 32)], then: failWith(ERRNO.ENOTTY) },
      ...FILE_REQUESTS.map((request) => ({
        when: [is(1, request, 32)],
        then: ALLOW,
      })),
    ],
    otherwise: failWith(ERRNO.EPERM),
  };
}

function is(
  argument: number,
  value: number | bigint,
  width: 32 | 64,
): Condition {
  return { argument, value: BigInt(value), width };
}

function has(argument: number, mask: number, value = mask): Condition {
  return { argument, mask: BigInt(mask), value: BigInt(value), width: 32 };
}

function when(conditions: readonly Condition[], otherwise: number): Rule {
  return { clauses: [{ when: conditions, then: ALLOW }], otherwise };
}

function oneOf(argument: number, values: readonly number[]): Rule {
  const clauses = values.map((value) => ({
    when: [is(argument, value, 32)],
    then: ALLOW,
  }));
  return { clauses, otherwise: failWith(ERRNO.EINVAL) };
}

function setAll(
  rules: Map<string, Rule>,
  calls: readonly string[],
  rule: Rule,
): void {
  for (const call of calls) rules.set(call, rule);
}
