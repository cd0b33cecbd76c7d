/**
 * Reads that are always outstanding on one IN endpoint. Back-pressure is not
 * resubmitting: a report that the sink refuses stays in its slot, the slot is
 * not given to the kernel, and so the device keeps what comes next.
 *
 * @module
 */

import { assert } from "../driver/assert.ts";
import { DRAIN_TIMEOUT_MS } from "../driver/limits.ts";
import { soon } from "../driver/loop/soon.ts";
import type {
  InputCounters,
  InputEnd,
  InputRing,
  PacketOutcome,
  ReportSink,
  TransferStatus,
} from "../driver/port.ts";
import type { EndpointAddress } from "../driver/usb.ts";
import type { InFlightQueue } from "./in_flight_queue.ts";
import { submitFailure } from "./libusb_errors.ts";
import type { Transfer, TransferOwner } from "./transfer.ts";
import { settlesWithin } from "./within.ts";

/** What a ring works with. Its transfers are prepared and are the ring's from now on. */
export interface RingParts {
  readonly endpoint: EndpointAddress;
  readonly queue: InFlightQueue;
  readonly transfers: readonly Transfer[];
  readonly lengthBytes: number;
  readonly isIsochronous: boolean;
  readonly sink: ReportSink;
  readonly onEnd: (end: InputEnd) => void;
  /** Knows when the completions being handed out were found. A field and no call: it is read for every report. */
  readonly finder: { readonly foundAtMs: number };
  /** The ring is done. */
  readonly release: (ring: TransferRing) => void;
}

/**
 * `running`: reads are outstanding. `ending`: something ended it; what is in
 * flight is being cancelled and what is held waits for its taker. `stopping`:
 * its owner stopped it. `ended`: nothing is in flight, nothing more is told.
 */
type RingState = "running" | "ending" | "stopping" | "ended";

const NO_DATA = new Uint8Array();

/** One of a ring's transfers, with the report that shows what came. */
class Slot implements TransferOwner {
  readonly ring: TransferRing;
  readonly transfer: Transfer;
  /** The whole buffer; handed out as it is when a report fills it. */
  readonly view: Uint8Array;
  /** Used again and again. */
  readonly report: {
    data: Uint8Array;
    timestampMs: number;
    packets?: readonly PacketOutcome[];
  } = { data: NO_DATA, timestampMs: 0 };

  constructor(ring: TransferRing, transfer: Transfer, lengthBytes: number) {
    this.ring = ring;
    this.transfer = transfer;
    // Touched now: the first reports would wait for the system to find memory.
    this.view = transfer.buffer.subarray(0, lengthBytes).fill(0);
    transfer.owner = this;
  }

  /** Called by the queue. */
  finished(): void {
    this.ring.finished(this);
  }
}

/** A standing input. */
export class TransferRing implements InputRing {
  readonly #parts: RingParts;
  // What every report needs, of the parts.
  readonly #queue: InFlightQueue;
  readonly #sink: ReportSink;
  readonly #finder: RingParts["finder"];
  readonly #slots: readonly Slot[];
  /** Completed and refused, oldest first. */
  readonly #held: Slot[] = [];
  /** Taken after they were held, and not submitted yet. */
  readonly #returned: Slot[] = [];
  /** Not submitted, for want of kernel memory. */
  readonly #starved: Slot[] = [];
  #state: RingState = "running";
  #end: InputEnd | undefined;
  #stopped: Promise<void> | undefined;
  #whenBack: (() => void) | undefined;
  // What every report changes is counted twice only, and by itself; the rest follows.
  #submitted = 0;
  #completed = 0;
  #failed = 0;
  #cancelled = 0;

  /** Starts reading. */
  constructor(parts: RingParts) {
    this.#parts = parts;
    this.#queue = parts.queue;
    this.#sink = parts.sink;
    this.#finder = parts.finder;
    this.#slots = parts.transfers.map((transfer) =>
      new Slot(this, transfer, parts.lengthBytes)
    );
    for (const slot of this.#slots) this.#submit(slot);
    soon(() => this.#settle());
  }

  /** The endpoint it reads. */
  get endpoint(): EndpointAddress {
    return this.#parts.endpoint;
  }

  /** Where every transfer is. A live object's copy. */
  get counters(): InputCounters {
    const held = this.#held.length;
    const failed = this.#failed;
    const cancelled = this.#cancelled;
    return {
      submitted: this.#submitted,
      completed: this.#completed,
      delivered: this.#completed - failed - cancelled - held,
      failed,
      cancelled,
      inFlight: this.#inFlight,
      held,
    };
  }

  get #inFlight(): number {
    return this.#submitted - this.#completed;
  }

  /** Offers what is held, in order, then goes on reading. */
  resume(): void {
    if (this.#state !== "running" && this.#state !== "ending") return;
    while (this.#held.length > 0) {
      const slot = this.#held[0];
      assert(slot !== undefined, "A held slot is missing");
      if (!this.#sink(slot.report)) break;
      // The sink may have stopped us.
      if (this.#held[0] !== slot) return;
      this.#held.shift();
      this.#returned.push(slot);
    }
    this.#submitReturned();
    if (this.#held.length === 0) this.#settle();
  }

  /** Half of all at a time while reports are held: one by one, each would be looked for by itself. */
  #submitReturned(): void {
    const isEnough = this.#returned.length * 2 >= this.#slots.length;
    if (this.#held.length > 0 && !isEnough) return;
    for (const slot of this.#returned.splice(0)) this.#submit(slot);
  }

  /** Cancels, waits for every transfer, offers nothing more. */
  stop(): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  /**
   * Ends it because its interface or its device goes away. Cancelling its
   * transfers is the caller's business.
   */
  end(status: TransferStatus, more: Pick<InputEnd, "isClosed"> = {}): void {
    if (this.#state !== "running") return;
    this.#state = "ending";
    const data = new Uint8Array();
    this.#end = { status, data, actualLengthBytes: 0, ...more };
    soon(() => this.#settle());
  }

  /**
   * Right before the handle is closed: gives back what is not in flight. What is
   * held stays lent, for a buffer is not libusb's.
   */
  detach(): void {
    for (const { transfer } of this.#slots) {
      if (transfer.queue === undefined && !transfer.isLost) transfer.free();
    }
  }

  #submit(slot: Slot): void {
    if (this.#state !== "running") return;
    const result = this.#queue.submit(slot.transfer);
    if (result === 0) {
      this.#submitted++;
      return;
    }
    const status = submitFailure(result) ?? "error";
    if (status === "noMemory") this.#starved.push(slot);
    else this.#fail(status, NO_DATA);
  }

  /** Called by its slots: the transfer is finished. */
  finished(slot: Slot): void {
    this.#completed++;
    if (this.#state === "running" && slot.transfer.isCompleted) {
      this.#offer(slot);
      if (this.#needsSettling()) this.#settle();
    } else this.#finishedOddly(slot);
  }

  #finishedOddly(slot: Slot): void {
    const { transfer } = slot;
    // It came after the bound of the stop, which told its end.
    if (this.#state === "ended") {
      this.#cancelled++;
      return transfer.free();
    }
    if (transfer.isLost) transfer.free();
    const { status } = transfer;
    if (this.#state === "stopping" || status === "cancelled") {
      this.#cancelled++;
      // Nobody of ours cancelled it: a driver of the kernel, or a reset from elsewhere.
      if (this.#state === "running") this.#fail("cancelled", NO_DATA);
    } else if (status === "completed") {
      this.#offer(slot);
    } else {
      this.#failed++;
      this.#fail(status, slot.view.slice(0, transfer.actualLengthBytes));
    }
    this.#settle();
  }

  #offer(slot: Slot): void {
    const { report } = slot;
    this.#lend(slot);
    report.timestampMs = this.#finder.foundAtMs;
    if (this.#held.length === 0 && this.#sink(report)) {
      this.#submit(slot);
    } else if (this.#isStopping()) {
      this.#cancelled++;
    } else {
      this.#held.push(slot);
    }
  }

  /** Shows what came in the slot's one report. */
  #lend({ transfer, view, report }: Slot): void {
    const length = transfer.actualLengthBytes;
    if (this.#parts.isIsochronous) {
      report.data = view;
      report.packets = transfer.lendPackets();
    } else if (length === view.length) {
      if (report.data !== view) report.data = view;
    } else if (report.data.length !== length || report.data === NO_DATA) {
      report.data = view.subarray(0, length);
    }
  }

  /** The sink may call `stop`, which the compiler does not see. */
  #isStopping(): boolean {
    return this.#state === "stopping" || this.#state === "ended";
  }

  #fail(status: TransferStatus, data: Uint8Array<ArrayBuffer>): void {
    if (this.#state !== "running") return;
    this.#state = "ending";
    this.#end = { status, data, actualLengthBytes: data.length };
    void this.#cancelAll();
  }

  #needsSettling(): boolean {
    return this.#state !== "running" || this.#starved.length > 0;
  }

  /** Goes on with starved slots, and notices the end. */
  #settle(): void {
    if (this.#state === "running" && this.#starved.length > 0) {
      for (const slot of this.#starved.splice(0)) this.#submit(slot);
      if (this.#inFlight === 0 && this.#held.length === 0) {
        this.#fail("noMemory", NO_DATA);
      }
    }
    if (this.#inFlight > 0) return;
    this.#whenBack?.();
    if (this.#state === "ending" && this.#held.length === 0) {
      this.#state = "ended";
      this.#release();
      const end = this.#end;
      assert(end !== undefined, "A ring ended without an outcome");
      this.#parts.onEnd(end);
    }
  }

  async #stop(): Promise<void> {
    if (this.#state === "ended") return;
    this.#state = "stopping";
    this.#cancelled += this.#held.length;
    this.#held.length = 0;
    this.#starved.length = 0;
    this.#returned.length = 0;
    if (this.#inFlight > 0) {
      const back = new Promise<void>((resolve) => this.#whenBack = resolve);
      await this.#cancelAll();
      await settlesWithin(back, DRAIN_TIMEOUT_MS);
    }
    this.#state = "ended";
    this.#release();
  }

  /** Newest first, so that the kernel does not begin one that is to be cancelled next. */
  async #cancelAll(): Promise<void> {
    for (let n = this.#slots.length - 1; n >= 0; n--) {
      await this.#slots[n]?.transfer.cancelParked();
    }
  }

  /** What the kernel still has is freed when it comes back. */
  #release(): void {
    this.detach();
    this.#parts.release(this);
  }
}
