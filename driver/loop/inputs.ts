/**
 * The standing inputs of one driver: found, armed, and wired to the mailbox by
 * the boolean of the sink.
 *
 * @module
 */

import type { AnyDriver, DriverInput, DriverLog, EventMap } from "../driver.ts";
import { UsbError } from "../errors.ts";
import { MAILBOX_REPORT_BYTES } from "../limits.ts";
import type { DevicePort, InputCounters, Report } from "../port.ts";
import { hex } from "../usb.ts";
import { bufferSize } from "./buffer_pool.ts";
import type { EventLoop } from "./event_loop.ts";
import { InputLine, type InputLineHooks } from "./input_line.ts";
import type { Journal } from "./journal.ts";
import type { Mailbox } from "./mailbox.ts";
import type { Matcher } from "./matcher.ts";
import type { InputTally } from "./messages.ts";
import {
  describeEndpoint,
  findEndpoint,
  type FoundInput,
} from "./selectors.ts";
import type { DropPolicy, InputDrops, Telemetry } from "./telemetry.ts";

/** One is being read while one is handled. */
const TRANSFERS_IN_FLIGHT_DEFAULT = 2;

/** Where everything of one input is. */
export interface InputReport {
  /** Transfers, over all the rings it had. */
  readonly ring: InputCounters;
  /** Reports, from the sink on. */
  readonly tally: Readonly<InputTally>;
  /** Times it was armed again after it ended by itself. */
  readonly restarts: number;
}

/** What inputs are made of. */
export interface InputsParts {
  readonly driver: AnyDriver;
  readonly port: DevicePort;
  readonly loop: EventLoop;
  readonly mailbox: Mailbox;
  readonly matcher: Matcher;
  readonly journal: Journal;
  readonly telemetry: Telemetry;
  readonly nowMs: () => number;
  readonly log: DriverLog;
  readonly gone: () => void;
  readonly reset: (error: UsbError) => void;
  readonly giveUp: (error: unknown) => void;
}

/** The standing inputs of one driver. */
export class Inputs {
  /** When a report last came, on the port's clock. */
  #lastReportMs: number | undefined;
  readonly #parts: InputsParts;
  readonly #lines = new Map<number, InputLine>();

  /** Nothing is opened before `arm`. */
  constructor(parts: InputsParts) {
    this.#parts = parts;
  }

  /**
   * Finds and arms the inputs that are not armed yet. `isLast`: those that are
   * still missing will not come, and must be optional.
   *
   * @throws {UsbError} `notFound` for a missing one, or as `DevicePort.openInput`.
   */
  arm(isLast: boolean): void {
    for (const [index, input] of declared(this.#parts.driver).entries()) {
      if (this.#lines.has(index)) continue;
      const found = findEndpoint(this.#parts.port, input.endpoint);
      if (found !== undefined) this.#open(index, input, found);
      else if (isLast && input.optional !== true) {
        throw new UsbError({
          code: "notFound",
          operation: `read from ${describeEndpoint(input.endpoint)}`,
          device: this.#parts.port.label,
          reason: "the claimed interfaces have none",
          advice: "Check that the driver is for this device",
        });
      }
    }
  }

  /** Arms again what was armed before a reset. @throws {UsbError} As `DevicePort.openInput`. */
  rearm(): void {
    for (const line of this.#lines.values()) line.arm();
  }

  /** Stops all; resolves when every transfer is back. */
  async stop(): Promise<void> {
    await Promise.all([...this.#lines.values()].map((line) => line.stop()));
  }

  /** The input has room again. */
  resume(index: number): void {
    this.#lines.get(index)?.resume();
  }

  /** Index of an input by its name or its endpoint's address. */
  named(name: string): number | undefined {
    for (const [index, line] of this.#lines) {
      if (line.name === name || hex(line.endpoint) === name) return index;
    }
    return undefined;
  }

  /** How long ago a report last came; `Infinity` before the first. */
  get lastReportAgeMs(): number {
    return this.#lastReportMs === undefined
      ? Infinity
      : this.#parts.port.nowMs() - this.#lastReportMs;
  }

  /** Transfers in flight, all inputs together. */
  get inFlight(): number {
    let inFlight = 0;
    for (const line of this.#lines.values()) inFlight += line.counters.inFlight;
    return inFlight;
  }

  /** Reports that reached no handler, by the rule. */
  drops(): InputDrops[] {
    return [...this.#lines].map(([index, { endpoint }]) => {
      const { reports } = this.#parts.mailbox;
      const { replaced, oldest, full, stale, stopped } = reports.tally(index)
        .dropped;
      // What found no room at all was dropped by the rule of its input.
      const policy = reports.overflow(index);
      const dropped: Partial<Record<DropPolicy, number>> = {
        keepLatest: replaced + (policy === "keepLatest" ? full : 0),
        dropOldest: oldest + (policy === "dropOldest" ? full : 0),
        stale: stale + stopped,
      };
      return { endpoint, dropped };
    });
  }

  /** Where everything is, by the name of the input. */
  report(): Record<string, InputReport> {
    const reports: Record<string, InputReport> = {};
    for (const [index, line] of this.#lines) {
      const tally = this.#parts.mailbox.reports.tally(index);
      reports[line.name] = {
        ring: line.counters,
        tally: { ...tally, dropped: { ...tally.dropped } },
        restarts: line.restarts,
      };
    }
    return reports;
  }

  #open(index: number, input: AnyInput, found: FoundInput): void {
    const { driver, port, loop, mailbox, telemetry, nowMs, log } = this.#parts;
    const name = input.name ?? hex(found.endpointAddress);
    const { transferLengthBytes } = input;
    checkLength(name, transferLengthBytes ?? found.packetBytes);
    const isochronous = found.transferType === "isochronous";
    const overflow = input.overflow ?? (isochronous ? "dropOldest" : "pause");
    if (isochronous && overflow === "pause") {
      throw new TypeError(
        `Cannot pause input ${name}: an isochronous endpoint does not wait`,
      );
    }
    mailbox.reports.configure(index, { name, overflow });
    const line = new InputLine({
      name,
      endpoint: found.endpointAddress,
      transfersInFlight: input.transfersInFlight ?? TRANSFERS_IN_FLIGHT_DEFAULT,
      ...(transferLengthBytes === undefined ? {} : { transferLengthBytes }),
      mayReset: driver.requests?.includes("reset") ?? false,
      port,
      counters: telemetry.endpoint(found.endpointAddress, found.transferType),
      loop,
      nowMs,
      log,
      hooks: this.#hooks(index, name),
    });
    this.#lines.set(index, line);
    line.arm();
  }

  #hooks(index: number, name: string): InputLineHooks {
    const { mailbox, telemetry, gone, reset, giveUp } = this.#parts;
    return {
      offer: (report) => this.#offer(index, name, report),
      offerStale: () => mailbox.reports.countStale(index),
      gone,
      reset,
      giveUp,
      retried: (reason) => telemetry.retried(reason),
    };
  }

  /** Record now, work in a turn: a handler that waits for it comes before the mailbox. */
  #offer(index: number, name: string, report: Report): boolean {
    const { mailbox, matcher, journal, loop } = this.#parts;
    this.#lastReportMs = report.timestampMs;
    if (matcher.offer(index, report.data)) {
      journal.record("received", name, report.data);
      mailbox.reports.countReceived(index);
      return true;
    }
    const isTaken = mailbox.offerReport(index, report, journal.epoch);
    if (isTaken) loop.wake();
    else journal.record("paused", name);
    return isTaken;
  }
}

type AnyInput = DriverInput<unknown, EventMap>;

/** The inputs a driver declares, in order. */
export function declared(driver: AnyDriver): readonly AnyInput[] {
  return driver.inputs ?? [];
}

function checkLength(name: string, lengthBytes: number): void {
  const fits = lengthBytes >= 1 &&
    bufferSize(lengthBytes) <= MAILBOX_REPORT_BYTES;
  if (!fits) {
    throw new RangeError(
      `Cannot read ${lengthBytes} bytes at a time from input ${name}: ` +
        `expected 1 to ${MAILBOX_REPORT_BYTES}`,
    );
  }
}
