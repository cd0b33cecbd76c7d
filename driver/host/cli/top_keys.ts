/**
 * Keys out of the bytes that a terminal sends: letters, and sequences that begin
 * as the Escape key does.
 *
 * @module
 */

/** A key that means something to us; any other letter stands for itself. */
export type Key = string;

/** Sequences behind ESC. ECMA-48, and xterm's for the same keys in application mode. */
const SEQUENCES: Readonly<Record<string, Key>> = {
  "[A": "up",
  "OA": "up",
  "[B": "down",
  "OB": "down",
  "[C": "right",
  "OC": "right",
  "[D": "left",
  "OD": "left",
  "[H": "home",
  "OH": "home",
  "[1~": "home",
  "[F": "end",
  "OF": "end",
  "[4~": "end",
  "[5~": "page-up",
  "[6~": "page-down",
};

const CONTROLS: Readonly<Record<string, Key>> = {
  "\r": "enter",
  "\n": "enter",
  "\x03": "interrupt",
  "\x04": "end-of-input",
  "\x1a": "suspend",
  "\x0c": "redraw",
  "\x7f": "left",
  "\b": "left",
};

/** Longest sequence that is waited for; a terminal's own are far shorter. */
const SEQUENCE_LENGTH_MAX = 16;

/** Reads keys, whatever pieces their bytes come in. */
export class KeyReader {
  #held = "";
  readonly #decoder = new TextDecoder();

  /** Something began as a sequence does and may be the Escape key. */
  get isPending(): boolean {
    return this.#held !== "";
  }

  /** Takes bytes and gives the keys they end. */
  push(bytes: Uint8Array): Key[] {
    this.#held += this.#decoder.decode(bytes, { stream: true });
    const keys: Key[] = [];
    for (let key = this.#next(); key !== undefined; key = this.#next()) {
      if (key !== "") keys.push(key);
    }
    return keys;
  }

  /** Nothing more came for a while: then it was the Escape key. */
  flush(): Key[] {
    const isEscape = this.#held.startsWith("\x1b");
    this.#held = "";
    return isEscape ? ["escape"] : [];
  }

  /** `undefined`: more is needed. Empty: a key without a meaning. */
  #next(): Key | undefined {
    const [first] = this.#held;
    if (first === undefined) return undefined;
    if (first !== "\x1b") return this.#take(first.length, keyOf(first));
    // Letters behind ESC [ end a sequence, and so does any letter behind ESC O.
    const rest = this.#held.slice(1);
    if (rest.startsWith("\x1b")) return this.#take(1, "escape");
    const found = /^(?:\[[0-?]*[ -/]*[@-~]|O.|[^[O])/s.exec(rest);
    // Another key behind ESC is what some terminals send for it with Alt.
    if (found !== null) {
      return this.#take(1 + found[0].length, SEQUENCES[found[0]] ?? "");
    }
    const isLong = this.#held.length > SEQUENCE_LENGTH_MAX;
    return isLong ? this.#take(1, "escape") : undefined;
  }

  #take(length: number, key: Key): Key {
    this.#held = this.#held.slice(length);
    return key;
  }
}

function keyOf(letter: string): Key {
  const control = CONTROLS[letter];
  if (control !== undefined) return control;
  return letter < " " ? "" : letter;
}
