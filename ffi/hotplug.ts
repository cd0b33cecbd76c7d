/**
 * Arrivals and departures, by looking at the list again whenever libusb woke.
 * In a context with discovery libusb queues a message and wakes its handler at
 * each change, callbacks or not.
 *
 * @module
 */

import type { DeviceInfo, HotplugEvent } from "../driver/port.ts";
import type { EventPump } from "./event_pump.ts";

/** What a watch looks at. */
export interface WatchSource {
  readonly pump: EventPump;
  readonly nowMs: () => number;
  readonly list: () => readonly DeviceInfo[];
  /** Called once, when the watch has ended. */
  readonly onEnded: (watch: DeviceWatch) => void;
}

/** A busy stream wakes thousands of times a second; looking fifty times is enough. */
const LOOK_INTERVAL_MS = 20;

/** One watch. Nothing is queued: what changed is found out when the next event is asked for. */
export class DeviceWatch implements AsyncIterableIterator<HotplugEvent> {
  readonly #source: WatchSource;
  readonly #signal: AbortSignal | undefined;
  /** Devices told as arrived, by id. */
  readonly #told = new Map<string, DeviceInfo>();
  #events: HotplugEvent[] = [];
  #mayHaveChanged = true;
  #lookedAtMs = -Infinity;
  #isEnded = false;
  #wake: (() => void) | undefined;
  #last: Promise<unknown> = Promise.resolve();
  readonly #changed = (): void => {
    this.#mayHaveChanged = true;
    this.#wake?.();
  };
  readonly #end = (): void => this.end();

  /** Starts watching. */
  constructor(source: WatchSource, signal?: AbortSignal) {
    this.#source = source;
    this.#signal = signal;
    source.pump.addWakeListener(this.#changed);
    if (signal?.aborted) this.end();
    else signal?.addEventListener("abort", this.#end, { once: true });
  }

  /** Waits for the next event. */
  next(): Promise<IteratorResult<HotplugEvent, undefined>> {
    const result = this.#last.then(() => this.#next());
    this.#last = result.catch(() => {});
    return result;
  }

  /** Ends the watch, a waiting `next` too. */
  return(): Promise<IteratorResult<HotplugEvent, undefined>> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Itself: a watch is iterated once. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Ends the watch. Twice is a no-op. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#signal?.removeEventListener("abort", this.#end);
    this.#source.pump.removeWakeListener(this.#changed);
    this.#wake?.();
    this.#source.onEnded(this);
  }

  async #next(): Promise<IteratorResult<HotplugEvent, undefined>> {
    while (!this.#isEnded) {
      const event = this.#events.shift();
      if (event !== undefined) return { done: false, value: event };
      if (this.#mayHaveChanged) await this.#look();
      else await this.#sleep();
    }
    return { done: true, value: undefined };
  }

  async #look(): Promise<void> {
    const { nowMs, list } = this.#source;
    const waitMs = this.#lookedAtMs + LOOK_INTERVAL_MS - nowMs();
    if (waitMs > 0) {
      await this.#sleep(waitMs);
      return;
    }
    this.#mayHaveChanged = false;
    this.#lookedAtMs = nowMs();
    this.#compare(list());
  }

  /** Departures first: what came back on the same port left before. */
  #compare(devices: readonly DeviceInfo[]): void {
    const present = new Map(devices.map((device) => [device.id, device]));
    for (const [id, device] of this.#told) {
      if (present.has(id)) continue;
      this.#told.delete(id);
      this.#events.push({ type: "left", device });
    }
    for (const [id, device] of present) {
      if (this.#told.has(id)) continue;
      this.#told.set(id, device);
      this.#events.push({ type: "arrived", device });
    }
  }

  async #sleep(limitMs?: number): Promise<void> {
    const woken = Promise.withResolvers<void>();
    const timer = limitMs === undefined
      ? undefined
      : setTimeout(woken.resolve, limitMs);
    // During a pause between looks only the end wakes us early.
    this.#wake = () => {
      if (timer === undefined || this.#isEnded) woken.resolve();
    };
    await woken.promise;
    clearTimeout(timer);
    this.#wake = undefined;
  }
}
