/**
 * A full journal: everything that comes to a driver, with its bytes, and all
 * that the driver does about it, in the order it happened. Enough to live the
 * same life again without the device.
 *
 * @module
 */

import type { Json } from "../driver.ts";
import {
  EFFECTS,
  INPUTS,
  type JournalEvent,
  type JournalKind,
} from "./journal.ts";
import { encodePlain } from "./plain_data.ts";
import { PAYLOAD_BYTES_MAX } from "./recording.ts";
import { TraceHash } from "./trace_hash.ts";

/** What comes to a driver. */
export const INPUT_KINDS: ReadonlySet<JournalKind> = new Set(INPUTS);

/** What begins a handler. */
export const BEGIN_KINDS: ReadonlySet<JournalKind> = new Set<JournalKind>([
  "start",
  "report",
  "timer",
  "command",
  "stop",
]);

/** What a driver does. */
export const EFFECT_KINDS: ReadonlySet<JournalKind> = new Set(EFFECTS);

/** Characters of a detail; a waveform in an event is told by its length and a hash. */
const DETAIL_CHARACTERS_MAX = 16 * 1024;
/** What is recorded between two checkpoints: well below what a bundle holds, so that it holds one. */
const CHECKPOINT_BYTES = 48 * 1024;
/** Links of a chain of promises from one report of a batch to the next, at most. */
const STEP_ROUNDS = 32;
/** What an event weighs besides its bytes, about. */
const EVENT_BYTES = 64;

/** What there is to an event besides its kind and name. */
export interface Noted {
  readonly data?: Uint8Array;
  /** Default: the length of `data`. */
  readonly sizeBytes?: number;
  readonly id?: number;
  readonly detail?: unknown;
}

/** What a recorder is given. */
export interface RecorderOptions {
  readonly nowMs: () => number;
  /** Takes each event before anybody acts on it. Must not throw. */
  readonly tell: (event: JournalEvent) => void;
}

/** A place from which a replay can begin. */
export interface CheckpointParts {
  readonly state: unknown;
  /** What else must be as it was: claims, settings. */
  readonly device: Json;
}

/** Writes a full journal. */
export class Recorder {
  /** Resets of the device so far. */
  epoch = 0;
  /** Of the session, for messages of errors. */
  state: string | undefined;
  readonly #options: RecorderOptions;
  #sequence = 0;
  #nextId = 1;
  #open = 0;
  #sinceCheckpoint = 0;
  #isHopeless = false;
  #isSameStep = false;
  #roundsLeft = 0;

  /** Records nothing yet. */
  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /**
   * For details, when the host's loop has not turned since the last event: what
   * comes now came in one go with it, so many rounds of microtasks later.
   */
  get together(): { readonly together: number } | undefined {
    return this.#isSameStep
      ? { together: STEP_ROUNDS - this.#roundsLeft }
      : undefined;
  }

  /** A number for a call, to which its end refers. */
  newId(): number {
    return this.#nextId++;
  }

  /** Something begins that outlives the step it begins in. */
  opened(): void {
    this.#open++;
  }

  /** It is over. */
  closed(): void {
    this.#open--;
  }

  /** Records an event. */
  note(kind: JournalKind, name: string, noted: Noted = {}): void {
    const { data, id, detail } = noted;
    this.#tell(kind, name, {
      sizeBytes: noted.sizeBytes ?? data?.length ?? 0,
      ...(id === undefined ? {} : { id }),
      // A copy: the bytes are lent.
      ...(data === undefined
        ? {}
        : { payload: data.slice(0, PAYLOAD_BYTES_MAX) }),
      ...(detail === undefined ? {} : { detail: boundedDetail(detail) }),
    });
  }

  /**
   * Records the state, if it is time to, nothing is under way, and the state is
   * data. Called between two handlers.
   */
  checkpoint(parts: () => CheckpointParts): void {
    if (this.#sinceCheckpoint < CHECKPOINT_BYTES || this.#open > 0) return;
    if (this.#isHopeless) return;
    const { state, device } = parts();
    const plain = encodePlain(state);
    // What is no data now will hardly be later: said once.
    this.#isHopeless = "reason" in plain;
    if ("reason" in plain) this.note("checkpoint", plain.reason);
    else {
      // As text: it may be nested deeper than a detail is read.
      const detail = { state: JSON.stringify(plain.data), device };
      this.#tell("checkpoint", "", { sizeBytes: detail.state.length, detail });
    }
    this.#sinceCheckpoint = 0;
  }

  /** Until nothing was recorded for some rounds of microtasks: as good as a step of the host's loop. */
  async #watchStep(): Promise<void> {
    this.#isSameStep = true;
    do await Promise.resolve(); while (--this.#roundsLeft > 0);
    this.#isSameStep = false;
  }

  #tell(
    kind: JournalKind,
    name: string,
    more: Pick<JournalEvent, "sizeBytes" | "id" | "payload" | "detail">,
  ): void {
    this.#sinceCheckpoint += EVENT_BYTES + 2 * (more.payload?.length ?? 0);
    this.#roundsLeft = STEP_ROUNDS;
    if (!this.#isSameStep) void this.#watchStep();
    this.#options.tell({
      sequence: this.#sequence++,
      timeMs: this.#options.nowMs(),
      epoch: this.epoch,
      kind,
      name,
      ...more,
    });
  }
}

/** A detail as it is kept and compared: JSON, whole or by its length and hash. */
export function boundedDetail(detail: unknown): Json {
  let text: string | undefined;
  try {
    text = JSON.stringify(detail);
  } catch {
    return { unreadable: true };
  }
  if (text === undefined) return null;
  if (text.length <= DETAIL_CHARACTERS_MAX) return JSON.parse(text) as Json;
  const hash = new TraceHash();
  hash.text16(text);
  return { characters: text.length, hash: hash.text };
}
