/**
 * What one driver process may do, as data: one device, one log, and the files
 * it starts from. The supervisor makes a policy and a command line from it; the
 * launcher reads the same data back and enforces it; `explain` prints it.
 *
 * Pure: no permission, no FFI.
 *
 * @module
 */

import type { DemandedRequest } from "./sandbox_policy_requests.ts";

/**
 * How tight. `default` compiles JavaScript to machine code. `jitless` has no
 * executable memory that is not a file: tighter and slower, for small drivers.
 * `virtual` is for a virtual device on the bus of the preload library, which
 * needs a folder and sockets: weaker, never for a real device.
 */
export type SandboxProfile = "default" | "jitless" | "virtual";

/** The profiles, the first one being what is taken when none is named. */
export const SANDBOX_PROFILES: readonly SandboxProfile[] = [
  "default",
  "jitless",
  "virtual",
];

/** Which device must be behind the node. */
export interface ExpectedDevice {
  /** `idVendor`. */
  readonly vendorId: number;
  /** `idProduct`. */
  readonly productId: number;
  readonly serialNumber?: string;
}

/** The virtual bus of the `virtual` profile. */
export interface VirtualBusAccess {
  /** Preload library that plays the kernel. */
  readonly preloadPath: string;
  /** Folder with its nodes and sockets: the only one that may be written. */
  readonly folderPath: string;
  /** The driver's own root in it: `UMOCKDEV_DIR`. */
  readonly rootPath: string;
}

/** What one driver process may do. */
export interface SandboxPolicy {
  readonly profile: SandboxProfile;
  /** `/dev/bus/usb/001/002`. */
  readonly nodePath: string;
  readonly expect: ExpectedDevice;
  /** Append only; made when it does not exist. */
  readonly logPath: string;
  /** `bInterfaceNumber`s it may claim, at least one, 0..31. */
  readonly interfaces: readonly number[];
  /** Kernel drivers on these interfaces: detached before the start, or a reason to refuse. */
  readonly kernelDriver: "detach" | "refuse";
  /** Requests beyond plain transfers, as the driver declares them. */
  readonly requests: readonly DemandedRequest[];
  /** libusb. */
  readonly libraryPath: string;
  /** One bundled JavaScript file. */
  readonly driverPath: string;
  readonly driverArguments: readonly string[];
  /** The Landlock version below which nothing starts. From 1: the filter closes what it lacks. */
  readonly landlockAbiMinimum: number;
  /** The process that must be the parent, and with which the driver dies. */
  readonly parentProcessId?: number;
  /**
   * Waits beside the driver that has the device: leaves alone what that driver
   * claims, and is bound to its parent when it becomes the driver itself.
   */
  readonly isStandby: boolean;
  /** Whom to become; needs root. */
  readonly user?: { readonly userId: number; readonly groupId: number };
  /** Own network, IPC, host name and cgroup namespaces; needs root. */
  readonly isolate: boolean;
  /** With the `virtual` profile only. */
  readonly virtualBus?: VirtualBusAccess;
}

/** The parts of a policy that have a default. */
type Defaulted =
  | "profile"
  | "kernelDriver"
  | "requests"
  | "driverArguments"
  | "landlockAbiMinimum"
  | "isStandby"
  | "isolate";

/** What must be said, and what may be. */
export type SandboxPolicyInput =
  & Omit<SandboxPolicy, Defaulted>
  & Partial<Pick<SandboxPolicy, Defaulted>>;

/** The mask of DROP_PRIVILEGES has 32 bits. include/uapi/linux/usbdevice_fs.h. */
const INTERFACE_NUMBER_MAX = 31;
/** Longest path the kernel takes, its NUL byte included. include/uapi/linux/limits.h. */
const PATH_BYTES_MAX = 4096;
/** Bound on the driver's own arguments; the kernel's is far above. */
const ARGUMENTS_MAX = 64;
const REQUESTS: readonly DemandedRequest[] = [
  "setConfiguration",
  "reset",
  "streams",
];

/**
 * Fills in the defaults and checks the whole.
 *
 * @throws {TypeError} When a part is missing or of the wrong kind.
 * @throws {RangeError} When a value is out of its range.
 */
export function sandboxPolicy(input: SandboxPolicyInput): SandboxPolicy {
  const policy: SandboxPolicy = {
    profile: "default",
    kernelDriver: "refuse",
    requests: [],
    driverArguments: [],
    landlockAbiMinimum: 1,
    isStandby: false,
    isolate: false,
    ...input,
  };
  checkPaths(policy);
  checkDevice(policy);
  checkProcess(policy);
  checkProfile(policy);
  return policy;
}

/** The mask of interfaces for DROP_PRIVILEGES. */
export function interfaceMask(policy: SandboxPolicy): number {
  return policy.interfaces.reduce(
    (mask, number) => (mask | (1 << number)) >>> 0,
    0,
  );
}

function checkPaths(policy: SandboxPolicy): void {
  const paths: readonly (readonly [string, string])[] = [
    ["device node", policy.nodePath],
    ["log", policy.logPath],
    ["library", policy.libraryPath],
    ["driver", policy.driverPath],
    ["preload library", policy.virtualBus?.preloadPath ?? "/"],
    ["bus folder", policy.virtualBus?.folderPath ?? "/"],
    ["bus root", policy.virtualBus?.rootPath ?? "/"],
  ];
  for (const [what, path] of paths) {
    if (!path.startsWith("/") || path.split("/").includes("..")) {
      throw new TypeError(
        `Cannot use ${
          JSON.stringify(path)
        } as the ${what}: an absolute path without .. is needed`,
      );
    }
    if (path.includes("\0") || path.length >= PATH_BYTES_MAX) {
      throw new RangeError(`Cannot use the path of the ${what}: too long`);
    }
  }
  const others = [policy.libraryPath, policy.driverPath, policy.nodePath];
  if (others.includes(policy.logPath)) {
    throw new TypeError(
      `Cannot use ${policy.logPath} as the log: the driver starts from it`,
    );
  }
}

function checkDevice(policy: SandboxPolicy): void {
  const { interfaces, expect } = policy;
  const isInterface = (number: number): boolean =>
    Number.isInteger(number) && number >= 0 && number <= INTERFACE_NUMBER_MAX;
  if (interfaces.length === 0 || !interfaces.every(isInterface)) {
    throw new RangeError(
      `Cannot use [${interfaces}] as interfaces: at least one is needed, each 0 to ${INTERFACE_NUMBER_MAX}`,
    );
  }
  for (const id of [expect.vendorId, expect.productId]) {
    if (!Number.isInteger(id) || id < 0 || id > 0xffff) {
      throw new RangeError(`Cannot use ${id} as a vendor or product id`);
    }
  }
  const unknown = policy.requests.find((name) => !REQUESTS.includes(name));
  if (unknown !== undefined) {
    throw new TypeError(
      `Cannot grant ${JSON.stringify(unknown)}: requests are ${
        REQUESTS.join(", ")
      }`,
    );
  }
}

function checkProcess(policy: SandboxPolicy): void {
  const { landlockAbiMinimum, parentProcessId, user, driverArguments } = policy;
  if (!Number.isInteger(landlockAbiMinimum) || landlockAbiMinimum < 1) {
    throw new RangeError(
      `Cannot use ${landlockAbiMinimum} as the least Landlock version: 1 is`,
    );
  }
  for (
    const id of [parentProcessId ?? 1, user?.userId ?? 0, user?.groupId ?? 0]
  ) {
    if (!Number.isInteger(id) || id < 0 || id > 0x7fff_ffff) {
      throw new RangeError(`Cannot use ${id} as an id of a process or a user`);
    }
  }
  if (
    driverArguments.length > ARGUMENTS_MAX ||
    driverArguments.some((argument) => argument.includes("\0"))
  ) {
    throw new RangeError(
      `Cannot pass these arguments: at most ${ARGUMENTS_MAX}, without NUL bytes`,
    );
  }
}

function checkProfile(policy: SandboxPolicy): void {
  if (!SANDBOX_PROFILES.includes(policy.profile)) {
    throw new TypeError(
      `Cannot use profile ${JSON.stringify(policy.profile)}: profiles are ${
        SANDBOX_PROFILES.join(", ")
      }`,
    );
  }
  const isVirtual = policy.profile === "virtual";
  if (isVirtual !== (policy.virtualBus !== undefined)) {
    throw new TypeError(
      "Cannot use this profile: virtual and a virtual bus go together",
    );
  }
}
