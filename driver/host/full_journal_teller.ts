/**
 * Gets a driver's full journal, with all bytes, to its host: it is sent with
 * each thing that comes to the driver, so that nothing is missing at a death but
 * what the driver did since.
 *
 * @module
 */

import type { AnyDriver } from "../driver.ts";
import type { Clock } from "../loop/clock.ts";
import type {
  Journal,
  JournalEvent,
  JournalKind,
  JournalOptions,
} from "../loop/journal.ts";
import { recordedDriver } from "../loop/recorded_driver.ts";
import { INPUT_KINDS, Recorder } from "../loop/recorder.ts";
import { encodeEvent } from "../loop/recording.ts";
import type {
  JournalTeller,
  MakeTeller,
  SendJournal,
} from "./journal_teller.ts";

/** Characters that wait for the next thing to come to the driver. */
const FULL_CHARACTERS_MAX = 32 * 1024;

/** What a full journal takes from the loop's: what is no driver's doing. */
const CONTEXT: ReadonlySet<JournalKind> = new Set<JournalKind>([
  "state",
  "control",
  "job",
  "paused",
  "input",
]);

/** Tells everything. */
export const fullTeller: MakeTeller = (driver, { clock, send }) =>
  new FullTeller(driver, clock, send);

/** Everything. */
class FullTeller implements JournalTeller {
  readonly driver: AnyDriver;
  readonly options: JournalOptions;
  journal: Journal | undefined;
  readonly #send: SendJournal;
  readonly #recorder: Recorder;
  #lines: string[] = [];
  #characters = 0;

  constructor(driver: AnyDriver, clock: Clock, send: SendJournal) {
    this.#send = send;
    this.#recorder = new Recorder({
      nowMs: () => clock.nowMs(),
      tell: (event) => this.#tell(event),
    });
    this.driver = recordedDriver(driver, this.#recorder);
    this.options = { recorded: (event) => this.#recorded(event) };
  }

  flush(): void {
    if (this.#lines.length === 0) return;
    const lines = this.#lines.join("\n");
    this.#lines = [];
    this.#characters = 0;
    this.#send({ type: "journal", lines });
  }

  #recorded({ kind, name, epoch, sizeBytes }: JournalEvent): void {
    if (!CONTEXT.has(kind)) return;
    this.#recorder.epoch = epoch;
    if (kind === "state") this.#recorder.state = name;
    this.#recorder.note(kind, name, { sizeBytes });
  }

  #tell(event: JournalEvent): void {
    const line = encodeEvent(event);
    this.#lines.push(line);
    this.#characters += line.length;
    const isDue = INPUT_KINDS.has(event.kind) &&
      !ANSWERED_AT_ONCE.has(event.kind);
    if (
      isDue || event.kind === "state" || event.kind === "failure" ||
      this.#characters > FULL_CHARACTERS_MAX
    ) {
      this.flush();
    }
  }
}

/** Asked for in the middle of a step, and any number of times. */
const ANSWERED_AT_ONCE: ReadonlySet<JournalKind> = new Set<JournalKind>([
  "now",
  "chance",
]);
