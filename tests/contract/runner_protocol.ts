/**
 * How the process that has the virtual bus and the one that has libusb talk,
 * while the port contract runs over both: lines of JSON on a Unix socket.
 */

import type { BusCommand, BusReply } from "./bench.ts";

/** From the bus's process to libusb's. */
export type RunnerOrder =
  | { readonly type: "run"; readonly name: string }
  | {
    readonly type: "reply";
    readonly id: number;
    readonly reply: BusReply;
  };

/** From libusb's process to the bus's. */
export type RunnerReport =
  | {
    readonly type: "command";
    readonly id: number;
    readonly command: BusCommand;
  }
  | {
    readonly type: "result";
    readonly name: string;
    /** Why it failed; absent when it passed. */
    readonly failure?: string;
  };

/** Longest line: a fault rule or a failure's text. */
const LINE_LENGTH_MAX = 1024 * 1024;

/** One end of the conversation. */
export class JsonLines<Incoming, Outgoing> {
  readonly #connection: Deno.Conn;
  #sending: Promise<void> = Promise.resolve();

  /** Takes the connection over. */
  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /** Sends a message, after those before it. */
  send(message: Outgoing): Promise<void> {
    const line = new TextEncoder().encode(`${JSON.stringify(message)}\n`);
    this.#sending = this.#sending.then(async () => {
      for (let at = 0; at < line.length;) {
        at += await this.#connection.write(line.subarray(at));
      }
    });
    return this.#sending;
  }

  /** Messages of the other side, until it ends. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Incoming> {
    const decoder = new TextDecoder();
    const chunk = new Uint8Array(16 * 1024);
    let text = "";
    for (;;) {
      const count = await this.#connection.read(chunk);
      if (count === null) return;
      text += decoder.decode(chunk.subarray(0, count), { stream: true });
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      if (text.length > LINE_LENGTH_MAX) throw new Error("A line is too long");
      for (const line of lines) yield JSON.parse(line) as Incoming;
    }
  }

  /** Ends the conversation. */
  close(): void {
    try {
      this.#connection.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}
