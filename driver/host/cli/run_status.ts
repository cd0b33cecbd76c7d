/**
 * What is known of a running driver, collected from its frames: the model
 * behind every way of showing it.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import type { RunnerState } from "../driver_runner.ts";
import { Throughput } from "../throughput.ts";
import type {
  DriverFrame,
  HeartbeatFrame,
  LogFrame,
  ReadyFrame,
} from "../wire.ts";

/** The last event of one name. */
export interface LastEvent {
  readonly name: string;
  readonly data: { readonly [key: string]: Json };
  readonly count: number;
  readonly atMs: number;
}

/** Names of events kept; a driver has few, a hostile one any number. */
const EVENTS_MAX = 16;

/** A running driver. */
export class RunStatus {
  readonly driver: string;
  state: RunnerState = "stopped";
  cause: string | undefined;
  ready: ReadyFrame | undefined;
  /** What the driver's session says of itself. */
  session = "";
  beat: HeartbeatFrame | undefined;
  starts = 0;
  /** Last line of the driver's log that was no mere information. */
  warning: string | undefined;
  readonly #events = new Map<string, LastEvent>();
  readonly #throughput = new Throughput();
  #eventCount = 0;
  #reportsBefore = 0;
  #logUnwrittenBefore = 0;

  /** `driver` is its name. */
  constructor(driver: string) {
    this.driver = driver;
  }

  /** Last event of each name, in order of first appearance. */
  get events(): readonly LastEvent[] {
    return [...this.#events.values()];
  }

  /** Events of all names. */
  get eventCount(): number {
    return this.#eventCount;
  }

  /** Reports of all processes so far: what interrupt and other standing inputs gave. */
  get reports(): number {
    return this.#reportsBefore + (this.beat?.reports ?? 0);
  }

  /** Lines of the driver's log that are not on the disk, as far as is known. */
  get logUnwritten(): number {
    return this.#logUnwrittenBefore + (this.beat?.logUnwritten ?? 0);
  }

  /** Reports per second, or `undefined` before there are two beats. */
  get reportsPerSecond(): number | undefined {
    return this.#throughput.rates?.reportsPerSecond;
  }

  /** Messages waiting in the driver's mailbox, all lanes together. */
  get queueDepth(): number {
    return Object.values(this.beat?.depth ?? {}).reduce(
      (sum, depth) => sum + depth,
      0,
    );
  }

  /** Takes a frame in. */
  take(frame: DriverFrame, nowMs: number): void {
    switch (frame.type) {
      case "hello":
        this.session = "";
        break;
      case "ready":
        this.ready = frame;
        break;
      case "state":
        this.session = frame.state;
        break;
      case "heartbeat":
        this.beat = frame;
        this.#throughput.take(frame, nowMs);
        break;
      case "event":
        this.#happened(frame, nowMs);
        break;
      case "log":
        if (isNews(frame)) this.warning = frame.message;
        break;
    }
  }

  /** A process ended: its counters end with it. */
  ended(): void {
    this.#reportsBefore = this.reports;
    this.#logUnwrittenBefore = this.logUnwritten;
    this.beat = undefined;
    this.#throughput.ended();
  }

  #happened(
    frame: Extract<DriverFrame, { readonly type: "event" }>,
    nowMs: number,
  ): void {
    this.#eventCount++;
    const known = this.#events.get(frame.event);
    if (known === undefined && this.#events.size >= EVENTS_MAX) return;
    this.#events.set(frame.event, {
      name: frame.event,
      data: frame.data,
      count: (known?.count ?? 0) + 1,
      atMs: nowMs,
    });
  }
}

/** Whether a line is for a person at a terminal. States and ends the host sees and tells itself. */
export function isNews({ level, event }: LogFrame): boolean {
  return (level === "warn" || level === "error") &&
    !event.startsWith("driver.");
}
