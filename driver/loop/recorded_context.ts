/**
 * The context as a recorded driver gets it: what it does goes into the full
 * journal, and so does every answer, the time and chance included.
 *
 * @module
 */

import { Device } from "../device.ts";
import type {
  DriverContext,
  DriverLog,
  EventMap,
  Json,
  Parameters,
} from "../driver.ts";
import type { DeviceInfo } from "../port.ts";
import { errorData } from "./error_data.ts";
import { RecordedPort } from "./recorded_port.ts";
import type { Recorder } from "./recorder.ts";

/** A context whose every use is recorded. */
export class RecordedContext implements DriverContext<EventMap> {
  readonly device: Device;
  readonly log: DriverLog;
  readonly #context: DriverContext<EventMap>;
  readonly #recorder: Recorder;
  #signal: AbortSignal | undefined;

  /** What is recorded goes to the context unchanged. */
  constructor(context: DriverContext<EventMap>, recorder: Recorder) {
    this.#context = context;
    this.#recorder = recorder;
    const port = new RecordedPort(context.device.port, recorder);
    this.device = new Device(port, () => recorder.state);
    this.log = (level, event, message, fields) => {
      recorder.note("log", event, { detail: [level, message, fields ?? null] });
      context.log(level, event, message, fields);
    };
  }

  /** Where the device is and what it says it is. */
  get info(): DeviceInfo {
    return this.#context.info;
  }

  /** Options of this run. */
  get options(): Parameters {
    return this.#context.options;
  }

  /** Fires at the deadline of the message being handled, on stop and on unplug. */
  get signal(): AbortSignal {
    const { signal } = this.#context;
    if (signal !== this.#signal) this.#watch(signal);
    return signal;
  }

  /** Monotonic time of the loop's clock. */
  nowMs(): number {
    const nowMs = this.#context.nowMs();
    this.#recorder.note("now", "loop", { detail: nowMs });
    return nowMs;
  }

  /** A number from 0 up to 1. */
  random(): number {
    const value = this.#context.random();
    this.#recorder.note("chance", "loop", { detail: value });
    return value;
  }

  /** Tells the world. */
  emit(event: string, data: EventMap[string]): void {
    this.#recorder.note("emit", event, { detail: data });
    this.#context.emit(event, data);
  }

  /** Sets or moves a timer. */
  setTimer(name: string, delayMs: number): void {
    const id = this.#recorder.newId();
    this.#recorder.note("set", name, { id, detail: delayMs });
    try {
      this.#context.setTimer(name, delayMs);
    } catch (error) {
      this.#failed(`set ${name}`, id, error);
      throw error;
    }
  }

  /** Takes a timer back. */
  clearTimer(name: string): void {
    this.#recorder.note("clear", name);
    this.#context.clearTimer(name);
  }

  /** Waits for a report of an input. */
  async receive(
    input: string,
    take: (data: Uint8Array) => boolean,
    options: { readonly timeoutMs: number },
  ): Promise<Uint8Array> {
    const id = this.#recorder.newId();
    // What waits in the mailbox is looked at within the call.
    let isCalling = true;
    const watched = (data: Uint8Array): boolean => {
      const detail = isCalling ? { within: "called" } : this.#recorder.together;
      this.#recorder.note("look", input, { id, data, detail });
      try {
        const isTaken = take(data);
        this.#recorder.note("looked", input, { id, detail: isTaken === true });
        return isTaken;
      } catch (error) {
        const detail = { error: errorData(error) };
        this.#recorder.note("looked", input, { id, detail });
        throw error;
      }
    };
    const name = `receive ${input}`;
    const call = { id, name, detail: options.timeoutMs };
    return await this.#waited(call, () => {
      try {
        return this.#context.receive(input, watched, options);
      } finally {
        isCalling = false;
      }
    });
  }

  /** Sleeps in the loop's time. */
  async sleep(durationMs: number): Promise<void> {
    const id = this.#recorder.newId();
    const call = { id, name: "sleep", detail: durationMs };
    await this.#waited(call, () => this.#context.sleep(durationMs));
  }

  async #waited<T>(
    call: {
      readonly id: number;
      readonly name: string;
      readonly detail: number;
    },
    run: () => Promise<T>,
  ): Promise<T> {
    const recorder = this.#recorder;
    const { id, name, detail } = call;
    recorder.note("call", name, { id, detail });
    recorder.opened();
    try {
      const value = await run();
      // Its bytes are those of the last look.
      recorder.note("done", name, { id, detail: recorder.together });
      return value;
    } catch (error) {
      this.#failed(name, id, error);
      throw error;
    } finally {
      recorder.closed();
    }
  }

  #failed(name: string, id: number, error: unknown): void {
    const { together } = this.#recorder;
    this.#recorder.note("done", name, {
      id,
      detail: { error: errorData(error), ...together },
    });
  }

  /** Told once for each signal: when it is first looked at. */
  #watch(signal: AbortSignal): void {
    const recorder = this.#recorder;
    this.#signal = signal;
    const id = recorder.newId();
    const reason = (): { error: Json } => ({ error: errorData(signal.reason) });
    if (signal.aborted) {
      return recorder.note("call", "signal", { id, detail: reason() });
    }
    recorder.note("call", "signal", { id });
    const fired = (): void =>
      recorder.note("abort", "signal", { id, detail: reason() });
    signal.addEventListener("abort", fired, { once: true });
  }
}
