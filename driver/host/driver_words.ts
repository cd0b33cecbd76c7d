/**
 * What a driver process says of its device, its counters and its errors, in the
 * words of frames and log lines.
 *
 * @module
 */

import { UsbError } from "../errors.ts";
import type { Session } from "../loop/session.ts";
import type { SessionCounters } from "../loop/session_options.ts";
import type { DeviceInfo } from "../port.ts";
import { hex } from "../usb.ts";
import {
  DEVICE_STRING_LENGTH_MAX,
  type DeviceStrings,
} from "./driver_config.ts";
import type { Log, LoggedLine } from "./log.ts";
import { shortOnes } from "./log_line.ts";
import type { DeviceIdentity, LogFrame, WireFailure } from "./wire.ts";
import { type WireTelemetry, wireTelemetry } from "./wire_telemetry.ts";

/** A device as every line of a log names it. An inherited descriptor knows no port path: then its node stands for it. */
export function deviceIds(
  info: Pick<DeviceInfo, "descriptor" | "portPath">,
  nodePath: string,
): Pick<DeviceIdentity, "vid" | "pid" | "path"> {
  const { descriptor, portPath } = info;
  return {
    vid: hex(descriptor.vendorId, 4).slice(2),
    pid: hex(descriptor.productId, 4).slice(2),
    path: portPath === "" ? nodePath.slice(0, 64) : portPath,
  };
}

/** What a device calls itself, as far as it is known and no longer than it can be. */
export function deviceStrings(
  info: Pick<DeviceInfo, keyof DeviceStrings>,
): DeviceStrings {
  const strings: DeviceStrings = {};
  for (const name of ["manufacturer", "product", "serialNumber"] as const) {
    const text = info[name];
    if (text === undefined || text.length > DEVICE_STRING_LENGTH_MAX) continue;
    strings[name] = text;
  }
  return strings;
}

/** A device as frames name it. */
export function deviceIdentity(
  info: DeviceInfo,
  nodePath: string,
): DeviceIdentity {
  const { serialNumber, product } = info;
  return {
    ...deviceIds(info, nodePath),
    ...(serialNumber === undefined ? {} : { serial: serialNumber }),
    ...(product === undefined ? {} : { product }),
  };
}

/** An error as it crosses processes: bounded, without its stack. */
export function failureOf(error: unknown): WireFailure {
  if (error instanceof UsbError) {
    const { code, message, advice, native } = error;
    return {
      code,
      message: message.slice(0, MESSAGE_LENGTH),
      ...(advice === undefined ? {} : { advice }),
      ...(native === undefined ? {} : { native: native.number }),
    };
  }
  const text = error instanceof Error
    ? `${error.name}: ${error.message}`
    : String(error);
  return { code: "bug", message: text.slice(0, MESSAGE_LENGTH) };
}

/** The failure of a request that was refused before anything was done for it. */
export function refusalOf(error: Error): WireFailure {
  return { code: "refused", message: error.message.slice(0, MESSAGE_LENGTH) };
}

/** A line of the log as a frame: bounded, whatever the driver wrote. */
export function logFrame(
  { level, event, message, fields }: LoggedLine,
): LogFrame {
  const kept = fitsFrame(fields) ? fields : shortOnes(fields);
  return {
    type: "log",
    level,
    event: event.slice(0, 128),
    message: message.slice(0, MESSAGE_LENGTH),
    ...(Object.keys(kept).length === 0 ? {} : { fields: kept }),
  };
}

/** What is long, or no JSON, stays in the file. */
function fitsFrame(fields: LoggedLine["fields"]): boolean {
  try {
    return JSON.stringify(fields).length <= FIELDS_LENGTH;
  } catch {
    return false;
  }
}

/** A session's counters summed up. */
export interface SessionSums {
  /** Reports that came from the device. */
  readonly reports: number;
  readonly dropped: number;
  /** Transfers made once. */
  readonly transfers: number;
  readonly commands: number;
  /** Grows with everything that gets on. */
  readonly progress: number;
}

/** Sums up. */
export function reportsAndDrops(
  counters: SessionCounters | undefined,
): SessionSums {
  if (counters === undefined) {
    return { reports: 0, dropped: 0, transfers: 0, commands: 0, progress: 0 };
  }
  const tallies = Object.values(counters.inputs).map(({ tally }) => tally);
  const reports = tallies.reduce((sum, tally) => sum + tally.accepted, 0);
  const dropped = tallies.reduce((sum, tally) => sum + sumOf(tally.dropped), 0);
  const transfers = counters.transfers.completed;
  const commands = counters.commands.answered + counters.commands.failed;
  return {
    reports,
    dropped,
    transfers,
    commands,
    progress: reports + transfers + commands,
  };
}

/** What a driver counted, as a member of a frame; nothing before its device is open. */
export function telemetryOf(
  session: Session | undefined,
  log: Log,
): { readonly telemetry?: WireTelemetry } {
  if (session === undefined) return {};
  const { lines, dropped } = log.counters;
  const { refusals, events } = session.counters();
  const telemetry = wireTelemetry(session.telemetry(), {
    refused: { commands: refusals.commands, events: events.dropped },
    logged: { lines, dropped: sumOf(dropped) },
  });
  return { telemetry };
}

/** Counts of every kind together. */
export function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** The longest sentence a frame carries. */
const MESSAGE_LENGTH = 8_000;
/** The longest fields a line of the log carries over, as JSON. */
const FIELDS_LENGTH = 2_048;
