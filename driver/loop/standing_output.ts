/**
 * Writes that are always outstanding on one OUT endpoint, as every port makes
 * them: a source fills a transfer right when it is back. Back-pressure is that
 * the source is not asked; order is the order of asking. Nothing is allocated
 * for a transfer.
 *
 * @module
 */

import { assert } from "../assert.ts";
import type {
  OutputCounters,
  OutputEnd,
  OutputOptions,
  OutputRing,
  TransferStatus,
} from "../port.ts";
import { type EndpointAddress, hex } from "../usb.ts";
import { soon } from "./soon.ts";

/** One of an output's transfers. */
export abstract class OutputSlot {
  /** The output it belongs to, which sets it. */
  output: StandingOutput | undefined;
  /** Its number among those submitted; 0 when it is not in flight. The output's. */
  order = 0;
  /** Bytes that go out. The output's. */
  lengthBytes = 0;
  /** Its buffer, lent to the source. */
  abstract readonly data: Uint8Array;

  /**
   * Submits the first `lengthBytes` of its data. `undefined`: it is under way,
   * and its end is told once, never within the call. Else why it is not.
   */
  abstract submit(lengthBytes: number): TransferStatus | undefined;

  /** Asks for it back; it still ends. */
  abstract cancel(): Promise<void> | void;

  /** It is not used again. Called once, and not while it is in flight. */
  abstract free(): void;

  /** For whoever implements it: the transfer is back. */
  protected ended(status: TransferStatus, actualLengthBytes: number): void {
    this.output?.finished(this, status, actualLengthBytes);
  }
}

/** What an output works with. */
export interface OutputParts {
  readonly options: Pick<OutputOptions, "endpoint" | "source" | "onEnd">;
  /** All with buffers of one size, and the output's from now on. */
  readonly slots: readonly OutputSlot[];
  /** Waits for the transfers that `stop` cancelled; a port whose kernel may keep them bounds it. */
  readonly settles: (back: Promise<void>) => Promise<unknown>;
  /** Nothing more comes of it. */
  readonly onOver: (output: StandingOutput) => void;
}

/**
 * `running`: the source is asked. `ending`: something ended it; what is in flight
 * is being cancelled. `stopping`: its owner stopped it. `ended`: nothing more is
 * told.
 */
type OutputState = "running" | "ending" | "stopping" | "ended";

const NO_DATA = new Uint8Array();

/** A standing output. */
export class StandingOutput implements OutputRing {
  readonly #parts: OutputParts;
  // What every transfer needs, of the parts.
  readonly #source: OutputOptions["source"];
  readonly #capacityBytes: number;
  readonly #idle: OutputSlot[];
  /** Filled and not submitted, for want of kernel memory: nothing may overtake it. */
  #starved: OutputSlot | undefined;
  #state: OutputState = "running";
  #hasBegun = false;
  /** The source had nothing. */
  #isPaused = false;
  #isAsking = false;
  #end: OutputEnd | undefined;
  #stopped: Promise<void> | undefined;
  #drained: PromiseWithResolvers<void> | undefined;
  #whenBack: (() => void) | undefined;
  #submitted = 0;
  #completed = 0;
  #failed = 0;
  #cancelled = 0;
  #transferredBytes = 0;

  /** Asks its source for the first time when whoever opens it has it in hand. */
  constructor(parts: OutputParts) {
    this.#parts = parts;
    this.#source = parts.options.source;
    this.#capacityBytes = parts.slots[0]?.data.length ?? 0;
    this.#idle = [...parts.slots];
    for (const slot of parts.slots) slot.output = this;
    soon(() => this.#begin());
  }

  /** The endpoint it writes to. */
  get endpoint(): EndpointAddress {
    return this.#parts.options.endpoint;
  }

  /** Where every transfer is. A live object's copy. */
  get counters(): OutputCounters {
    const failed = this.#failed;
    const cancelled = this.#cancelled;
    return {
      submitted: this.#submitted,
      completed: this.#completed,
      delivered: this.#completed - failed - cancelled,
      failed,
      cancelled,
      inFlight: this.#inFlight,
      transferredBytes: this.#transferredBytes,
    };
  }

  get #inFlight(): number {
    return this.#submitted - this.#completed;
  }

  /** Asks the source, as far as there is room. A source that calls it is being asked already. */
  resume(): void {
    if (this.#state !== "running" || this.#isAsking) return;
    this.#hasBegun = true;
    this.#isPaused = false;
    this.#fillIdle();
    // Whoever calls is not to be told within the call.
    if (this.#needsSettling()) soon(() => this.#settle());
  }

  /** Resolves when nothing is in flight and the source has nothing, or it is over. */
  drained(): Promise<void> {
    if (this.#state === "ended" || this.#isDrained()) return Promise.resolve();
    this.#drained ??= Promise.withResolvers();
    return this.#drained.promise;
  }

  /** Cancels, waits for every transfer, asks for nothing more. */
  stop(): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  /**
   * Ends it because its interface or its device goes away. Cancelling its
   * transfers is the caller's business.
   */
  end(status: TransferStatus): void {
    if (this.#state !== "running") return;
    this.#state = "ending";
    this.#end = { status, data: NO_DATA, actualLengthBytes: 0 };
    soon(() => this.#settle());
  }

  /** Called by its slots: the transfer is back. */
  finished(
    slot: OutputSlot,
    status: TransferStatus,
    actualLengthBytes: number,
  ): void {
    const movedBytes = Math.min(actualLengthBytes, slot.lengthBytes);
    slot.order = 0;
    this.#completed++;
    this.#transferredBytes += movedBytes;
    const isWhole = status === "completed" && movedBytes === slot.lengthBytes;
    if (isWhole && this.#mayAsk()) {
      this.#ask(slot);
    } else {
      if (!isWhole) this.#finishedOddly(status, movedBytes);
      // It came after the bound of the stop.
      if (this.#state === "ended") return slot.free();
      this.#idle.push(slot);
    }
    if (this.#needsSettling()) this.#settle();
  }

  #finishedOddly(status: TransferStatus, movedBytes: number): void {
    const isRunning = this.#state === "running";
    // One that was killed on its way calls itself completed, with less than it had.
    const isCancelled = status === "cancelled" || this.#isStopping() ||
      (status === "completed" && !isRunning);
    if (isCancelled) this.#cancelled++;
    else this.#failed++;
    this.#fail(status === "completed" ? "error" : status, movedBytes);
  }

  #begin(): void {
    if (this.#hasBegun || this.#state !== "running") return;
    this.#hasBegun = true;
    this.#fillIdle();
    if (this.#needsSettling()) this.#settle();
  }

  #mayAsk(): boolean {
    return this.#state === "running" && !this.#isPaused &&
      this.#starved === undefined;
  }

  #fillIdle(): void {
    // A port without memory for a single one has given none.
    if (this.#parts.slots.length === 0) this.#fail("noMemory");
    while (this.#mayAsk()) {
      const slot = this.#idle.pop();
      if (slot === undefined) return;
      this.#ask(slot);
    }
  }

  #ask(slot: OutputSlot): void {
    let lengthBytes: number | undefined;
    this.#isAsking = true;
    try {
      lengthBytes = this.#source(slot.data);
    } catch (error) {
      this.#idle.push(slot);
      return this.#fail("cancelled", 0, { error });
    } finally {
      this.#isAsking = false;
    }
    // The source may have stopped us.
    if (this.#state === "running" && this.#isLength(lengthBytes, slot)) {
      slot.lengthBytes = lengthBytes;
      return this.#submit(slot);
    }
    this.#idle.push(slot);
    if (lengthBytes === undefined) this.#isPaused = true;
    else if (this.#state === "running") {
      this.#fail("cancelled", 0, { error: this.#badSource(lengthBytes) });
    }
  }

  #isLength(value: number | undefined, slot: OutputSlot): value is number {
    return value !== undefined && Number.isInteger(value) && value >= 0 &&
      value <= this.#capacityBytes && slot.data.length === this.#capacityBytes;
  }

  #badSource(value: unknown): Error {
    const what = `the source of an output on endpoint ${hex(this.endpoint)}`;
    const most = this.#capacityBytes;
    if (typeof value !== "number") {
      return new TypeError(
        `Cannot use what ${what} gave: a length is a number, or undefined`,
      );
    }
    if (Number.isInteger(value) && value >= 0 && value <= most) {
      return new TypeError(`Cannot use ${what}: it passed lent memory on`);
    }
    return new RangeError(
      `Cannot send ${value} bytes of ${what}: expected 0 to ${most}`,
    );
  }

  #submit(slot: OutputSlot): void {
    const failure = slot.submit(slot.lengthBytes);
    if (failure === undefined) {
      slot.order = ++this.#submitted;
    } else if (failure === "noMemory" && this.#inFlight > 0) {
      this.#starved = slot;
    } else {
      this.#idle.push(slot);
      this.#fail(failure);
    }
  }

  #fail(
    status: TransferStatus,
    actualLengthBytes = 0,
    more: { readonly error?: unknown } = {},
  ): void {
    if (this.#state !== "running") return;
    this.#state = "ending";
    this.#end = { status, data: NO_DATA, actualLengthBytes, ...more };
    void this.#cancelAll();
  }

  #needsSettling(): boolean {
    return this.#state !== "running" || this.#isPaused ||
      this.#starved !== undefined;
  }

  /** Goes on with a starved slot, and notices the end. */
  #settle(): void {
    if (this.#state === "running") this.#feedStarved();
    if (this.#inFlight > 0) return;
    this.#whenBack?.();
    if (this.#state === "ending") {
      this.#over();
      const end = this.#end;
      assert(end !== undefined, "An output ended without an outcome");
      this.#parts.options.onEnd(end);
    } else if (this.#isDrained()) this.#tellDrained();
  }

  #feedStarved(): void {
    const slot = this.#starved;
    if (slot === undefined) return;
    this.#starved = undefined;
    this.#submit(slot);
    this.#fillIdle();
  }

  #isDrained(): boolean {
    return this.#state === "running" && this.#isPaused && this.#inFlight === 0;
  }

  #tellDrained(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  /** What the source calls may change the state, which the compiler does not see. */
  #isStopping(): boolean {
    return this.#state === "stopping" || this.#state === "ended";
  }

  async #stop(): Promise<void> {
    if (this.#state === "ended") return;
    this.#state = "stopping";
    if (this.#inFlight > 0) {
      const back = new Promise<void>((resolve) => this.#whenBack = resolve);
      await this.#cancelAll();
      await this.#parts.settles(back);
    }
    this.#over();
  }

  /** Newest first, so that the kernel does not begin one that is to be cancelled next. */
  async #cancelAll(): Promise<void> {
    const flying = this.#parts.slots.filter(({ order }) => order > 0)
      .sort((one, other) => other.order - one.order);
    for (const slot of flying) if (slot.order > 0) await slot.cancel();
  }

  /** What is still in flight is freed when it comes back. */
  #over(): void {
    this.#state = "ended";
    for (const slot of this.#parts.slots) if (slot.order === 0) slot.free();
    this.#parts.onOver(this);
    this.#tellDrained();
  }
}
