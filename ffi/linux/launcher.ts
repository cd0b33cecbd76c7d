/**
 * Opens the device and the log, gives up every other right, and becomes the
 * driver: same process id, new image. One permission: FFI to libc.
 *
 * Why exec in place: before version 8 Landlock binds one thread, and a running
 * Deno has several. After exec every thread of the new image is inside. There
 * is no half-restricted parent, and nothing to compile.
 *
 * @module
 */

import {
  driverCommandLine,
  driverEnvironment,
} from "../../driver/host/sandbox_policy_command.ts";
import {
  formatRefusal,
  type LauncherRefusal,
  LaunchRefused,
  REFUSED_EXIT_CODE,
} from "../../driver/host/sandbox_policy_failures.ts";
import { pathGrants } from "../../driver/host/sandbox_policy_paths.ts";
import {
  interfaceMask,
  type SandboxPolicy,
} from "../../driver/host/sandbox_policy.ts";
import type { LauncherReport } from "../../driver/host/sandbox_policy_report.ts";
import { requestsFor } from "../../driver/host/sandbox_policy_requests.ts";
import { assemble, failWith } from "./bpf.ts";
import { ERRNO, errnoName } from "./errno.ts";
import {
  createRuleset,
  landlockAbi,
  type PathRule,
  restrictSelf,
} from "./landlock.ts";
import { openDevice, takeInterfaces } from "./launcher_device.ts";
import { openLog } from "./launcher_log.ts";
import {
  giveUpRights,
  leaveInterruptToHost,
  ownNamespaces,
} from "./launcher_rights.ts";
import { cstring, type Libc, SyscallError } from "./libc.ts";
import {
  DEVICE_DESCRIPTOR,
  driverRules,
  installFilter,
  LOG_DESCRIPTOR,
  programAddress,
} from "./seccomp.ts";

/**
 * What tests change to show that each layer and each entry carries weight. The
 * launcher's entry passes none and has no option for any.
 */
export interface LaunchExperiment {
  /** An ordinary file plays the node: no USB check, no interface mask. */
  readonly standIn?: boolean;
  readonly omitLandlock?: boolean;
  readonly omitSeccomp?: boolean;
  /** System calls left out of the filter. */
  readonly omitCalls?: readonly string[];
  /** USB requests left out of the filter, by name. */
  readonly omitRequests?: readonly string[];
  /** Paths left out of the rules. */
  readonly omitPaths?: readonly string[];
  /** The Landlock version to take the kernel for; 0: it has none. */
  readonly pretendAbi?: number;
  /** Loaded into the driver before all else, and what it reads from the environment. */
  readonly preload?: Preload;
}

/** A library that plays the kernel inside the driver: for measurements. */
export interface Preload {
  readonly path: string;
  /** `NAME=value`. */
  readonly environment: readonly string[];
}

const F_DUPFD_CLOEXEC = 1030;
/** Above the descriptors of the launcher's own event loop, which must not be overwritten. */
const HIGH_DESCRIPTOR = 200;
const CLOSE_RANGE_CLOEXEC = 4;
const DESCRIPTOR_MAX = 0xffff_ffff;
const PR_SET_MDWE = 65;

/**
 * Becomes the driver; comes back only by exception.
 *
 * @throws {LaunchRefused} When anything is not as the policy demands.
 */
export function launch(
  libc: Libc,
  policy: SandboxPolicy,
  experiment: LaunchExperiment = {},
): never {
  const parentProcessId = libc.call("getppid");
  leaveInterruptToHost(libc);
  const denoPath = Deno.execPath();
  const isStandIn = experiment.standIn === true;
  const device = policy.profile === "virtual"
    ? undefined
    : openDevice(libc, policy, { isStandIn });
  const log = openLog(libc, policy, { denoPath });
  giveUpRights(libc, policy, { parentProcessId });
  const prepared = prepare(libc, { policy, denoPath, experiment });
  const descriptors = [
    device === undefined
      ? undefined
      : [above(libc, device), DEVICE_DESCRIPTOR] as const,
    [above(libc, log), LOG_DESCRIPTOR] as const,
  ].filter((pair) => pair !== undefined);
  if (device !== undefined && !isStandIn) takeInterfaces(libc, device, policy);
  becomeDriver(libc, { ...prepared, descriptors });
}

/** Everything of the last step, ready in C memory. */
interface Prepared {
  readonly isJitless: boolean;
  /** -1: none, by experiment. */
  readonly ruleset: number;
  /** `undefined`: none, by experiment. */
  readonly program: bigint | undefined;
  readonly executable: bigint;
  readonly command: bigint;
  readonly environment: bigint;
}

interface Launch {
  readonly policy: SandboxPolicy;
  readonly denoPath: string;
  readonly experiment: LaunchExperiment;
}

/** The last things that can fail for a reason worth reading. */
function prepare(libc: Libc, what: Launch): Prepared {
  const { policy, denoPath, experiment } = what;
  const abi = experiment.omitLandlock === true
    ? 0
    : checkedAbi(libc, policy, experiment);
  const report: LauncherReport = {
    landlockAbi: abi,
    seccomp: experiment.omitSeccomp !== true,
    profile: policy.profile,
    interfaces: interfaceMask(policy),
    namespaces: ownNamespaces(policy),
    userId: libc.call("geteuid"),
  };
  const command = driverCommandLine(policy, {
    denoPath,
    report: JSON.stringify(report),
  });
  const executable = secretAddress(libc, denoPath);
  return {
    isJitless: policy.profile === "jitless",
    ruleset: abi === 0 ? -1 : above(libc, pathRuleset(libc, what, abi)),
    program: experiment.omitSeccomp === true
      ? undefined
      : filterProgram(libc, what, executable),
    executable,
    command: libc.stringArray(command),
    environment: libc.stringArray([
      ...driverEnvironment(policy),
      ...preloadEnvironment(experiment),
    ]),
  };
}

function preloadEnvironment({ preload }: LaunchExperiment): readonly string[] {
  return preload === undefined
    ? []
    : [`LD_PRELOAD=${preload.path}`, ...preload.environment];
}

function checkedAbi(
  libc: Libc,
  policy: SandboxPolicy,
  experiment: LaunchExperiment,
): number {
  const abi = experiment.pretendAbi ?? landlockAbi(libc);
  if (abi === 0) {
    throw new LaunchRefused(
      "landlock-missing",
      "Cannot confine the driver: this kernel has no Landlock",
    );
  }
  if (abi < policy.landlockAbiMinimum) {
    throw new LaunchRefused(
      "landlock-old",
      `Cannot confine the driver: Landlock ${abi} is here, ${policy.landlockAbiMinimum} is demanded`,
    );
  }
  return abi;
}

function pathRuleset(libc: Libc, what: Launch, abi: number): number {
  const { policy, denoPath, experiment } = what;
  const { architecture } = libc;
  const omitted = new Set(experiment.omitPaths);
  const rules: PathRule[] = pathGrants(policy, { denoPath, architecture })
    .filter(({ path }) => !omitted.has(path));
  if (experiment.preload !== undefined) {
    const { path } = experiment.preload;
    rules.push({ path, access: "read", optional: false });
  }
  try {
    return createRuleset(libc, rules, { abi });
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    throw new LaunchRefused(
      error.call.startsWith("landlock_") ? "landlock-missing" : "landlock-path",
      `Cannot make the path rules: ${error.message}`,
    );
  }
}

function filterProgram(libc: Libc, what: Launch, executable: bigint): bigint {
  const { policy, experiment } = what;
  const requests = requestsFor(policy.requests).filter(({ name }) =>
    experiment.omitRequests?.includes(name) !== true
  );
  const rules = driverRules({
    processId: libc.call("getpid"),
    requests: requests.map(({ number }) => number),
    executableAddress: executable,
    isVirtual: policy.profile === "virtual",
  });
  const { omitCalls } = experiment;
  const kept = omitCalls === undefined
    ? rules
    : new Map([...rules].filter(([name]) => !omitCalls.includes(name)));
  const filter = assemble(kept, failWith(ERRNO.EPERM), libc.architecture);
  return programAddress(libc, filter);
}

/** 64 KiB: the largest page of aarch64. */
const SECRET_PAGE_BYTES = 0x10000;
const PROT_READ_WRITE = 3;
/** MAP_PRIVATE, MAP_ANONYMOUS, MAP_FIXED_NOREPLACE. include/uapi/linux/mman.h. */
const MAP_FLAGS = 0x100022;
const ADDRESS_ATTEMPTS = 100;
/** 47-bit addresses, then what an aarch64 kernel with 39-bit addresses has. */
const ADDRESS_RANGES = [
  { mask: 0x7fff_ffff_0000n, base: 0x1000_0000_0000n },
  { mask: 0x3f_ffff_0000n, base: 0x10_0000_0000n },
] as const;

/**
 * Puts the path of the executable at a random address: the filter lets execve
 * pass with exactly this one, and it is gone after the exec.
 */
function secretAddress(libc: Libc, path: string): bigint {
  for (const { mask, base } of ADDRESS_RANGES) {
    for (let attempt = 0; attempt < ADDRESS_ATTEMPTS; attempt++) {
      const random = new BigUint64Array(1);
      libc.check("getrandom", [random, random.byteLength, 0]);
      const address = ((random[0] ?? 0n) & mask) | base;
      const result = libc.call("mmap", [
        address,
        SECRET_PAGE_BYTES,
        PROT_READ_WRITE,
        MAP_FLAGS,
        -1,
        0,
      ]);
      if (result < 0) continue;
      libc.poke(address, cstring(path));
      return address;
    }
  }
  throw new LaunchRefused(
    "memory",
    "Cannot hide the address of the executable",
  );
}

function above(libc: Libc, descriptor: number): number {
  const copy = libc.call("fcntl", [
    descriptor,
    F_DUPFD_CLOEXEC,
    HIGH_DESCRIPTOR,
  ]);
  if (copy < 0) {
    throw new LaunchRefused(
      "internal",
      `Cannot move descriptor ${descriptor}: ${errnoName(-copy)}`,
    );
  }
  return copy;
}

/**
 * Point of no return: the launcher's own event loop loses its descriptors here,
 * so only signs of results are looked at, and a failure ends the process.
 */
function becomeDriver(
  libc: Libc,
  what: Prepared & {
    readonly descriptors: readonly (readonly [from: number, to: number])[];
  },
): never {
  const must = (refusal: LauncherRefusal, step: string, result: number): void =>
    orEnd(libc, { refusal, step, result });
  for (const [from, to] of what.descriptors) {
    must("internal", "dup3", libc.call("dup3", [from, to, 0]));
  }
  const kept = what.descriptors.map(([, to]) => to);
  const first = Math.min(...kept);
  const last = Math.max(...kept);
  for (const [from, to] of [[3, first - 1], [last + 1, DESCRIPTOR_MAX]]) {
    const args = [from ?? 0, to ?? 0, CLOSE_RANGE_CLOEXEC];
    must("descriptors", "close_range", libc.call("close_range", args));
  }
  if (what.isJitless) {
    // Here, not earlier: the launcher itself still compiles code.
    const args = [PR_SET_MDWE, 1, 0, 0, 0];
    const result = libc.call("prctl", args);
    must("executable-memory", "prctl(PR_SET_MDWE)", result);
  }
  if (what.ruleset >= 0) {
    const result = restrictSelf(libc, what.ruleset);
    must("landlock-missing", "landlock_restrict_self", result);
  }
  if (what.program !== undefined) {
    const result = installFilter(libc, what.program, { allThreads: false });
    must("seccomp", "seccomp", result);
  }
  const { executable, command, environment } = what;
  const result = libc.call("execve", [executable, command, environment]);
  orEnd(libc, { refusal: "execute", step: "execve", result: result || -1 });
  throw new Error("The process has ended");
}

function orEnd(
  libc: Libc,
  outcome: {
    readonly refusal: LauncherRefusal;
    readonly step: string;
    readonly result: number;
  },
): void {
  if (outcome.result >= 0) return;
  const { refusal, message } = new LaunchRefused(
    outcome.refusal,
    `Cannot confine the driver: ${outcome.step}: ${errnoName(-outcome.result)}`,
  );
  const line = cstring(`${formatRefusal(refusal, message)}\n`);
  const STDERR = 2;
  libc.call("write", [STDERR, line, line.length - 1]);
  libc.call("exit_group", [REFUSED_EXIT_CODE]);
}
