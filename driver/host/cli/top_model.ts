/**
 * What `driverspace top` knows: the last answers of a supervisor, and rates out
 * of two of them. Pure: answers in, rows out.
 *
 * @module
 */

import type { TopDriver, TopStatus } from "./top_answers.ts";

/** Everything a supervisor said at one time. */
export interface TopSample {
  /** Monotonic. */
  readonly atMs: number;
  readonly status: TopStatus;
  /** By name; of `status` where a driver's own answer failed. */
  readonly drivers: ReadonlyMap<string, TopDriver>;
}

/** One driver and what it does now. */
export interface TopRow {
  readonly driver: TopDriver;
  readonly reportsPerSecond: number | undefined;
  readonly bytesPerSecond: number | undefined;
  /** Time in handlers: the half of them, and all but one in a hundred, take less. */
  readonly latencyMs:
    | { readonly p50: number; readonly p99: number }
    | undefined;
  /** Messages waiting in its mailbox. */
  readonly depth: number;
  readonly dropped: number;
  readonly restarts: number;
  /** Why it is as it is, or how its last process ended. */
  readonly cause: string;
}

/** What rows are sorted by. */
export type TopSort =
  | "order"
  | "name"
  | "state"
  | "reports"
  | "bytes"
  | "restarts";

/** In the order in which a key goes through them. */
export const TOP_SORTS: readonly TopSort[] = [
  "order",
  "name",
  "state",
  "reports",
  "bytes",
  "restarts",
];

/** Samples kept: rates are over some seconds, so that they stand still enough to be read. */
const SAMPLES_MAX = 4;

/** What is known. */
export class TopModel {
  #samples: TopSample[] = [];
  #lost: { readonly sinceMs: number; readonly reason: string } | undefined;

  /** The last answers. */
  get last(): TopSample | undefined {
    return this.#samples.at(-1);
  }

  /** Why there are none any more, and since when. */
  get lost():
    | { readonly sinceMs: number; readonly reason: string }
    | undefined {
    return this.#lost;
  }

  /** Takes answers. */
  take(sample: TopSample): void {
    // Rates over a time without answers would be of no time.
    if (this.#lost !== undefined) this.#samples = [];
    this.#lost = undefined;
    this.#samples.push(sample);
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
  }

  /** Notes that nobody answers. */
  fail(reason: string, nowMs: number): void {
    this.#lost = { sinceMs: this.#lost?.sinceMs ?? nowMs, reason };
  }

  /** Every driver. */
  rows(sort: TopSort = "order"): TopRow[] {
    const [first] = this.#samples;
    const last = this.last;
    if (first === undefined || last === undefined) return [];
    const rows = [...last.drivers.values()].map((driver) =>
      rowOf(driver, {
        before: first === last ? undefined : first.drivers.get(driver.name),
        durationMs: last.atMs - first.atMs,
      })
    );
    return sort === "order" ? rows : rows.sort(ORDERS[sort]);
  }
}

const ORDERS: Readonly<
  Record<Exclude<TopSort, "order">, (a: TopRow, b: TopRow) => number>
> = {
  name: byName,
  state: (a, b) => rankOf(a.driver) - rankOf(b.driver) || byName(a, b),
  reports: (a, b) =>
    (b.reportsPerSecond ?? 0) - (a.reportsPerSecond ?? 0) || byName(a, b),
  bytes: (a, b) =>
    (b.bytesPerSecond ?? 0) - (a.bytesPerSecond ?? 0) || byName(a, b),
  restarts: (a, b) => b.restarts - a.restarts || byName(a, b),
};

function byName(a: TopRow, b: TopRow): number {
  return a.driver.name < b.driver.name ? -1 : 1;
}

/** How much a state wants to be looked at. */
const RANKS = [
  "unkillable",
  "failed",
  "quarantined",
  "backoff",
  "waiting-device",
  "stopping",
  "starting",
  "stopped",
  "ready",
];

function rankOf({ state, degraded }: TopDriver): number {
  const isUnwell = typeof degraded === "string";
  return RANKS.indexOf(state) - (isUnwell ? 0.5 : 0);
}

function rowOf(
  driver: TopDriver,
  since: {
    readonly before: TopDriver | undefined;
    readonly durationMs: number;
  },
): TopRow {
  const { before, durationMs } = since;
  const perSecond = (
    now: number,
    then: number | undefined,
  ): number | undefined =>
    then === undefined || durationMs <= 0
      ? undefined
      // A process that was started again counts anew.
      : (now >= then ? now - then : now) * 1_000 / durationMs;
  const { mailbox = {}, starts = 0, dropped = 0 } = driver;
  return {
    driver,
    reportsPerSecond: perSecond(driver.reports ?? 0, before?.reports),
    bytesPerSecond: perSecond(
      bytesOf(driver) ?? 0,
      before === undefined ? undefined : bytesOf(before),
    ),
    latencyMs: latencyOf(driver, before),
    depth: Object.values(mailbox).reduce((sum, count) => sum + count, 0),
    dropped,
    restarts: Math.max(0, starts - 1),
    cause: causeOf(driver),
  };
}

function bytesOf({ endpoints }: TopDriver): number | undefined {
  return endpoints?.reduce(
    (sum, endpoint) => sum + endpoint.bytes_in + endpoint.bytes_out,
    0,
  );
}

function causeOf(
  { degraded, cause, last_exit: exit, starts = 0 }: TopDriver,
): string {
  if (typeof degraded === "string") return degraded;
  if (typeof cause === "string") return cause;
  if (starts < 2 || exit === null || exit === undefined) return "";
  return `last end: ${exit.class}: ${exit.message}`;
}

/** Of the handlers that ran between two answers; of all, where there is one only. */
function latencyOf(
  driver: TopDriver,
  before: TopDriver | undefined,
): TopRow["latencyMs"] {
  const { bounds_ms: bounds = [], counts = [] } = driver.handler_latency ?? {};
  const then = before?.handler_latency?.counts ?? [];
  const isSameProcess = counts.every((count, at) => count >= (then[at] ?? 0));
  const fresh = counts.map((count, at) =>
    isSameProcess ? count - (then[at] ?? 0) : count
  );
  if (!fresh.some((count) => count > 0)) return undefined;
  return {
    p50: quantile(0.5, { bounds, counts: fresh }),
    p99: quantile(0.99, { bounds, counts: fresh }),
  };
}

/**
 * A quantile out of a histogram, as Prometheus reckons it: evenly spread within
 * a bucket, and the last bound for what is above it.
 */
export function quantile(
  share: number,
  histogram: {
    readonly bounds: readonly number[];
    readonly counts: readonly number[];
  },
): number {
  const { bounds, counts } = histogram;
  const total = counts.reduce((sum, count) => sum + count, 0);
  let left = share * total;
  for (const [at, count] of counts.entries()) {
    const upper = bounds[at];
    if (upper === undefined) break;
    if (count > 0 && left <= count) {
      const lower = bounds[at - 1] ?? 0;
      return lower + (upper - lower) * left / count;
    }
    left -= count;
  }
  return bounds.at(-1) ?? 0;
}
