/**
 * Transfers of one device waiting to be used again, by the size of their
 * buffers.
 *
 * @module
 */

import { MAX_TRANSFERS_IN_FLIGHT } from "../driver/limits.ts";
import type { Transfer, TransferFactory } from "./transfer.ts";

/** Smallest buffer: a full-speed packet and its setup. */
const SMALLEST_BYTES = 128;
/** Larger ones are made when needed: keeping them would hoard memory, and they cost little beside their data. */
export const POOLED_BYTES_MAX = 64 * 1024;
/** Of one size; a deeper queue than this frees and makes some. */
const KEPT_PER_SIZE = MAX_TRANSFERS_IN_FLIGHT;
/** Of all sizes and packet counts together. */
const KEPT_MAX = 256;
/** Handed out at once, per device: a runaway caller is told `noMemory` long before the kernel suffers. */
const MAX_OUTSTANDING = 4096;

/** Transfers of one device. */
export class TransferPool {
  readonly #factory: TransferFactory;
  readonly #kept = new Map<number, Transfer[]>();
  #outstanding = 0;
  #keptCount = 0;

  /** Takes new ones from `factory`. */
  constructor(factory: TransferFactory) {
    this.#factory = factory;
  }

  /** A transfer with room for that much; `undefined` when there is no memory, or too many are out. */
  take(lengthBytes: number, packetsMax = 0): Transfer | undefined {
    if (this.#outstanding >= MAX_OUTSTANDING) return undefined;
    const size = sizeFor(lengthBytes);
    const kept = this.#kept.get(keyOf(size, packetsMax))?.pop();
    const transfer = kept ?? this.#factory.create(size, packetsMax);
    if (kept !== undefined) this.#keptCount--;
    if (transfer !== undefined) this.#outstanding++;
    return transfer;
  }

  /** Takes one back that is done with, for the next or to be freed. */
  give(transfer: Transfer, packetsMax = 0): void {
    this.#outstanding--;
    const size = transfer.capacityBytes;
    const key = keyOf(size, packetsMax);
    let kept = this.#kept.get(key);
    if (kept === undefined) this.#kept.set(key, kept = []);
    const isKept = size <= POOLED_BYTES_MAX && kept.length < KEPT_PER_SIZE &&
      !transfer.isLost && !transfer.isBeingCancelled &&
      this.#keptCount < KEPT_MAX;
    if (!isKept) return transfer.free();
    this.#keptCount++;
    kept.push(transfer);
  }

  /** Frees those that wait. */
  close(): void {
    for (const transfer of [...this.#kept.values()].flat()) transfer.free();
    this.#kept.clear();
    this.#keptCount = 0;
  }
}

/** Sizes are below 2^32. */
function keyOf(size: number, packetsMax: number): number {
  return packetsMax * 2 ** 32 + size;
}

/** The next power of two, so that a buffer serves many lengths; exact above the pooled sizes. */
function sizeFor(lengthBytes: number): number {
  if (lengthBytes > POOLED_BYTES_MAX) return lengthBytes;
  let size = SMALLEST_BYTES;
  while (size < lengthBytes) size *= 2;
  return size;
}
