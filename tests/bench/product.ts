/**
 * What is no ratio to C: lag of an unrelated timer, growth over many transfers,
 * an idle process with 64 devices, and the way from an interrupt through loop and
 * handler out of the process. Runs under the flags a driver has.
 *
 *     product.ts LIBRARY EFFORT FILE
 *
 * Frames with events, and at the end one JSON line: a `FiguresInside`.
 */

import { cpuUsage } from "node:process";
import type { DevicePort } from "../../driver/port.ts";
import { endpointAddress, interfaceNumber } from "../../driver/usb.ts";
import { LibusbPort } from "../../ffi/libusb_port.ts";
import { monotonicClock } from "./client_support.ts";
import { probeDriver } from "./probe.ts";
import { type CostFigures, measureCosts } from "./product_costs.ts";
import {
  measurePaths,
  type PathFigures,
  type PathInside,
} from "./product_paths.ts";
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

/** What this side knows of it. */
export type FiguresInside = Omit<ProductFigures, "paths"> & {
  readonly paths: readonly PathInside[];
};

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
/** Some heartbeats long. */
const COST_REPORTS = 200_000;

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

/** One driver, a report as fast as it goes. */
async function measureTelling(device: DevicePort): Promise<CostFigures> {
  const [info] = await port.devices();
  if (info === undefined) throw new Error("no device");
  await setModel(device, 0, 0, 0);
  return await measureCosts({
    port,
    info,
    driver: () => probeDriver(() => {}),
    reports: Math.round(COST_REPORTS * Math.max(effort, 0.1)),
  });
}

async function main(): Promise<void> {
  const device = await openDevice();
  const timerLagMs = await measureLag(device);
  const growth = await measureGrowth(device);
  const idle = await measureIdle();
  const [info] = await port.devices();
  if (info === undefined) throw new Error("no device");
  const paths = await measurePaths({ port, info, device, nowNs, effort });
  const costs = await measureTelling(device);
  const streams = await measureStreams(device, {
    effort,
    file: scratchFile,
  });
  const figures: FiguresInside = {
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
