/** QEMU's monitor protocol, and the small tools around its Unix sockets. */

/** A QMP client: one JSON object a line; replies come in order, events in between. */
export class Qmp {
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #connection: Deno.Conn;

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
    this.#lines = readLines(connection.readable);
  }

  /** Connects to a monitor that QEMU is about to open. */
  static async open(path: string): Promise<Qmp> {
    const qmp = new Qmp(await connectUnix(path));
    await qmp.#next(); // its greeting
    await qmp.command("qmp_capabilities");
    return qmp;
  }

  /** Sends a command and gives its answer; skips events. */
  async command(
    execute: string,
    args: Readonly<Record<string, unknown>> = {},
  ): Promise<Record<string, unknown>> {
    const line = JSON.stringify({ execute, arguments: args }) + "\n";
    await writeAll(this.#connection, new TextEncoder().encode(line));
    for (;;) {
      const message = await this.#next();
      const error = message.error as { desc?: string } | undefined;
      if (error !== undefined) throw new Error(`${execute}: ${error.desc}`);
      if ("return" in message) {
        return message.return as Record<string, unknown>;
      }
    }
  }

  async #next(): Promise<Record<string, unknown>> {
    const { value, done } = await this.#lines.read();
    if (done) throw new Error("QEMU closed its monitor");
    return JSON.parse(value);
  }
}

/** How long QEMU may take to open its sockets: a cold disk, a busy machine. */
const CONNECT_TRIES = 1_000;
const CONNECT_PAUSE_MS = 10;

/** Connects to a Unix socket that somebody is about to make. */
export async function connectUnix(path: string): Promise<Deno.UnixConn> {
  for (let tries = 1;; tries++) {
    try {
      return await Deno.connect({ transport: "unix", path });
    } catch (error) {
      if (tries >= CONNECT_TRIES) throw error;
      await delay(CONNECT_PAUSE_MS);
    }
  }
}

/** Lines of a stream, without their ends. */
export function readLines(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): ReadableStreamDefaultReader<string> {
  let rest = "";
  const split = new TransformStream<string, string>({
    transform(chunk, out): void {
      const parts = (rest + chunk).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) out.enqueue(part);
    },
  });
  return stream.pipeThrough(new TextDecoderStream()).pipeThrough(split)
    .getReader();
}

/** Writes all of it, however little a single write takes. */
export async function writeAll(
  to: { write(chunk: Uint8Array): Promise<number> },
  data: Uint8Array,
): Promise<void> {
  for (let at = 0; at < data.length;) at += await to.write(data.subarray(at));
}

/** Waits. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
