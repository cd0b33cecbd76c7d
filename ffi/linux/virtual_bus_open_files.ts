/**
 * Open files of the clients of one notification listener. Which one a client
 * means is found by the pipe behind its descriptor, which is the same in
 * duplicates, in other processes and after `execve`.
 *
 * @module
 */

import type { BusNode, Session } from "../../driver/sim/usbfs_contract.ts";
import { FIRST_DESCRIPTOR } from "./virtual_bus_filter.ts";
import { cString, type Libc } from "./virtual_bus_libc.ts";
import type { SessionPipe } from "./virtual_bus_pipe.ts";

/** One `open()` of a device node. */
export interface OpenFile {
  readonly session: Session;
  readonly pipe: SessionPipe;
  /** Process that opened it. */
  readonly process: number;
  /** Without it the kernel refuses every ioctl of usbfs. */
  readonly isWritable: boolean;
  /** File position, in bytes. */
  position: number;
}

/** Open files of all clients of one listener: a bound against one that never closes. */
export const OPEN_FILES_MAX = 1024;

const LINK_BYTES_MAX = 64;

/** The open files, by pipe. */
export class OpenFiles {
  readonly #files = new Map<string, OpenFile>();
  readonly #libc: Libc;
  readonly #link = new Uint8Array(new ArrayBuffer(LINK_BYTES_MAX));

  /** `libc` is borrowed. */
  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** How many there are. */
  get size(): number {
    return this.#files.size;
  }

  /** Those whose client can still close them: what to watch. */
  *watched(): Iterable<OpenFile> {
    for (const file of this.#files.values()) {
      if (file.pipe.reader >= 0) yield file;
    }
  }

  /** Keeps a file. */
  add(file: OpenFile): void {
    this.#files.set(file.pipe.name, file);
  }

  /** The file behind a descriptor of a thread's. */
  find(thread: number, descriptor: number): OpenFile | undefined {
    return this.#files.get(this.#linkOf(thread, descriptor));
  }

  /** A number no open file of the thread's process has. */
  freeDescriptor(thread: number): number {
    let descriptor = FIRST_DESCRIPTOR;
    while (this.#linkOf(thread, descriptor) !== "") descriptor++;
    return descriptor;
  }

  /** Ends a file: its transfers, its claims. */
  end(file: OpenFile): void {
    if (!this.#files.delete(file.pipe.name)) return;
    file.session.closed();
    file.pipe.close();
  }

  /** Ends all. */
  endAll(): void {
    for (const file of [...this.#files.values()]) this.end(file);
  }

  /**
   * A thread is about to close a descriptor. The pipe shows it by itself,
   * except when the device is gone: then it has hung up already.
   */
  closing(thread: number, descriptor: number): void {
    const file = this.find(thread, descriptor);
    if (file === undefined || file.pipe.reader >= 0) return;
    if (this.#copies(thread, file.pipe.name) <= 1) this.end(file);
  }

  /** Ends files of processes that are gone, which a pipe that hung up does not show. */
  endOrphans(): void {
    for (const file of [...this.#files.values()]) {
      const isOrphan = file.pipe.reader < 0 &&
        this.#copies(file.process, file.pipe.name) === 0;
      if (isOrphan) this.end(file);
    }
  }

  #copies(process: number, name: string): number {
    try {
      return [...Deno.readDirSync(`/proc/${process}/fd`)]
        .filter((entry) => this.#linkOf(process, entry.name) === name).length;
    } catch {
      return 0;
    }
  }

  /** What a descriptor of a thread's refers to, `pipe:[12345]`; empty when there is none. */
  #linkOf(thread: number, descriptor: number | string): string {
    const path = cString(`/proc/${thread}/fd/${descriptor}`);
    // SAFETY: both buffers are ours, the link is cut to its buffer's length.
    const length = Number(
      this.#libc.symbols.readlink(path, this.#link, BigInt(LINK_BYTES_MAX)),
    );
    return new TextDecoder().decode(
      this.#link.subarray(0, Math.max(length, 0)),
    );
  }
}

/** The bus refuses with a RangeError when too many files are open. */
export function tryOpen(node: BusNode): Session | undefined {
  try {
    return node.open();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return undefined;
  }
}

/** The process of a thread; the thread itself when it is gone. */
export function processOf(thread: number): number {
  try {
    const status = Deno.readTextFileSync(`/proc/${thread}/status`);
    return Number(/^Tgid:\s*(\d+)/m.exec(status)?.[1] ?? thread);
  } catch {
    return thread;
  }
}
