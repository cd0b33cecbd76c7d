/**
 * A policy as the launcher's command line, and back: what the supervisor writes
 * and the launcher reads is one pair of functions.
 *
 * @module
 */

import { parseDeviceSelector } from "../match.ts";
import {
  type ExpectedDevice,
  interfaceMask,
  type SandboxPolicy,
  sandboxPolicy,
  type SandboxProfile,
} from "./sandbox_policy.ts";
import type { DemandedRequest } from "./sandbox_policy_requests.ts";

/** Options of the launcher that carry the policy; the driver's arguments follow `--`. */
export function launcherArguments(policy: SandboxPolicy): readonly string[] {
  const { expect, user, virtualBus } = policy;
  const serial = expect.serialNumber === undefined
    ? ""
    : `:${expect.serialNumber}`;
  return [
    `--device=${policy.nodePath}`,
    `--expect=${hex4(expect.vendorId)}:${hex4(expect.productId)}${serial}`,
    `--log=${policy.logPath}`,
    `--interfaces=0x${interfaceMask(policy).toString(16)}`,
    ...(policy.kernelDriver === "detach" ? ["--detach"] : []),
    ...(policy.requests.length === 0
      ? []
      : [`--requests=${policy.requests.join(",")}`]),
    `--profile=${policy.profile}`,
    `--library=${policy.libraryPath}`,
    `--landlock-minimum=${policy.landlockAbiMinimum}`,
    ...(policy.parentProcessId === undefined
      ? []
      : [`--die-with-parent=${policy.parentProcessId}`]),
    ...(policy.isStandby ? ["--standby"] : []),
    ...(user === undefined ? [] : [`--user=${user.userId}:${user.groupId}`]),
    ...(policy.isolate ? ["--isolate"] : []),
    ...(virtualBus === undefined ? [] : [
      `--preload=${virtualBus.preloadPath}`,
      `--bus-folder=${virtualBus.folderPath}`,
      `--bus-root=${virtualBus.rootPath}`,
    ]),
    "--",
    policy.driverPath,
    ...policy.driverArguments,
  ];
}

/** Options with a value, and those without. */
const VALUED = new Set([
  "device",
  "expect",
  "log",
  "interfaces",
  "requests",
  "profile",
  "library",
  "landlock-minimum",
  "die-with-parent",
  "user",
  "preload",
  "bus-folder",
  "bus-root",
]);
const FLAGS = new Set(["detach", "standby", "isolate"]);

/**
 * Reads the launcher's options back into a policy.
 *
 * @throws {SyntaxError} On an unknown option, one given twice, or one that is missing.
 * @throws {TypeError} As {@linkcode sandboxPolicy}.
 * @throws {RangeError} As {@linkcode sandboxPolicy}.
 */
export function parseLauncherArguments(
  args: readonly string[],
): SandboxPolicy {
  const separator = args.indexOf("--");
  const [driverPath, ...driverArguments] = separator < 0
    ? []
    : args.slice(separator + 1);
  if (driverPath === undefined) {
    throw new SyntaxError("Cannot read the options: no driver after --");
  }
  const values = readOptions(args.slice(0, separator));
  return sandboxPolicy({
    nodePath: needed(values, "device"),
    expect: readExpected(needed(values, "expect")),
    logPath: needed(values, "log"),
    interfaces: readMask(needed(values, "interfaces")),
    kernelDriver: values.has("detach") ? "detach" : "refuse",
    requests: (values.get("requests") ?? "").split(",").filter((name) =>
      name !== ""
    ) as DemandedRequest[],
    profile: (values.get("profile") ?? "default") as SandboxProfile,
    libraryPath: needed(values, "library"),
    driverPath,
    driverArguments,
    landlockAbiMinimum: readNumber(values.get("landlock-minimum") ?? "1"),
    isStandby: values.has("standby"),
    isolate: values.has("isolate"),
    ...readProcess(values),
    ...readVirtualBus(values),
  });
}

/** A port says where a device is, which a descriptor cannot be asked. */
function readExpected(text: string): ExpectedDevice {
  const { portPath, ...expected } = parseDeviceSelector(text);
  if (portPath === undefined) return expected;
  throw new SyntaxError(
    `Cannot use ${text} as the device that is expected: name no port`,
  );
}

function readOptions(args: readonly string[]): Map<string, string> {
  const values = new Map<string, string>();
  for (let at = 0; at < args.length; at++) {
    const argument = args[at] ?? "";
    const [, name = "", attached] = /^--([a-z-]+)(?:=(.*))?$/s.exec(argument) ??
      [];
    const isFlag = FLAGS.has(name) && attached === undefined;
    if (!isFlag && !VALUED.has(name)) {
      throw new SyntaxError(`Cannot read the options: unknown ${argument}`);
    }
    const value = isFlag ? "" : attached ?? args[++at];
    if (value === undefined || values.has(name)) {
      const what = value === undefined ? "has no value" : "is given twice";
      throw new SyntaxError(`Cannot read the options: --${name} ${what}`);
    }
    values.set(name, value);
  }
  return values;
}

function needed(values: ReadonlyMap<string, string>, name: string): string {
  const value = values.get(name);
  if (value === undefined || value === "") {
    throw new SyntaxError(`Cannot read the options: --${name} is missing`);
  }
  return value;
}

function readNumber(text: string): number {
  if (!/^(0x[0-9a-f]+|\d+)$/i.test(text)) {
    throw new SyntaxError(`Cannot read ${JSON.stringify(text)} as a number`);
  }
  return Number(text);
}

function readMask(text: string): number[] {
  const mask = readNumber(text);
  if (mask > 0xffff_ffff) {
    throw new RangeError(`Cannot use ${text} as a mask: it has 32 bits`);
  }
  return Array.from({ length: 32 }, (_, number) => number).filter((number) =>
    ((mask >>> number) & 1) === 1
  );
}

function readProcess(
  values: ReadonlyMap<string, string>,
): Pick<SandboxPolicy, "parentProcessId" | "user"> {
  const parent = values.get("die-with-parent");
  const user = values.get("user");
  const [userId = "", groupId = userId] = user?.split(":") ?? [];
  return {
    ...(parent === undefined ? {} : { parentProcessId: readNumber(parent) }),
    ...(user === undefined
      ? {}
      : { user: { userId: readNumber(userId), groupId: readNumber(groupId) } }),
  };
}

function readVirtualBus(
  values: ReadonlyMap<string, string>,
): Pick<SandboxPolicy, "virtualBus"> {
  const names = ["preload", "bus-folder", "bus-root"];
  if (!names.some((name) => values.has(name))) return {};
  return {
    virtualBus: {
      preloadPath: needed(values, "preload"),
      folderPath: needed(values, "bus-folder"),
      rootPath: needed(values, "bus-root"),
    },
  };
}

function hex4(id: number): string {
  return id.toString(16).padStart(4, "0");
}
