/**
 * The whole of a terminal for a while: keys as they are struck, another screen,
 * and everything given back on every way out.
 *
 * @module
 */

import type { ScreenSize } from "./top_screen.ts";

/** A terminal that a program has for itself. */
export interface FullTerminal {
  /** Takes it. Again after {@linkcode leave}, and after somebody stopped us. */
  enter(): void;
  /** Gives it back as it was. Twice is once. */
  leave(): void;
  /** Replaces what is shown. Lines are no wider than the terminal and hold no line breaks. */
  draw(lines: readonly string[]): void;
  /** Asked anew each time. */
  size(): ScreenSize;
  /** What is typed, as bytes; `undefined` when nobody can type any more. */
  read(): Promise<Uint8Array | undefined>;
  /** Nobody sees what is drawn: it was closed. */
  readonly isGone: boolean;
  /** Calls back when its size changes, and when we go on after a stop; until the result is called. */
  onChange(handlers: {
    readonly resized: () => void;
    readonly stopAsked: () => void;
    readonly continued: () => void;
  }): () => void;
  /** Stops this process as Ctrl-Z does, until somebody has it go on. */
  stop(): void;
}

/** Another screen, no cursor, no line that wraps. xterm's control sequences, which all others know. */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";
/** Shown at once, where a terminal can; others do not mind. */
const BEGIN = "\x1b[?2026h\x1b[H";
const END = "\x1b[J\x1b[?2026l";

/** Where nobody says how large a terminal is. */
const SIZE: ScreenSize = { columns: 80, rows: 24 };

/** The terminal of this process: standard input and output. */
export class ProcessTerminal implements FullTerminal {
  #isEntered = false;
  #isGone = false;
  #drawn = "";
  readonly #canType = Deno.stdin.isTerminal();
  readonly #buffer = new Uint8Array(256);
  /** A failure of ours must not leave a terminal that shows nothing of it. */
  readonly #onFailure = (): void => this.leave();

  get isGone(): boolean {
    return this.#isGone;
  }

  enter(): void {
    this.leave();
    this.#isEntered = true;
    for (const event of FAILURES) {
      globalThis.addEventListener(event, this.#onFailure);
    }
    this.#setRaw(true);
    this.#write(ENTER);
  }

  leave(): void {
    if (!this.#isEntered) return;
    this.#isEntered = false;
    this.#drawn = "";
    for (const event of FAILURES) {
      globalThis.removeEventListener(event, this.#onFailure);
    }
    this.#write(LEAVE);
    this.#setRaw(false);
  }

  draw(lines: readonly string[]): void {
    // Cleared first: behind a line that fills the screen it would take its last letter.
    const text = lines.map((line) => `\x1b[K${line}`).join("\r\n");
    if (!this.#isEntered || text === this.#drawn) return;
    this.#drawn = text;
    this.#write(`${BEGIN}${text}${END}`);
  }

  size(): ScreenSize {
    try {
      const { columns, rows } = Deno.consoleSize();
      // A serial line says 0.
      return columns > 0 && rows > 0 ? { columns, rows } : SIZE;
    } catch {
      return SIZE;
    }
  }

  async read(): Promise<Uint8Array | undefined> {
    if (!this.#canType) return undefined;
    try {
      const count = await Deno.stdin.read(this.#buffer);
      return count === null ? undefined : this.#buffer.slice(0, count);
    } catch {
      return undefined;
    }
  }

  onChange(handlers: {
    readonly resized: () => void;
    readonly stopAsked: () => void;
    readonly continued: () => void;
  }): () => void {
    if (Deno.build.os === "windows") return () => {};
    const listeners: readonly [Deno.Signal, () => void][] = [
      ["SIGWINCH", () => {
        this.#drawn = "";
        handlers.resized();
      }],
      ["SIGTSTP", handlers.stopAsked],
      ["SIGCONT", handlers.continued],
    ];
    for (const [signal, listener] of listeners) {
      Deno.addSignalListener(signal, listener);
    }
    return () => {
      for (const [signal, listener] of listeners) {
        Deno.removeSignalListener(signal, listener);
      }
    };
  }

  stop(): void {
    if (Deno.build.os === "windows") return;
    this.leave();
    Deno.kill(Deno.pid, "SIGSTOP");
  }

  #setRaw(isRaw: boolean): void {
    if (!this.#canType) return;
    try {
      Deno.stdin.setRaw(isRaw);
    } catch {
      // The terminal is gone; nothing of it is left to set.
      this.#isGone = true;
    }
  }

  #write(text: string): void {
    const bytes = new TextEncoder().encode(text);
    try {
      for (let done = 0; done < bytes.length;) {
        done += Deno.stdout.writeSync(bytes.subarray(done));
      }
    } catch {
      this.#isGone = true;
    }
  }
}

const FAILURES = ["error", "unhandledrejection", "unload"] as const;
