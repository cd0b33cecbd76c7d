/**
 * Alarms of one loop. The clock's timer only wakes the loop; what is due is done
 * in a turn, in the order of (due, set). So nothing happens between two lines of
 * a handler, and one seed gives one order.
 *
 * @module
 */

import { assert } from "../assert.ts";
import type { Clock, Timer } from "./clock.ts";
import { type Due, DueHeap } from "./heap.ts";

/** Alarms set at a time: deadlines of a full command lane, timers, receives, beats, and slack. */
const ALARMS_MAX = 512;

interface Entry extends Due {
  readonly fire: (dueMs: number) => void;
  isOver: boolean;
}

/** Alarms that fire when the loop says so. */
export class Alarms {
  readonly #clock: Clock;
  readonly #wake: () => void;
  readonly #heap = new DueHeap<Entry>();
  #sequence = 0;
  #count = 0;
  #timer: Timer | undefined;
  #timerDueMs = Infinity;

  /** `wake` is called when an alarm fell due; the loop then calls `fireDue`. */
  constructor(clock: Clock, wake: () => void) {
    this.#clock = clock;
    this.#wake = wake;
  }

  /** Alarms that are set. */
  get size(): number {
    return this.#count;
  }

  /** Sets an alarm; `fire` gets the time it was due. */
  set(delayMs: number, fire: (dueMs: number) => void): Timer {
    assert(delayMs >= 0, "An alarm cannot be due in the past");
    assert(this.#count < ALARMS_MAX, `More than ${ALARMS_MAX} alarms are set`);
    const entry: Entry = {
      dueMs: this.#clock.nowMs() + delayMs,
      sequence: this.#sequence++,
      fire,
      isOver: false,
    };
    this.#heap.push(entry);
    this.#count++;
    this.#arm();
    return { cancel: () => this.#cancel(entry) };
  }

  /** Fires what is due at `nowMs`, in order. */
  fireDue(nowMs: number): void {
    for (
      let entry = this.#first();
      entry !== undefined && entry.dueMs <= nowMs;
      entry = this.#first()
    ) {
      this.#heap.pop();
      this.#count--;
      entry.isOver = true;
      entry.fire(entry.dueMs);
    }
    this.#arm();
  }

  /** Takes every alarm back. */
  clear(): void {
    this.#disarm();
    this.#heap.retain((entry) => {
      entry.isOver = true;
      return false;
    });
    this.#count = 0;
  }

  #cancel(entry: Entry): void {
    if (entry.isOver) return;
    entry.isOver = true;
    this.#count--;
    // Cancelled ones stay in the heap until due; long deadlines of short calls would pile up.
    if (this.#heap.size > 2 * this.#count + ALARMS_MAX) {
      this.#heap.retain((kept) => !kept.isOver);
    }
  }

  #first(): Entry | undefined {
    for (;;) {
      const first = this.#heap.peek();
      if (first === undefined || !first.isOver) return first;
      this.#heap.pop();
    }
  }

  /** One timer of the clock serves all: that of the earliest alarm. */
  #arm(): void {
    const first = this.#first();
    if (first === undefined || first.dueMs >= this.#timerDueMs) return;
    this.#timer?.cancel();
    this.#timerDueMs = first.dueMs;
    const delayMs = Math.max(0, first.dueMs - this.#clock.nowMs());
    this.#timer = this.#clock.setTimer(delayMs, () => {
      // It may be early by a fraction; `fireDue` then arms it again.
      this.#timerDueMs = Infinity;
      this.#wake();
    });
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerDueMs = Infinity;
  }
}
