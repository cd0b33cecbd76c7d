/**
 * The protocol between umockdev's preload library in a client process and us,
 * one Unix stream socket for each open file. A frame is three 64-bit numbers:
 * operation, and two arguments.
 *
 * @module
 */

import { MAX_TRANSFER_BYTES } from "../../driver/limits.ts";
import type { Answer, ClientMemory } from "../../driver/sim/usbfs_contract.ts";

/** What a client asks for. */
export interface PreloadRequest {
  readonly kind: "ioctl" | "read" | "write";
  /** Request number of an ioctl (32 bits), or the address of a buffer. */
  readonly first: bigint;
  /** Argument of an ioctl, or a count of bytes. */
  readonly second: bigint;
}

/** The client broke the protocol or is gone: its connection ends, nothing else. */
export class ClientError extends Error {
  override readonly name = "ClientError";
}

const OPERATION = {
  ioctl: 1n,
  result: 2n,
  done: 3n,
  run: 4n,
  readMemory: 5n,
  writeMemory: 6n,
  read: 7n,
  write: 8n,
} as const;

const REQUESTS: ReadonlyMap<bigint, PreloadRequest["kind"]> = new Map([
  [OPERATION.ioctl, "ioctl"],
  [OPERATION.read, "read"],
  [OPERATION.write, "write"],
]);

const FRAME_BYTES = 24;
/** The client reads a frame with one `recv()`; up to this much stays together in one write. */
const WRITE_TOGETHER_BYTES = 32 * 1024;
/** What is read at once. Larger answers of a client get a buffer of their own. */
const BUFFER_BYTES = 64 * 1024;

/** One connection. Not for concurrent use: a client makes one call at a time on an open file. */
export class PreloadWire implements ClientMemory {
  readonly #connection: Deno.Conn;
  #buffer = new Uint8Array(BUFFER_BYTES);
  #length = 0;
  #outgoing: Uint8Array[] = [];
  /** A read that is under way: there is never more than one. */
  #reading: Promise<void> | undefined;
  #isEnded = false;

  /** Takes the connection over. */
  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /**
   * The next request; `undefined` when the client closed the file.
   *
   * @throws {ClientError} When it is none.
   */
  async next(): Promise<PreloadRequest | undefined> {
    const frame = await this.#take(FRAME_BYTES);
    if (frame === undefined) return undefined;
    const [operation = 0n, first = 0n, second = 0n] = words(frame);
    const kind = REQUESTS.get(operation);
    if (kind === undefined) {
      throw new ClientError(`Operation ${operation} is not a request`);
    }
    return { kind, first, second };
  }

  async peek(
    address: bigint,
    lengthBytes: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (!(lengthBytes >= 0 && lengthBytes <= MAX_TRANSFER_BYTES)) {
      throw new ClientError(`Cannot read ${lengthBytes} bytes of a client`);
    }
    if (lengthBytes === 0) return new Uint8Array();
    this.#queueFrame(OPERATION.readMemory, address, BigInt(lengthBytes));
    await this.#flush();
    const bytes = await this.#take(lengthBytes);
    if (bytes === undefined) throw new ClientError("The client is gone");
    return bytes;
  }

  poke(address: bigint, data: Uint8Array): void {
    if (data.length === 0) return;
    this.#queueFrame(OPERATION.writeMemory, address, BigInt(data.length));
    this.#outgoing.push(data);
  }

  /** Ends the request. What was poked before arrives first, with it. */
  answer([result, errno]: Answer): Promise<void> {
    this.#queueFrame(
      OPERATION.done,
      BigInt.asUintN(64, BigInt(result)),
      BigInt(errno),
    );
    return this.#flush();
  }

  /** Has the client make its call itself, for files that are not ours. */
  async runInClient(): Promise<void> {
    this.#queueFrame(OPERATION.run, 0n, 0n);
    await this.#flush();
    const frame = await this.#take(FRAME_BYTES);
    if (frame === undefined) throw new ClientError("The client is gone");
    const [operation = 0n, result = 0n, errno = 0n] = words(frame);
    if (operation !== OPERATION.result) {
      throw new ClientError(`Operation ${operation} is not a result`);
    }
    this.#queueFrame(OPERATION.done, result, errno);
    await this.#flush();
  }

  /**
   * Calls back if the client goes before it gets its answer. It sends nothing
   * of its own accord meanwhile.
   */
  watchEnd(onEnd: () => void): void {
    if (this.#reading !== undefined || this.#length > 0) return;
    this.#read().catch(() => this.#isEnded = true).then(() => {
      if (this.#isEnded) onEnd();
    });
  }

  /** Ends the connection. */
  close(): void {
    this.#connection.close();
  }

  /** Exactly so many bytes; `undefined` at the end of the stream. */
  async #take(
    lengthBytes: number,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (this.#length < lengthBytes) {
      if (this.#isEnded) return undefined;
      if (this.#reading === undefined && lengthBytes > this.#buffer.length) {
        this.#resize(lengthBytes);
      }
      await (this.#reading ?? this.#read());
    }
    const bytes = this.#buffer.slice(0, lengthBytes);
    this.#buffer.copyWithin(0, lengthBytes, this.#length);
    this.#length -= lengthBytes;
    if (this.#buffer.length > BUFFER_BYTES && this.#length <= BUFFER_BYTES) {
      this.#resize(BUFFER_BYTES);
    }
    return bytes;
  }

  #read(): Promise<void> {
    const free = this.#buffer.subarray(this.#length);
    this.#reading = this.#connection.read(free).then((count) => {
      if (count === null) this.#isEnded = true;
      else this.#length += count;
    }).finally(() => this.#reading = undefined);
    return this.#reading;
  }

  #resize(lengthBytes: number): void {
    const other = new Uint8Array(lengthBytes);
    other.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = other;
  }

  #queueFrame(operation: bigint, first: bigint, second: bigint): void {
    const frame = new DataView(new ArrayBuffer(FRAME_BYTES));
    frame.setBigUint64(0, operation, true);
    frame.setBigUint64(8, first, true);
    frame.setBigUint64(16, second, true);
    this.#outgoing.push(new Uint8Array(frame.buffer));
  }

  /** No frame may straddle two socket buffers: all in one small write, or each part in its own. */
  async #flush(): Promise<void> {
    const parts = this.#outgoing;
    this.#outgoing = [];
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    if (length > WRITE_TOGETHER_BYTES) {
      for (const part of parts) await this.#write(part);
      return;
    }
    const all = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    await this.#write(all);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += await this.#connection.write(bytes.subarray(at));
    }
  }
}

function words(frame: Uint8Array<ArrayBuffer>): bigint[] {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  return [0, 8, 16].map((at) => view.getBigUint64(at, true));
}
