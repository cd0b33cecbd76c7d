/**
 * What a host keeps of a driver's journal: how its life began, and its last
 * part. Kept as it came; read only when somebody wants to know, so that a fast
 * driver costs its host next to nothing.
 *
 * @module
 */

/** Characters kept of the beginning and of the last part. */
const CHARACTERS_MAX = {
  /** Hundreds of events of the start, and two thousand of the end. */
  outline: { head: 16 * 1024, tail: 96 * 1024 },
  /** The start with all its transfers, and thousands of small reports. */
  full: { head: 64 * 1024, tail: 512 * 1024 },
} as const;

/** The beginning and the end of one process's journal. */
export class JournalTail {
  readonly #max: { readonly head: number; readonly tail: number };
  readonly #head: string[] = [];
  #headCharacters = 0;
  #isHeadFull = false;
  #tail: string[] = [];
  #tailCharacters = 0;

  /** Empty. */
  constructor(content: "outline" | "full") {
    this.#max = CHARACTERS_MAX[content];
  }

  /** Keeps events, one a line; the oldest of the last part make way. */
  take(lines: string): void {
    if (lines === "") return;
    if (!this.#isHeadFull) {
      this.#headCharacters += lines.length;
      this.#isHeadFull = this.#headCharacters > this.#max.head;
      if (!this.#isHeadFull) {
        this.#head.push(lines);
        return;
      }
    }
    this.#tail.push(lines);
    this.#tailCharacters += lines.length;
    // A block at a time, so that taking stays cheap.
    if (this.#tailCharacters > 2 * this.#max.tail) this.#shorten();
  }

  /** Every line that is kept, in order. */
  lines(): string[] {
    this.#shorten();
    return [...this.#head, ...this.#tail]
      .flatMap((lines) => lines.split("\n"));
  }

  #shorten(): void {
    let from = 0;
    while (
      this.#tailCharacters > this.#max.tail && from < this.#tail.length
    ) {
      this.#tailCharacters -= this.#tail[from]?.length ?? 0;
      from++;
    }
    this.#tail = this.#tail.slice(from);
  }
}
