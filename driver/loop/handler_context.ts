/**
 * What a handler may do: the driver's context over a loop.
 *
 * @module
 */

import type { Device } from "../device.ts";
import type {
  DriverContext,
  DriverLog,
  EventMap,
  Json,
  Parameters,
} from "../driver.ts";
import { UsbError } from "../errors.ts";
import { MAX_TIMEOUT_MS } from "../limits.ts";
import type { DeviceInfo } from "../port.ts";
import type { Clock } from "./clock.ts";
import type { EventLoop } from "./event_loop.ts";
import type { Journal } from "./journal.ts";
import type { Mailbox } from "./mailbox.ts";
import type { Matcher } from "./matcher.ts";
import type { NamedTimers } from "./named_timers.ts";
import type { Random } from "./chance.ts";

/** Takes an event to the outside; `false` when there is no room, and it is dropped. */
export type EmitEvent = (
  event: string,
  data: Readonly<Record<string, Json>>,
) => boolean;

/** What a context is made of. */
export interface ContextParts {
  readonly device: Device;
  readonly options: Parameters;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: DriverLog;
  readonly emit: EmitEvent;
  readonly loop: EventLoop;
  readonly mailbox: Mailbox;
  readonly matcher: Matcher;
  readonly timers: NamedTimers;
  readonly journal: Journal;
  /** Index of an input by its name; `undefined` when there is none of that name. */
  readonly inputNamed: (name: string) => number | undefined;
}

/** Events told to the outside. */
export interface EventCounters {
  /** Taken by the outside. */
  emitted: number;
  /** The outside had no room. */
  dropped: number;
}

/** The context of one driver. */
export class HandlerContext implements DriverContext<EventMap> {
  readonly device: Device;
  readonly info: DeviceInfo;
  readonly options: Parameters;
  readonly log: DriverLog;
  /** Events told to the outside, and those it had no room for. */
  readonly events: EventCounters = noEvents();
  readonly #parts: ContextParts;
  readonly #waits = new Set<(error: unknown) => void>();

  /** One context for all the driver's life. */
  constructor(parts: ContextParts) {
    this.#parts = parts;
    this.device = parts.device;
    this.info = parts.device.info;
    this.options = parts.options;
    this.log = parts.log;
  }

  /** Fires at the deadline of the message being handled, on stop and on unplug. */
  get signal(): AbortSignal {
    return this.#parts.loop.signal;
  }

  /** Monotonic milliseconds of the loop's clock. */
  nowMs(): number {
    return this.#parts.clock.nowMs();
  }

  /** A number from 0 up to 1. */
  random(): number {
    return this.#parts.random();
  }

  /** Tells the world, or counts that it could not. */
  emit(event: string, data: EventMap[string]): void {
    this.#parts.journal.record("emit", event);
    if (this.#parts.emit(event, data)) this.events.emitted++;
    else this.events.dropped++;
  }

  /** Sets or moves a timer. */
  setTimer(name: string, delayMs: number): void {
    const { timers, journal } = this.#parts;
    timers.set(name, delayMs, journal.epoch);
  }

  /** Takes a timer back. */
  clearTimer(name: string): void {
    this.#parts.timers.clear(name);
  }

  /** Waits for a report of an input that `take` accepts; first among those that wait. */
  async receive(
    input: string,
    take: (data: Uint8Array) => boolean,
    options: { readonly timeoutMs: number },
  ): Promise<Uint8Array> {
    const { mailbox, matcher, journal, inputNamed } = this.#parts;
    checkDuration(options.timeoutMs, `wait for a report of ${input}`);
    const index = inputNamed(input);
    if (index === undefined) {
      throw this.device.error(
        "notFound",
        `wait for a report of ${input}`,
        "the driver has no such input, or the device lacks it",
      );
    }
    this.signal.throwIfAborted();
    const waiting = mailbox.reports.takeMatching(index, take);
    if (waiting !== undefined) {
      const data = waiting.data.slice();
      journal.record("received", input, data);
      mailbox.reports.release(waiting);
      return data;
    }
    const waiter = matcher.wait(index, take);
    // What a paused input holds may be what is waited for.
    mailbox.reports.resumePaused();
    return await this.#bounded(waiter.data, {
      timeoutMs: options.timeoutMs,
      cancel: (error) => waiter.cancel(error),
      overdue: () =>
        this.device.error(
          "timedOut",
          `wait for a report of ${input}`,
          `none came within ${options.timeoutMs} ms`,
        ),
    });
  }

  /** Sleeps in the loop's time. */
  async sleep(durationMs: number): Promise<void> {
    checkDuration(durationMs, "sleep");
    this.signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    promise.catch(() => {});
    await this.#bounded(promise, {
      timeoutMs: durationMs,
      cancel: reject,
      overdue: () => undefined,
      passed: resolve,
    });
  }

  /** The handler is over: what it left waiting ends. */
  endWaits(): void {
    if (this.#waits.size === 0) return;
    const error = new UsbError({
      code: "cancelled",
      operation: "wait in a handler",
      reason: "the handler is over",
    });
    for (const cancel of [...this.#waits]) cancel(error);
  }

  /** Waits until the promise settles, the time passes, or the signal fires. */
  async #bounded<T>(promise: Promise<T>, bounds: Bounds): Promise<T> {
    const { signal } = this;
    const { cancel } = bounds;
    const onAbort = (): void => cancel(signal.reason);
    const alarm = this.#parts.loop.alarms.set(bounds.timeoutMs, () => {
      if (bounds.passed !== undefined) bounds.passed();
      else cancel(bounds.overdue());
    });
    signal.addEventListener("abort", onAbort, { once: true });
    this.#waits.add(cancel);
    try {
      return await promise;
    } finally {
      alarm.cancel();
      signal.removeEventListener("abort", onAbort);
      this.#waits.delete(cancel);
    }
  }
}

/** The counters before the first event. */
export function noEvents(): EventCounters {
  return { emitted: 0, dropped: 0 };
}

interface Bounds {
  readonly timeoutMs: number;
  /** Rejects the promise. */
  readonly cancel: (error: unknown) => void;
  /** The error when the time passes. */
  readonly overdue: () => UsbError | undefined;
  /** Instead of an error: the time passing is what was waited for. */
  readonly passed?: () => void;
}

function checkDuration(durationMs: number, what: string): void {
  if (durationMs >= 0 && durationMs <= MAX_TIMEOUT_MS) return;
  throw new RangeError(
    `Cannot ${what} for ${durationMs} ms: expected 0 to ${MAX_TIMEOUT_MS}`,
  );
}
