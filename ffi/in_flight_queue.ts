/**
 * Transfers of one endpoint, in the order they were submitted, which is the
 * order the kernel finishes them in.
 *
 * @module
 */

import { assert } from "../driver/assert.ts";
import type { Transfer } from "./transfer.ts";

/** What a queue tells the pump. */
export interface QueueObserver {
  /** A transfer was submitted to it. */
  submitted(queue: InFlightQueue): void;
  /** Transfers are given up: they will not be found finished. */
  abandoned(count: number): void;
}

/** In-flight transfers of one endpoint. A list through the transfers themselves: no allocation. */
export class InFlightQueue {
  #first: Transfer | undefined;
  #last: Transfer | undefined;
  #length = 0;
  readonly #observer: QueueObserver;
  readonly #emptyWaiters: (() => void)[] = [];
  /** Cancelled and timed out transfers may finish before older ones: look at all. */
  mayReorder = false;
  /** The pump has it on its list. */
  isActive = false;

  /** `observer` is told of every submit. */
  constructor(observer: QueueObserver) {
    this.#observer = observer;
  }

  /** Transfers in flight. */
  get length(): number {
    return this.#length;
  }

  /** Submits a transfer at the end. Gives libusb's result; only with 0 is it in flight. */
  submit(transfer: Transfer): number {
    assert(transfer.queue === undefined, "A transfer is in flight already");
    const result = transfer.submit();
    if (result !== 0) return result;
    transfer.queue = this;
    transfer.previous = this.#last;
    if (this.#last === undefined) this.#first = transfer;
    else this.#last.next = transfer;
    this.#last = transfer;
    this.#length++;
    if (transfer.hasTimeout) this.mayReorder = true;
    this.#observer.submitted(this);
    return result;
  }

  /** Hands finished transfers back, oldest first. Gives how many. */
  scan(): number {
    let found = 0;
    let transfer = this.#first;
    while (transfer !== undefined) {
      const next: Transfer | undefined = transfer.next;
      if (transfer.isFinished()) {
        found++;
        this.#remove(transfer);
        tell(transfer);
      } else if (!this.mayReorder) break;
      transfer = next;
    }
    if (this.#length === 0) this.#emptied();
    return found;
  }

  /** The transfers in flight now, newest first: the order to cancel them in. */
  newestFirst(): Transfer[] {
    const all: Transfer[] = [];
    for (let t = this.#last; t !== undefined; t = t.previous) all.push(t);
    return all;
  }

  /** Resolves when nothing is in flight. */
  whenEmpty(): Promise<void> {
    if (this.#length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#emptyWaiters.push(resolve));
  }

  /**
   * Forgets what the kernel did not give back. SAFETY: the caller holds the
   * transfers until the handle is closed; till then libusb may write to them.
   */
  abandon(): Transfer[] {
    const lost = this.newestFirst().reverse();
    for (const transfer of lost) this.#remove(transfer);
    this.#observer.abandoned(lost.length);
    this.#emptied();
    return lost;
  }

  #remove(transfer: Transfer): void {
    const { previous, next } = transfer;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    transfer.previous = undefined;
    transfer.next = undefined;
    transfer.queue = undefined;
    this.#length--;
  }

  #emptied(): void {
    this.mayReorder = false;
    for (const resolve of this.#emptyWaiters.splice(0)) resolve();
  }
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
