/**
 * One `libusb_transfer` with its buffer: made once, used many times. Nobody is
 * called back when it completes; a sentinel in `status` is gone then, and we
 * look for that after libusb has handled its events on this same thread.
 *
 * @module
 */

import { assert } from "../driver/assert.ts";
import type { PacketOutcome, TransferStatus } from "../driver/port.ts";
import type { InFlightQueue } from "./in_flight_queue.ts";
import { TYPE_SIZE_BYTES } from "./layout.ts";
import {
  LIBUSB_TRANSFER,
  STATUS_PENDING,
  STATUS_PENDING_BYTE,
} from "./libusb_constants.ts";
import { transferStatus } from "./libusb_errors.ts";
import { PACKET_TABLE_OFFSET, TRANSFER } from "./libusb_structs.ts";
import type { LibusbSymbols } from "./libusb_symbols.ts";
import type { Library } from "./library.ts";
import { type Memory, nativeBytes, type Pointer } from "./memory.ts";
import { PacketTable } from "./packet_table.ts";

/** `status`, `length`, `actual_length`: neighbours in the struct. */
const LOOK_BYTES = 12;

/** Of `status`, an `int`. */
const STATUS_BYTES = TYPE_SIZE_BYTES[TRANSFER.fields.status[1]];
/** Of `length`, an `int`, and where it is behind `status`. */
const LENGTH_BYTES = TYPE_SIZE_BYTES[TRANSFER.fields.length[1]];
const LENGTH_IN_LOOK = TRANSFER.fields.length[0] - TRANSFER.fields.status[0];

/** What changes from use to use, from `flags` to `length`. */
const HEAD_OFFSET = TRANSFER.fields.flags[0];
const HEAD_BYTES = TRANSFER.fields.actual_length[0] - HEAD_OFFSET;

/** Makes transfers; holds what all of them share. */
export class TransferFactory {
  readonly symbols: LibusbSymbols;
  /**
   * What every transfer calls. In the table of symbols each call would be looked
   * up by its name, among all of them.
   */
  readonly submitTransfer: LibusbSymbols["libusb_submit_transfer"];
  readonly copyNative: LibusbSymbols["copyNative"];
  readonly fillNative: LibusbSymbols["fillNative"];
  readonly memory: Memory;
  /** `status`, `length`, `actual_length` of the transfer looked at last. */
  readonly look: Int32Array<ArrayBuffer>;
  /** Where {@linkcode TransferFactory.look} is, for libusb's side. */
  readonly lookPointer: Pointer;
  /** Where `length` is in it. */
  readonly lookLengthPointer: Pointer;
  /** From `flags` to `length` of the struct being filled in. */
  readonly headPointer: Pointer;
  /** A struct being filled in. */
  readonly structBytes: Uint8Array<ArrayBuffer>;
  readonly structView: DataView<ArrayBuffer>;
  /** Cancelling calls under way off the thread. */
  #cancels = 0;
  #whenNoCancels: PromiseWithResolvers<void> | undefined;
  #isEnding = false;

  /** For one library. */
  constructor(library: Library) {
    this.symbols = library.symbols;
    this.submitTransfer = library.symbols.libusb_submit_transfer;
    this.copyNative = library.symbols.copyNative;
    this.fillNative = library.symbols.fillNative;
    this.memory = library.memory;
    const lookBytes = nativeBytes(LOOK_BYTES);
    this.look = new Int32Array(lookBytes.buffer);
    this.lookPointer = this.memory.pointerTo(lookBytes);
    this.structBytes = nativeBytes(PACKET_TABLE_OFFSET);
    this.structView = new DataView(this.structBytes.buffer);
    this.lookLengthPointer = this.#within(lookBytes, LENGTH_IN_LOOK);
    this.headPointer = this.#within(this.structBytes, HEAD_OFFSET);
  }

  #within(bytes: Uint8Array<ArrayBuffer>, offsetBytes: number): Pointer {
    const { memory } = this;
    const place = memory.pointer(memory.addressOf(bytes) + BigInt(offsetBytes));
    assert(place !== null, "A buffer has no address");
    return place;
  }

  /** From {@linkcode TransferFactory.endCancels} on no transfer may be cancelled. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /**
   * Lets nothing be cancelled any more, and waits for the calls under way.
   * libusb's cancel uses the handle, and follows a null pointer when the handle
   * was closed: neither may be given back before. Not bounded: a cancel that
   * sleeps in the kernel waits for what closing the node would wait for too.
   */
  endCancels(): Promise<void> {
    this.#isEnding = true;
    if (this.#cancels === 0) return Promise.resolve();
    this.#whenNoCancels ??= Promise.withResolvers();
    return this.#whenNoCancels.promise;
  }

  /** Makes a cancelling call off the thread; `onBack` comes before whoever waits for the end of all. */
  async cancelParked(struct: Pointer, onBack: () => void): Promise<void> {
    this.#cancels++;
    // SAFETY: the transfer is not freed, nor the handle closed, before the call is back.
    await this.symbols.cancelParked(struct);
    onBack();
    if (--this.#cancels === 0) this.#whenNoCancels?.resolve();
  }

  /** A transfer with room for `capacityBytes`; `undefined` when memory is short. */
  create(capacityBytes: number, packetsMax = 0): Transfer | undefined {
    // SAFETY: the struct is ours until `free`; libusb writes it only while in flight.
    const pointer = this.symbols.libusb_alloc_transfer(packetsMax);
    if (pointer === null) return undefined;
    return new Transfer(this, { pointer, capacityBytes, packetsMax });
  }
}

/** What a transfer is to do. */
export interface TransferSetup {
  /** Address of the `libusb_device_handle`. */
  readonly handle: bigint;
  /** `bEndpointAddress`; 0 for control. */
  readonly endpoint: number;
  /** `LIBUSB_TRANSFER_TYPE_*`. */
  readonly type: number;
  /** `LIBUSB_TRANSFER_*` flags. */
  readonly flags?: number;
  /** Control: with the 8 bytes of setup. */
  readonly lengthBytes: number;
  readonly timeoutMs?: number | undefined;
  readonly packetLengthsBytes?: readonly number[] | undefined;
}

/** An input's slot. One class only: that keeps the way of every report quick; outputs go by `onFinished`. */
export interface TransferOwner {
  /** Its transfer is finished. */
  finished(): void;
}

interface Allocation {
  readonly pointer: Pointer;
  readonly capacityBytes: number;
  readonly packetsMax: number;
}

/** One transfer. Owned by one user at a time; never freed while in flight. */
export class Transfer {
  readonly #factory: TransferFactory;
  readonly #struct: Pointer;
  readonly #head: Pointer;
  readonly #statusField: Pointer;
  readonly #lengthField: Pointer;
  readonly #packets: PacketTable | undefined;
  readonly #packetsMax: number;
  readonly #bufferAddress: bigint;
  /** What the rest of the struct was written for. */
  #handle = 0n;
  #packetCount = 0;
  /** As the struct has it. */
  #lengthBytes = 0;
  #isFreed = false;
  #isFreeWanted = false;
  #cancels = 0;
  /** The data. SAFETY: its address is in the struct, so it lives as long as this object. */
  readonly buffer: Uint8Array<ArrayBuffer>;

  /** `status` as libusb left it. Valid once {@linkcode Transfer.isFinished}. */
  nativeStatus: number = STATUS_PENDING;
  /** `actual_length` as libusb left it. */
  actualLengthBytes = 0;
  /** In flight, in this queue. */
  queue: InFlightQueue | undefined;
  /** It has a time limit, so it may finish before older ones. */
  hasTimeout = false;
  /** We asked for it back: what the kernel calls completed and empty was killed. */
  wasCancelled = false;
  /** The kernel does not give it back before the handle is closed: not to be used again, and freed after {@linkcode Transfer.lose}. */
  isLost = false;
  /** Who is told when it is finished, if not `onFinished`: a call the compiler can see through. */
  owner: TransferOwner | undefined;
  /** What to do when it is finished. Set by its user before submitting. */
  onFinished: (transfer: Transfer) => void = unused;

  /** Made by {@linkcode TransferFactory.create}. */
  constructor(factory: TransferFactory, allocation: Allocation) {
    const { memory } = factory;
    this.#factory = factory;
    this.#struct = allocation.pointer;
    this.#packetsMax = allocation.packetsMax;
    this.buffer = nativeBytes(allocation.capacityBytes);
    this.#bufferAddress = memory.addressOf(this.buffer);
    const address = memory.address(this.#struct);
    const at = (offsetBytes: number): Pointer => {
      const field = memory.pointer(address + BigInt(offsetBytes));
      assert(field !== null, "A struct has no address");
      return field;
    };
    this.#head = at(HEAD_OFFSET);
    this.#statusField = at(TRANSFER.fields.status[0]);
    this.#lengthField = at(TRANSFER.fields.length[0]);
    this.#packets = allocation.packetsMax === 0 ? undefined : new PacketTable(
      factory,
      at(PACKET_TABLE_OFFSET),
      allocation.packetsMax,
    );
  }

  /** Bytes its buffer takes. */
  get capacityBytes(): number {
    return this.buffer.length;
  }

  /** Says what it is to do; stays in force until said otherwise. */
  prepare(setup: TransferSetup): void {
    assert(
      this.queue === undefined,
      "A transfer in flight is not to be changed",
    );
    assert(setup.lengthBytes <= this.buffer.length, "The buffer is too small");
    const { packetLengthsBytes: packets } = setup;
    const packetCount = packets?.length ?? 0;
    assert(packetCount <= this.#packetsMax, "Too many packets");
    const { fields } = TRANSFER;
    const { structView: view, symbols } = this.#factory;
    view.setUint8(fields.flags[0], setup.flags ?? 0);
    view.setUint8(fields.endpoint[0], setup.endpoint);
    view.setUint8(fields.type[0], setup.type);
    const timeoutMs = Math.ceil(setup.timeoutMs ?? 0);
    this.hasTimeout = timeoutMs > 0;
    view.setUint32(fields.timeout[0], timeoutMs, true);
    view.setInt32(fields.status[0], STATUS_PENDING, true);
    view.setInt32(fields.length[0], setup.lengthBytes, true);
    this.#lengthBytes = setup.lengthBytes;
    if (packets !== undefined) this.#packets?.write(packets);
    if (this.#handle !== setup.handle || this.#packetCount !== packetCount) {
      this.#writeWhole(setup.handle, packetCount);
      return;
    }
    // SAFETY: sixteen bytes of the factory's struct into our own, not in flight.
    symbols.copyNative(this.#head, this.#factory.headPointer, HEAD_BYTES);
  }

  #writeWhole(handle: bigint, packetCount: number): void {
    const { fields } = TRANSFER;
    const { memory, structBytes: bytes, structView: view } = this.#factory;
    view.setBigUint64(fields.dev_handle[0], handle, true);
    view.setBigUint64(fields.buffer[0], this.#bufferAddress, true);
    view.setInt32(fields.num_iso_packets[0], packetCount, true);
    // SAFETY: our own struct, not in flight; the buffer lives with this object.
    memory.write(this.#struct, bytes);
    this.#handle = handle;
    this.#packetCount = packetCount;
  }

  /** Changes how much it moves, and nothing else. Costs nothing when that is as before. */
  resize(lengthBytes: number): void {
    if (lengthBytes === this.#lengthBytes) return;
    assert(
      this.queue === undefined,
      "A transfer in flight is not to be changed",
    );
    assert(lengthBytes <= this.buffer.length, "The buffer is too small");
    const factory = this.#factory;
    factory.look[1] = lengthBytes;
    // SAFETY: four bytes of the factory's buffer into our own struct, not in flight.
    factory.copyNative(
      this.#lengthField,
      factory.lookLengthPointer,
      LENGTH_BYTES,
    );
    this.#lengthBytes = lengthBytes;
  }

  /**
   * Hands it to the kernel. Gives libusb's result: 0, or why not; then nothing
   * was submitted.
   */
  submit(): number {
    const factory = this.#factory;
    // Whoever it was lent to could have passed its memory on.
    assert(this.buffer.length > 0, "Lent memory was transferred");
    this.wasCancelled = false;
    // SAFETY: four bytes of our own struct.
    factory.fillNative(this.#statusField, STATUS_PENDING_BYTE, STATUS_BYTES);
    // SAFETY: struct and buffer live until the status changed: the queue holds us.
    return factory.submitTransfer(this.#struct);
  }

  /**
   * Looks whether libusb is done with it, and takes over what it left. Only on
   * the thread, and only while, no event handler of libusb runs.
   */
  isFinished(): boolean {
    const factory = this.#factory;
    // SAFETY: twelve bytes of our own struct into a buffer of the factory.
    factory.copyNative(factory.lookPointer, this.#statusField, LOOK_BYTES);
    const { look } = factory;
    const status = look[0] ?? STATUS_PENDING;
    if (status === STATUS_PENDING) return false;
    this.nativeStatus = status;
    // Bounded by what we gave, whatever the layers below say.
    const length = look[2] ?? 0;
    this.actualLengthBytes = Math.max(0, Math.min(length, this.buffer.length));
    return true;
  }

  /** Asks for it back; it still finishes. Sleeps in the kernel, normally well under a millisecond. */
  cancel(): void {
    if (this.queue === undefined || this.#factory.isEnding) return;
    this.wasCancelled = true;
    this.queue.mayReorder = true;
    // SAFETY: in flight, so the struct is alive; NOT_FOUND means it is about to finish.
    this.#factory.symbols.libusb_cancel_transfer(this.#struct);
  }

  /** The same off the thread, for many at once. Freeing waits for it. */
  async cancelParked(): Promise<void> {
    if (this.queue === undefined || this.#factory.isEnding) return;
    this.wasCancelled = true;
    this.queue.mayReorder = true;
    this.#cancels++;
    await this.#factory.cancelParked(this.#struct, () => {
      this.#cancels--;
      if (this.#isFreeWanted) this.free();
    });
  }

  /** A cancelling call is under way off the thread: it must not be used anew. */
  get isBeingCancelled(): boolean {
    return this.#cancels > 0;
  }

  /** Whether it did what it was to do, after it finished. One that was killed says so too, with nothing in it. */
  get isCompleted(): boolean {
    return this.nativeStatus === LIBUSB_TRANSFER.COMPLETED &&
      (this.wasCancelled === false || this.actualLengthBytes > 0);
  }

  /** How it ended, in our words, after it finished. */
  get status(): TransferStatus {
    if (this.isCompleted) return "completed";
    return this.nativeStatus === LIBUSB_TRANSFER.COMPLETED
      ? "cancelled"
      : transferStatus(this.nativeStatus);
  }

  /** Ends it without the kernel. SAFETY: its handle is closed, so libusb has forgotten it. */
  lose(): void {
    this.nativeStatus = LIBUSB_TRANSFER.CANCELLED;
    this.actualLengthBytes = 0;
    this.tell();
  }

  /** Outcome of each packet, after it finished. */
  packets(): PacketOutcome[] {
    return this.isLost ? [] : this.#packets?.read() ?? [];
  }

  /** The same in objects that the next call writes anew: for reports, which are lent. */
  lendPackets(): readonly PacketOutcome[] {
    return this.isLost ? [] : this.#packets?.lend() ?? [];
  }

  /** Tells its user that it is finished. */
  tell(): void {
    if (this.owner !== undefined) this.owner.finished();
    else this.onFinished(this);
  }

  /** Gives the struct back. Twice is a no-op. */
  free(): void {
    assert(this.queue === undefined, "A transfer in flight is not to be freed");
    if (this.#isFreed) return;
    this.#isFreeWanted = this.isBeingCancelled;
    if (this.#isFreeWanted) return;
    this.#isFreed = true;
    // SAFETY: not in flight, and nobody uses it afterwards.
    this.#factory.symbols.libusb_free_transfer(this.#struct);
  }
}

function unused(): void {}
