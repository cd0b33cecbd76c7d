/**
 * The way of an interrupt: device, mailbox, handler, and an event out of the
 * process. Events leave as a driver's do, as frames on standard output, and
 * `product_run.ts` says when they are there.
 */

import { FrameSender } from "../../driver/host/frame_sender.ts";
import type { DeviceInfo, DevicePort } from "../../driver/port.ts";
import type { LibusbPort } from "../../ffi/libusb_port.ts";
import { writeAll } from "../../ffi/process_streams.ts";
import { probeDriver, probeSession } from "./probe.ts";
import { setModel } from "./product_streams.ts";

/** Of one setting, as far as this side knows. */
export interface PathInside {
  readonly devices: number;
  /** Between two reports of all devices together; 0: as fast as it goes. */
  readonly periodMicroseconds: number;
  readonly reportsPerSecond: number;
  readonly handlerMicroseconds: Spread;
  /** Events that found the pipe full. A driver counts and tells them. */
  readonly eventsDropped: number;
}

/** And as far as the other end of the pipe does. */
export interface PathFigures extends PathInside {
  readonly eventsPerSecond: number;
  readonly eventMicroseconds: Spread;
}

/** The middle of many, and what one in a hundred exceeds. */
export interface Spread {
  readonly p50: number;
  readonly p99: number;
}

/** Frames on standard output that are no driver's: a setting begins and ends. */
export const PATH_BEGINS = "path.begins";
/** As {@linkcode PATH_BEGINS}. */
export const PATH_ENDS = "path.ends";

const PATH_REPORTS = 2_000;
const FLOOD_REPORTS = 60_000;
/** While drivers start: 64 devices with 4 transfers each take 50 ms to clear. */
const START_TICK_NS = 200_000;
const SETTLE_MS = 250;
/** Devices, and microseconds between two reports. */
const SETTINGS = [
  [1, 1_000],
  [8, 1_000],
  [64, 1_000],
  [1, 125],
  [1, 0],
  [8, 0],
  [64, 0],
] as const;

/** What is driven. */
export interface PathsOf {
  readonly port: LibusbPort;
  readonly info: DeviceInfo;
  /** Open, to tell the fake device how it behaves. */
  readonly device: DevicePort;
  /** The clock of the reports' stamps. */
  readonly nowNs: () => number;
  readonly effort: number;
}

/** All settings. */
export async function measurePaths(of: PathsOf): Promise<PathInside[]> {
  const paths = new Paths(of);
  const all: PathInside[] = [];
  for (const [devices, periodMicroseconds] of SETTINGS) {
    all.push(await paths.measure(devices, periodMicroseconds));
  }
  return all;
}

class Paths {
  readonly #of: PathsOf;
  readonly #sender = new FrameSender(writeAll);
  #sequence = 0;

  constructor(of: PathsOf) {
    this.#of = of;
    this.#sender.writeNow = of.port.promptOutput(0);
  }

  /** `count` drivers in this process, each with a device of its own. */
  async measure(
    count: number,
    periodMicroseconds: number,
  ): Promise<PathInside> {
    const { device, effort, info, nowNs, port } = this.#of;
    const isFlood = periodMicroseconds === 0;
    const wanted = Math.round(
      (isFlood ? FLOOD_REPORTS : PATH_REPORTS) * Math.max(effort, 0.25),
    );
    const handlerNs: number[] = [];
    const done = Promise.withResolvers<void>();
    let startNs = Infinity;
    const onReport = (stampNs: number): void => {
      // What came while drivers started waited for them.
      if (stampNs < startNs || handlerNs.length >= wanted) return;
      if (handlerNs.push(nowNs() - stampNs) === wanted) done.resolve();
    };
    // What is submitted while drivers start keeps its time: a quick tick, soon over.
    await setModel(device, 3, START_TICK_NS, 0);
    const sessions = Array.from({ length: count }, () =>
      probeSession({
        driver: probeDriver(onReport),
        port,
        deviceInfo: info,
        emit: (event, data) => this.#emit(event, data),
      }));
    for (const session of sessions) await session.start();
    await setModel(device, isFlood ? 0 : 3, periodMicroseconds * 1000, 0);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    await this.#mark(PATH_BEGINS);
    const droppedBefore = this.#sender.dropped;
    startNs = nowNs();
    await done.promise;
    const reportsPerSecond = wanted / (nowNs() - startNs) * 1e9;
    for (const session of sessions) await session.stop();
    const eventsDropped = this.#sender.dropped - droppedBefore;
    await this.#mark(PATH_ENDS);
    return {
      devices: count,
      periodMicroseconds,
      reportsPerSecond,
      handlerMicroseconds: spreadOf(handlerNs),
      eventsDropped,
    };
  }

  #emit(event: string, data: EventData): boolean {
    const sequence = ++this.#sequence;
    return this.#sender.send({ type: "event", sequence, event, data });
  }

  /** There is room for it, as nothing waits. */
  async #mark(event: string): Promise<void> {
    await this.#sender.flushed();
    this.#emit(event, { stampNs: this.#of.nowNs() });
    await this.#sender.flushed();
  }
}

type EventData = Parameters<Parameters<typeof probeSession>[0]["emit"]>[1];

/** Of nanoseconds, in microseconds. */
export function spreadOf(ns: readonly number[]): Spread {
  const sorted = ns.toSorted((a, b) => a - b);
  const at = (part: number): number =>
    (sorted[Math.floor(sorted.length * part)] ?? 0) / 1000;
  return { p50: at(0.5), p99: at(0.99) };
}
