/**
 * A short name for a long trace: 64 bits, the same for the same events on every
 * machine. Not for secrets.
 *
 * @module
 */

/** The prime of 32-bit FNV-1a (Fowler, Noll, Vo). */
const PRIME = 0x01000193;
/** The offset basis of 32-bit FNV-1a. */
const BASIS = 0x811c9dc5;

/** Two FNV-1a hashes of 32 bits, the second begun with the first's complement. */
export class TraceHash {
  #high = ~BASIS;
  #low = BASIS;

  /** The hash so far, as 16 hexadecimal digits. */
  get text(): string {
    return digits(this.#high) + digits(this.#low);
  }

  /** Adds a text, by its UTF-16 units and its length. */
  text16(text: string): void {
    for (let at = 0; at < text.length; at++) this.#add(text.charCodeAt(at));
    this.#add(text.length);
  }

  /** Adds a number, to a thousandth. */
  number(value: number): void {
    const thousandths = Math.round(value * 1000);
    this.#add(thousandths | 0);
    this.#add(Math.floor(thousandths / 0x1_0000_0000) | 0);
  }

  #add(word: number): void {
    this.#low = Math.imul(this.#low ^ word, PRIME);
    // Turned, so that the two halves do not move together.
    this.#high = Math.imul(this.#high ^ (word << 16 | word >>> 16), PRIME) +
        this.#low | 0;
  }
}

function digits(half: number): string {
  return (half >>> 0).toString(16).padStart(8, "0");
}
