/**
 * The command lines of a driver process: direct, and through the launcher.
 *
 * @module
 */

import type { DeviceInfo } from "../port.ts";
import type { InterfaceSelector } from "../driver.ts";
import { UsbError } from "../errors.ts";
import { deviceLabel } from "../match.ts";
import { type DriverConfig, encodeDriverConfig } from "./driver_config.ts";
import type { DriverManifest } from "./manifest.ts";
import { directFlags, runFlags } from "./permissions.ts";
import {
  type SandboxPolicy,
  sandboxPolicy,
  type SandboxProfile,
  type VirtualBusAccess,
} from "./sandbox_policy.ts";
import { heapFlag } from "./sandbox_policy_command.ts";

/** A program of two lines that serves a driver, as a URL that needs no file. */
export function driverProgramUrl(
  driverUrl: string,
  processUrl: string,
): string {
  const source = `import driver from ${JSON.stringify(driverUrl)};\n` +
    `import { serveDriver } from ${JSON.stringify(processUrl)};\n` +
    "await serveDriver(driver);\n";
  return `data:application/javascript,${encodeURIComponent(source)}`;
}

/** How to start a driver process directly. */
export interface DirectCommandOptions {
  /** `Deno.execPath()`. */
  readonly denoPath: string;
  /** See {@linkcode driverProgramUrl}. */
  readonly programUrl: string;
  readonly config: DriverConfig;
  /** The `deno.json` of a driver that has one. */
  readonly configPath?: string;
}

/** The command of direct mode: exactly the permissions that are needed. */
export function directCommand(options: DirectCommandOptions): string[] {
  const { denoPath, programUrl, config, configPath } = options;
  const { library, nodePath, logPath } = config;
  return [
    denoPath,
    ...runFlags(configPath),
    heapFlag(),
    ...directFlags({ library, nodePath, logPath }),
    programUrl,
    encodeDriverConfig(config),
  ];
}

/** What a sandboxed driver needs besides its configuration. */
export interface SandboxedStart {
  readonly manifest: DriverManifest;
  readonly device: DeviceInfo;
  readonly config: DriverConfig;
  /** The driver as one file. */
  readonly bundlePath: string;
  readonly logPath: string;
  readonly profile: SandboxProfile;
  /** With the profile `virtual` only. */
  readonly virtualBus?: VirtualBusAccess;
  readonly parentProcessId?: number;
}

/**
 * The policy of a sandboxed driver: one device, one log, its own interfaces.
 *
 * @throws {UsbError} `notFound` when the device lacks an interface of the driver.
 */
export function policyOf(start: SandboxedStart): SandboxPolicy {
  const { manifest, device, config } = start;
  const { vendorId, productId } = device.descriptor;
  return sandboxPolicy({
    profile: start.profile,
    nodePath: config.nodePath,
    expect: {
      vendorId,
      productId,
      ...(device.serialNumber === undefined
        ? {}
        : { serialNumber: device.serialNumber }),
    },
    logPath: start.logPath,
    interfaces: interfaceNumbers(manifest.interfaces, device),
    kernelDriver: manifest.kernelDriver,
    requests: manifest.requests,
    libraryPath: config.library,
    driverPath: start.bundlePath,
    driverArguments: [encodeDriverConfig(config)],
    ...(start.virtualBus === undefined ? {} : { virtualBus: start.virtualBus }),
    ...(start.parentProcessId === undefined
      ? {}
      : { parentProcessId: start.parentProcessId }),
  });
}

/**
 * The numbers of the interfaces that a driver claims on a device.
 *
 * @throws {UsbError} `notFound`.
 */
export function interfaceNumbers(
  selectors: readonly InterfaceSelector[],
  device: DeviceInfo,
): number[] {
  const configuration =
    device.configurations.find((candidate) =>
      candidate.configurationValue === device.configurationValue
    ) ?? device.configurations[0];
  return selectors.map((selector) => {
    const found = configuration?.interfaces.find(({ alternates }) =>
      alternates.some((alternate) =>
        same(selector.interfaceNumber, alternate.interfaceNumber) &&
        same(selector.interfaceClass, alternate.interfaceClass) &&
        same(selector.interfaceSubclass, alternate.interfaceSubclass) &&
        same(selector.interfaceProtocol, alternate.interfaceProtocol)
      )
    );
    if (found !== undefined) return found.interfaceNumber;
    throw new UsbError({
      code: "notFound",
      operation: "choose interfaces",
      device: deviceLabel(device),
      reason: `there is none like ${JSON.stringify(selector)}`,
    });
  });
}

function same(wanted: number | undefined, actual: number): boolean {
  return wanted === undefined || wanted === actual;
}
