/**
 * The C library's functions that the transports of the virtual bus need. Opened
 * with a bus and closed with it.
 *
 * @module
 */

import { UsbError } from "../../driver/errors.ts";

/** Flags of `open(2)` that are the same on x86-64 and AArch64. */
export const O = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  ACCMODE: 3,
  NOCTTY: 0o400,
  NONBLOCK: 0o4000,
  CLOEXEC: 0o2000000,
} as const;

/** `errno` values the transports answer with. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  EBADF: 9,
  EACCES: 13,
  EFAULT: 14,
  EINVAL: 22,
  EMFILE: 24,
} as const;

/** `fcntl(2)`: sets a pipe's capacity in bytes. */
export const F_SETPIPE_SZ = 1031;

/**
 * Capacity of a pipe that signals readiness: the kernel rounds it up to one
 * page and so to one slot, which one byte fills.
 */
export const PIPE_CAPACITY_BYTES = 4096;

const ADDRESS = ["buffer", "u32"] as const;

const SYMBOLS = {
  mkfifo: { parameters: ["buffer", "u32"], result: "i32" },
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  pread: { parameters: ["i32", "buffer", "usize", "i64"], result: "isize" },
  pwrite: { parameters: ["i32", "buffer", "usize", "i64"], result: "isize" },
  readlink: { parameters: ["buffer", "buffer", "usize"], result: "isize" },
  pipe2: { parameters: ["buffer", "i32"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  sendto: {
    parameters: ["i32", "buffer", "usize", "i32", ...ADDRESS],
    result: "isize",
  },
  ioctl: { parameters: ["i32", "usize", "buffer"], result: "i32" },
  ioctlWithNumber: {
    name: "ioctl",
    parameters: ["i32", "usize", "usize"],
    result: "i32",
  },
  poll: { parameters: ["buffer", "usize", "i32"], result: "i32" },
  pollParked: {
    name: "poll",
    parameters: ["buffer", "usize", "i32"],
    result: "i32",
    nonblocking: true,
  },
  ppoll: { parameters: ["buffer", "usize", "buffer", "usize"], result: "i32" },
  syscall: { parameters: ["i64", "i64", "i64", "i64"], result: "i64" },
  prctl: {
    parameters: ["i32", "usize", "usize", "usize", "usize"],
    result: "i32",
  },
  openTerminal: { name: "posix_openpt", parameters: ["i32"], result: "i32" },
  grantTerminal: { name: "grantpt", parameters: ["i32"], result: "i32" },
  unlockTerminal: { name: "unlockpt", parameters: ["i32"], result: "i32" },
  terminalName: {
    name: "ptsname_r",
    parameters: ["i32", "buffer", "usize"],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** The opened C library. */
export type Libc = Deno.DynamicLibrary<typeof SYMBOLS>;

/**
 * Opens the C library.
 *
 * @throws {UsbError} `library` when it has another name here, or functions are missing.
 */
export function openLibc(): Libc {
  try {
    // SAFETY: the signatures above are those of the GNU C library's manual;
    // every buffer is ours and alive for the call, none is kept by the callee.
    return Deno.dlopen("libc.so.6", SYMBOLS);
  } catch (cause) {
    throw new UsbError({
      code: "library",
      operation: "open the C library libc.so.6",
      reason: cause instanceof Error ? cause.message : String(cause),
      advice: "The virtual bus needs Linux with the GNU C library",
      cause,
    });
  }
}

/** A string as C has it: UTF-8, ended by a zero byte. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(text);
  // A buffer of its own, as an address may be taken of it.
  const terminated = new Uint8Array(new ArrayBuffer(bytes.length + 1));
  terminated.set(bytes);
  return terminated;
}

/**
 * Makes the slack of this process's timers as small as it can be. Children
 * inherit it; the preload sleeps for zero time after each call, which otherwise
 * takes 60 microseconds and more.
 */
export function reduceTimerSlack(libc: Libc): void {
  const PR_SET_TIMERSLACK = 29;
  // SAFETY: numbers only.
  libc.symbols.prctl(PR_SET_TIMERSLACK, 1n, 0n, 0n, 0n);
}
