/**
 * What a driver's handlers get in a replay: time, chance, reports and answers
 * out of the journal.
 *
 * @module
 */

import { Device } from "../device.ts";
import type {
  DriverContext,
  DriverLog,
  EventMap,
  Parameters,
} from "../driver.ts";
import type { JournalEvent } from "../loop/journal.ts";
import type { DeviceInfo } from "../port.ts";
import { errorIn } from "./fed_calls.ts";
import type { FedPort } from "./fed_port.ts";
import type { Tape } from "./tape.ts";

/** What a context is made of. */
export interface FedContextParts {
  readonly port: FedPort;
  readonly options: Parameters;
  readonly tape: Tape;
  /** Number of the call that was recorded last: the one that is being made. */
  readonly callId: () => number;
}

/** A receive that waits. */
interface Receiving {
  readonly take: (data: Uint8Array) => boolean;
  /** What it took last. */
  taken: Uint8Array;
}

/** The context of a replay. */
export class FedContext implements DriverContext<EventMap> {
  readonly device: Device;
  readonly info: DeviceInfo;
  readonly options: Parameters;
  /** What it says is compared before it comes here. */
  readonly log: DriverLog = () => {};
  readonly #parts: FedContextParts;
  readonly #receiving = new Map<number, Receiving>();
  readonly #signals = new Map<number, AbortController>();
  #controller = new AbortController();

  /** Over a device that is not there. */
  constructor(parts: FedContextParts) {
    this.#parts = parts;
    this.device = new Device(parts.port);
    this.info = parts.port.info;
    this.options = parts.options;
  }

  /** Another one where another one was looked at. */
  get signal(): AbortSignal {
    const event = this.#parts.tape.nextSignal();
    if (event?.id !== undefined && !this.#signals.has(event.id)) {
      this.#controller = new AbortController();
      this.#signals.set(event.id, this.#controller);
      if (errorIn(event) !== undefined) this.abort(event);
    }
    return this.#controller.signal;
  }

  /** Time, as it was. */
  nowMs(): number {
    return this.#parts.tape.asked("now", "loop");
  }

  /** Chance, as it was. */
  random(): number {
    return this.#parts.tape.asked("chance", "loop");
  }

  /** Compared before it comes here. */
  emit(): void {}

  /** Compared before it comes here; fails as it failed. */
  setTimer(): void {
    const { tape, callId } = this.#parts;
    const answer = tape.answeredAtOnce(callId());
    const failure = answer && errorIn(answer);
    if (failure !== undefined) throw failure.error;
  }

  /** Compared before it comes here. */
  clearTimer(): void {}

  /** Waits for what was received. */
  async receive(
    _input: string,
    take: (data: Uint8Array) => boolean,
  ): Promise<Uint8Array> {
    const { port, tape, callId } = this.#parts;
    const id = callId();
    const receiving: Receiving = { take, taken: new Uint8Array() };
    this.#receiving.set(id, receiving);
    for (const look of tape.toldWithin(id, "called")) this.look(id, look);
    try {
      await port.calls.wait(id);
      return receiving.taken;
    } finally {
      this.#receiving.delete(id);
    }
  }

  /** Sleeps until it woke. */
  async sleep(): Promise<void> {
    await this.#parts.port.calls.wait(this.#parts.callId());
  }

  /** A report that a receive looked at. `false`: none of that number waits. */
  look(id: number, { payload = new Uint8Array() }: JournalEvent): boolean {
    const receiving = this.#receiving.get(id);
    if (receiving === undefined) return false;
    const data = payload.slice();
    try {
      if (receiving.take(data)) receiving.taken = data.slice();
    } catch {
      // Its own receive fails by it, as was recorded.
    }
    return true;
  }

  /** A signal fired, as it fired. */
  abort(event: JournalEvent): void {
    const controller = this.#signals.get(event.id ?? 0);
    const failure = errorIn(event);
    controller?.abort(failure?.error);
  }
}
