/**
 * Where each key of a TOML document stands, which its parser does not tell: so
 * that an error names line and column. Walks a document that was parsed, so it
 * may take sound syntax for granted; whatever it meets, it ends.
 *
 * @module
 */

/** A place in a text, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Names from the top of a document down to a value. */
export type KeyPath = readonly string[];

/** Where keys stand. */
export class TomlPositions {
  readonly #source: string;
  readonly #offsets = new Map<string, number>();
  readonly #repeated: { path: KeyPath; offset: number }[] = [];
  #at = 0;
  #table: KeyPath = [];

  /** Walks the document. */
  constructor(source: string) {
    this.#source = source;
    this.#walk();
  }

  /** Where a key stands, or the nearest table around it; else the beginning. */
  of(path: KeyPath): Position {
    for (let length = path.length; length > 0; length--) {
      const offset = this.#offsets.get(nameOf(path.slice(0, length)));
      if (offset !== undefined) return this.#position(offset);
    }
    return { line: 1, column: 1 };
  }

  /** Keys that are given twice, which TOML forbids and its parser lets pass. */
  get repeated(): readonly {
    readonly path: KeyPath;
    readonly position: Position;
  }[] {
    return this.#repeated.map(({ path, offset }) => ({
      path,
      position: this.#position(offset),
    }));
  }

  #position(offset: number): Position {
    const before = this.#source.slice(0, offset);
    const line = before.split("\n").length;
    return { line, column: offset - before.lastIndexOf("\n") };
  }

  #walk(): void {
    for (;;) {
      this.#skipBlank();
      if (this.#at >= this.#source.length) return;
      const start = this.#at;
      if (this.#source[this.#at] === "[") this.#header();
      else this.#pair(this.#table);
      // Not sound after all: go on with the next line.
      if (this.#at === start) this.#skipTo(/\n/);
    }
  }

  #header(): void {
    const isArray = this.#source.startsWith("[[", this.#at);
    this.#at += isArray ? 2 : 1;
    this.#skipSpace();
    const start = this.#at;
    const path = this.#keys();
    this.#table = path;
    this.#note(path, start, { mayRepeat: isArray });
    this.#skipTo(/\n/);
  }

  #pair(table: KeyPath): void {
    const start = this.#at;
    const path = [...table, ...this.#keys()];
    if (path.length === table.length) return;
    this.#note(path, start, { mayRepeat: false });
    this.#skipSpace();
    if (this.#source[this.#at] === "=") this.#at++;
    this.#value(path);
  }

  #note(
    path: KeyPath,
    offset: number,
    options: { readonly mayRepeat: boolean },
  ): void {
    const name = nameOf(path);
    if (this.#offsets.has(name)) {
      if (!options.mayRepeat) this.#repeated.push({ path, offset });
      return;
    }
    this.#offsets.set(name, offset);
  }

  /** `a."b c".d` */
  #keys(): string[] {
    const keys: string[] = [];
    for (;;) {
      this.#skipSpace();
      const quote = this.#source[this.#at];
      const start = this.#at;
      if (quote === '"' || quote === "'") {
        this.#skipString();
        keys.push(this.#source.slice(start + 1, this.#at - 1));
      } else {
        this.#skipTo(/[^A-Za-z0-9_-]/);
        if (this.#at === start) return keys;
        keys.push(this.#source.slice(start, this.#at));
      }
      this.#skipSpace();
      if (this.#source[this.#at] !== ".") return keys;
      this.#at++;
    }
  }

  #value(path: KeyPath): void {
    this.#skipSpace();
    switch (this.#source[this.#at]) {
      case '"':
      case "'":
        return this.#skipString();
      case "{":
        return this.#items("}", () => this.#pair(path));
      case "[":
        return this.#items("]", () => this.#value(path));
      default:
        return this.#skipTo(/[,\]}\n#]/);
    }
  }

  #items(close: string, read: () => void): void {
    this.#at++;
    while (this.#at < this.#source.length) {
      this.#skipBlank();
      const start = this.#at;
      const character = this.#source[this.#at];
      if (character === close) {
        this.#at++;
        return;
      }
      if (character === ",") this.#at++;
      else read();
      if (this.#at === start) this.#at++;
    }
  }

  #skipString(): void {
    const quote = this.#source[this.#at] ?? "";
    const long = quote.repeat(3);
    const isLong = this.#source.startsWith(long, this.#at);
    const close = isLong ? long : quote;
    this.#at += close.length;
    while (this.#at < this.#source.length) {
      if (quote === '"' && this.#source[this.#at] === "\\") this.#at += 2;
      else if (this.#source.startsWith(close, this.#at)) break;
      else this.#at++;
    }
    this.#at = Math.min(this.#at + close.length, this.#source.length);
  }

  #skipBlank(): void {
    for (;;) {
      this.#skipTo(/[^\s]/);
      if (this.#source[this.#at] !== "#") return;
      this.#skipTo(/\n/);
    }
  }

  #skipSpace(): void {
    this.#skipTo(/[^ \t]/);
  }

  #skipTo(end: RegExp): void {
    while (
      this.#at < this.#source.length && !end.test(this.#source[this.#at] ?? "")
    ) this.#at++;
  }
}

function nameOf(path: KeyPath): string {
  return path.join("\0");
}
