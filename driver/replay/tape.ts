/**
 * A full journal on its way through a replay: which event comes next, which of
 * them the driver has brought about already, and where the first difference is.
 *
 * @module
 */

import type { Json } from "../driver.ts";
import type { JournalEvent, JournalKind } from "../loop/journal.ts";
import { BEGIN_KINDS, EFFECT_KINDS, INPUT_KINDS } from "../loop/recorder.ts";
import { toHex } from "../loop/recording.ts";
import { TraceHash } from "../loop/trace_hash.ts";

/** Where a driver does other than it did. */
export interface Divergence {
  /** What was recorded; `undefined`: nothing more. */
  readonly expected: JournalEvent | undefined;
  /** What the driver does now; `undefined`: nothing. */
  readonly actual: JournalEvent | undefined;
  /** What is different: `detail`, say; `undefined` when all of it is. */
  readonly part: string | undefined;
}

/** What came in one go with what was before it. */
export interface Together {
  readonly event: JournalEvent;
  /** So many rounds of microtasks after it. */
  readonly rounds: number;
}

/** Asked for in the middle of a step, and answered from the journal. */
const REQUESTS: ReadonlySet<JournalKind> = new Set<JournalKind>([
  "now",
  "chance",
]);

/** The events of a replay, and how far it is. */
export class Tape {
  /** Of the event that is next. */
  at = 0;
  /** Of the first event behind a gap, or behind them all: nothing is looked for there. */
  until: number;
  /** After events that are not there and no checkpoint: values may differ, what is done may not. */
  isLoose = false;
  /** The first difference, once there is one. */
  divergence: Divergence | undefined;
  /** It cannot go on: why. */
  problem: string | undefined;
  /** What the driver did when there was nothing recorded any more. */
  readonly beyond: JournalEvent[] = [];
  readonly events: readonly JournalEvent[];
  readonly #done = new Set<number>();
  #givenAt = -1;
  /** Numbers of calls as they were recorded, to those of now. */
  readonly #ids = new Map<number, number>();
  readonly #hash = new TraceHash();
  #steps = 0;

  /** At the beginning. */
  constructor(events: readonly JournalEvent[]) {
    this.events = events;
    this.until = events.length;
  }

  /** The next event, or `undefined` at the end. */
  get next(): JournalEvent | undefined {
    return this.events[this.at];
  }

  /** Whether the next event was brought about already. */
  get isNextDone(): boolean {
    return this.#done.has(this.at);
  }

  /** A difference or a problem was found: nothing of what comes now tells anything. */
  get isOver(): boolean {
    return this.divergence !== undefined || this.problem !== undefined;
  }

  /** The bytes of something that comes to the driver were too many to be kept: a problem. */
  isCut({ payload, sizeBytes, name }: JournalEvent): boolean {
    const kept = payload?.length ?? 0;
    if (kept >= sizeBytes) return false;
    this.problem ??= `of ${name} only ${kept} of ${sizeBytes} bytes were kept`;
    return true;
  }

  /** Events that were the same. */
  get steps(): number {
    return this.#steps;
  }

  /** Hash over the events that were the same. */
  get traceHash(): string {
    return this.#hash.text;
  }

  /** The number of now for that of a recorded call. */
  idOf(recorded: number | undefined): number | undefined {
    return recorded === undefined ? undefined : this.#ids.get(recorded);
  }

  /** An input is given to the driver. */
  given(event: JournalEvent): void {
    this.#givenAt = this.at;
    this.#count(event);
  }

  /** The driver does something: it must be what was recorded next. */
  did(actual: JournalEvent): void {
    if (this.isOver) return;
    const found = this.#find();
    if (found === "later") return this.#diverge(this.#nextBegin, actual);
    if (found === undefined) {
      if (this.until === this.events.length) this.beyond.push(actual);
      return;
    }
    const { expected } = found;
    const part = this.#difference(expected, actual);
    if (part === "kind") return this.#diverge(expected, actual);
    if (part !== undefined) return this.#diverge(expected, actual, part);
    if (expected.id !== undefined && actual.id !== undefined) {
      this.#ids.set(expected.id, actual.id);
    }
    this.#done.add(found.at);
    this.#count(expected);
  }

  /** The driver asks for the time or for chance; gives what it got then. */
  asked(kind: "now" | "chance", name: string): number {
    const found = this.#find();
    const last = kind === "now" ? this.#lastMs : HALF;
    if (found === undefined) return last;
    const expected = found === "later" ? this.#nextBegin : found.expected;
    const isIt = expected?.kind === kind && expected.name === name;
    if (found === "later" || !isIt) {
      const none = { sequence: 0, timeMs: 0, epoch: 0, sizeBytes: 0 };
      this.#diverge(expected, { ...none, kind, name });
      return last;
    }
    this.#done.add(found.at);
    this.#count(expected);
    return Number(expected.detail ?? last);
  }

  /** What came of a call at once, if it did: such a call waits for nothing. */
  answeredAtOnce(id: number): JournalEvent | undefined {
    return this.#atOnce(({ kind, id: recorded }) =>
      kind === "done" && this.idOf(recorded) === id
    );
  }

  /**
   * What came to the driver within that call of its own, one after the other:
   * a source is asked, what was held is offered, what waits is looked at.
   */
  *toldWithin(
    id: number,
    within: "opened" | "resumed" | "called",
  ): Generator<JournalEvent> {
    const isIt = ({ kind, id: recorded, detail }: JournalEvent): boolean =>
      TOGETHER.has(kind) && this.idOf(recorded) === id &&
      typeof detail === "object" && detail !== null && "within" in detail &&
      detail["within"] === within;
    for (
      let told = this.#atOnce(isIt);
      told !== undefined;
      told = this.#atOnce(isIt)
    ) yield told;
  }

  /** How many reports an input held when it was resumed, if that comes next. */
  heldNow(id: number): number {
    const found = this.#find();
    if (found === undefined || found === "later") return 0;
    const { kind, id: recorded, detail } = found.expected;
    const isIt = kind === "resume" && this.idOf(recorded) === id;
    return isIt && typeof detail === "number" ? detail : 0;
  }

  /** What comes next, if it came to the driver in one go with what was before it. */
  get together(): Together | undefined {
    for (let at = this.at; at < this.until; at++) {
      const event = this.events[at];
      if (event === undefined || this.#done.has(at)) continue;
      if (at === this.#givenAt || event.kind === "state") continue;
      const isIt = isTogether(event) && this.idOf(event.id) !== undefined;
      return isIt ? { event, rounds: roundsOf(event) } : undefined;
    }
    return undefined;
  }

  /** Takes what comes next, which came in one go. `false`: that was not it. */
  take(event: JournalEvent): boolean {
    return this.#atOnce((next) => next === event) !== undefined;
  }

  /** The session's state after what the driver did just now, if it is another one; the next of it, once. */
  stateNow(): string | undefined {
    for (let at = this.at; at < this.until; at++) {
      const event = this.events[at];
      if (event === undefined || this.#done.has(at)) continue;
      if (at === this.#givenAt) continue;
      if (event.kind !== "state") return undefined;
      this.#done.add(at);
      return event.name;
    }
    return undefined;
  }

  /** The signal that the driver looks at next, if it is another one than before. */
  nextSignal(): JournalEvent | undefined {
    const found = this.#find();
    if (found === undefined || found === "later") return undefined;
    const { kind, name } = found.expected;
    return kind === "call" && name === "signal" ? found.expected : undefined;
  }

  /** The next event did not come. */
  missing(): void {
    this.#diverge(this.next, undefined);
  }

  /** The driver's state is another than it was. */
  otherState(): void {
    this.#diverge(this.next, undefined, "state");
  }

  /** The next event that is not done, if it is the one. */
  #atOnce(isIt: (event: JournalEvent) => boolean): JournalEvent | undefined {
    for (let at = this.at; at < this.until; at++) {
      const event = this.events[at];
      if (event === undefined || this.#done.has(at)) continue;
      if (at === this.#givenAt) continue;
      if (!isIt(event) || this.isCut(event)) return undefined;
      this.#done.add(at);
      this.#count(event);
      return event;
    }
    return undefined;
  }

  #diverge(
    expected: JournalEvent | undefined,
    actual: JournalEvent | undefined,
    part?: string,
  ): void {
    this.divergence ??= { expected, actual, part };
  }

  /**
   * The first event that the driver brings about and has not yet. Answers that
   * came in between may have come a moment later; a handler that was called in
   * between was called before: then it is `later` than that.
   */
  #find():
    | { readonly at: number; readonly expected: JournalEvent }
    | "later"
    | undefined {
    for (let at = this.at; at < this.until; at++) {
      const expected = this.events[at];
      if (expected === undefined || this.#done.has(at)) continue;
      const { kind } = expected;
      if (EFFECT_KINDS.has(kind) || REQUESTS.has(kind)) return { at, expected };
      if (BEGIN_KINDS.has(kind) && at !== this.#givenAt) return "later";
    }
    return undefined;
  }

  /** The handler that is called next. */
  get #nextBegin(): JournalEvent | undefined {
    return this.events.slice(0, this.until).find(({ kind }, at) =>
      at >= this.at && at !== this.#givenAt && BEGIN_KINDS.has(kind)
    );
  }

  get #lastMs(): number {
    return this.events[Math.min(this.at, this.events.length - 1)]?.timeMs ?? 0;
  }

  #difference(
    expected: JournalEvent,
    actual: JournalEvent,
  ): string | undefined {
    const { kind, name } = expected;
    if (kind !== actual.kind || name !== actual.name) return "kind";
    if (this.isLoose) return undefined;
    if (expected.sizeBytes !== actual.sizeBytes) return "size";
    const data = (event: JournalEvent): string => toHex(event.payload ?? NONE);
    if (data(expected) !== data(actual)) return "bytes";
    const text = (detail: Json | undefined): string =>
      JSON.stringify(detail ?? null);
    if (text(expected.detail) !== text(actual.detail)) return "detail";
    return undefined;
  }

  #count({ kind, name, sizeBytes, detail }: JournalEvent): void {
    this.#steps++;
    this.#hash.text16(kind);
    this.#hash.text16(name);
    this.#hash.number(sizeBytes);
    this.#hash.text16(JSON.stringify(detail ?? null));
  }
}

/** What may come in one go with what came before it. */
const TOGETHER: ReadonlySet<JournalKind> = new Set<JournalKind>([
  "done",
  "look",
  "offer",
  "ask",
  "over",
]);

function isTogether({ kind, detail }: JournalEvent): boolean {
  return TOGETHER.has(kind) && typeof detail === "object" &&
    detail !== null && "together" in detail;
}

/** Rounds of microtasks; a journal is read as what a stranger wrote. */
function roundsOf({ detail }: JournalEvent): number {
  const rounds = typeof detail === "object" && detail !== null &&
      "together" in detail
    ? Number(detail["together"])
    : 0;
  return rounds >= 0 && rounds <= ROUNDS_MAX ? rounds : 0;
}

/** More than a recorder counts. */
const ROUNDS_MAX = 64;
const NONE = new Uint8Array();
/** Chance, where none was recorded any more. */
const HALF = 0.5;

/** What a replay looks at; the rest is the loop's own. */
export const RELEVANT: ReadonlySet<JournalEvent["kind"]> = new Set([
  ...INPUT_KINDS,
  ...EFFECT_KINDS,
  "state" as const,
  "device" as const,
  "checkpoint" as const,
]);

/** Of the events that matter here, those before which others are missing. */
export function missingBefore(
  events: readonly JournalEvent[],
): Map<JournalEvent, number> {
  const missing = new Map<JournalEvent, number>();
  let next = 0;
  let count = 0;
  for (const event of events) {
    count += Math.max(0, event.sequence - next);
    next = event.sequence + 1;
    if (count === 0 || !RELEVANT.has(event.kind)) continue;
    missing.set(event, count);
    count = 0;
  }
  return missing;
}
