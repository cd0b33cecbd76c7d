/**
 * The memory of a client process, while one of its system calls waits for the
 * bus. The kernel copies it; the client notices nothing.
 *
 * @module
 */

import { MAX_TRANSFER_BYTES } from "../../driver/limits.ts";
import type { ClientMemory } from "../../driver/sim/usbfs_contract.ts";

/** An address of a client's is bad, or the client is gone. */
export class ClientMemoryError extends Error {
  override readonly name = "ClientMemoryError";
}

/** Copied at once; large transfers take several steps. */
const STAGE_BYTES = 1024 * 1024;
/** Pages are this large or a multiple. */
const PAGE_BYTES = 4096;

const COPY = {
  parameters: ["i32", "buffer", "usize", "buffer", "usize", "usize"],
  result: "isize",
} as const;

const SYMBOLS = {
  process_vm_readv: COPY,
  process_vm_writev: COPY,
  // memcpy returns its first argument: the way to an address without
  // Deno.UnsafePointer, which a scoped --allow-ffi refuses.
  addressOf: {
    name: "memcpy",
    parameters: ["buffer", "buffer", "usize"],
    result: "usize",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** One call that waits, as copies are made for it. */
export interface WaitingCall {
  /** The thread that made the call. */
  readonly thread: number;
  /** Whether it still waits: else its number may already belong to another process. */
  isWaiting(): boolean;
}

/** Copies from and to clients through one buffer. Closing twice is a no-op. */
export class MemoryCopier implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  /** Its address is kept, so it is never replaced; buffers of this size do not move. */
  readonly #stage = new Uint8Array(new ArrayBuffer(STAGE_BYTES));
  readonly #local = new BigUint64Array(2);
  readonly #remote = new BigUint64Array(4);
  #isOpen = true;

  /** Binds the calls. */
  constructor() {
    // SAFETY: the signatures are those of process_vm_readv(2) and memcpy(3).
    this.#library = Deno.dlopen("libc.so.6", SYMBOLS);
    // SAFETY: nothing is copied. The stage lives as long as this object, which
    // makes every call that uses the address.
    this.#local[0] = this.#library.symbols.addressOf(
      this.#stage,
      this.#stage,
      0n,
    );
  }

  /** The memory of the client that made a call. */
  of(call: WaitingCall): ClientMemory {
    return {
      peek: (address, lengthBytes) => {
        try {
          return Promise.resolve(this.read(call, address, lengthBytes));
        } catch (error) {
          return Promise.reject(error);
        }
      },
      poke: (address, data) => this.write(call, address, data),
    };
  }

  /** @throws {ClientMemoryError} */
  read(
    call: WaitingCall,
    address: bigint,
    lengthBytes: number,
  ): Uint8Array<ArrayBuffer> {
    if (!(lengthBytes >= 0 && lengthBytes <= MAX_TRANSFER_BYTES)) {
      throw new ClientMemoryError(`Cannot read ${lengthBytes} bytes`);
    }
    const data = new Uint8Array(lengthBytes);
    for (let at = 0; at < lengthBytes;) {
      const step = Math.min(STAGE_BYTES, lengthBytes - at);
      this.#point(address + BigInt(at), step, step);
      if (this.#copy("process_vm_readv", call.thread) !== step) {
        throw new ClientMemoryError(`Cannot read at ${address}`);
      }
      data.set(this.#stage.subarray(0, step), at);
      at += step;
    }
    return data;
  }

  /** @throws {ClientMemoryError} */
  write(call: WaitingCall, address: bigint, data: Uint8Array): void {
    for (let at = 0; at < data.length;) {
      const step = Math.min(STAGE_BYTES, data.length - at);
      this.#stage.set(data.subarray(at, at + step));
      this.#point(address + BigInt(at), step, step);
      if (!call.isWaiting()) throw new ClientMemoryError("The client is gone");
      if (this.#copy("process_vm_writev", call.thread) !== step) {
        throw new ClientMemoryError(`Cannot write at ${address}`);
      }
      at += step;
    }
  }

  /** A string of at most `lengthMax` bytes; empty when it is longer or cannot be read. */
  readString(call: WaitingCall, address: bigint, lengthMax: number): string {
    // A string may end just before memory that is not there: to the page's end, then the rest.
    const onPage = PAGE_BYTES - Number(address % BigInt(PAGE_BYTES));
    this.#point(address, lengthMax, Math.min(onPage, lengthMax));
    const count = this.#copy("process_vm_readv", call.thread);
    if (count <= 0) return "";
    const bytes = this.#stage.slice(0, count);
    const end = bytes.indexOf(0);
    return end < 0 ? "" : new TextDecoder().decode(bytes.subarray(0, end));
  }

  /** Unbinds the calls. */
  close(): void {
    if (this.#isOpen) this.#library.close();
    this.#isOpen = false;
  }

  /** Unbinds the calls at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Aims at `length` bytes of the client, in two parts of which the first has `first`. */
  #point(address: bigint, length: number, first: number): void {
    this.#local[1] = BigInt(length);
    this.#remote[0] = address;
    this.#remote[1] = BigInt(first);
    this.#remote[2] = address + BigInt(first);
    this.#remote[3] = BigInt(length - first);
  }

  #copy(
    direction: "process_vm_readv" | "process_vm_writev",
    thread: number,
  ): number {
    if (!this.#isOpen) return -1;
    // SAFETY: the local vector names the stage, with at most its length; the
    // kernel checks the remote one.
    return Number(
      this.#library.symbols[direction](
        thread,
        this.#local,
        1n,
        this.#remote,
        2n,
        0n,
      ),
    );
  }
}
