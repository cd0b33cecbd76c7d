/**
 * Lives a recorded life again: the driver's own handlers, called with what came
 * to them then, in the same order and at the same times, on a device that is not
 * there. What the driver does is compared step by step with what it did.
 *
 * @module
 */

import type { AnyDriver, Json } from "../driver.ts";
import { settle } from "../loop/clock.ts";
import { errorData, errorText } from "../loop/error_data.ts";
import { findInterface } from "../loop/selectors.ts";
import { declared } from "../loop/inputs.ts";
import type { JournalEvent } from "../loop/journal.ts";
import { checkParameters } from "../loop/parameters.ts";
import { decodePlain, encodePlain } from "../loop/plain_data.ts";
import { recordedDriver } from "../loop/recorded_driver.ts";
import {
  BEGIN_KINDS,
  EFFECT_KINDS,
  INPUT_KINDS,
  Recorder,
} from "../loop/recorder.ts";
import type { DeviceInfo } from "../port.ts";
import { alternateSetting } from "../usb.ts";
import { listOf, membersOf, paramsOf } from "./fed_calls.ts";
import { FedContext } from "./fed_context.ts";
import { reportOf } from "./fed_input.ts";
import { claimedOf, deviceAt, FedPort } from "./fed_port.ts";
import { InOneGo } from "./in_one_go.ts";
import { type Divergence, missingBefore, RELEVANT, Tape } from "./tape.ts";

/** A recorded life. */
export interface ReplayOptions {
  readonly driver: AnyDriver;
  /** A full journal, in order; parts of it may be missing. */
  readonly events: readonly JournalEvent[];
  /** By its descriptors; what the driver's process knew besides is in the journal. */
  readonly device: DeviceInfo;
  /** As they were given to the driver. */
  readonly options: Json;
  /** Lets everything run that waits, timers of the driver's own included. */
  readonly turn: () => Promise<void>;
  /** Told of each event before it is acted on, and of the times events are missing. */
  readonly onStep?: (step: ReplayStep) => void;
}

/** A step of a replay. */
export type ReplayStep =
  | { readonly kind: "event"; readonly event: JournalEvent }
  /** Events are missing here; what the replay goes on from. */
  | {
    readonly kind: "gap";
    readonly events: number;
    readonly goesOn: "checkpoint" | "loose";
  };

/** How a handler ended that has ended. */
export interface HandlerEnd {
  readonly name: string;
  /** The sentence of what it threw; `undefined`: it ended well. */
  readonly failure: string | undefined;
}

/** What a replay found. */
export interface ReplayResult {
  /** Steps that were the same. */
  readonly steps: number;
  /** Hash over them. */
  readonly traceHash: string;
  readonly divergence: Divergence | undefined;
  /** It could not go on: why. */
  readonly problem: string | undefined;
  /** Events were missing and there was no checkpoint: values were not compared. */
  readonly isLoose: boolean;
  /** What the driver did after the last thing recorded. */
  readonly beyond: readonly JournalEvent[];
  /** The last handler that was called, and how it ended, if it did. */
  readonly lastHandler: string | undefined;
  readonly lastEnd: HandlerEnd | undefined;
}

/** Things that come together: more than a driver has transfers in flight. */
const TOGETHER_MAX = 64;
/** Turns to wait for something to happen that happened: more than any chain of promises takes. */
const TURNS_MAX = 16;

/** Lives it. Rejects only for a bug of ours. */
export async function replay(options: ReplayOptions): Promise<ReplayResult> {
  return await new Replay(options).run();
}

class Replay {
  readonly #options: ReplayOptions;
  readonly #tape: Tape;
  /** How many are missing before an event. */
  readonly #missing: ReadonlyMap<JournalEvent | undefined, number>;
  readonly #recorder: Recorder;
  readonly #inOneGo: InOneGo;
  readonly #driver: AnyDriver;
  readonly #parameters: ReturnType<typeof checkParameters>;
  #state: unknown;
  #port: FedPort;
  #context: FedContext;
  #callId = 0;
  #nowMs = 0;
  #lastHandler: string | undefined;
  #lastEnd: HandlerEnd | undefined;

  constructor(options: ReplayOptions) {
    const { driver, events } = options;
    this.#options = options;
    this.#tape = new Tape(events.filter(({ kind }) => RELEVANT.has(kind)));
    this.#missing = missingBefore(events);
    this.#recorder = new Recorder({
      nowMs: () => this.#nowMs,
      tell: (event) => this.#did(event),
    });
    this.#inOneGo = new InOneGo({
      tape: this.#tape,
      give: (event) => this.#answered(event),
      changeState: (state) => this.#recorder.state = state,
    });
    this.#driver = recordedDriver(driver, this.#recorder);
    this.#parameters = checkParameters(options.options, driver.options ?? {}, {
      what: driver.name,
    });
    this.#state = driver.init(this.#parameters);
    this.#port = this.#makePort();
    this.#context = this.#makeContext();
  }

  async run(): Promise<ReplayResult> {
    const tape = this.#tape;
    tape.until = this.#gapAfter(-1);
    for (; tape.next !== undefined; tape.at++) {
      if (this.#missing.has(tape.next) && !this.#jump()) break;
      // What came in one go is given in one go: not even promises get in between.
      const wait = this.#step(tape.next);
      if (wait !== undefined) await wait;
      if (tape.isOver) break;
    }
    await this.#settle();
    return {
      steps: tape.steps,
      traceHash: tape.traceHash,
      divergence: tape.divergence,
      problem: tape.problem,
      isLoose: tape.isLoose,
      beyond: tape.beyond,
      lastHandler: this.#lastHandler,
      lastEnd: this.#lastEnd,
    };
  }

  #step(event: JournalEvent): Promise<void> | undefined {
    const { kind } = event;
    this.#nowMs = Math.max(this.#nowMs, event.timeMs);
    if (kind === "state" && !this.#tape.isNextDone) {
      this.#recorder.state = event.name;
    }
    const isNoStep = kind === "device" || kind === "state" ||
      kind === "checkpoint";
    if (kind === "checkpoint") this.#compareState(event);
    const isOfDriver = EFFECT_KINDS.has(kind) || isRequest(event);
    const isDone = isNoStep || this.#tape.isNextDone;
    if (!isDone && isOfDriver) return this.#await(event);
    if (!isDone && this.#inOneGo.isOnItsWay(event)) return this.#arrival(event);
    this.#told(event);
    if (isDone || this.#tape.isCut(event)) return undefined;
    this.#tape.given(event);
    this.#feed(event);
    this.#foreseeState();
    this.#inOneGo.came(event);
    return settle();
  }

  /** What the driver does about an answer came after all that came with the answer. */
  #foreseeState(): void {
    const { events, at } = this.#tape;
    for (const { kind, name } of events.slice(at + 1, at + 1 + TOGETHER_MAX)) {
      if (kind === "state") this.#recorder.state = name;
      else if (!INPUT_KINDS.has(kind) || BEGIN_KINDS.has(kind)) return;
    }
  }

  /** What the driver did must happen again, before anything else comes to it. */
  async #await(event: JournalEvent): Promise<void> {
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      if (this.#tape.isNextDone || this.#tape.isOver) break;
      await this.#settle();
    }
    if (this.#tape.isNextDone) return this.#told(event);
    if (!this.#tape.isOver) this.#tape.missing();
  }

  async #settle(): Promise<void> {
    await settle();
    await this.#options.turn();
  }

  /** The driver was recorded doing something. What came to it is not news. */
  #did(event: JournalEvent): void {
    if (event.kind === "call" || event.kind === "set") {
      this.#callId = event.id ?? 0;
    }
    if (!EFFECT_KINDS.has(event.kind)) return;
    if (event.kind === "end" || event.kind === "failure") {
      const failure = event.kind === "failure"
        ? errorText(event.detail)
        : undefined;
      this.#lastEnd = { name: event.name, failure };
    }
    this.#tape.did(event);
    this.#inOneGo.did(event);
  }

  /** It is on its way: it comes in some rounds, or else now. */
  async #arrival(event: JournalEvent): Promise<void> {
    while (this.#inOneGo.isOnItsWay(event)) await Promise.resolve();
    await this.#step(event);
    await settle();
  }

  #feed(event: JournalEvent): void {
    if (BEGIN_KINDS.has(event.kind)) return this.#call(event);
    if (event.kind === "abort") return this.#context.abort(event);
    this.#answered(event);
  }

  #answered(event: JournalEvent): void {
    const tape = this.#tape;
    const id = tape.idOf(event.id);
    const isTaken = id !== undefined && this.#answer(id, event);
    // After missing events there may be answers to calls nobody knows of.
    if (!isTaken && !tape.isLoose) {
      tape.problem ??=
        `the answer ${event.name} (${event.sequence}) belongs to ` +
        "nothing that the driver asked for";
    }
  }

  #answer(id: number, event: JournalEvent): boolean {
    switch (event.kind) {
      case "look":
        return this.#context.look(id, event);
      case "offer":
      case "ask":
      case "over":
        return this.#port.tell(id, event);
      default:
        return this.#port.calls.end(id, event);
    }
  }

  /** Calls a handler. What it throws is recorded around it, and compared. */
  #call(event: JournalEvent): void {
    this.#lastHandler = `${event.kind} ${event.name}`;
    this.#lastEnd = undefined;
    try {
      const result = this.#handle(event);
      if (result instanceof Promise) result.catch(() => {});
    } catch {
      // As then, or else the tape has noticed.
    }
  }

  #handle(event: JournalEvent): unknown {
    const driver = this.#driver;
    const [state, context] = [this.#state, this.#context];
    switch (event.kind) {
      case "start":
        return driver.start?.(state, context);
      case "stop":
        return driver.stop?.(state, context);
      case "timer":
        return driver.onTimer?.(state, event.name, context);
      case "command":
        return this.#command(event);
      default: {
        const [index, detail] = listOf(event.detail);
        const input = declared(driver)[Number(index)];
        if (input === undefined) return this.#lacks(`input ${event.name}`);
        return input.handle(state, reportOf(event, detail), context);
      }
    }
  }

  #command({ name, detail }: JournalEvent): unknown {
    const commands = this.#driver.commands ?? {};
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (command === undefined) return this.#lacks(`command ${name}`);
    return command.run(this.#state, paramsOf(detail), this.#context);
  }

  #lacks(what: string): void {
    this.#tape.problem ??= `the driver has no ${what}: it is another one`;
  }

  #compareState(event: JournalEvent): void {
    const { state } = membersOf(event.detail);
    const own = encodePlain(this.#state);
    if (state === undefined || this.#tape.isLoose || !("data" in own)) return;
    if (JSON.stringify(own.data) !== state) this.#tape.otherState();
  }

  /** The first event behind `at` before which others are missing. */
  #gapAfter(at: number): number {
    const { events } = this.#tape;
    const gap = events.findIndex((event, index) =>
      index > at && this.#missing.has(event)
    );
    return gap === -1 ? events.length : gap;
  }

  /** Goes on behind missing events: from a checkpoint, or as good as it goes. `false`: there is nothing to go on from. */
  #jump(): boolean {
    const tape = this.#tape;
    const { events } = tape;
    const from = tape.at;
    const missing = this.#missing.get(events[from]) ?? 0;
    const checkpoint = events.findIndex(({ kind, detail }, at) =>
      at >= from && kind === "checkpoint" && detail !== undefined
    );
    const begin = events.findIndex(({ kind }, at) =>
      at >= from && BEGIN_KINDS.has(kind)
    );
    const at = checkpoint === -1 ? begin : checkpoint;
    const goesOn = checkpoint === -1 ? "loose" : "checkpoint";
    const skipped = (at === -1 ? events.length : at) - from;
    this.#options.onStep?.({ kind: "gap", events: missing + skipped, goesOn });
    if (at === -1) return false;
    tape.at = at;
    tape.until = this.#gapAfter(at);
    this.#port = this.#makePort();
    this.#context = this.#makeContext();
    tape.isLoose ||= checkpoint === -1;
    if (checkpoint !== -1) this.#restore(events[checkpoint]);
    return tape.problem === undefined;
  }

  #restore(checkpoint: JournalEvent | undefined): void {
    const { state, device } = membersOf(checkpoint?.detail);
    const { configuration, claimed } = membersOf(device);
    try {
      this.#state = decodePlain(JSON.parse(String(state)) as Json);
    } catch (error) {
      this.#tape.problem = `the checkpoint cannot be read: ${
        errorText(errorData(error))
      }`;
      return;
    }
    if (typeof configuration === "number") this.#port.configure(configuration);
    this.#port.claimed.clear();
    for (const [number, setting] of claimedOf(claimed)) {
      this.#port.claimed.set(number, setting);
    }
  }

  #makePort(): FedPort {
    const { device, events, driver } = this.#options;
    const place = events.find(({ kind }) => kind === "device");
    const port = new FedPort({
      info: deviceAt(device, place?.detail),
      label: place?.name ?? "device",
      tape: this.#tape,
      callId: () => this.#callId,
    });
    for (const selector of driver.interfaces) {
      const { interfaceNumber } = findInterface(port, selector);
      port.claimed.set(interfaceNumber, alternateSetting(0));
    }
    return port;
  }

  #makeContext(): FedContext {
    return new FedContext({
      port: this.#port,
      options: this.#parameters,
      tape: this.#tape,
      callId: () => this.#callId,
    });
  }

  #told(event: JournalEvent): void {
    this.#options.onStep?.({ kind: "event", event });
  }
}

function isRequest({ kind }: JournalEvent): boolean {
  return kind === "now" || kind === "chance";
}
