/**
 * How much a driver moves a second, taken from its heartbeats.
 *
 * @module
 */

import type { HeartbeatFrame } from "./wire.ts";

/** What moves a second. */
export interface Rates {
  /** Reports of standing inputs: interrupts, most of all. */
  readonly reportsPerSecond: number;
  /** In both directions. */
  readonly bytesPerSecond: number;
}

/** Rates are taken over this time: some beats, so that they stand still enough to read. */
const RATE_WINDOW_MS = 2_000;
/** Beats kept; a driver that beats faster shortens its own window. */
const SAMPLES_MAX = 64;

interface Sample {
  readonly atMs: number;
  readonly reports: number;
  readonly bytes: number;
}

/** Rates of one driver process after the other. */
export class Throughput {
  readonly #samples: Sample[] = [];

  /** Takes a heartbeat that came at `nowMs`. */
  take(beat: HeartbeatFrame, nowMs: number): void {
    const sample = { atMs: nowMs, reports: beat.reports, bytes: bytesOf(beat) };
    this.#samples.push(sample);
    const isOld = (oldest: Sample | undefined): boolean =>
      oldest !== undefined && nowMs - oldest.atMs > RATE_WINDOW_MS;
    while (this.#samples.length > SAMPLES_MAX || isOld(this.#samples[0])) {
      this.#samples.shift();
    }
  }

  /** A process ended: its counters end with it. */
  ended(): void {
    this.#samples.length = 0;
  }

  /** `undefined` before there are two heartbeats. Counters that run backwards are no rate. */
  get rates(): Rates | undefined {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined) return undefined;
    const seconds = (last.atMs - first.atMs) / 1_000;
    if (seconds <= 0) return undefined;
    return {
      reportsPerSecond: Math.max(0, last.reports - first.reports) / seconds,
      bytesPerSecond: Math.max(0, last.bytes - first.bytes) / seconds,
    };
  }
}

function bytesOf({ telemetry }: HeartbeatFrame): number {
  return (telemetry?.endpoints ?? []).reduce(
    (sum, { bytesIn, bytesOut }) => sum + bytesIn + bytesOut,
    0,
  );
}
