/**
 * Transfers of one endpoint, in the order they were submitted, which is the
 * order the kernel finishes them in.
 *
 * @module
 */

import { assert } from "../driver/assert.ts";
import { MAX_TRANSFERS_IN_FLIGHT } from "../driver/limits.ts";
import type { Transfer } from "./transfer.ts";

/** What a queue tells the pump. */
export interface QueueObserver {
  /** It is about to look at all active queues anyhow. A field and no call: it is read for every transfer. */
  readonly isAwake: boolean;
  /** A transfer was submitted to a queue that is not active, or while it is not awake. */
  submitted(queue: InFlightQueue): void;
}

/** Places to begin with: as many as an input may have in flight. */
const PLACES_MIN = MAX_TRANSFERS_IN_FLIGHT;
assert((PLACES_MIN & (PLACES_MIN - 1)) === 0, "Places are a power of two");

/** In-flight transfers of one endpoint. A circle of places that is allocated once and doubled when it is full. */
export class InFlightQueue {
  /** A power of two of them; one that finished before older ones leaves a hole. */
  #places = emptyPlaces(PLACES_MIN);
  /** Place of the oldest. */
  #first = 0;
  /** Places from the oldest to the newest, with the holes. */
  #used = 0;
  #holes = 0;
  readonly #observer: QueueObserver;
  readonly #emptyWaiters: (() => void)[] = [];
  /** Cancelled and timed out transfers may finish before older ones: look at all. */
  mayReorder = false;
  /** The pump has it on its list. */
  isActive = false;

  /** `observer` is told of the submits that it may not know of. */
  constructor(observer: QueueObserver) {
    this.#observer = observer;
  }

  /** Transfers in flight. */
  get length(): number {
    return this.#used - this.#holes;
  }

  /** Submits a transfer at the end. Gives libusb's result; only with 0 is it in flight. */
  submit(transfer: Transfer): number {
    assert(transfer.queue === undefined, "A transfer is in flight already");
    const result = transfer.submit();
    if (result !== 0) return result;
    transfer.queue = this;
    if (this.#used === this.#places.length) this.#makeRoom();
    this.#places[this.#place(this.#used)] = transfer;
    this.#used++;
    if (transfer.hasTimeout) this.mayReorder = true;
    const observer = this.#observer;
    if (!this.isActive || !observer.isAwake) observer.submitted(this);
    return result;
  }

  /** Hands finished transfers back, oldest first. Gives how many. */
  scan(): number {
    const before = this.length;
    if (before === 0) return 0;
    // Those submitted meanwhile are behind, and cannot have finished: no event was handled.
    const found = this.mayReorder ? this.#scanAll() : this.#scanInOrder(before);
    if (this.length === 0) this.#emptied();
    return found;
  }

  /** The transfers in flight now, newest first: the order to cancel them in. */
  newestFirst(): Transfer[] {
    const all: Transfer[] = [];
    for (let n = this.#used - 1; n >= 0; n--) {
      const transfer = this.#places[this.#place(n)];
      if (transfer !== undefined) all.push(transfer);
    }
    return all;
  }

  /** Resolves when nothing is in flight. */
  whenEmpty(): Promise<void> {
    if (this.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#emptyWaiters.push(resolve));
  }

  /**
   * Forgets what the kernel did not give back. SAFETY: the caller holds the
   * transfers until the handle is closed; till then libusb may write to them.
   */
  abandon(): Transfer[] {
    const lost = this.newestFirst().reverse();
    for (const transfer of lost) {
      transfer.queue = undefined;
      transfer.isLost = true;
    }
    this.#places.fill(undefined);
    this.#emptied();
    return lost;
  }

  /**
   * Without holes: the oldest ends first, and the first that is pending ends the
   * search. Places are left as they are: nobody looks outside those in use.
   */
  #scanInOrder(most: number): number {
    let found = 0;
    while (found < most) {
      const transfer = this.#places[this.#first];
      if (transfer === undefined || !transfer.isFinished()) break;
      found++;
      this.#first = this.#place(1);
      this.#used--;
      transfer.queue = undefined;
      tell(transfer);
    }
    return found;
  }

  /** All are looked at before anybody is told: who is told may submit, and move places. */
  #scanAll(): number {
    const finished: Transfer[] = [];
    for (let n = 0; n < this.#used; n++) {
      const place = this.#place(n);
      const transfer = this.#places[place];
      if (transfer === undefined || !transfer.isFinished()) continue;
      this.#places[place] = undefined;
      transfer.queue = undefined;
      finished.push(transfer);
    }
    this.#holes += finished.length;
    finished.forEach(tell);
    return finished.length;
  }

  #place(n: number): number {
    return (this.#first + n) & (this.#places.length - 1);
  }

  /** Closes the holes, and doubles the places if there were few. */
  #makeRoom(): void {
    const inFlight = this.newestFirst().reverse();
    const isFull = inFlight.length > this.#places.length / 2;
    const places = emptyPlaces(this.#places.length * (isFull ? 2 : 1));
    inFlight.forEach((transfer, n) => places[n] = transfer);
    this.#places = places;
    this.#first = 0;
    this.#used = inFlight.length;
    this.#holes = 0;
  }

  #emptied(): void {
    this.#used = 0;
    this.#holes = 0;
    this.mayReorder = false;
    // Mostly nobody waits: at small depths a queue is empty after each look.
    if (this.#emptyWaiters.length === 0) return;
    for (const resolve of this.#emptyWaiters.splice(0)) resolve();
  }
}

function emptyPlaces(count: number): (Transfer | undefined)[] {
  return new Array<Transfer | undefined>(count).fill(undefined);
}

/**
 * What a consumer throws is its own bug and ends the program as any uncaught
 * error does, but not in the middle of our list.
 */
function tell(transfer: Transfer): void {
  try {
    transfer.tell();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
