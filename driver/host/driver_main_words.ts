/**
 * What a driver process is made of, for who puts one together.
 *
 * @module
 */

import type { AnyDriver } from "../driver.ts";
import type { Clock } from "../loop/clock.ts";
import type { DeviceInfo, DevicePort, UsbPort } from "../port.ts";
import type { DriverConfig } from "./driver_config.ts";
import type { WriteBytes, WriteNow } from "./frame_sender.ts";
import type { MakeTeller } from "./journal_teller.ts";
import type { LogSink } from "./log.ts";
import type { SandboxSummary } from "./wire.ts";

/** A device to drive, and what holds the process that drives it. */
export interface OpenedDevice {
  readonly device?: DevicePort;
  readonly port?: UsbPort;
  readonly deviceInfo?: DeviceInfo;
  readonly sandbox: SandboxSummary;
  /** Component to version, `libusb: "1.0.26"`. */
  readonly versions: Readonly<Record<string, string>>;
  /** How frames go without waiting, where the platform can. */
  readonly writeNow?: WriteNow;
}

/** What a driver process is made of. */
export interface DriverMainOptions {
  readonly driver: AnyDriver;
  readonly config: DriverConfig;
  readonly clock: Clock;
  /** Of all its chance, 32 bits. */
  readonly seed: number;
  readonly logSink: LogSink;
  readonly input: AsyncIterable<Uint8Array>;
  readonly output: WriteBytes;
  /** How the first frames go, before the device is open. What an empty pipe takes may block nobody. */
  readonly firstOutput?: WriteNow;
  /** This process. */
  readonly pid: number;
  /** @throws {UsbError} When the device cannot be had, or the process is not confined as it must be. */
  readonly open: () => Promise<OpenedDevice>;
  /** Calls back when the event loop had a turn. */
  readonly turn: (fire: () => void) => void;
  /** For a configuration that asks for a full journal. */
  readonly fullTeller?: MakeTeller;
  /** READY is out. */
  readonly onReady?: () => void;
}
