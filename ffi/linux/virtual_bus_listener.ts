/**
 * The kernel's side of seccomp user notification: receives the system calls of
 * clients and answers them.
 *
 * @module
 */

import type { Answer } from "../../driver/sim/usbfs_contract.ts";
import type { WaitingCall } from "./virtual_bus_client_memory.ts";
import { type Libc, O } from "./virtual_bus_libc.ts";

/** Requests on a listener. Linux, include/uapi/linux/seccomp.h. */
const NOTIF_RECV = 0xc0502100n;
const NOTIF_SEND = 0xc0182101n;
const NOTIF_ID_VALID = 0x40082102n;
const NOTIF_ADDFD = 0x40182103n;
const NOTIF_SET_FLAGS = 0x40082104n;

const CONTINUE = 1;
const ADDFD_SETFD_AND_SEND = 3;
/** Client and we take turns: who wakes the other is about to sleep itself. */
const SYNC_WAKE_UP = 1n;

/** Linux, include/uapi/asm-generic/poll.h. */
const POLLIN = 0x1;
const POLLERR_HUP_NVAL = 0x38;
/** `struct pollfd`, in bytes: descriptor, events, and what was found, in the upper half of the second word. */
const POLL_BYTES = 8;
/** Entries before those of the pipes. */
const FIXED = 2;

/** A system call that waits for an answer. */
export class NotifiedCall implements WaitingCall {
  readonly #listener: NotificationListener;
  readonly #request: DataView<ArrayBuffer>;

  /** `request` is a `struct seccomp_notif`. */
  constructor(
    listener: NotificationListener,
    request: DataView<ArrayBuffer>,
  ) {
    this.#listener = listener;
    this.#request = request;
  }

  /** Names it towards the kernel. */
  get id(): bigint {
    return this.#request.getBigUint64(0, true);
  }

  get thread(): number {
    return this.#request.getUint32(8, true);
  }

  /** Number of the system call. */
  get number(): number {
    return this.#request.getInt32(16, true);
  }

  /** One of its six arguments, whole. */
  argument(index: number): bigint {
    return this.#request.getBigUint64(32 + 8 * index, true);
  }

  /** The low 32 bits of an argument: a descriptor, flags, a request number. */
  argument32(index: number): number {
    return this.#request.getUint32(32 + 8 * index, true);
  }

  isWaiting(): boolean {
    return this.#listener.isWaiting(this.id);
  }
}

/** A listener and what is watched with it. Closing twice is a no-op. */
export class NotificationListener implements Disposable {
  readonly #libc: Libc;
  readonly #descriptor: number;
  readonly #wake: number;
  readonly #timeout = new BigInt64Array(2);
  /** An array of `struct pollfd`: the listener, the wake-up, the pipes. */
  #polled = new Int32Array(new ArrayBuffer(0));
  #isOpen = true;

  /** Takes the listener's descriptor over; `lingerUs` as in NotifyOptions. */
  constructor(libc: Libc, descriptor: number, lingerUs: number) {
    this.#libc = libc;
    this.#descriptor = descriptor;
    this.#wake = libc.symbols.eventfd(0, O.CLOEXEC | O.NONBLOCK);
    this.#timeout[1] = BigInt(lingerUs) * 1000n; // struct timespec
    // Kernels before 6.6 do not know it and wake as ever.
    // SAFETY: numbers only.
    libc.symbols.ioctlWithNumber(descriptor, NOTIF_SET_FLAGS, SYNC_WAKE_UP);
    this.watch([]);
  }

  /** Sets the pipes to wait for besides calls: those whose last writer may go. */
  watch(pipes: readonly number[]): void {
    // A new buffer: `park` may still be using the old one.
    const polled = new Int32Array(
      new ArrayBuffer((FIXED + pipes.length) * POLL_BYTES),
    );
    polled.set([this.#descriptor, POLLIN, this.#wake, POLLIN]);
    // Ends are reported unasked.
    pipes.forEach((pipe, index) => polled[(FIXED + index) * 2] = pipe);
    this.#polled = polled;
  }

  /** Waits a moment, on this thread, for a call or an end; says whether there is one. */
  linger(): boolean {
    const polled = this.#polled;
    const count = BigInt(polled.byteLength / POLL_BYTES);
    // SAFETY: both buffers are ours and whole; no signal mask.
    return this.#libc.symbols.ppoll(polled, count, this.#timeout, 0n) > 0;
  }

  /** Waits, off this thread, for a call, an end or `wake()`. */
  async park(): Promise<void> {
    const polled = this.#polled;
    const count = BigInt(polled.byteLength / POLL_BYTES);
    // SAFETY: the buffer is referred to by this frame until the call is over.
    await this.#libc.symbols.pollParked(polled, count, -1);
  }

  /** What the last wait found of the listener: a call to receive, or no client left. */
  get state(): "call" | "quiet" | "noClients" {
    const events = this.#found(0);
    if ((events & POLLIN) !== 0) return "call";
    return (events & POLLERR_HUP_NVAL) !== 0 ? "noClients" : "quiet";
  }

  /** Whether the last wait found an end. */
  get hasEnds(): boolean {
    for (let at = FIXED; at < this.#polled.length / 2; at++) {
      if ((this.#found(at) & POLLERR_HUP_NVAL) !== 0) return true;
    }
    return false;
  }

  /** The watched pipes whose last writer is gone now. */
  ended(): ReadonlySet<number> {
    const polled = this.#polled;
    const count = BigInt(polled.byteLength / POLL_BYTES);
    // SAFETY: a whole array of struct pollfd of ours.
    this.#libc.symbols.poll(polled, count, 0);
    const ended = new Set<number>();
    for (let at = FIXED; at < polled.length / 2; at++) {
      if ((this.#found(at) & POLLERR_HUP_NVAL) === 0) continue;
      ended.add(polled[2 * at] ?? -1);
    }
    return ended;
  }

  /** The next call; `undefined` when its thread was killed meanwhile. */
  receive(): NotifiedCall | undefined {
    const request = new DataView(new ArrayBuffer(80)); // struct seccomp_notif
    // SAFETY: the whole structure, zeroed as the kernel demands, for the call.
    const result = this.#ioctl(NOTIF_RECV, request);
    return result < 0 ? undefined : new NotifiedCall(this, request);
  }

  /** Whether a call still waits for its answer. */
  isWaiting(id: bigint): boolean {
    const box = BigUint64Array.of(id);
    // SAFETY: eight bytes of ours are read.
    return this.#isOpen && this.#ioctl(NOTIF_ID_VALID, box) === 0;
  }

  /** Answers a call. One whose client is gone is nobody's. */
  answer(call: NotifiedCall, [result, errno]: Answer): void {
    this.#send(call.id, errno === 0 ? result : 0, -errno, 0);
  }

  /** Lets the client make the call itself. */
  pass(call: NotifiedCall): void {
    this.#send(call.id, 0, 0, CONTINUE);
  }

  /**
   * Answers a call with a new descriptor of the client's, a copy of ours.
   * Gives `false`, and does not answer, when the client cannot have it.
   */
  give(
    call: NotifiedCall,
    ours: number,
    options: { readonly descriptor: number; readonly closeOnExec: boolean },
  ): boolean {
    const { descriptor, closeOnExec } = options;
    const request = new DataView(new ArrayBuffer(24)); // struct seccomp_notif_addfd
    request.setBigUint64(0, call.id, true);
    request.setUint32(8, ADDFD_SETFD_AND_SEND, true);
    request.setUint32(12, ours, true);
    request.setUint32(16, descriptor, true);
    request.setUint32(20, closeOnExec ? O.CLOEXEC : 0, true);
    // SAFETY: the whole structure, for the call.
    return this.#ioctl(NOTIF_ADDFD, request) >= 0;
  }

  /** Ends `park`. */
  wake(): void {
    const one = BigUint64Array.of(1n);
    // SAFETY: eight bytes of ours are read.
    if (this.#isOpen) this.#libc.symbols.write(this.#wake, one, 8n);
  }

  /** Closes the listener: calls that wait, and later ones, fail with ENOSYS. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#libc.symbols.close(this.#descriptor);
    this.#libc.symbols.close(this.#wake);
  }

  /** Closes the listener at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }

  #send(id: bigint, result: number, error: number, flags: number): void {
    if (!this.#isOpen) return;
    const response = new DataView(new ArrayBuffer(24)); // struct seccomp_notif_resp
    response.setBigUint64(0, id, true);
    response.setBigInt64(8, BigInt(result), true);
    response.setInt32(16, error, true);
    response.setUint32(20, flags, true);
    this.#ioctl(NOTIF_SEND, response);
  }

  #ioctl(request: bigint, argument: ArrayBufferView<ArrayBuffer>): number {
    // SAFETY: callers pass the structure the request names, whole and ours.
    return this.#libc.symbols.ioctl(
      this.#descriptor,
      request,
      argument as Uint8Array<ArrayBuffer>,
    );
  }

  /** `revents` of an entry: the upper half of its second word. */
  #found(at: number): number {
    return (this.#polled[2 * at + 1] ?? 0) >> 16;
  }
}
