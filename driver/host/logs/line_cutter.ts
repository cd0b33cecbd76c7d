/**
 * Lines out of pieces of a file, whatever the file holds: a line without an end
 * costs no more memory than what is kept of it.
 *
 * @module
 */

/** A line without its line break. */
export interface RawLine {
  /** Its bytes, or the first of them when it is too long. */
  readonly bytes: Uint8Array;
  /** Of the whole line. */
  readonly lengthBytes: number;
  /** There was no line break behind it. */
  readonly isTorn: boolean;
}

/** Our own lines have 8 KiB; more is kept so that others can be shown whole. */
export const LINE_BYTES_KEPT = 64 * 1024;

export const NEWLINE = 0x0a;

/** Cuts lines. Empty ones are left out: a writer ends a torn line by one. */
export class LineCutter {
  #held: Uint8Array[] = [];
  #keptBytes = 0;
  #lengthBytes = 0;

  /** Takes a piece and gives the lines it ends. They are valid until the piece changes. */
  *push(piece: Uint8Array): Generator<RawLine> {
    let start = 0;
    for (
      let end = piece.indexOf(NEWLINE);
      end >= 0;
      end = piece.indexOf(NEWLINE, start)
    ) {
      this.#hold(piece.subarray(start, end));
      start = end + 1;
      const line = this.#take(false);
      if (line !== undefined) yield line;
    }
    // A copy, since the piece is read into again.
    this.#hold(piece.slice(start));
  }

  /** The line that has no end, if there is one, because nothing more will come. */
  end(): RawLine | undefined {
    return this.#take(true);
  }

  #hold(part: Uint8Array): void {
    this.#lengthBytes += part.length;
    const kept = part.subarray(0, LINE_BYTES_KEPT - this.#keptBytes);
    if (kept.length === 0) return;
    this.#held.push(kept);
    this.#keptBytes += kept.length;
  }

  #take(isTorn: boolean): RawLine | undefined {
    const [first, ...more] = this.#held;
    const lengthBytes = this.#lengthBytes;
    this.#held = [];
    this.#keptBytes = 0;
    this.#lengthBytes = 0;
    if (first === undefined) return undefined;
    const bytes = more.length === 0 ? first : joined([first, ...more]);
    return { bytes, lengthBytes, isTorn };
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const lengthBytes = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = new Uint8Array(lengthBytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
