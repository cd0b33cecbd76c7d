/**
 * Lines out of a stream of bytes, bounded.
 *
 * @module
 */

import { MAX_FRAME_BYTES } from "../limits.ts";
import { WireError } from "./wire_check.ts";

const NEWLINE = 0x0a;

/** Cuts a byte stream into lines of bounded length, whatever the sizes of the pieces that come in. */
export class LineSplitter {
  readonly #lengthBytesMax: number;
  #parts: Uint8Array[] = [];
  #lengthBytes = 0;

  /** Without a length, the one of a driver's frames. */
  constructor(lengthBytesMax: number = MAX_FRAME_BYTES) {
    this.#lengthBytesMax = lengthBytesMax;
  }

  /**
   * Takes a piece and gives the lines it completes, without their newlines. A
   * line may lie in the piece itself: use it before the piece changes.
   *
   * @throws {WireError} `tooLong`; what was held is dropped with it.
   */
  *push(piece: Uint8Array): Generator<Uint8Array> {
    let start = 0;
    for (
      let end = piece.indexOf(NEWLINE);
      end >= 0;
      end = piece.indexOf(NEWLINE, start)
    ) {
      this.#hold(piece.subarray(start, end));
      start = end + 1;
      yield this.#take();
    }
    this.#hold(piece.slice(start));
  }

  /** Bytes of the line that is not complete yet. */
  get heldBytes(): number {
    return this.#lengthBytes;
  }

  #hold(part: Uint8Array): void {
    if (part.length === 0) return;
    this.#parts.push(part);
    this.#lengthBytes += part.length;
    if (this.#lengthBytes < this.#lengthBytesMax) return;
    this.#take();
    throw new WireError(
      "tooLong",
      `Cannot read a frame: longer than ${this.#lengthBytesMax} bytes`,
    );
  }

  #take(): Uint8Array {
    const [first] = this.#parts;
    if (first !== undefined && this.#parts.length === 1) {
      // The usual case: the line lies whole in its piece.
      this.#parts.length = 0;
      this.#lengthBytes = 0;
      return first;
    }
    const line = new Uint8Array(this.#lengthBytes);
    let at = 0;
    for (const part of this.#parts) {
      line.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    this.#lengthBytes = 0;
    return line;
  }
}
