/**
 * Transfers of one device waiting to be used again, by the size of their
 * buffers.
 *
 * @module
 */

import type { Transfer, TransferFactory } from "./transfer.ts";

/** Smallest buffer: a full-speed packet and its setup. */
const SMALLEST_BYTES = 128;
/** Larger ones are made when needed: keeping them would hoard memory, and they cost little beside their data. */
export const POOLED_BYTES_MAX = 64 * 1024;
/** Of one size; a deeper queue than this frees and makes some. */
const KEPT_PER_SIZE = 32;
/** Handed out at once, per device: a runaway caller is told `noMemory` long before the kernel suffers. */
const MAX_OUTSTANDING = 4096;

/** Transfers of one device. */
export class TransferPool {
  readonly #factory: TransferFactory;
  readonly #kept = new Map<number, Transfer[]>();
  #outstanding = 0;

  /** Takes new ones from `factory`. */
  constructor(factory: TransferFactory) {
    this.#factory = factory;
  }

  /** A transfer with room for that much; `undefined` when there is no memory, or too many are out. */
  take(lengthBytes: number, packetsMax = 0): Transfer | undefined {
    if (this.#outstanding >= MAX_OUTSTANDING) return undefined;
    const size = sizeFor(lengthBytes);
    const kept = packetsMax > 0 ? undefined : this.#kept.get(size)?.pop();
    const transfer = kept ?? this.#factory.create(size, packetsMax);
    if (transfer !== undefined) this.#outstanding++;
    return transfer;
  }

  /** Takes one back that is done with, for the next or to be freed. */
  give(transfer: Transfer, packetsMax = 0): void {
    this.#outstanding--;
    const size = transfer.capacityBytes;
    const kept = this.#kept.get(size) ?? [];
    const isKept = packetsMax === 0 && size <= POOLED_BYTES_MAX &&
      kept.length < KEPT_PER_SIZE && !transfer.isLost &&
      !transfer.isBeingCancelled;
    if (!isKept) return transfer.free();
    kept.push(transfer);
    this.#kept.set(size, kept);
  }

  /** Frees those that wait. */
  close(): void {
    for (const transfer of [...this.#kept.values()].flat()) transfer.free();
    this.#kept.clear();
  }
}

/** The next power of two, so that a buffer serves many lengths; exact above the pooled sizes. */
function sizeFor(lengthBytes: number): number {
  if (lengthBytes > POOLED_BYTES_MAX) return lengthBytes;
  let size = SMALLEST_BYTES;
  while (size < lengthBytes) size *= 2;
  return size;
}
