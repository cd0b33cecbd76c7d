/**
 * Every right a sandboxed driver will have, with its reason, and every layer
 * that holds it: what `explain` prints.
 *
 * @module
 */

import { DRIVER_HEAP_MEBIBYTES } from "../limits.ts";
import {
  interfaceMask,
  type SandboxPolicy,
  type SandboxProfile,
} from "./sandbox_policy.ts";
import {
  ALLOWED_CALLS,
  CHECKED_CALLS,
  FATAL_CALLS,
  VIRTUAL_CALLS,
} from "./sandbox_policy_calls.ts";
import { type PathGrant, pathGrants } from "./sandbox_policy_paths.ts";
import { requestsFor } from "./sandbox_policy_requests.ts";

/** A right and why it is there. */
export interface ExplainedRight {
  readonly kind:
    | "descriptor"
    | "interface"
    | "usb request"
    | "path"
    | "system calls"
    | "checked call"
    | "permission";
  readonly what: string;
  readonly reason: string;
}

/** A layer, and whether it is there on this machine. */
export interface ExplainedLayer {
  readonly name: string;
  readonly isActive: boolean;
  readonly detail: string;
}

/** All of it. Plain JSON. */
export interface Explanation {
  readonly profile: SandboxProfile;
  readonly rights: readonly ExplainedRight[];
  readonly layers: readonly ExplainedLayer[];
  /** What none of it protects, a sentence each. */
  readonly limits: readonly string[];
}

/** What must be known of the machine. */
export interface ExplainMachine {
  readonly denoPath: string;
  readonly architecture: "x86_64" | "aarch64";
  /** 0: no Landlock. */
  readonly landlockAbi: number;
  /** Whether the kernel takes seccomp filters; default: it does. */
  readonly hasSeccomp?: boolean;
  readonly isRoot: boolean;
  /** `6.1.0-18-amd64`; default: new enough for everything. */
  readonly kernelRelease?: string;
  /** Paths that exist, so that absent optional ones are left out; default: all are shown. */
  readonly exists?: (path: string) => boolean;
}

/** Explains a policy on a machine. */
export function explainPolicy(
  policy: SandboxPolicy,
  machine: ExplainMachine,
): Explanation {
  return {
    profile: policy.profile,
    rights: [
      ...descriptorRights(policy),
      ...usbRights(policy),
      ...pathRights(policy, machine),
      ...callRights(policy),
    ],
    layers: layers(policy, machine),
    limits: policy.profile === "virtual"
      ? [VIRTUAL_IS_WEAKER, ...LIMITS]
      : LIMITS,
  };
}

function descriptorRights(policy: SandboxPolicy): ExplainedRight[] {
  return [
    right("descriptor", "0, 1, 2", "frames with the supervisor, and panics"),
    ...(policy.virtualBus === undefined
      ? [right("descriptor", `100: ${policy.nodePath}`, "the one device")]
      : []),
    right(
      "descriptor",
      `101: ${policy.logPath}`,
      "the one log; append only: it cannot be truncated, rewritten or renamed",
    ),
    right(
      "permission",
      `--allow-ffi=${policy.libraryPath}`,
      "libusb; revoked in stage 2. Alone it would hold nothing back",
    ),
  ];
}

function usbRights(policy: SandboxPolicy): ExplainedRight[] {
  const requests = requestsFor(policy.requests);
  return [
    ...policy.interfaces.map((number) =>
      right(
        "interface",
        `${number} (mask 0x${interfaceMask(policy).toString(16)})`,
        policy.virtualBus === undefined
          ? "the driver claims it; others the kernel refuses"
          : "the driver claims it; nothing keeps it from others",
      )
    ),
    ...(policy.virtualBus === undefined
      ? requests.map(({ name, reason }) => right("usb request", name, reason))
      : [
        right("usb request", "any", "the preload library answers, no kernel"),
      ]),
  ];
}

function pathRights(
  policy: SandboxPolicy,
  machine: ExplainMachine,
): ExplainedRight[] {
  const { exists = () => true } = machine;
  const words: Readonly<Record<PathGrant["access"], string>> = {
    read: "read",
    execute: "read and execute",
    readWriteBelow: "read and write below",
  };
  return pathGrants(policy, machine)
    .filter(({ path, optional }) => !optional || exists(path))
    .map(({ path, access, reason }) =>
      right("path", `${words[access]} ${path}`, `${reason}; until stage 2`)
    );
}

function callRights(policy: SandboxPolicy): ExplainedRight[] {
  return [
    ...ALLOWED_CALLS.map(({ calls, reason }) =>
      right("system calls", calls.join(" "), reason)
    ),
    ...(policy.virtualBus === undefined ? [] : [
      right(
        "system calls",
        VIRTUAL_CALLS.calls.join(" "),
        VIRTUAL_CALLS.reason,
      ),
      right("checked call", "socket: AF_UNIX", VIRTUAL_CALLS.reason),
    ]),
    ...CHECKED_CALLS.map(({ call, rule, reason }) =>
      right("checked call", `${call}: ${rule}`, reason)
    ),
  ];
}

function layers(
  policy: SandboxPolicy,
  machine: ExplainMachine,
): ExplainedLayer[] {
  const { landlockAbi, isRoot, hasSeccomp = true } = machine;
  const isTight = policy.profile === "jitless";
  const canBeTight = deniesNewCode(machine.kernelRelease);
  return [
    layer(
      "Landlock",
      landlockAbi >= policy.landlockAbiMinimum,
      landlockAbi === 0
        ? "not in this kernel: nothing will start"
        : `version ${landlockAbi}; at least ${policy.landlockAbiMinimum} is demanded`,
    ),
    layer(
      "seccomp",
      hasSeccomp,
      hasSeccomp
        ? `an allow-list; ${FATAL_CALLS.length} calls kill, unknown ones fail`
        : "not in this kernel: nothing will start",
    ),
    layer(
      "interface mask",
      policy.virtualBus === undefined,
      "USBDEVFS_DROP_PRIVILEGES on the open device",
    ),
    layer(
      "stage 2",
      hasSeccomp,
      "no path at all, not dumpable, Deno permissions revoked",
    ),
    layer(
      "no new code",
      isTight && canBeTight,
      !canBeTight
        ? `profile jitless needs Linux 6.3; this is ${machine.kernelRelease}`
        : isTight
        ? "jitless: no executable memory can be made"
        : "profile jitless has it; JavaScript then runs 10 to 75 times slower",
    ),
    layer("capabilities", true, isRoot ? "all dropped" : "none held"),
    layer(
      "own user",
      policy.user !== undefined || !isRoot,
      policy.user === undefined
        ? isRoot
          ? "runs as root without capabilities; name a user to change it"
          : "runs as the user who starts it"
        : `becomes user ${policy.user.userId}`,
    ),
    layer("namespaces", policy.isolate, namespacesText(policy)),
    layer(
      "memory of JavaScript",
      true,
      `at most ${DRIVER_HEAP_MEBIBYTES} MiB; what native code takes is not bounded`,
    ),
    layer(
      "dies with its parent",
      policy.parentProcessId !== undefined,
      "parent-death signal, which the driver cannot forget",
    ),
  ];
}

function namespacesText({ isolate, virtualBus }: SandboxPolicy): string {
  if (isolate) return "own network, IPC, host name and cgroup";
  return virtualBus === undefined
    ? "none; sockets are refused by the filter all the same"
    : "none; the filter refuses sockets but Unix ones, and stage 2 all";
}

/** Where a kernel says what its seccomp filters may answer. */
export const SECCOMP_ACTIONS = "/proc/sys/kernel/seccomp/actions_avail";

/** Whether a kernel takes filters as ours, by what stands there. */
export function hasFilters(seccompActions: string | undefined): boolean {
  return seccompActions?.includes("errno") === true;
}

/** Whether a kernel has PR_SET_MDWE, which the jitless profile needs: from Linux 6.3 on. */
export function deniesNewCode(kernelRelease: string | undefined): boolean {
  const found = /^(\d+)\.(\d+)/.exec(kernelRelease ?? "");
  if (found === null) return true;
  const [major, minor] = [Number(found[1]), Number(found[2])];
  return major > 6 || (major === 6 && minor >= 3);
}

/** What must be said wherever the profile `virtual` is used. */
export const VIRTUAL_IS_WEAKER =
  "WEAKER: profile virtual, for virtual devices only: until stage 2 the driver " +
  "may write the bus's folder and connect to Unix sockets, of which it keeps " +
  "those to the bus; no interface mask and no list of USB requests holds it";

/** `SECURITY.md` has the whole list. */
const LIMITS = [
  "The device itself is not safe from its driver: any legal request on it passes, vendor requests included",
  "Bugs of the kernel and of host controller drivers are not contained",
  "What the driver writes to its log and its output may be false",
  "A driver may use up CPU and, by native code, memory: use a cgroup",
] as const;

function right(
  kind: ExplainedRight["kind"],
  what: string,
  reason: string,
): ExplainedRight {
  return { kind, what, reason };
}

function layer(
  name: string,
  isActive: boolean,
  detail: string,
): ExplainedLayer {
  return { name, isActive, detail };
}
