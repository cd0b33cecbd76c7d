/**
 * The checks of `driverspace doctor`: each looks at one thing, says what it
 * found, and where something is wrong, why and what to do next.
 *
 * @module
 */

import { UsbError } from "../errors.ts";
import type { FoundLibrary, SandboxFacts } from "./cli/toolbox.ts";
import type { DeviceRow } from "./device_rows.ts";
import {
  deniesNewCode,
  hasFilters,
  SECCOMP_ACTIONS,
} from "./sandbox_policy_explain.ts";
import type { SystemReader } from "./system_reader.ts";

/** `note`: works, but something better can be had. `fail`: does not work. */
export type CheckResult = "ok" | "note" | "fail";

/** One check and what it found. */
export interface Check {
  readonly name: string;
  readonly result: CheckResult;
  /** What is there. */
  readonly found: string;
  /** Why that matters, where it is not ok. */
  readonly cause?: string;
  /** The next step, where it is not ok. */
  readonly next?: string;
}

/** What the checks look at. */
export interface DoctorInputs {
  readonly system: SystemReader;
  readonly denoVersion: string;
  readonly findLibrary: () => FoundLibrary;
  readonly devices: () => Promise<readonly DeviceRow[]>;
  readonly sandboxFacts: () => Promise<SandboxFacts>;
}

/** Makes all checks, in the order in which one would look for a fault. */
export async function examine(inputs: DoctorInputs): Promise<Check[]> {
  const { system } = inputs;
  const library = checkLibrary(inputs);
  const checks = [
    checkPlatform(system),
    { name: "deno", result: "ok" as const, found: inputs.denoVersion },
    library,
    ...checkBus(system),
  ];
  if (library.result !== "fail") checks.push(...await checkDevices(inputs));
  checks.push(...await checkSandbox(inputs));
  return checks;
}

/** Whether everything needed to drive a device is there. */
export function isHealthy(checks: readonly Check[]): boolean {
  return checks.every((check) => check.result !== "fail");
}

function checkPlatform(system: SystemReader): Check {
  const found = system.platform;
  if (found === "linux") return { name: "platform", result: "ok", found };
  return {
    name: "platform",
    result: "note",
    found,
    cause: "The sandbox and the virtual bus are for Linux",
    next: "Drivers run in direct mode here: driverspace run --direct",
  };
}

function checkLibrary(inputs: DoctorInputs): Check {
  try {
    const { path, version, warning } = inputs.findLibrary();
    const found = `${version}, ${path}`;
    if (warning === undefined) return { name: "libusb", result: "ok", found };
    return {
      name: "libusb",
      result: "note",
      found,
      cause: warning,
      next: "Upgrade libusb-1.0 where your distribution has a newer one",
    };
  } catch (error) {
    if (!(error instanceof UsbError)) throw error;
    return {
      name: "libusb",
      result: "fail",
      found: "none",
      cause: error.message,
      next: "Install libusb 1.0: apt-get install libusb-1.0-0",
    };
  }
}

/** A virtual bus has no folder, no budget and no udev of its own. */
function checkBus(system: SystemReader): Check[] {
  const { virtualBus } = system;
  if (virtualBus === undefined) {
    return [checkUsbfs(system), checkTransferMemory(system), checkUdev(system)];
  }
  const found = `virtual, shown by ${virtualBus}`;
  return [{ name: "bus", result: "ok", found }];
}

function checkUsbfs(system: SystemReader): Check {
  const name = "usb device nodes";
  const folder = system.fileFacts("/dev/bus/usb");
  if (folder !== undefined) {
    return { name, result: "ok", found: "/dev/bus/usb" };
  }
  return {
    name,
    result: "note",
    found: "no /dev/bus/usb",
    cause: "This system shows no USB: a container, or no host controller",
    next: "Pass /dev/bus/usb through, or use a virtual device: " +
      "driverspace run usbtmc --virtual multimeter",
  };
}

/** The kernel's default for all of usbfs, in MB. */
const USBFS_MEMORY_DEFAULT_MB = 16;

function checkTransferMemory(system: SystemReader): Check {
  const name = "usbfs memory";
  const text = system.readText(
    "/sys/module/usbcore/parameters/usbfs_memory_mb",
  );
  if (text === undefined) {
    return { name, result: "ok", found: "not limited, or no USB here" };
  }
  const limitMb = Number(text.trim());
  const found = limitMb === 0 ? "not limited" : `${limitMb} MB for all devices`;
  if (limitMb === 0 || limitMb >= USBFS_MEMORY_DEFAULT_MB) {
    return { name, result: "ok", found };
  }
  return {
    name,
    result: "note",
    found,
    cause: "Transfers of all programs share it; large ones end with noMemory",
    next: "echo 16 > /sys/module/usbcore/parameters/usbfs_memory_mb, as root",
  };
}

function checkUdev(system: SystemReader): Check {
  const name = "udev";
  if (system.fileFacts("/run/udev/control") !== undefined) {
    return { name, result: "ok", found: "running" };
  }
  return {
    name,
    result: "note",
    found: "not running",
    cause: "Rules that give access to nodes are not applied, and arrivals " +
      "of devices may go unseen",
    next: "In a container, pass nodes with the right owner and mode",
  };
}

async function checkDevices(inputs: DoctorInputs): Promise<Check[]> {
  const rows = await inputs.devices();
  const ours = rows.filter((row) => row.drivers.length > 0);
  if (ours.length === 0) {
    return [{
      name: "devices",
      result: "ok",
      found: `${rows.length}, none for a driver that comes along`,
    }];
  }
  return ours.flatMap((row) => [checkAccess(row), ...checkHolders(row)]);
}

function checkAccess(row: DeviceRow): Check {
  const name = `access to ${row.ids}@${row.portPath}`;
  const { access } = row;
  if (access === undefined) {
    return { name, result: "ok", found: row.nodePath ?? "no node" };
  }
  return {
    name,
    result: "fail",
    found: "refused",
    cause: access.problem,
    next: access.advice,
  };
}

function checkHolders(row: DeviceRow): Check[] {
  return row.interfaces.filter((entry) => entry.kernelDriver !== undefined).map(
    (entry) => ({
      name: `interface ${entry.number} of ${row.ids}@${row.portPath}`,
      result: "note" as const,
      found: `held by the kernel driver ${entry.kernelDriver}`,
      cause: "Only one may hold an interface",
      next:
        "A driver detaches it while it runs and gives it back at its end, " +
        "unless it says kernelDriver: refuse",
    }),
  );
}

async function checkSandbox(inputs: DoctorInputs): Promise<Check[]> {
  if (inputs.system.platform !== "linux") return [];
  const facts = await inputs.sandboxFacts();
  return [
    checkLandlock(facts.landlockAbi),
    checkSeccomp(inputs.system, facts.seccomp),
    checkNoNewPrivileges(inputs.system),
    checkNewCode(inputs.system),
    checkTransport("virtual bus A (umockdev)", facts.transports.preload, {
      cause:
        "Needed for simulate, and for --virtual with --direct or where there is no bus B",
      next: "Install umockdev: apt-get install umockdev",
    }),
    checkTransport(
      "virtual bus B (namespaces)",
      facts.transports.notify,
      {
        cause: "Needed to run the full sandbox on a virtual device",
        next: "Until it can be had, drivers of virtual devices run on bus A, " +
          "in the profile virtual, which is weaker",
      },
    ),
  ];
}

function checkLandlock(abi: number): Check {
  const name = "landlock";
  if (abi > 0) return { name, result: "ok", found: `ABI ${abi}` };
  return {
    name,
    result: "fail",
    found: "none",
    cause: "Without it no driver is confined, and none is started sandboxed",
    next: "Boot with landlock among lsm=, or accept direct mode: " +
      "driverspace run --direct",
  };
}

/** What the kernel can do, and whether it does it for us: a container may refuse the call. */
function checkSeccomp(system: SystemReader, refusedWith: string): Check {
  const name = "seccomp";
  const isThere = hasFilters(system.readText(SECCOMP_ACTIONS));
  if (isThere && refusedWith === "") {
    return { name, result: "ok", found: "filters" };
  }
  return {
    name,
    result: "fail",
    found: isThere ? `refused (${refusedWith})` : "none",
    cause: "Without it no driver is started sandboxed",
    next: isThere
      ? "In a container, use one whose own profile allows seccomp"
      : "Use a kernel with CONFIG_SECCOMP_FILTER",
  };
}

function checkNoNewPrivileges(system: SystemReader): Check {
  const name = "no new privileges";
  const status = system.readText("/proc/self/status");
  const found = /^NoNewPrivs:\s*(\d)/m.exec(status ?? "")?.[1];
  if (found !== undefined) {
    const isSet = found === "1" ? ", and set for this process" : "";
    return { name, result: "ok", found: `available${isSet}` };
  }
  return {
    name,
    result: "note",
    found: "cannot be told",
    cause: "/proc is not mounted, or the kernel is older than 4.10",
    next: "Mount /proc; Landlock needs a newer kernel in any case",
  };
}

function checkNewCode(system: SystemReader): Check {
  const name = "profile jitless";
  const release = system.readText("/proc/sys/kernel/osrelease")?.trim();
  if (deniesNewCode(release)) {
    return { name, result: "ok", found: release ?? "Linux" };
  }
  return {
    name,
    result: "note",
    found: `not on Linux ${release}`,
    cause: "Without PR_SET_MDWE, from Linux 6.3 on, nothing keeps a process " +
      "from making executable memory",
    next: "Use the default profile, or a kernel from 6.3 on",
  };
}

function checkTransport(
  name: string,
  whyNot: string,
  otherwise: { readonly cause: string; readonly next: string },
): Check {
  if (whyNot === "") return { name, result: "ok", found: "usable" };
  return { name, result: "note", found: whyNot, ...otherwise };
}
