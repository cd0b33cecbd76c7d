/** What the tests of the port contract share. */

import { LOOPBACK_REQUEST } from "../../driver/sim/devices/loopback.ts";
import { assert, assertEquals, assertThrows, fail } from "../../driver/std.ts";
import type {
  DeviceInfo,
  DevicePort,
  InputEnd,
  InputOptions,
  OpenOptions,
  Report,
  TransferOutcome,
  TransferRequest,
} from "../../driver/port.ts";
import { UsbError, type UsbErrorCode } from "../../driver/errors.ts";
import {
  alternateSetting,
  configurationValue,
  endpointAddress,
  interfaceNumber,
  type SetupPacket,
} from "../../driver/usb.ts";
import type { ContractBench, ContractFeature, PlugSpec } from "./bench.ts";

/** One test of the contract. */
export interface ContractTest {
  /** The sentence of `driver/port.ts` it holds the port to. */
  readonly name: string;
  /** What the bench must be able to do. */
  readonly needs?: readonly ContractFeature[];
  readonly run: (bench: ContractBench) => Promise<void>;
}

/** Endpoints of the loopback device. */
export const ECHO_OUT = endpointAddress(0x01);
export const ECHO_IN = endpointAddress(0x81);
export const REPORTS = endpointAddress(0x82);
export const SOURCE = endpointAddress(0x83);
export const SINK = endpointAddress(0x03);
export const INTERRUPT_ECHO_OUT = endpointAddress(0x05);
export const INTERRUPT_ECHO_IN = endpointAddress(0x85);
export const ISOCHRONOUS_IN = endpointAddress(0x84);
export const ISOCHRONOUS_OUT = endpointAddress(0x04);

export const FACE = interfaceNumber(0);
export const ISOCHRONOUS_FACE = interfaceNumber(1);
export const setting = alternateSetting;
export const configuration = configurationValue;

/** Polls take this long at most; real buses and busy machines need some of it. */
const PATIENCE_MS = 10_000;

/** Waits for a promise while time passes; fails when it takes too long. */
export async function within<T>(
  bench: ContractBench,
  promise: Promise<T>,
  what = "a promise",
): Promise<T> {
  let isDone = false;
  const settled = promise.finally(() => isDone = true);
  settled.catch(() => {});
  for (let waitedMs = 0; waitedMs < PATIENCE_MS && !isDone; waitedMs += 5) {
    await Promise.race([settled.catch(() => {}), bench.advance(5)]);
  }
  return isDone ? settled : fail(`Waited in vain for ${what}`);
}

/** Waits until a condition holds while time passes. */
export async function eventually(
  bench: ContractBench,
  condition: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> {
  for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += 5) {
    if (await condition()) return;
    await bench.advance(5);
  }
  fail(`Waited in vain until ${what}`);
}

/** A loopback device that is plugged in, and listed. */
export interface Plugged {
  readonly id: string;
  readonly info: DeviceInfo;
}

/** Plugs a loopback device in and waits until it is listed. */
export async function plugLoopback(
  bench: ContractBench,
  spec: PlugSpec = {},
): Promise<Plugged> {
  const serialNumber = spec.serialNumber ?? "0001";
  const id = await bench.bus.plug("loopback", { ...spec, serialNumber });
  let info: DeviceInfo | undefined;
  await eventually(bench, async () => {
    info = (await bench.port.devices()).find((candidate) =>
      candidate.serialNumber === serialNumber
    );
    return info !== undefined;
  }, "the device is listed");
  return info === undefined ? fail("not listed") : { id, info };
}

/** A loopback device that is open, with interface 0 claimed. */
export interface Opened extends Plugged {
  readonly device: DevicePort;
  /** Makes a transfer while time passes. */
  transfer(request: TransferRequest): Promise<TransferOutcome>;
  /** Reads from an endpoint. */
  read(
    endpoint: number,
    lengthBytes: number,
    options?: { timeoutMs?: number; signal?: AbortSignal },
  ): Promise<TransferOutcome>;
  /** Writes to an endpoint. */
  write(
    endpoint: number,
    data: Uint8Array,
    options?: { zeroLengthPacket?: boolean },
  ): Promise<TransferOutcome>;
  /** A vendor request of the loopback device without data. */
  command(
    request: keyof typeof LOOPBACK_REQUEST,
    value?: number,
    index?: number,
  ): Promise<TransferOutcome>;
}

/** Plugs, opens and claims. The bench closes it. */
export async function openLoopback(
  bench: ContractBench,
  options: OpenOptions & PlugSpec = {},
): Promise<Opened> {
  const plugged = await plugLoopback(bench, options);
  const device = await within(bench, bench.port.open(plugged.info, options));
  await within(bench, device.claimInterface(FACE));
  const transfer = (request: TransferRequest): Promise<TransferOutcome> =>
    within(bench, device.transfer(request), JSON.stringify(request.type));
  return {
    ...plugged,
    device,
    transfer,
    read: (endpoint, lengthBytes, more = {}) =>
      transfer({
        type: "in",
        endpoint: endpointAddress(endpoint),
        lengthBytes,
        timeoutMs: 2_000,
        ...more,
      }),
    write: (endpoint, data, more = {}) =>
      transfer({
        type: "out",
        endpoint: endpointAddress(endpoint),
        data,
        timeoutMs: 2_000,
        ...more,
      }),
    command: (request, value = 0, index = 0) =>
      transfer({
        type: "controlOut",
        setup: vendor(LOOPBACK_REQUEST[request], value, index),
        data: new Uint8Array(),
        timeoutMs: 2_000,
      }),
  };
}

/** A vendor request to the device. */
export function vendor(request: number, value = 0, index = 0): SetupPacket {
  return { requestType: "vendor", recipient: "device", request, value, index };
}

/** Holds that a promise is rejected with a code. */
export async function rejectsWith(
  bench: ContractBench,
  code: UsbErrorCode,
  promise: Promise<unknown>,
): Promise<void> {
  try {
    await within(bench, promise);
  } catch (error) {
    if (!(error instanceof UsbError)) throw error;
    assertEquals(error.code, code, error.message);
    return;
  }
  fail(`It must be refused with ${code}`);
}

/** Bytes that tell where they came from. */
export function bytes(lengthBytes: number, seed = 1): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    { length: lengthBytes },
    (_, at) => at * 31 + seed & 0xff,
  );
}

/** Collects reports, copied, and says whether there is room. */
export class Collector {
  readonly reports: Uint8Array[] = [];
  readonly timestampsMs: number[] = [];
  readonly ends: InputEnd[] = [];
  /** How many more are taken. */
  room = Infinity;

  readonly sink = (report: Report): boolean => {
    if (this.room <= 0) return false;
    this.room--;
    this.reports.push(report.data.slice());
    this.timestampsMs.push(report.timestampMs);
    return true;
  };

  readonly onEnd = (end: InputEnd): void => {
    this.ends.push(end);
  };

  /** Everything, one behind the other. */
  joined(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(
      this.reports.reduce((sum, report) => sum + report.length, 0),
    );
    let at = 0;
    for (const report of this.reports) {
      all.set(report, at);
      at += report.length;
    }
    return all;
  }
}

/** How a standing input is refused that is otherwise one transfer on `ECHO_IN`. */
export function inputRefusal(
  device: DevicePort,
  options: Partial<InputOptions>,
): UsbError {
  const error = assertThrows(
    () =>
      device.openInput({
        endpoint: ECHO_IN,
        transfersInFlight: 1,
        ...new Collector(),
        ...options,
      }),
    UsbError,
  );
  assert(error instanceof UsbError);
  return error;
}
