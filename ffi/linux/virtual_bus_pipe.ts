/**
 * The descriptor a client of the notification transport gets for a device: the
 * write end of a pipe of its own. Full means not ready, no reader means
 * POLLERR, and when the client's last copy of it is closed, by whatever way,
 * our end hangs up.
 *
 * @module
 */

import { assert } from "../../driver/assert.ts";
import type { Readiness } from "../../driver/sim/usbfs_contract.ts";
import {
  cString,
  F_SETPIPE_SZ,
  type Libc,
  O,
  PIPE_CAPACITY_BYTES,
} from "./virtual_bus_libc.ts";

/** The bus's end of one open file. */
export class SessionPipe implements Readiness {
  readonly #libc: Libc;
  readonly #byte = new Uint8Array(new ArrayBuffer(1));
  readonly #self: Uint8Array<ArrayBuffer>;
  #reader: number;
  #writer: number;
  #isReady = true;
  /** The same in every process that has the pipe. */
  readonly inode: number;

  private constructor(libc: Libc, reader: number, writer: number) {
    this.#libc = libc;
    this.#reader = reader;
    this.#writer = writer;
    libc.symbols.fcntl(writer, F_SETPIPE_SZ, PIPE_CAPACITY_BYTES);
    this.#self = cString(`/proc/self/fd/${reader}`);
    const link = Deno.readLinkSync(`/proc/self/fd/${reader}`); // pipe:[12345]
    this.inode = Number(/^pipe:\[(\d+)\]$/.exec(link)?.[1]);
    assert(Number.isSafeInteger(this.inode), `${link} is no pipe`);
    this.setReady(false);
  }

  /** A new one; `undefined` when this process may have no more descriptors. */
  static open(libc: Libc): SessionPipe | undefined {
    const ends = new Int32Array(2);
    // SAFETY: two numbers of ours are written.
    if (libc.symbols.pipe2(ends, O.CLOEXEC | O.NONBLOCK) < 0) return undefined;
    const [reader = -1, writer = -1] = ends;
    return new SessionPipe(libc, reader, writer);
  }

  /** Descriptor to watch for the client's end; negative when it hung up. */
  get reader(): number {
    return this.#reader;
  }

  /** Descriptor to hand to the client, until `handedOver`. */
  get writer(): number {
    return this.#writer;
  }

  /** The client has its end now: ours of it goes, so that its close is seen. */
  handedOver(): void {
    if (this.#writer >= 0) this.#libc.symbols.close(this.#writer);
    this.#writer = -1;
  }

  setReady(on: boolean): void {
    if (on === this.#isReady || this.#reader < 0) return;
    this.#isReady = on;
    const { symbols } = this.#libc;
    // SAFETY: one byte of ours, for the call; no end blocks us.
    if (on) symbols.read(this.#reader, this.#byte, 1n);
    else if (this.#writer >= 0) symbols.write(this.#writer, this.#byte, 1n);
    else {
      // Opened for a moment only: while we held it, we would never see the
      // client close the last one.
      const flags = O.WRONLY | O.NONBLOCK | O.CLOEXEC;
      const writer = symbols.open(this.#self, flags, 0);
      symbols.write(writer, this.#byte, 1n);
      symbols.close(writer);
    }
  }

  hangup(): void {
    this.handedOver();
    if (this.#reader >= 0) this.#libc.symbols.close(this.#reader);
    this.#reader = -1;
  }

  close(): void {
    this.hangup();
  }
}
