/**
 * The output queue: what was answered and not yet read. Long answers are made
 * as they are read, so 16 MiB take no memory. IEEE 488.2-1992, 6.1.10.
 *
 * @module
 */

/** A part of an answer. */
export interface OutputSegment {
  readonly lengthBytes: number;
  /** Bytes from `offset` on, at most `lengthBytes` of them. */
  read(offset: number, lengthBytes: number): Uint8Array;
}

/** Parts of one answer; a message has no more units than this. */
const SEGMENTS_MAX = 1024;

/** A segment of bytes that are there. */
export function bytesSegment(bytes: Uint8Array): OutputSegment {
  return {
    lengthBytes: bytes.length,
    read: (offset, lengthBytes) => bytes.subarray(offset, offset + lengthBytes),
  };
}

/** A segment of text; characters above U+00FF do not occur. */
export function textSegment(text: string): OutputSegment {
  return bytesSegment(
    Uint8Array.from(text, (character) => character.charCodeAt(0)),
  );
}

/** Answers that wait to be read. */
export class OutputQueue {
  readonly #segments: OutputSegment[] = [];
  /** Bytes of the first segment that were read. */
  #offset = 0;
  #lengthBytes = 0;

  /** Bytes that wait. */
  get lengthBytes(): number {
    return this.#lengthBytes;
  }

  /** Adds a part; `false` when there are too many. */
  push(segment: OutputSegment): boolean {
    if (this.#segments.length >= SEGMENTS_MAX) return false;
    this.#segments.push(segment);
    this.#lengthBytes += segment.lengthBytes;
    return true;
  }

  /** Drops everything. */
  clear(): void {
    this.#segments.length = 0;
    this.#offset = 0;
    this.#lengthBytes = 0;
  }

  /** Takes up to `lengthBytes`; less only when less is there, or after `termChar`. */
  take(lengthBytes: number, termChar?: number): Uint8Array<ArrayBuffer> {
    const wanted = Math.min(lengthBytes, this.#lengthBytes);
    const bytes = new Uint8Array(wanted);
    let filled = 0;
    let depth = 0;
    let offset = this.#offset;
    while (filled < wanted) {
      const segment = this.#segments[depth];
      if (segment === undefined) break;
      // A segment may give less than was asked for; it goes on where it stopped.
      const part = segment.read(offset, wanted - filled);
      bytes.set(part, filled);
      filled += part.length;
      offset += part.length;
      if (offset < segment.lengthBytes && part.length > 0) continue;
      depth++;
      offset = 0;
    }
    const end = termChar === undefined ? -1 : bytes.indexOf(termChar);
    const taken = end === -1 ? filled : end + 1;
    this.#drop(taken);
    return bytes.slice(0, taken);
  }

  #drop(lengthBytes: number): void {
    this.#lengthBytes -= lengthBytes;
    this.#offset += lengthBytes;
    for (
      let first = this.#segments[0];
      first !== undefined && this.#offset >= first.lengthBytes;
      first = this.#segments[0]
    ) {
      this.#offset -= first.lengthBytes;
      this.#segments.shift();
    }
  }
}
