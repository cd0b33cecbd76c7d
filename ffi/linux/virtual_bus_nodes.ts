/**
 * Device nodes for clients of the preload. libusb calls `poll()` on the node's
 * descriptor, which the preload does not intercept, so the node itself has to
 * become ready when a transfer can be reaped.
 *
 * @module
 */

import { UsbError } from "../../driver/errors.ts";
import type { Readiness } from "../../driver/sim/usbfs_contract.ts";
import {
  cString,
  F_SETPIPE_SZ,
  type Libc,
  O,
  PIPE_CAPACITY_BYTES,
} from "./virtual_bus_libc.ts";

/**
 * What a device node is made of. `fifo` suits everything but
 * `libusb_wrap_sys_device`; `pty` also reports POLLERR when the device is
 * unplugged, as a real node does; `file` can be wrapped, but is always ready,
 * so that its client spins.
 */
export type NodeKind = "fifo" | "pty" | "file";

/** A device node on disk, shown to clients through links. */
export interface DeviceNode extends Readiness {
  /** Puts the node into a client's root. */
  link(path: string): void;
}

/**
 * Makes a node.
 *
 * @throws {UsbError} `io` when the system refuses it.
 */
export function makeNode(
  kind: NodeKind,
  path: string,
  libc: Libc,
): DeviceNode {
  if (kind === "fifo") return new FifoNode(path, libc);
  return kind === "pty" ? new TerminalNode(libc) : new FileNode(path);
}

const NODE_MODE = 0o666;

/** A FIFO of one page: full means not ready. It cannot report POLLERR, as clients hold both ends. */
class FifoNode implements DeviceNode {
  readonly #path: string;
  readonly #libc: Libc;
  readonly #byte: Uint8Array<ArrayBuffer> = new Uint8Array(1);
  #descriptor: number;
  #isReady = true;

  constructor(path: string, libc: Libc) {
    this.#path = path;
    this.#libc = libc;
    const name = cString(path);
    check(libc.symbols.mkfifo(name, NODE_MODE), `make the FIFO ${path}`);
    Deno.chmodSync(path, NODE_MODE);
    this.#descriptor = check(
      libc.symbols.open(name, O.RDWR | O.NONBLOCK | O.CLOEXEC, 0),
      `open the FIFO ${path}`,
    );
    check(
      libc.symbols.fcntl(this.#descriptor, F_SETPIPE_SZ, PIPE_CAPACITY_BYTES),
      `set the capacity of the FIFO ${path}`,
    );
    this.setReady(false);
  }

  link(path: string): void {
    Deno.linkSync(this.#path, path);
  }

  setReady(on: boolean): void {
    if (on === this.#isReady || this.#descriptor < 0) return;
    this.#isReady = on;
    // SAFETY: one byte of ours, for the call. The descriptor does not block.
    if (on) this.#libc.symbols.read(this.#descriptor, this.#byte, 1n);
    else this.#libc.symbols.write(this.#descriptor, this.#byte, 1n);
  }

  hangup(): void {}

  close(): void {
    if (this.#descriptor < 0) return;
    this.#libc.symbols.close(this.#descriptor);
    this.#descriptor = -1;
    Deno.removeSync(this.#path);
  }
}

/** A pseudo terminal: output stopped means not ready, and it can hang up. */
class TerminalNode implements DeviceNode {
  readonly #libc: Libc;
  readonly #name: string;
  #master: number;
  #slave: number;
  #isReady = true;

  constructor(libc: Libc) {
    const { symbols } = libc;
    const flags = O.RDWR | O.NOCTTY | O.CLOEXEC;
    this.#libc = libc;
    this.#master = check(symbols.openTerminal(flags), "open a terminal");
    check(symbols.grantTerminal(this.#master), "grant a terminal");
    check(symbols.unlockTerminal(this.#master), "unlock a terminal");
    const name = new Uint8Array(new ArrayBuffer(64));
    // SAFETY: the buffer is ours, its length is passed, the name ends in zero.
    check(
      -symbols.terminalName(this.#master, name, BigInt(name.length)),
      "name a terminal",
    );
    this.#name = new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
    this.#slave = check(
      symbols.open(cString(this.#name), flags, 0),
      `open ${this.#name}`,
    );
    Deno.chmodSync(this.#name, NODE_MODE);
    this.setReady(false);
  }

  link(path: string): void {
    Deno.symlinkSync(this.#name, path);
  }

  setReady(on: boolean): void {
    if (on === this.#isReady || this.#master < 0) return;
    this.#isReady = on;
    const [TCXONC, TCOOFF, TCOON] = [0x540an, 0n, 1n];
    const action = on ? TCOON : TCOOFF;
    // SAFETY: numbers only.
    this.#libc.symbols.ioctlWithNumber(this.#slave, TCXONC, action);
  }

  hangup(): void {
    this.close();
  }

  close(): void {
    if (this.#master < 0) return;
    this.#libc.symbols.close(this.#slave);
    this.#libc.symbols.close(this.#master);
    this.#master = -1;
  }
}

/** A regular file: always ready, but `lseek()` works on it. */
class FileNode implements DeviceNode {
  readonly #path: string;
  #isOpen = true;

  constructor(path: string) {
    this.#path = path;
    Deno.writeFileSync(path, new Uint8Array());
    Deno.chmodSync(path, NODE_MODE);
  }

  link(path: string): void {
    Deno.linkSync(this.#path, path);
  }

  setReady(): void {}

  hangup(): void {}

  close(): void {
    if (this.#isOpen) Deno.removeSync(this.#path);
    this.#isOpen = false;
  }
}

function check(result: number, operation: string): number {
  if (result >= 0) return result;
  throw new UsbError({
    code: "io",
    operation,
    reason: "the system refused it",
    advice: "Check the limits of open files, and that TMPDIR is writable",
  });
}
