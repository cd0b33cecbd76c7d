/**
 * A standing input as a recorded driver gets it: each report that is offered to
 * its sink, what that said, and how it ended go into the full journal.
 *
 * @module
 */

import type { Json } from "../driver.ts";
import type {
  InputCounters,
  InputEnd,
  InputOptions,
  InputRing,
  Report,
} from "../port.ts";
import { type EndpointAddress, hex } from "../usb.ts";
import { errorData } from "./error_data.ts";
import type { StandingRecording } from "./recorded_output.ts";
import { outcomeDetail, reportDetail } from "./transfer_words.ts";

/** Opens an input that is recorded. @throws {UsbError} As `DevicePort.openInput`. */
export function recordedInput(
  options: InputOptions,
  recording: StandingRecording,
): InputRing {
  return new RecordedInput(options, recording);
}

class RecordedInput implements InputRing {
  readonly #options: InputOptions;
  readonly #recording: StandingRecording;
  readonly #id: number;
  readonly #name: string;
  readonly #ring: InputRing;
  /** What it held is being offered within the call to resume it. */
  #isResuming = false;
  #isOver = false;

  constructor(options: InputOptions, recording: StandingRecording) {
    const { recorder, port } = recording;
    const { endpoint, transfersInFlight, transferLengthBytes } = options;
    this.#options = options;
    this.#recording = recording;
    this.#id = recorder.newId();
    this.#name = `openInput ${hex(endpoint)}`;
    this.#note("call", {
      detail: [transfersInFlight, transferLengthBytes ?? null],
    });
    try {
      this.#ring = port.openInput({
        ...options,
        sink: (report) => this.#offer(report),
        onEnd: (end) => this.#ended(end),
      });
    } catch (error) {
      this.#note("done", { detail: { error: errorData(error) } });
      throw error;
    }
    this.#note("done", {});
    recorder.opened();
  }

  get endpoint(): EndpointAddress {
    return this.#ring.endpoint;
  }

  get counters(): InputCounters {
    return this.#ring.counters;
  }

  resume(): void {
    // How many it held is what a reader makes room for.
    const { held } = this.#ring.counters;
    this.#note("resume", held === 0 ? {} : { detail: held });
    const outer = this.#isResuming;
    this.#isResuming = true;
    try {
      this.#ring.resume();
    } finally {
      this.#isResuming = outer;
    }
  }

  async stop(): Promise<void> {
    const name = `stopInput ${hex(this.endpoint)}`;
    await this.#recording.call(name, () => this.#ring.stop());
    this.#over();
  }

  #offer(report: Report): boolean {
    this.#note("offer", {
      data: report.data,
      detail: { ...reportDetail(report), ...this.#when() },
    });
    const isTaken = this.#options.sink(report);
    this.#note("offered", { detail: isTaken });
    return isTaken;
  }

  #ended(end: InputEnd): void {
    const closed = end.isClosed === true ? { isClosed: true } : {};
    this.#note("over", {
      data: end.data,
      detail: { ...outcomeDetail(end), ...closed, ...this.#when() },
    });
    this.#over();
    this.#options.onEnd(end);
  }

  /** Told apart, for a replay tells it in the midst of what it was told in then. */
  #when(): { readonly [key: string]: Json } | undefined {
    return this.#isResuming
      ? { within: "resumed" }
      : this.#recording.recorder.together;
  }

  /** It outlives nothing any more: from now on a replay can begin without it. */
  #over(): void {
    if (!this.#isOver) this.#recording.recorder.closed();
    this.#isOver = true;
  }

  #note(
    kind: "call" | "done" | "resume" | "offer" | "offered" | "over",
    noted: { readonly data?: Uint8Array; readonly detail?: Json },
  ): void {
    const { recorder } = this.#recording;
    recorder.note(kind, this.#name, { id: this.#id, ...noted });
  }
}
