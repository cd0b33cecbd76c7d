/**
 * How a driver's processes ended: every class counted, the last ones whole. The
 * event ring of a fast driver forgets them within seconds.
 *
 * @module
 */

import type { Clock } from "../../loop/clock.ts";
import type { DriverProcessEnd } from "../driver_process.ts";
import type { ExitClass } from "../exit_class.ts";

/** One end. */
export interface EndNote {
  readonly exitClass: ExitClass;
  /** One sentence. */
  readonly message: string;
  /** From READY to the end; 0 when it never was. */
  readonly readyMs: number;
  /** Wall clock. */
  readonly atMs: number;
}

/** Ends kept whole: more than go before a quarantine. */
export const ENDS_KEPT = 16;

/** Notes ends. */
export class EndRecord {
  readonly #clock: Clock;
  readonly #notes: EndNote[] = [];
  readonly #counts = new Map<ExitClass, number>();

  /** None. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The last, oldest first. */
  get notes(): readonly EndNote[] {
    return [...this.#notes];
  }

  /** All of this supervisor's life, by class; a class that never was is absent. */
  get counts(): ReadonlyMap<ExitClass, number> {
    return this.#counts;
  }

  /** Notes one. */
  add({ exitClass, message, readyMs }: DriverProcessEnd): void {
    const atMs = this.#clock.wallMs();
    this.#notes.push({ exitClass, message, readyMs, atMs });
    if (this.#notes.length > ENDS_KEPT) this.#notes.shift();
    this.#counts.set(exitClass, (this.#counts.get(exitClass) ?? 0) + 1);
  }
}
