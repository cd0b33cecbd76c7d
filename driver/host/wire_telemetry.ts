/**
 * A driver's counters on their way to its host, in heartbeats and in the last
 * frame. Sums since the start of the process, each of a closed set of names, so
 * that a driver can lie about how many and not about what.
 *
 * @module
 */

import type { LogLevel } from "../driver.ts";
import { TRANSFER_STATUSES } from "../loop/endpoint_counters.ts";
import { DURATION_BOUNDS_MS, type HistogramCounts } from "../loop/histogram.ts";
import {
  DROP_POLICIES,
  type DropPolicy,
  RETRY_REASONS,
  type RetryReason,
  type TelemetrySums,
  TRANSFER_TYPES,
} from "../loop/telemetry.ts";
import type { TransferStatus } from "../port.ts";
import type { TransferType } from "../usb.ts";
import { LOG_LEVELS } from "./log_level.ts";
import {
  boolean,
  type Checker,
  count,
  list,
  members,
  oneOf,
  shape,
  upTo,
  WireError,
} from "./wire_check.ts";

/** One endpoint. What is 0 may be left out of `ended`. */
export interface WireEndpoint {
  /** `bEndpointAddress`; 0 for control transfers. */
  readonly endpoint: number;
  readonly type: TransferType;
  readonly ended: Readonly<Partial<Record<TransferStatus, number>>>;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly inFlight: number;
  readonly isPaused: boolean;
}

/** Reports of one input that reached no handler. */
export interface WireDrops {
  readonly endpoint: number;
  readonly dropped: Readonly<Partial<Record<DropPolicy, number>>>;
}

/** Everything a driver counted so far. */
export interface WireTelemetry {
  readonly endpoints: readonly WireEndpoint[];
  readonly drops: readonly WireDrops[];
  readonly durations: Readonly<Partial<Record<TransferType, HistogramCounts>>>;
  readonly latency: HistogramCounts;
  readonly retries: Readonly<Partial<Record<RetryReason, number>>>;
  /** Messages that found no room, by lane. */
  readonly refused: { readonly commands: number; readonly events: number };
  /** Lines of the log by level, and those that were lost. */
  readonly logged: {
    readonly lines: Readonly<Partial<Record<LogLevel, number>>>;
    readonly dropped: number;
  };
}

/** Endpoints told of: 31 of a device, and some again with another type. With as many a frame stays below 32 KiB. */
export const TOLD_ENDPOINTS_MAX = 64;

/** What a driver says of itself besides its transfers. */
export type OtherTelemetry = Pick<WireTelemetry, "refused" | "logged">;

/** Puts counters into the form they travel in: zeros left out, endpoints bounded. */
export function wireTelemetry(
  sums: TelemetrySums,
  other: OtherTelemetry,
): WireTelemetry {
  return {
    ...sums,
    endpoints: sums.endpoints.slice(0, TOLD_ENDPOINTS_MAX).map((endpoint) => ({
      ...endpoint,
      ended: withoutZeros(endpoint.ended),
    })),
    drops: sums.drops.slice(0, TOLD_ENDPOINTS_MAX).map(
      ({ endpoint, dropped }) => ({ endpoint, dropped: withoutZeros(dropped) }),
    ),
    ...other,
  };
}

function withoutZeros<Name extends string>(
  counts: Readonly<Partial<Record<Name, number>>>,
): Partial<Record<Name, number>> {
  return Object.fromEntries(
    Object.entries(counts).filter(([, value]) => value !== 0),
  ) as Partial<Record<Name, number>>;
}

/** `bEndpointAddress` is a byte. USB 2.0, table 9-13. */
const address = upTo(0xff);

const positive: Checker<number> = (value, where) => {
  if (typeof value === "number" && value >= 0 && Number.isFinite(value)) {
    return value;
  }
  throw new WireError("badMember", `Cannot read ${where}: expected 0 or more`);
};

const buckets: Checker<readonly number[]> = (value, where) => {
  const length = DURATION_BOUNDS_MS.length + 1;
  const counts = list(count, length)(value, where);
  if (counts.length === length) return counts;
  throw new WireError("badMember", `Cannot read ${where}: expected ${length}`);
};

const histogram: Checker<HistogramCounts> = shape({
  counts: buckets,
  sumMs: positive,
});

/** Reads counters. */
export const telemetry: Checker<WireTelemetry> = shape({
  endpoints: list(
    shape({
      endpoint: address,
      type: oneOf(...TRANSFER_TYPES),
      ended: members(TRANSFER_STATUSES, count),
      bytesIn: count,
      bytesOut: count,
      inFlight: count,
      isPaused: boolean,
    }),
    TOLD_ENDPOINTS_MAX,
  ),
  drops: list(
    shape({ endpoint: address, dropped: members(DROP_POLICIES, count) }),
    TOLD_ENDPOINTS_MAX,
  ),
  durations: members(TRANSFER_TYPES, histogram),
  latency: histogram,
  retries: members(RETRY_REASONS, count),
  refused: shape({ commands: count, events: count }),
  logged: shape({ lines: members(LOG_LEVELS, count), dropped: count }),
});
