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
  readonly #files = new Map<number, OpenFile>();
  readonly #paths = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly #libc: Libc;
  #version = 0;
  readonly #link = new Uint8Array(new ArrayBuffer(LINK_BYTES_MAX));

  /** `libc` is borrowed. */
  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** Changes with the files. */
  get version(): number {
    return this.#version;
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
    this.#files.set(file.pipe.inode, file);
    this.#version++;
  }

  /** The file behind a descriptor of a thread's. */
  find(thread: number, descriptor: number): OpenFile | undefined {
    return this.#files.get(this.#pipeOf(thread, descriptor));
  }

  /** A number no open file of the thread's process has. */
  freeDescriptor(thread: number): number {
    let descriptor = FIRST_DESCRIPTOR;
    while (this.#pipeOf(thread, descriptor) !== NOTHING) descriptor++;
    return descriptor;
  }

  /** Ends a file: its transfers, its claims. */
  end(file: OpenFile): void {
    if (!this.#files.delete(file.pipe.inode)) return;
    this.#version++;
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
    if (this.#copies(thread, file.pipe.inode) <= 1) this.end(file);
  }

  /** Ends files of processes that are gone, which a pipe that hung up does not show. */
  endOrphans(): void {
    for (const file of [...this.#files.values()]) {
      const isOrphan = file.pipe.reader < 0 &&
        this.#copies(file.process, file.pipe.inode) === 0;
      if (isOrphan) this.end(file);
    }
  }

  #copies(process: number, inode: number): number {
    try {
      return [...Deno.readDirSync(`/proc/${process}/fd`)]
        .filter((entry) => this.#pipeOf(process, entry.name) === inode).length;
    } catch {
      return 0;
    }
  }

  /** Inode of the pipe a descriptor refers to, or NOTHING, or OTHER. */
  #pipeOf(thread: number, descriptor: number | string): number {
    const key = `/proc/${thread}/fd/${descriptor}`;
    let path = this.#paths.get(key);
    if (path === undefined) {
      if (this.#paths.size >= PATHS_MAX) this.#paths.clear();
      path = cString(key);
      this.#paths.set(key, path);
    }
    // SAFETY: both buffers are ours, the link is cut to its buffer's length.
    const length = Number(
      this.#libc.symbols.readlink(path, this.#link, BigInt(LINK_BYTES_MAX)),
    );
    return length <= 0 ? NOTHING : pipeInode(this.#link.subarray(0, length));
  }
}

/** No such descriptor. */
const NOTHING = 0;
/** A descriptor that is no pipe. */
const OTHER = -1;
/** Encoded paths that are kept: a few threads with a few files each. */
const PATHS_MAX = 256;

/** The number in `pipe:[12345]`; OTHER when it is another link. */
export function pipeInode(link: Uint8Array): number {
  const DIGIT_0 = 0x30;
  for (let at = 0; at < PIPE_PREFIX.length; at++) {
    if (link[at] !== PIPE_PREFIX[at]) return OTHER;
  }
  let inode = 0;
  for (const byte of link.subarray(PIPE_PREFIX.length, -1)) {
    inode = inode * 10 + byte - DIGIT_0;
  }
  return inode;
}

const PIPE_PREFIX = new TextEncoder().encode("pipe:[");

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
