/**
 * What a session counts for whoever watches from outside: transfers by endpoint,
 * how long they took, how long reports waited for their handler, what was tried
 * again, what was dropped. Sums since the start, which only ever grow, so that
 * who misses one misses nothing.
 *
 * @module
 */

import type { OverflowPolicy } from "../driver.ts";
import type { TransferStatus } from "../port.ts";
import type { EndpointAddress, TransferType } from "../usb.ts";
import { EndpointCounters, type EndpointSums } from "./endpoint_counters.ts";
import { Histogram, type HistogramCounts } from "./histogram.ts";

/** Why something was tried again: how an input ended, or that the device had to be reset. */
export type RetryReason =
  | Exclude<TransferStatus, "completed" | "noDevice">
  | "reset";

/** All of them, in the order in which they are shown. */
export const RETRY_REASONS: readonly RetryReason[] = [
  "timedOut",
  "cancelled",
  "stall",
  "overflow",
  "error",
  "noMemory",
  "reset",
];

/** Types of transfers, in the order in which they are shown. */
export const TRANSFER_TYPES: readonly TransferType[] = [
  "control",
  "isochronous",
  "bulk",
  "interrupt",
];

/** By which rule a message was dropped or refused. */
export type DropPolicy =
  | Exclude<OverflowPolicy, "pause">
  /** It waited when the device was reset or the driver stopped. */
  | "stale"
  /** There was no room, and its sender was told. */
  | "refuse";

/** All of them, in the order in which they are shown. */
export const DROP_POLICIES: readonly DropPolicy[] = [
  "keepLatest",
  "dropOldest",
  "stale",
  "refuse",
];

/** Reports of one input that reached no handler, by the rule. */
export interface InputDrops {
  /** Of the input. */
  readonly endpoint: EndpointAddress;
  /** By the rule; what is not there is 0. */
  readonly dropped: Readonly<Partial<Record<DropPolicy, number>>>;
}

/** Everything a session counted so far. */
export interface TelemetrySums {
  /** Endpoints that were used. */
  readonly endpoints: readonly EndpointSums[];
  /** Of the standing inputs. */
  readonly drops: readonly InputDrops[];
  /** Of transfers made once, from their submission to their end, by type. Types without one are left out. */
  readonly durations: Readonly<Partial<Record<TransferType, HistogramCounts>>>;
  /** From a report's arrival on this side of the bus to the begin of its handler. */
  readonly latency: HistogramCounts;
  /** Inputs armed again, and resets of the device, by their reason. */
  readonly retries: Readonly<Partial<Record<RetryReason, number>>>;
}

/** Counts for one session. */
export class Telemetry {
  /** From a report's arrival to its handler. */
  readonly latency = new Histogram();
  readonly #endpoints = new Map<string, EndpointCounters>();
  readonly #durations = new Map<TransferType, Histogram>();
  readonly #retries = new Map<RetryReason, number>();

  /** The counters of an endpoint; made when it is first asked for. A device has 31 at most. */
  endpoint(
    endpoint: EndpointAddress | 0,
    type: TransferType,
  ): EndpointCounters {
    const key = `${type} ${endpoint}`;
    let counters = this.#endpoints.get(key);
    if (counters === undefined) {
      counters = new EndpointCounters(
        endpoint,
        type,
        getOrMake(this.#durations, type, () => new Histogram()),
      );
      this.#endpoints.set(key, counters);
    }
    return counters;
  }

  /** Something is tried again. */
  retried(reason: string): void {
    const known = RETRY_REASONS.find((one) => one === reason) ?? "error";
    this.#retries.set(known, (this.#retries.get(known) ?? 0) + 1);
  }

  /** Sums up; what inputs dropped is theirs to say. */
  sums(drops: readonly InputDrops[]): TelemetrySums {
    return {
      endpoints: [...this.#endpoints.values()].map(({ sums }) => sums),
      drops,
      durations: Object.fromEntries(
        [...this.#durations].map(([type, { counts }]) => [type, counts]),
      ),
      latency: this.latency.counts,
      retries: Object.fromEntries(this.#retries),
    };
  }
}

function getOrMake<Key, Value>(
  map: Map<Key, Value>,
  key: Key,
  make: () => Value,
): Value {
  let value = map.get(key);
  if (value === undefined) map.set(key, value = make());
  return value;
}
