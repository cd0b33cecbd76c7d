/**
 * The instrument behind the interface: takes program messages, executes them in
 * order, queues answers, keeps the message exchange rules.
 * IEEE 488.2-1992, 6.
 *
 * @module
 */

import type { Clock } from "../../loop/clock.ts";
import { Acquisition } from "./multimeter_acquisition.ts";
import { COMMANDS } from "./multimeter_commands.ts";
import {
  OutputQueue,
  type OutputSegment,
  textSegment,
} from "./multimeter_output.ts";
import {
  matchesHeader,
  parseMessage,
  type ProgramUnit,
  ScpiFault,
} from "./multimeter_scpi.ts";
import { MeasurementSource } from "./multimeter_source.ts";
import { EventBit, StatusModel } from "./multimeter_status.ts";

/** Longest program message, and all that wait together. */
export const INPUT_BYTES_MAX = 64 * 1024;
/** Messages that wait while one waits for the measurement. */
const MESSAGES_MAX = 16;

/** How readings are written. */
export type DataFormat = "ASCii" | "REAL";

/** Continues a command when the acquisition is idle. */
export type WhenIdle = () => void;

/** Who the instrument is and what it is made of. */
export interface InstrumentOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** Answer to `*IDN?`. */
  readonly identity: string;
  /** An answer is complete: it may be read. */
  readonly onAnswer: () => void;
  /** A new reason for service. */
  readonly onServiceRequest: () => void;
}

/** A multimeter that understands IEEE 488.2 and SCPI. */
export class MultimeterInstrument {
  readonly identity: string;
  readonly status: StatusModel;
  readonly acquisition: Acquisition;
  /** Answers of the message that was executed, once it is done. */
  readonly output: OutputQueue = new OutputQueue();
  format: DataFormat = "ASCii";
  /** Setups of `*SAV`, by register. */
  readonly saved: Map<number, Acquisition["setup"]> = new Map();
  readonly #onAnswer: () => void;
  /** Answers of the message that is being executed. */
  #answers: OutputSegment[] = [];
  #input: Uint8Array[] = [];
  #inputBytes = 0;
  readonly #messages: string[] = [];
  /** The rest of the message that waits for the acquisition. */
  #suspended: { units: Iterator<ProgramUnit>; resume: WhenIdle } | undefined;
  /** The unit that waits is a query: a new message interrupts it. */
  #isQuerySuspended = false;
  /** Commands may end the acquisition, which must not start the next message inside them. */
  #isExecuting = false;
  #isCompletionWanted = false;

  /** As after power on. */
  constructor(options: InstrumentOptions) {
    this.identity = options.identity;
    this.#onAnswer = options.onAnswer;
    this.status = new StatusModel(options.onServiceRequest);
    this.acquisition = new Acquisition({
      clock: options.clock,
      source: new MeasurementSource(options.random),
      status: this.status,
      onIdle: () => this.#becameIdle(),
    });
  }

  /** An answer is being worked on. */
  get isBusy(): boolean {
    return this.#suspended !== undefined;
  }

  /** Takes bytes of a program message. A line feed or the end of message ends it. */
  receive(bytes: Uint8Array, endOfMessage: boolean): void {
    this.#interrupted();
    this.#inputBytes += bytes.length;
    // The rest of a message that is too long is counted, not kept.
    if (this.#inputBytes <= INPUT_BYTES_MAX) this.#input.push(bytes.slice());
    if (!endOfMessage) return;
    const isTooLong = this.#inputBytes > INPUT_BYTES_MAX;
    const text = isTooLong ? "" : textOf(this.#input);
    this.#input = [];
    this.#inputBytes = 0;
    if (isTooLong) return this.status.error(-223);
    for (const line of text.split("\n")) {
      if (line.trim() === "") continue;
      if (this.#messages.length < MESSAGES_MAX) this.#messages.push(line);
      else this.status.error(-363);
    }
    this.#run();
  }

  /** The host wants an answer, and none is there or coming. IEEE 488.2-1992, 6.3.2.2. */
  unterminated(): void {
    this.status.error(-420);
  }

  /** Takes part of the answer. */
  take(lengthBytes: number, termChar?: number): Uint8Array<ArrayBuffer> {
    const bytes = this.output.take(lengthBytes, termChar);
    this.status.messageAvailable = this.output.lengthBytes > 0;
    return bytes;
  }

  /** `*TRG` and the TRIGGER message. IEEE 488.2-1992, 10.37. */
  trigger(): void {
    try {
      this.acquisition.trigger("BUS");
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Device clear: input, output and what is being executed go. IEEE 488.2-1992, 5.8. */
  deviceClear(): void {
    this.#input = [];
    this.#inputBytes = 0;
    this.#messages.length = 0;
    this.#suspended = undefined;
    this.#answers = [];
    this.#isCompletionWanted = false;
    this.#dropOutput();
  }

  /** Queues an answer of the command being executed. */
  respond(answer: string | OutputSegment): void {
    this.#answers.push(
      typeof answer === "string" ? textSegment(answer) : answer,
    );
  }

  /** `*OPC`: the event bit follows when nothing is pending. IEEE 488.2-1992, 10.18. */
  wantCompletion(): void {
    if (this.acquisition.isIdle) {
      return this.status.raise(EventBit.operationComplete);
    }
    this.#isCompletionWanted = true;
  }

  /** `*RST`. IEEE 488.2-1992, 10.32. */
  reset(): void {
    this.#isCompletionWanted = false;
    this.acquisition.reset();
    this.format = "ASCii";
  }

  /** Takes its timers back: the device is gone. */
  dispose(): void {
    this.deviceClear();
    this.acquisition.dispose();
  }

  /**
   * A new message while an answer waits or is in the making: that answer is
   * lost. A message that only waits to go on is not. IEEE 488.2-1992, 6.3.2.3.
   */
  #interrupted(): void {
    if (this.#inputBytes > 0) return;
    const isAnswering = this.#answers.length > 0 || this.#isQuerySuspended;
    if (this.output.lengthBytes === 0 && !isAnswering) return;
    this.#suspended = undefined;
    this.#answers = [];
    this.#dropOutput();
    this.status.error(-410);
  }

  /** Does waiting messages, unless one is being done or an answer must be read first. */
  #run(): void {
    while (
      !this.#isExecuting && this.#suspended === undefined &&
      this.output.lengthBytes === 0
    ) {
      const message = this.#messages.shift();
      if (message === undefined) return;
      this.#execute(parseMessage(message));
    }
  }

  /** Executes units until the end, a fault, or one that has to wait. */
  #execute(units: Iterator<ProgramUnit>): void {
    this.#isExecuting = true;
    try {
      for (
        let next = units.next();
        next.done !== true;
        next = units.next()
      ) {
        const resume = this.#executeUnit(next.value);
        if (resume === undefined) continue;
        if (!this.acquisition.isIdle) {
          this.#isQuerySuspended = next.value.isQuery;
          this.#suspended = { units, resume };
          return;
        }
        resume();
      }
    } catch (error) {
      // The rest of a message with a fault in it is not executed.
      this.#failed(error);
    } finally {
      this.#isExecuting = false;
    }
    this.#messageDone();
  }

  #executeUnit(unit: ProgramUnit): WhenIdle | undefined {
    const command = COMMANDS.find(({ header }) => matchesHeader(header, unit));
    if (command === undefined) throw new ScpiFault(-113);
    const { parameters } = unit;
    const [minimum, maximum] = command.parameters;
    if (parameters.length < minimum) throw new ScpiFault(-109);
    if (parameters.length > maximum) throw new ScpiFault(-108);
    return command.run(this, parameters) ?? undefined;
  }

  /** Answers of one message are joined by semicolons and end with a line feed. */
  #messageDone(): void {
    this.#isQuerySuspended = false;
    const answers = this.#answers;
    this.#answers = [];
    if (answers.length === 0) return;
    for (const [index, answer] of answers.entries()) {
      if (index > 0) this.output.push(textSegment(";"));
      this.output.push(answer);
    }
    this.output.push(textSegment("\n"));
    this.status.messageAvailable = true;
    this.#onAnswer();
  }

  #becameIdle(): void {
    const suspended = this.#suspended;
    this.#suspended = undefined;
    if (suspended !== undefined) this.#goOn(suspended);
    if (this.acquisition.isIdle && this.#isCompletionWanted) {
      this.#isCompletionWanted = false;
      this.status.raise(EventBit.operationComplete);
    }
    this.#run();
  }

  #goOn(suspended: { units: Iterator<ProgramUnit>; resume: WhenIdle }): void {
    try {
      suspended.resume();
    } catch (error) {
      this.#failed(error);
      this.#messageDone();
      return;
    }
    this.#execute(suspended.units);
  }

  #dropOutput(): void {
    this.#isQuerySuspended = false;
    this.output.clear();
    this.status.messageAvailable = false;
  }

  #failed(error: unknown): void {
    if (!(error instanceof ScpiFault)) throw error;
    this.status.error(error.number);
  }
}

function textOf(parts: readonly Uint8Array[]): string {
  return parts.map((part) =>
    Array.from(part, (byte) => String.fromCharCode(byte)).join("")
  ).join("");
}
