/**
 * What a driver process is told at its start: one JSON argument.
 *
 * @module
 */

import type { Json, LogLevel } from "../driver.ts";
import type { DeviceIdentity } from "./wire.ts";
import {
  boolean,
  type Checker,
  count,
  jsonObject,
  oneOf,
  optional,
  shape,
  text,
  WireError,
} from "./wire_check.ts";

/** The start of one driver process. */
export interface DriverConfig {
  /** Name of this instance in logs: a restart keeps it. */
  readonly instance: string;
  /** Boot id of the system, so that lines can be ordered over restarts. */
  readonly boot: string;
  /** `sandboxed`: descriptors 100 and 101 are open. `direct`: paths. */
  readonly mode: "direct" | "sandboxed";
  /** Path of libusb, as the permission names it. */
  readonly library: string;
  /** The node to open; in a sandbox for messages only. */
  readonly nodePath: string;
  /** Where the device is, as the host saw it; an inherited descriptor does not tell. */
  readonly portPath: string;
  readonly busNumber: number;
  /** The device as lines of the log name it, before it is opened. */
  readonly device?: Pick<DeviceIdentity, "vid" | "pid" | "path">;
  /** What the device calls itself, as the host read it; with no string here the device is asked. */
  readonly strings?: DeviceStrings;
  /** Direct mode: the file to log to. */
  readonly logPath?: string;
  /** Least level of lines in the log. Default `info`. */
  readonly logLevel?: LogLevel;
  /** Options of the run, as the driver's specifications say, bytes as base64. */
  readonly options: { readonly [key: string]: Json };
  /** Whether its journal has all bytes, for crash bundles. Default: names, sizes and times. */
  readonly journal?: "outline" | "full";
  /** Waits for its turn before it touches the device. In a sandbox only. */
  readonly isStandby?: boolean;
  /** Direct mode: start although the runtime grants more than is needed. */
  readonly allowExcess?: boolean;
}

/** Strings of a device, those that are known. */
export type DeviceStrings = Partial<
  Record<"manufacturer" | "product" | "serialNumber", string>
>;

/** A string descriptor has room for so many characters. USB 2.0, 9.6.7. */
export const DEVICE_STRING_LENGTH_MAX = 126;

/** As a command-line argument. */
export function encodeDriverConfig(config: DriverConfig): string {
  return JSON.stringify(config);
}

/**
 * Reads the argument.
 *
 * @throws {WireError} When it is not what it must be.
 */
export function decodeDriverConfig(argument: string | undefined): DriverConfig {
  let value: unknown;
  try {
    value = JSON.parse(argument ?? "");
  } catch {
    throw new WireError(
      "notJson",
      "Cannot read the configuration: this module is started by driverspace, " +
        "not by hand",
    );
  }
  return CONFIG(value, "configuration");
}

const string = optional(text(DEVICE_STRING_LENGTH_MAX));

/** Checks a configuration that came from another process. */
export const CONFIG: Checker<DriverConfig> = shape({
  instance: text(64),
  boot: text(64),
  mode: oneOf("direct", "sandboxed"),
  library: text(4096),
  nodePath: text(4096),
  portPath: text(64),
  busNumber: count,
  device: optional(shape({ vid: text(4), pid: text(4), path: text(64) })),
  strings: optional(
    shape({ manufacturer: string, product: string, serialNumber: string }),
  ),
  logPath: optional(text(4096)),
  logLevel: optional(oneOf("debug", "info", "warn", "error")),
  options: jsonObject,
  journal: optional(oneOf("outline", "full")),
  isStandby: optional(boolean),
  allowExcess: optional(boolean),
});
