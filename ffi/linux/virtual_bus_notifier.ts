/**
 * Plays the kernel for the clients of one listener: opens of device nodes, and
 * what is done with the descriptors they gave.
 *
 * @module
 */

import type {
  Answer,
  BusNode,
  ClientMemory,
} from "../../driver/sim/usbfs_contract.ts";
import { type Abi, encodeStat, encodeStatx } from "./virtual_bus_abi.ts";
import {
  ClientMemoryError,
  MemoryCopier,
} from "./virtual_bus_client_memory.ts";
import { ERRNO, type Libc, O } from "./virtual_bus_libc.ts";
import type {
  NotificationListener,
  NotifiedCall,
} from "./virtual_bus_listener.ts";
import {
  OPEN_FILES_MAX,
  type OpenFile,
  OpenFiles,
  processOf,
  tryOpen,
} from "./virtual_bus_open_files.ts";
import { SessionPipe } from "./virtual_bus_pipe.ts";

/** What a notifier needs. */
export interface NotifierOptions {
  readonly abi: Abi;
  readonly libc: Libc;
  readonly listener: NotificationListener;
  /** The device at a path, if there is one. */
  readonly nodeAt: (path: string) => BusNode | undefined;
  /** Whether to wait for the next call on this thread for a moment. */
  readonly lingers: boolean;
}

/** Node paths are shorter; what is longer is no node of ours. */
const PATH_BYTES_MAX = 64;
/** More than all descriptors of a device. */
const READ_BYTES_MAX = 1024 * 1024;
/** Lingering blocks this thread; timers and transfers get their turn after so many times. */
const LINGERS_MAX = 50;
/** Rounds of microtasks in which an answer is at once; a later one is sent when it comes. */
const ANSWER_ROUNDS = 32;

/** SUBMITURB, REAPURBNDELAY and DISCARDURB: most calls by far. Linux, include/uapi/linux/usbdevice_fs.h. */
const TRANSFER_REQUESTS: ReadonlySet<number> = new Set([
  0x8038550a,
  0x4008550d,
  0x550b,
]);

/** A call's argument that says the descriptor itself is meant. Linux, include/uapi/linux/fcntl.h. */
const AT_EMPTY_PATH = 0x1000;

/** Serves one listener until no client is left. */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #files: OpenFiles;
  readonly #memory = new MemoryCopier();
  readonly #handlers: ReadonlyMap<number, (call: NotifiedCall) => unknown>;
  #watchedVersion = -1;
  #isStopped = false;

  /** Serves nothing yet. */
  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#files = new OpenFiles(options.libc);
    this.#handlers = this.#makeHandlers();
  }

  /** Open files now. */
  get openFiles(): number {
    return this.#files.size;
  }

  /** Serves until the last client ended or `stop()`; all its files are closed then. */
  async run(): Promise<void> {
    const { listener } = this.#options;
    let lingered = 0;
    try {
      while (!this.#isStopped) {
        this.#watch();
        const isQuick = this.#options.lingers && lingered++ < LINGERS_MAX &&
          listener.linger();
        if (!isQuick) {
          lingered = 0;
          await listener.park();
        }
        if (this.#isStopped) return;
        const { state } = listener;
        const call = state === "call" ? listener.receive() : undefined;
        // After receiving: what this client closed before is closed now.
        if (listener.hasEnds || this.#mustSeeCloses(call)) this.#endClosed();
        if (call !== undefined) await this.#serve(call);
        if (state === "noClients") return;
      }
    } finally {
      this.#files.endAll();
      listener.close();
      this.#memory.close();
    }
  }

  /** Ends `run`. */
  stop(): void {
    this.#isStopped = true;
    this.#options.listener.wake();
  }

  /** Tells the listener which pipes there are, when they changed. */
  #watch(): void {
    if (this.#watchedVersion === this.#files.version) return;
    this.#watchedVersion = this.#files.version;
    const pipes = [...this.#files.watched()].map((file) => file.pipe.reader);
    this.#options.listener.watch(pipes);
  }

  /** Transfers need not know of other files; what claims or opens has to. */
  #mustSeeCloses(call: NotifiedCall | undefined): boolean {
    if (call === undefined || this.#files.size === 0) return false;
    const isTransfer = call.number === this.#options.abi.calls.ioctl &&
      TRANSFER_REQUESTS.has(call.argument32(1));
    return !isTransfer;
  }

  #endClosed(): void {
    const ended = this.#options.listener.ended();
    if (ended.size === 0) return;
    // One that hung up meanwhile is no file's any more: watch anew.
    this.#watchedVersion = -1;
    for (const file of [...this.#files.watched()]) {
      if (ended.has(file.pipe.reader)) this.#files.end(file);
    }
  }

  /** Serves a call. One that takes long is answered later and holds up no other. */
  async #serve(call: NotifiedCall): Promise<void> {
    let isDone = false;
    const served = this.#answerCall(call).finally(() => isDone = true);
    for (let round = 0; round < ANSWER_ROUNDS && !isDone; round++) {
      await Promise.resolve();
    }
    // A bug in what serves it ends the process, as it is nobody's to handle.
    if (isDone) await served;
  }

  async #answerCall(call: NotifiedCall): Promise<void> {
    try {
      await this.#handlers.get(call.number)?.(call) ??
        this.#options.listener.pass(call);
    } catch (error) {
      if (!(error instanceof ClientMemoryError)) throw error;
      this.#options.listener.answer(call, [-1, ERRNO.EFAULT]);
    }
  }

  /** Handlers give `true` when they answered; otherwise the client makes the call itself. */
  #makeHandlers(): Map<number, (call: NotifiedCall) => unknown> {
    const { calls } = this.#options.abi;
    const handlers = new Map<number, (call: NotifiedCall) => unknown>([
      [calls.openat, (call) => this.#open(call, 1, call.argument32(2))],
      [calls.openat2, (call) => this.#open(call, 1, this.#howOf(call))],
      [calls.ioctl, (call) => this.#onFile(call, ioctl)],
      [calls.read, (call) => this.#onFile(call, read)],
      [calls.pread64, (call) => this.#onFile(call, readAt)],
      [calls.lseek, (call) => this.#onFile(call, seek)],
      [calls.fstat, (call) => this.#stat(call, 1)],
      [calls.newfstatat, (call) => this.#stat(call, 2, 3)],
      [calls.statx, (call) => this.#stat(call, 4, 2)],
      [calls.close, (call) => this.#close(call)],
    ]);
    if (calls.open !== undefined) {
      handlers.set(
        calls.open,
        (call) => this.#open(call, 0, call.argument32(1)),
      );
    }
    return handlers;
  }

  #open(
    call: NotifiedCall,
    pathAt: number,
    flags: number,
  ): true | undefined {
    const { listener, nodeAt } = this.#options;
    const address = call.argument(pathAt);
    const path = this.#memory.readString(call, address, PATH_BYTES_MAX);
    // Never the real node: a client sees this bus and no other.
    if (!path.startsWith("/dev/bus/usb/")) return undefined;
    const node = nodeAt(path);
    if (node === undefined) {
      listener.answer(call, [-1, ERRNO.ENOENT]);
      return true;
    }
    if (node.isAccessible === false) {
      listener.answer(call, [-1, ERRNO.EACCES]);
      return true;
    }
    this.#files.endOrphans();
    const isOpen = this.#files.size < OPEN_FILES_MAX &&
      this.#give(call, node, flags);
    // Without an answer the client would hang.
    if (!isOpen) listener.answer(call, [-1, ERRNO.EMFILE]);
    return true;
  }

  /** Opens the node and answers with a descriptor; `false` when there is no room for one. */
  #give(call: NotifiedCall, node: BusNode, flags: number): boolean {
    const { listener, libc } = this.#options;
    const session = tryOpen(node);
    if (session === undefined) return false;
    const pipe = SessionPipe.open(libc);
    // Refused when RLIMIT_NOFILE is below the number.
    const isGiven = pipe !== undefined && listener.give(call, pipe.writer, {
      descriptor: this.#files.freeDescriptor(call.thread),
      closeOnExec: (flags & O.CLOEXEC) !== 0,
    });
    pipe?.handedOver();
    if (!isGiven) {
      session.closed();
      pipe?.close();
      return false;
    }
    session.readiness = pipe;
    this.#files.add({
      session,
      pipe,
      process: processOf(call.thread),
      isWritable: (flags & O.ACCMODE) !== O.RDONLY,
      position: 0,
    });
    return true;
  }

  /** `flags` of a `struct open_how`. */
  #howOf(call: NotifiedCall): number {
    const how = this.#memory.read(call, call.argument(2), 8);
    return new DataView(how.buffer).getUint32(0, true);
  }

  async #onFile(
    call: NotifiedCall,
    serve: FileCall,
  ): Promise<true | undefined> {
    const file = this.#files.find(call.thread, call.argument32(0));
    if (file === undefined) return undefined;
    const answer = await serve(file, call, this.#memory.of(call));
    this.#options.listener.answer(call, answer);
    return true;
  }

  /** `fstat` and its relatives: the client shall see a device node. */
  #stat(
    call: NotifiedCall,
    bufferAt: number,
    flagsAt?: number,
  ): true | undefined {
    const { abi, listener } = this.#options;
    const isByPath = flagsAt !== undefined &&
      (call.argument32(flagsAt) & AT_EMPTY_PATH) === 0;
    if (isByPath) return undefined;
    const file = this.#files.find(call.thread, call.argument32(0));
    if (file === undefined) return undefined;
    const { minor } = file.session;
    const bytes = call.number === abi.calls.statx
      ? encodeStatx(minor)
      : encodeStat(abi, minor);
    this.#memory.write(call, call.argument(bufferAt), bytes);
    listener.answer(call, [0, 0]);
    return true;
  }

  #close(call: NotifiedCall): undefined {
    this.#files.closing(call.thread, call.argument32(0));
  }
}

type FileCall = (
  file: OpenFile,
  call: NotifiedCall,
  memory: ClientMemory,
) => Answer | Promise<Answer>;

const ioctl: FileCall = (file, call, memory) => {
  if (!file.isWritable) return [-1, ERRNO.EPERM];
  return file.session.ioctl(call.argument32(1), call.argument(2), memory);
};

const read: FileCall = (file, call, memory) => {
  const data = readFrom(file, file.position, call.argument(2));
  memory.poke(call.argument(1), data);
  file.position += data.length;
  return [data.length, 0];
};

const readAt: FileCall = (file, call, memory) => {
  const offset = BigInt.asIntN(64, call.argument(3));
  if (offset < 0n) return [-1, ERRNO.EINVAL];
  const data = readFrom(file, bounded(offset), call.argument(2));
  memory.poke(call.argument(1), data);
  return [data.length, 0];
};

const seek: FileCall = (file, call) => {
  const [SEEK_SET, SEEK_CUR] = [0, 1];
  const whence = call.argument32(2);
  if (whence !== SEEK_SET && whence !== SEEK_CUR) return [-1, ERRNO.EINVAL];
  const from = whence === SEEK_CUR ? BigInt(file.position) : 0n;
  const position = from + BigInt.asIntN(64, call.argument(1));
  if (position < 0n) return [-1, ERRNO.EINVAL];
  file.position = bounded(position);
  return [file.position, 0];
};

function readFrom(file: OpenFile, position: number, count: bigint): Uint8Array {
  file.session.seek(position);
  return file.session.read(
    count > READ_BYTES_MAX ? READ_BYTES_MAX : Number(count),
  );
}

/** Positions beyond every descriptor are as good as each other. */
function bounded(position: bigint): number {
  return position > READ_BYTES_MAX ? READ_BYTES_MAX : Number(position);
}
