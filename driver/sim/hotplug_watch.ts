/**
 * One watcher of a port: events in order, with an end.
 *
 * @module
 */

import { UsbError } from "../errors.ts";
import type { DeviceInfo, HotplugEvent } from "../port.ts";

/** Events a watcher may leave unread: more than any bus makes while one is handled. */
const MAX_WAITING_EVENTS = 1024;

/** What a watch begins with. */
export interface WatchOptions {
  /** Devices there now; an arrival for each comes first. */
  readonly present: readonly DeviceInfo[];
  readonly signal?: AbortSignal;
  /** Called once, when it ends. */
  readonly ended: () => void;
}

type Result = IteratorResult<HotplugEvent, undefined>;

/** An iterator over arrivals and departures. */
export class HotplugWatch implements AsyncIterator<HotplugEvent, undefined> {
  readonly #events: HotplugEvent[];
  readonly #readers: PromiseWithResolvers<Result>[] = [];
  readonly #options: WatchOptions;
  readonly #abort = (): void => this.end();
  #isEnded = false;
  #failure: UsbError | undefined;

  /** Starts with what is there. */
  constructor(options: WatchOptions) {
    this.#options = options;
    this.#events = options.present.map((device) => ({
      type: "arrived",
      device,
    }));
    options.signal?.addEventListener("abort", this.#abort, { once: true });
    if (options.signal?.aborted === true) this.end();
  }

  next(): Promise<Result> {
    const event = this.#events.shift();
    if (event !== undefined) {
      return Promise.resolve({ done: false, value: event });
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isEnded) {
      return Promise.resolve({ done: true, value: undefined });
    }
    const reader = Promise.withResolvers<Result>();
    this.#readers.push(reader);
    return reader.promise;
  }

  return(): Promise<Result> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Something happened. */
  tell(event: HotplugEvent): void {
    if (this.#isEnded) return;
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      return reader.resolve({ done: false, value: event });
    }
    if (this.#events.length >= MAX_WAITING_EVENTS) {
      this.#failure = new UsbError({
        code: "noMemory",
        operation: "watch devices",
        reason: `${MAX_WAITING_EVENTS} events wait to be read`,
        advice: "Read events as they come, and watch anew",
      });
      return this.end();
    }
    this.#events.push(event);
  }

  /** Ends it: readers that wait are told, events not read are dropped. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#events.length = 0;
    this.#options.signal?.removeEventListener("abort", this.#abort);
    for (const reader of this.#readers.splice(0)) {
      reader.resolve({ done: true, value: undefined });
    }
    this.#options.ended();
  }
}
