/**
 * The packets of an isochronous transfer: their table stands behind the struct.
 *
 * @module
 */

import type { PacketOutcome } from "../driver/port.ts";
import { transferStatus } from "./libusb_errors.ts";
import { PACKET } from "./libusb_structs.ts";
import type { LibusbSymbols } from "./libusb_symbols.ts";
import { type Memory, nativeBytes, type Pointer } from "./memory.ts";

/** A packet's entry as words of 32 bits. */
const PACKET_WORDS = PACKET.sizeBytes / 4;

/** The packet table behind the struct of an isochronous transfer. */
export class PacketTable {
  readonly #symbols: LibusbSymbols;
  readonly #table: Pointer;
  readonly #copy: Pointer;
  /** Our copy: `length`, `actual_length`, `status` of each packet. */
  readonly #words: Int32Array<ArrayBuffer>;
  readonly #lent: Writable<PacketOutcome>[] = [];
  #count = 0;

  /** At `table`, with room for `packetsMax`. */
  constructor(
    library: { readonly symbols: LibusbSymbols; readonly memory: Memory },
    table: Pointer,
    packetsMax: number,
  ) {
    const bytes = nativeBytes(packetsMax * PACKET.sizeBytes);
    this.#symbols = library.symbols;
    this.#table = table;
    this.#copy = library.memory.pointerTo(bytes);
    this.#words = new Int32Array(bytes.buffer);
  }

  /** Clears what the last use left, too: a resubmit reuses it. */
  write(lengthsBytes: readonly number[]): void {
    const words = this.#words;
    this.#count = lengthsBytes.length;
    for (let n = 0; n < lengthsBytes.length; n++) {
      words[n * PACKET_WORDS] = lengthsBytes[n] ?? 0;
      words[n * PACKET_WORDS + 1] = 0;
      words[n * PACKET_WORDS + 2] = 0;
    }
    // SAFETY: not in flight; room was made for `packetsMax` packets, here and there.
    this.#symbols.copyNative(
      this.#table,
      this.#copy,
      this.#count * PACKET.sizeBytes,
    );
  }

  /** What became of each. Lengths are bounded by what was asked for. */
  read(): PacketOutcome[] {
    return this.#fill([]);
  }

  /** The same, in the objects of the last time. */
  lend(): readonly PacketOutcome[] {
    return this.#fill(this.#lent);
  }

  #fill(outcomes: Writable<PacketOutcome>[]): Writable<PacketOutcome>[] {
    const words = this.#words;
    // SAFETY: as in `write`.
    this.#symbols.copyNative(
      this.#copy,
      this.#table,
      this.#count * PACKET.sizeBytes,
    );
    outcomes.length = this.#count;
    let offsetBytes = 0;
    for (let n = 0; n < this.#count; n++) {
      const lengthBytes = words[n * PACKET_WORDS] ?? 0;
      const actual = (words[n * PACKET_WORDS + 1] ?? 0) >>> 0;
      const outcome = outcomes[n] ??= {
        status: "completed",
        offsetBytes: 0,
        actualLengthBytes: 0,
      };
      outcome.status = transferStatus(words[n * PACKET_WORDS + 2] ?? 0);
      outcome.offsetBytes = offsetBytes;
      outcome.actualLengthBytes = Math.min(actual, lengthBytes);
      offsetBytes += lengthBytes;
    }
    return outcomes;
  }
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };
