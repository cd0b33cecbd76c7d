/**
 * How a process gets the one device it is for: from the launcher, or from
 * libusb in direct mode. Afterwards it can open nothing more.
 *
 * @module
 */

import type { DevicePort, OpenOptions } from "../driver/port.ts";
import { UsbError } from "../driver/errors.ts";
import type { DriverConfig } from "../driver/host/driver_config.ts";
import {
  askRuntime,
  checkDirectPermissions,
} from "../driver/host/permissions.ts";
import { LaunchRefused } from "../driver/host/sandbox_policy_failures.ts";
import type {
  LauncherReport,
  SandboxReport,
} from "../driver/host/sandbox_policy_report.ts";
import type { StartClock } from "../driver/host/start_clock.ts";
import { SANDBOX_LAYERS, type SandboxSummary } from "../driver/host/wire.ts";
import { LibusbPort } from "./libusb_port.ts";
import type { Libc } from "./linux/libc.ts";
import { DEVICE_DESCRIPTOR } from "./linux/seccomp.ts";
import {
  enterStage2,
  revokePermissions,
  verifyConfined,
} from "./linux/stage2.ts";
import type { PromptWrite } from "./prompt_output.ts";

/** What a process is told, and what its launcher told it. */
export interface ProcessStart {
  readonly config: DriverConfig;
  /** `undefined`: no launcher started it. */
  readonly report: LauncherReport | undefined;
}

/** The one device, open. */
export interface HeldDevice {
  readonly device: DevicePort;
  readonly sandbox: SandboxSummary;
  /** Component to version. */
  readonly versions: Readonly<Record<string, string>>;
  /** Standard output that never waits, where the platform has it. */
  readonly writeNow?: PromptWrite;
}

/** Direct mode: asks the runtime first, lets libusb open the node, then gives up every permission. */
export async function openDirect(
  config: DriverConfig,
  options: OpenOptions,
): Promise<HeldDevice> {
  checkPermissions(config);
  const port = await LibusbPort.open({ libraryPath: config.library });
  const device = await openFound(port, config, options);
  revokePermissions();
  return {
    device,
    sandbox: { mode: "direct", layers: {} },
    ...outputOf(port, config),
    versions: versionsWith(port),
  };
}

/** Has libusb find the device and open it. */
async function openFound(
  port: LibusbPort,
  config: DriverConfig,
  options: OpenOptions,
): Promise<DevicePort> {
  const devices = await port.devices();
  const found = devices.find(({ nodePath }) => nodePath === config.nodePath);
  if (found !== undefined) return await port.open(found, options);
  throw new UsbError({
    code: "noDevice",
    operation: `open ${config.nodePath}`,
    reason: "the device is gone",
  });
}

function checkPermissions(config: DriverConfig): void {
  const { library, nodePath, logPath } = config;
  const { missing, excess } = checkDirectPermissions(
    { library, nodePath, logPath },
    askRuntime,
  );
  if (missing.length > 0) {
    throw new UsbError({
      code: "access",
      operation: `open ${nodePath}`,
      reason: "the runtime does not grant what is needed",
      advice: `Run with ${missing.join(" ")}`,
    });
  }
  if (excess.length === 0 || config.allowExcess === true) return;
  throw new UsbError({
    code: "access",
    operation: `start the driver for ${nodePath}`,
    reason: `the runtime grants more than it needs: ${excess.join(" ")}`,
    advice: "Run with the flags that driverspace permissions prints, " +
      "or say --allow-excess-permissions",
  });
}

/** What a process in the sandbox takes its device with. */
export interface LockedParts {
  readonly libc: () => Libc;
  readonly clock: StartClock;
}

/** In the sandbox: takes over the descriptor, then closes every door behind it. */
export function openLocked(
  start: ProcessStart,
  parts: LockedParts,
): Promise<HeldDevice> {
  return refusedAsUsbError(async () => {
    const { port, facts } = await openLibusb(start, parts);
    const device = isOnPreload(start)
      ? await openFound(port, start.config, { kernelDriver: "refuse" })
      : await takeDescriptor(port, start.config);
    const report = await enterStage2(parts.libc(), start.report);
    return { ...facts, device, sandbox: summaryOf(report) };
  });
}

/** The preload library plays the kernel inside this process: there is no descriptor to take over. */
function isOnPreload({ report }: ProcessStart): boolean {
  return report?.profile === "virtual";
}

/** A process in the sandbox with every door closed, whose device is not taken over yet. */
export interface LockedProcess {
  readonly sandbox: SandboxSummary;
  /** @throws {UsbError} When the device cannot be had. */
  readonly open: () => Promise<HeldDevice>;
  /** From now on it dies with its parent; `false`: the parent is dead already. */
  readonly bindToHost: () => boolean;
}

/** In the sandbox: closes every door, and leaves the device alone until it is told. */
export function parkLocked(
  start: ProcessStart,
  parts: LockedParts,
): Promise<LockedProcess> {
  return refusedAsUsbError(async () => {
    const libc = parts.libc();
    const host = libc.call("getppid");
    const { port, facts } = await openLibusb(start, parts);
    const sandbox = summaryOf(await enterStage2(libc, start.report));
    return {
      sandbox,
      open: async () => {
        const device = await takeDescriptor(port, start.config);
        return { ...facts, device, sandbox };
      },
      bindToHost: () => {
        libc.check("prctl", [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
        return libc.call("getppid") === host;
      },
    };
  });
}

/** include/uapi/linux/prctl.h. */
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

interface OpenedLibusb {
  readonly port: LibusbPort;
  /** Asked while everything may be asked. */
  readonly facts: Pick<HeldDevice, "versions" | "writeNow">;
}

async function openLibusb(
  start: ProcessStart,
  { libc, clock }: LockedParts,
): Promise<OpenedLibusb> {
  const { config, report } = start;
  verifyConfined(libc(), report);
  const port = await LibusbPort.open({
    libraryPath: config.library,
    discovery: isOnPreload(start),
    turn: clock.turn,
    checkPermissions: false,
  });
  const versions = versionsWith(port);
  return { port, facts: { versions, ...outputOf(port, config) } };
}

async function takeDescriptor(
  port: LibusbPort,
  config: DriverConfig,
): Promise<DevicePort> {
  const { busNumber, nodePath, portPath, strings } = config;
  return await port.openDescriptor(DEVICE_DESCRIPTOR, {
    ...(busNumber === 0 ? {} : { busNumber }),
    nodePath,
    portPath,
    ...(strings === undefined ? {} : { strings }),
    // The launcher did what had to be done; the filter refuses more.
    kernelDriver: "refuse",
  });
}

async function refusedAsUsbError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof LaunchRefused)) throw error;
    throw new UsbError({
      code: "access",
      operation: "start the driver",
      reason: error.message,
      cause: error,
    });
  }
}

function summaryOf(report: SandboxReport): SandboxSummary {
  return {
    mode: "sandboxed",
    layers: {
      [SANDBOX_LAYERS.landlock]: report.landlockAbi,
      [SANDBOX_LAYERS.seccomp]: report.seccomp,
      "stage 2": report.stage2,
      "no new code": report.noNewCode,
      "profile": report.profile,
      "verified": report.verified.length,
    },
    report: { ...report },
  };
}

/** A journal with everything in it waits a little for a busy host: it is there to be whole. */
const FULL_JOURNAL_PATIENCE_MS = 20;

function outputOf(
  port: LibusbPort,
  { journal }: DriverConfig,
): Pick<HeldDevice, "writeNow"> {
  const patienceMs = journal === "full" ? FULL_JOURNAL_PATIENCE_MS : 0;
  const writeNow = port.promptOutput(patienceMs);
  return writeNow === undefined ? {} : { writeNow };
}

function versionsWith(port: LibusbPort): Record<string, string> {
  return {
    deno: Deno.version.deno,
    libusb: port.library.version.text,
  };
}
