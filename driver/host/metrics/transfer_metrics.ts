/**
 * Feeds the metrics of what a driver moved, from the sums it sends. They are
 * untrusted: a sum that runs backwards adds nothing, names come from closed
 * sets, and of endpoints only so many get labels of their own.
 *
 * @module
 */

import type { HistogramCounts } from "../../loop/histogram.ts";
import { hex } from "../../usb.ts";
import type { WireEndpoint, WireTelemetry } from "../wire_telemetry.ts";
import { LABEL_VALUES } from "./families.ts";
import type { Labels, MetricRegistry } from "./registry.ts";

/** Endpoints and their types with labels of their own, of one driver over all its processes; a device has 31. */
export const LABELLED_ENDPOINTS_MAX = 32;
/** The label of all others. */
const OTHER = "other";

/** Metrics of one driver's transfers. */
export class TransferMetrics {
  readonly #registry: MetricRegistry;
  readonly #driver: string;
  /** Of the process that runs: its sums begin at 0. */
  readonly #last = new Map<string, number>();
  /** Endpoints and types that have labels of their own. */
  readonly #pairs = new Set<string>();
  /** Labels of endpoints in use. */
  readonly #endpoints = new Set<string>();

  /** Initialises every series that is known before a device is. */
  constructor(registry: MetricRegistry, driver: string) {
    this.#registry = registry;
    this.#driver = driver;
    for (const type of LABEL_VALUES.type) {
      this.#touch("transfer_duration_seconds", { type });
    }
    this.#touch("handler_latency_seconds");
    for (const reason of LABEL_VALUES.retry) {
      this.#touch("retries_total", { reason });
    }
    for (const lane of ["commands", "events"]) {
      this.#touch("mailbox_dropped_total", refusedIn(lane));
    }
    for (const level of LABEL_VALUES.level) {
      this.#touch("log_lines_total", { level });
    }
    this.#touch("log_dropped_total", { reason: "queue" });
  }

  /** Takes the sums of the process that runs. */
  take(telemetry: WireTelemetry): void {
    const { durations, latency, retries, refused, logged } = telemetry;
    this.#takeEndpoints(telemetry.endpoints);
    for (const { endpoint, dropped } of telemetry.drops) {
      const own = hex(endpoint);
      const label = this.#endpoints.has(own) ? own : OTHER;
      for (const policy of INPUT_POLICIES) {
        const labels = { endpoint: label, lane: "reports", policy };
        this.#add("mailbox_dropped_total", labels, dropped[policy], own);
      }
    }
    for (const type of LABEL_VALUES.type) {
      this.#addCounts("transfer_duration_seconds", { type }, durations[type]);
    }
    this.#addCounts("handler_latency_seconds", {}, latency);
    for (const reason of LABEL_VALUES.retry) {
      this.#add("retries_total", { reason }, retries[reason]);
    }
    for (const lane of ["commands", "events"] as const) {
      this.#add("mailbox_dropped_total", refusedIn(lane), refused[lane]);
    }
    for (const level of LABEL_VALUES.level) {
      this.#add("log_lines_total", { level }, logged.lines[level]);
    }
    this.#add("log_dropped_total", { reason: "queue" }, logged.dropped);
  }

  /** The process is over: nothing of it moves any more, and the next begins at 0. */
  ended(): void {
    this.#last.clear();
    this.#setMoving(new Map());
  }

  #takeEndpoints(endpoints: readonly WireEndpoint[]): void {
    const moving = new Map<string, { inFlight: number; isPaused: boolean }>();
    for (const told of endpoints) {
      const { type, ended, bytesIn, bytesOut, inFlight, isPaused } = told;
      const endpoint = this.#labelOf(told.endpoint, type);
      const apart = `${told.endpoint} ${type}`;
      for (const status of LABEL_VALUES.status) {
        const labels = { endpoint, type, status };
        this.#add("transfers_total", labels, ended[status], apart);
      }
      const bytes = { in: bytesIn, out: bytesOut } as const;
      for (const direction of directionsOf(told.endpoint)) {
        const labels = { endpoint, direction };
        this.#add("transfer_bytes_total", labels, bytes[direction], apart);
      }
      const sum = moving.get(endpoint) ?? { inFlight: 0, isPaused: false };
      sum.inFlight += inFlight;
      sum.isPaused ||= isPaused;
      moving.set(endpoint, sum);
    }
    this.#setMoving(moving);
  }

  #setMoving(
    moving: ReadonlyMap<string, { inFlight: number; isPaused: boolean }>,
  ): void {
    for (const endpoint of this.#endpoints) {
      const { inFlight = 0, isPaused = false } = moving.get(endpoint) ?? {};
      this.#set("transfers_in_flight", inFlight, { endpoint });
      this.#set("endpoint_paused", isPaused ? 1 : 0, { endpoint });
    }
  }

  /** A name for an endpoint, while there are any left. */
  #labelOf(endpoint: number, type: string): string {
    const own = hex(endpoint);
    const pair = `${own} ${type}`;
    const isKnown = this.#pairs.has(pair);
    const isOwn = isKnown || this.#pairs.size < LABELLED_ENDPOINTS_MAX;
    if (isOwn && !isKnown) this.#pairs.add(pair);
    const label = isOwn ? own : OTHER;
    this.#endpoints.add(label);
    return label;
  }

  #touch(name: string, labels: Labels = {}): void {
    this.#registry.touch(`driverspace_${name}`, this.#labels(labels));
  }

  /** Adds what came since the last time; `apart` tells sums from each other that share a series. */
  #add(name: string, labels: Labels, sum = 0, apart = ""): void {
    const key = `${name} ${Object.values(labels).join(" ")} ${apart}`;
    const added = this.#since(key, sum);
    this.#registry.add(`driverspace_${name}`, this.#labels(labels), added);
  }

  #addCounts(
    name: string,
    labels: Labels,
    sums: HistogramCounts | undefined,
  ): void {
    if (sums === undefined) return;
    const key = `${name} ${Object.values(labels).join(" ")}`;
    const sum = this.#since(key, sums.sumMs) / 1_000;
    const counts = sums.counts.map((count, at) =>
      this.#since(`${key} ${at}`, count)
    );
    const full = `driverspace_${name}`;
    this.#registry.addCounts(full, this.#labels(labels), { counts, sum });
  }

  /** What was added to a sum. One that runs backwards adds nothing until it is past its highest. */
  #since(key: string, sum: number): number {
    const last = this.#last.get(key) ?? 0;
    if (sum <= last) return 0;
    this.#last.set(key, sum);
    return sum - last;
  }

  #set(name: string, value: number, labels: Labels): void {
    this.#registry.set(`driverspace_${name}`, this.#labels(labels), value);
  }

  #labels(labels: Labels): Labels {
    return { driver: this.#driver, ...labels };
  }
}

/** By which reports are dropped: they are never refused, their endpoint pauses. */
const INPUT_POLICIES = LABEL_VALUES.policy.filter((one) => one !== "refuse");

function refusedIn(lane: string): Labels {
  return { endpoint: "", lane, policy: "refuse" };
}

/** Control transfers go both ways. USB 2.0, table 9-13. */
function directionsOf(endpoint: number): readonly ("in" | "out")[] {
  if (endpoint === 0) return ["in", "out"];
  return (endpoint & 0x80) === 0 ? ["out"] : ["in"];
}
