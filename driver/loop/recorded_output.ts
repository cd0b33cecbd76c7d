/**
 * A standing output as a recorded driver gets it: each time its source is asked,
 * what it gave, and how it ended go into the full journal.
 *
 * @module
 */

import type { Json } from "../driver.ts";
import type {
  DevicePort,
  OutputCounters,
  OutputEnd,
  OutputOptions,
  OutputRing,
  OutputSource,
} from "../port.ts";
import { type EndpointAddress, hex } from "../usb.ts";
import { errorData } from "./error_data.ts";
import type { Recorder } from "./recorder.ts";
import { soon } from "./soon.ts";
import { outcomeDetail } from "./transfer_words.ts";

/** What it takes to record a standing input or output. */
export interface StandingRecording {
  readonly port: DevicePort;
  readonly recorder: Recorder;
  /** Records a call and what came of it. */
  readonly call: (name: string, run: () => Promise<void>) => Promise<void>;
}

/** Opens an output that is recorded. @throws {UsbError} As `DevicePort.openOutput`. */
export function recordedOutput(
  options: OutputOptions,
  recording: StandingRecording,
): OutputRing {
  return new RecordedOutput(options, recording);
}

class RecordedOutput implements OutputRing {
  readonly #recording: StandingRecording;
  readonly #id: number;
  readonly #name: string;
  readonly #ring: OutputRing;
  /** The lent buffers, in the order they came: a source may build on what is in one. */
  readonly #buffers: Uint8Array[] = [];
  /** Within which call it is asked; else a transfer is back. */
  #within: "opened" | "resumed" | undefined;
  #isOver = false;

  constructor(options: OutputOptions, recording: StandingRecording) {
    const { recorder, port } = recording;
    const { endpoint, transfersInFlight } = options;
    this.#recording = recording;
    this.#id = recorder.newId();
    this.#name = `openOutput ${hex(endpoint)}`;
    this.#note("call", {
      detail: [
        transfersInFlight,
        options.transferLengthBytes ?? null,
        options.timeoutMs ?? null,
      ],
    });
    // Around the port's own: it asks for the first time right behind the call.
    soon(() => this.#within = "opened");
    try {
      this.#ring = port.openOutput({
        ...options,
        source: (data) => this.#ask(options.source, data),
        onEnd: (end) => this.#ended(options.onEnd, end),
      });
    } catch (error) {
      this.#note("done", { detail: { error: errorData(error) } });
      throw error;
    } finally {
      soon(() => this.#within = undefined);
    }
    this.#note("done", {});
    recorder.opened();
  }

  get endpoint(): EndpointAddress {
    return this.#ring.endpoint;
  }

  get counters(): OutputCounters {
    return this.#ring.counters;
  }

  resume(): void {
    this.#note("resume", {});
    const outer = this.#within;
    this.#within = "resumed";
    try {
      this.#ring.resume();
    } finally {
      this.#within = outer;
    }
  }

  drained(): Promise<void> {
    const name = `drainOutput ${hex(this.endpoint)}`;
    return this.#recording.call(name, () => this.#ring.drained());
  }

  async stop(): Promise<void> {
    const name = `stopOutput ${hex(this.endpoint)}`;
    await this.#recording.call(name, () => this.#ring.stop());
    this.#over();
  }

  #ask(source: OutputSource, data: Uint8Array): number | undefined {
    let buffer = this.#buffers.indexOf(data);
    if (buffer === -1) buffer = this.#buffers.push(data) - 1;
    const detail = { buffer, lengthBytes: data.length };
    // Told apart, for a replay asks when it was asked.
    const when = this.#within === undefined
      ? this.#recording.recorder.together
      : { within: this.#within };
    this.#note("ask", { detail: { ...detail, ...when } });
    let given: number | undefined;
    try {
      given = source(data);
    } catch (error) {
      this.#note("asked", { detail: { error: errorData(error) } });
      throw error;
    }
    this.#note("asked", {
      // What is out of bounds is refused by the port.
      ...(given === undefined ? {} : { data: data.subarray(0, given) }),
      detail: given ?? null,
    });
    return given;
  }

  #ended(tell: OutputOptions["onEnd"], end: OutputEnd): void {
    const failed = "error" in end ? { error: errorData(end.error) } : {};
    this.#note("over", {
      detail: {
        ...outcomeDetail(end),
        ...failed,
        ...this.#recording.recorder.together,
      },
    });
    this.#over();
    tell(end);
  }

  #over(): void {
    if (!this.#isOver) this.#recording.recorder.closed();
    this.#isOver = true;
  }

  #note(
    kind: "call" | "done" | "resume" | "ask" | "asked" | "over",
    noted: { readonly data?: Uint8Array; readonly detail?: Json },
  ): void {
    const { recorder } = this.#recording;
    recorder.note(kind, this.#name, { id: this.#id, ...noted });
  }
}
