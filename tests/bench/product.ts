/**
 * What is no ratio to C: lag of an unrelated timer, growth over many transfers,
 * an idle process with 64 devices, and the way from an interrupt through loop and
 * handler to the reader of events. Runs under the flags a driver has.
 *
 *     product.ts LIBRARY EFFORT FILE
 *
 * One JSON line: a `ProductFigures`.
 */

import { cpuUsage } from "node:process";
import { type AnyDriver, defineDriver } from "../../driver/driver.ts";
import { startDriver } from "../../driver/host/start_driver.ts";
import type { DevicePort } from "../../driver/port.ts";
import { endpointAddress, interfaceNumber } from "../../driver/usb.ts";
import { LibusbPort } from "../../ffi/libusb_port.ts";
import { monotonicClock } from "./client_support.ts";
import { type CostFigures, measureCosts } from "./product_costs.ts";
import {
  measureStreams,
  setModel,
  type StreamFigures,
} from "./product_streams.ts";

/** What is measured here. Times in the unit of their name. */
export interface ProductFigures {
  /** Lateness of a 1 ms timer while 64-byte reads run at depth 16. */
  readonly timerLagMs: { readonly p50: number; readonly p99: number };
  readonly growth: {
    readonly transfers: number;
    readonly heapBytes: number;
    readonly rssBytes: number;
  };
  /** 64 devices, an interrupt transfer pending on each. */
  readonly idle: {
    readonly devices: number;
    readonly cpuPart: number;
    /** The same of this process before it opened them. */
    readonly cpuPartWithout: number;
  };
  readonly paths: readonly PathFigures[];
  readonly costs: CostFigures;
  readonly streams: StreamFigures;
}

/** From the completion in the fake device to whoever waits. */
export interface PathFigures {
  readonly devices: number;
  /** Between two reports of all devices together; 0: as fast as it goes. */
  readonly periodMicroseconds: number;
  readonly reportsPerSecond: number;
  readonly handlerMicroseconds: { readonly p50: number; readonly p99: number };
  readonly eventMicroseconds: { readonly p50: number; readonly p99: number };
}

const INTERRUPT_IN = endpointAddress(0x81);
const BULK_IN = endpointAddress(0x82);
/** Model 1 of the fake device: completes that much later; here never. */
const NEVER_NS = 3_600e9;
const IDLE_DEVICES = 64;
/** Each begins and ends with a timer, a millisecond of the runtime's own work: not too short. */
const IDLE_WINDOW_MS = 3_000;
/** The middle one counts: a collector that tidies up once is not what idling costs. */
const IDLE_WINDOWS = 3;
const LAG_MS = 1_500;
const GROWTH_TRANSFERS = 10_000_000;
/** Before the first reading: compilers, caches and the heap's young generation. */
const SETTLE_TRANSFERS = 500_000;
const PATH_REPORTS = 2_000;
const FLOOD_REPORTS = 60_000;
/** Some heartbeats long. */
const COST_REPORTS = 200_000;
/** While drivers start: 64 devices with 4 transfers each take 50 ms to clear. */
const START_TICK_NS = 200_000;
const SETTLE_MS = 250;

const [library = "", effortText = "1", scratchFile = ""] = Deno.args;
const effort = Number(effortText);
const nowNs = monotonicClock(library);
const port = await LibusbPort.open({ libraryPath: library });

async function openDevice(): Promise<DevicePort> {
  const [info] = await port.devices();
  if (info === undefined) throw new Error("no device");
  const device = await port.open(info);
  await device.claimInterface(interfaceNumber(0));
  return device;
}

function percentiles(values: number[]): { p50: number; p99: number } {
  values.sort((a, b) => a - b);
  const at = (part: number): number =>
    values[Math.floor(values.length * part)] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}

/** Reads until `isEnough`, as a driver's input does. */
async function read(
  device: DevicePort,
  isEnough: (count: number) => boolean,
): Promise<number> {
  let count = 0;
  const done = Promise.withResolvers<void>();
  const input = device.openInput({
    endpoint: BULK_IN,
    transfersInFlight: 16,
    transferLengthBytes: 64,
    sink: () => {
      if (isEnough(++count)) done.resolve();
      return true;
    },
    onEnd: ({ status }) => done.reject(new Error(status)),
  });
  await done.promise;
  await input.stop();
  return count;
}

async function measureLag(
  device: DevicePort,
): Promise<ProductFigures["timerLagMs"]> {
  await setModel(device, 0, 0, 0);
  const lags: number[] = [];
  let isOver = false;
  const timer = (async (): Promise<void> => {
    const endMs = performance.now() + LAG_MS;
    while (performance.now() < endMs) {
      const startMs = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 1));
      lags.push(performance.now() - startMs - 1);
    }
    isOver = true;
  })();
  await read(device, () => isOver);
  await timer;
  return percentiles(lags);
}

async function measureGrowth(
  device: DevicePort,
): Promise<ProductFigures["growth"]> {
  await setModel(device, 0, 0, 0);
  await read(device, (count) => count >= SETTLE_TRANSFERS);
  const before = Deno.memoryUsage();
  const wanted = Math.round(GROWTH_TRANSFERS * effort);
  const transfers = await read(device, (count) => count >= wanted);
  const after = Deno.memoryUsage();
  return {
    transfers,
    heapBytes: after.heapUsed - before.heapUsed,
    rssBytes: after.rss - before.rss,
  };
}

async function measureIdle(): Promise<ProductFigures["idle"]> {
  await settled();
  const cpuPartWithout = await cpuPartOfWindow();
  const devices: DevicePort[] = [];
  for (let n = 0; n < IDLE_DEVICES; n++) devices.push(await openDevice());
  const [first] = devices;
  if (first !== undefined) await setModel(first, 1, NEVER_NS, 0);
  for (const device of devices) {
    device.openInput({
      endpoint: INTERRUPT_IN,
      transfersInFlight: 1,
      sink: () => true,
      onEnd: () => {},
    });
  }
  await settled();
  const parts: number[] = [];
  for (let n = 0; n < IDLE_WINDOWS; n++) parts.push(await cpuPartOfWindow());
  for (const device of devices) await device.close();
  const cpuPart = percentiles(parts).p50;
  return { devices: IDLE_DEVICES, cpuPart, cpuPartWithout };
}

/** What was before is over: collectors and compilers work on for a while. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 500));
}

async function cpuPartOfWindow(): Promise<number> {
  const start = cpuUsage();
  const startMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, IDLE_WINDOW_MS));
  const used = cpuUsage(start);
  return (used.user + used.system) / 1000 / (performance.now() - startMs);
}

/** When each report reached the handler, and its own stamp. */
interface Seen {
  readonly handlerNs: number[];
}

function probeDriver(seen: Seen): AnyDriver {
  return defineDriver<undefined, { report: { stampNs: number } }>({
    name: "probe",
    description: "Tells when each report came",
    match: [{ vendorId: 0x1209 }],
    interfaces: [{ interfaceClass: 0xff }],
    init: () => undefined,
    inputs: [{
      endpoint: { type: "interrupt", direction: "in" },
      transfersInFlight: 4,
      handle(_state, { data }, context): void {
        const view = new DataView(data.buffer, data.byteOffset);
        const stampNs = view.getUint32(8, true) +
          view.getUint32(12, true) * 2 ** 32;
        seen.handlerNs.push(nowNs() - stampNs);
        context.emit("report", { stampNs });
      },
    }],
  });
}

/** `count` drivers in this process, each with a device of its own. */
async function measurePath(
  device: DevicePort,
  count: number,
  periodMicroseconds: number,
): Promise<PathFigures> {
  const mode = periodMicroseconds === 0 ? 0 : 3;
  const seen: Seen = { handlerNs: [] };
  const eventNs: number[] = [];
  const [info] = await port.devices();
  if (info === undefined) throw new Error("no device");
  const running = [];
  // What is submitted while drivers start keeps its time: a quick tick, soon over.
  await setModel(device, 3, START_TICK_NS, 0);
  for (let n = 0; n < count; n++) {
    running.push(
      await startDriver(probeDriver(seen), { port, device: info }),
    );
  }
  await setModel(device, mode, periodMicroseconds * 1000, 0);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  seen.handlerNs.length = 0;
  const startNs = nowNs();
  const wanted = Math.round(
    (mode === 0 ? FLOOD_REPORTS : PATH_REPORTS) * Math.max(effort, 0.25),
  );
  const startMs = performance.now();
  await Promise.all(running.map(async (driver) => {
    for await (const { data } of driver) {
      // What came while drivers started waited for this reader.
      if (Number(data.stampNs) < startNs) continue;
      eventNs.push(nowNs() - Number(data.stampNs));
      if (eventNs.length >= wanted) break;
    }
  }));
  const wallMs = performance.now() - startMs;
  const figures = {
    devices: count,
    periodMicroseconds,
    reportsPerSecond: seen.handlerNs.length / wallMs * 1000,
    handlerMicroseconds: microseconds(seen.handlerNs),
    eventMicroseconds: microseconds(eventNs),
  };
  for (const driver of running) await driver.stop();
  return figures;
}

/** One driver, a report as fast as it goes. */
async function measureTelling(device: DevicePort): Promise<CostFigures> {
  const [info] = await port.devices();
  if (info === undefined) throw new Error("no device");
  await setModel(device, 0, 0, 0);
  return await measureCosts({
    port,
    info,
    driver: () => probeDriver({ handlerNs: [] }),
    reports: Math.round(COST_REPORTS * Math.max(effort, 0.1)),
  });
}

function microseconds(ns: readonly number[]): { p50: number; p99: number } {
  return percentiles(ns.map((value) => value / 1000));
}

async function main(): Promise<void> {
  const device = await openDevice();
  const timerLagMs = await measureLag(device);
  const growth = await measureGrowth(device);
  const idle = await measureIdle();
  const paths: PathFigures[] = [];
  for (const devices of [1, 8, 64]) {
    paths.push(await measurePath(device, devices, 1_000));
  }
  paths.push(await measurePath(device, 1, 125));
  for (const devices of [1, 8, 64]) {
    paths.push(await measurePath(device, devices, 0));
  }
  const costs = await measureTelling(device);
  const streams = await measureStreams(device, {
    effort,
    file: scratchFile,
  });
  const figures: ProductFigures = {
    timerLagMs,
    growth,
    idle,
    paths,
    costs,
    streams,
  };
  console.log(JSON.stringify(figures));
  await device.close();
  await port.close();
}

await main();
