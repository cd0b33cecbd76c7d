/**
 * What differs between the architectures the notification transport runs on:
 * system call numbers and the layout of `struct stat`.
 *
 * @module
 */

import { UsbError } from "../../driver/errors.ts";

/** System calls the transport has notified, by name; `undefined` where there is none. */
export interface NotifiedCalls {
  readonly open: number | undefined;
  readonly openat: number;
  readonly openat2: number;
  readonly ioctl: number;
  readonly close: number;
  readonly read: number;
  readonly pread64: number;
  readonly lseek: number;
  readonly fstat: number;
  readonly newfstatat: number;
  readonly statx: number;
}

/** One architecture. */
export interface Abi {
  /** AUDIT_ARCH_*, in `struct seccomp_data`. Linux, include/uapi/linux/audit.h. */
  readonly auditArchitecture: number;
  /** Numbers from here on belong to x32 and are refused; `undefined` where there is no such thing. */
  readonly foreignNumbersFrom: number | undefined;
  readonly calls: NotifiedCalls;
  /** `seccomp(2)`. */
  readonly seccomp: number;
  /** Length and offsets of `struct stat`, in bytes. Linux, arch/*\/include/uapi/asm/stat.h. */
  readonly stat: {
    readonly lengthBytes: number;
    readonly mode: number;
    readonly linkCount: number;
    readonly linkCountBytes: 4 | 8;
    readonly deviceNumbers: number;
  };
}

/** System calls with the same number everywhere. */
export const COMMON_CALLS = { pidfdOpen: 434, pidfdGetfd: 438 } as const;

const X86_64: Abi = {
  auditArchitecture: 0xc000003e,
  foreignNumbersFrom: 0x40000000,
  calls: {
    open: 2,
    openat: 257,
    openat2: 437,
    ioctl: 16,
    close: 3,
    read: 0,
    pread64: 17,
    lseek: 8,
    fstat: 5,
    newfstatat: 262,
    statx: 332,
  },
  seccomp: 317,
  stat: {
    lengthBytes: 144,
    linkCount: 16,
    linkCountBytes: 8,
    mode: 24,
    deviceNumbers: 40,
  },
};

const AARCH64: Abi = {
  auditArchitecture: 0xc00000b7,
  foreignNumbersFrom: undefined,
  calls: {
    open: undefined,
    openat: 56,
    openat2: 437,
    ioctl: 29,
    close: 57,
    read: 63,
    pread64: 67,
    lseek: 62,
    fstat: 80,
    newfstatat: 79,
    statx: 291,
  },
  seccomp: 277,
  stat: {
    lengthBytes: 128,
    mode: 16,
    linkCount: 20,
    linkCountBytes: 4,
    deviceNumbers: 32,
  },
};

/** The architectures known here, by Deno's names. */
export const ABIS: Readonly<Record<typeof Deno.build.arch, Abi>> = {
  "x86_64": X86_64,
  aarch64: AARCH64,
};

/** @throws {UsbError} `notSupported` on another architecture. */
export function abiOf(architecture: string): Abi {
  const abi = Object.entries(ABIS).find(([name]) => name === architecture)?.[1];
  if (abi !== undefined) return abi;
  throw new UsbError({
    code: "notSupported",
    operation: "serve a virtual bus by seccomp notification",
    reason: `${architecture} is not among the known architectures`,
    advice: "Use the preload transport",
  });
}

/** USB_DEVICE_MAJOR: device nodes of usbfs. */
const MAJOR = 189;
/** A character device anybody may read and write. */
const MODE = 0o020666;

/** `struct stat` of a device node. */
export function encodeStat(abi: Abi, minor: number): Uint8Array<ArrayBuffer> {
  const { stat } = abi;
  const view = new DataView(new ArrayBuffer(stat.lengthBytes));
  view.setUint32(stat.mode, MODE, true);
  view.setUint32(stat.linkCount, 1, true);
  const numbers = minor & 0xff | MAJOR << 8 | (minor & ~0xff) << 12;
  view.setBigUint64(stat.deviceNumbers, BigInt(numbers >>> 0), true);
  return new Uint8Array(view.buffer);
}

/** `struct statx` of a device node, the same on every architecture. */
export function encodeStatx(minor: number): Uint8Array<ArrayBuffer> {
  const STATX_BASIC_STATS = 0x7ff;
  const view = new DataView(new ArrayBuffer(256));
  view.setUint32(0, STATX_BASIC_STATS, true);
  view.setUint32(16, 1, true); // stx_nlink
  view.setUint16(28, MODE, true); // stx_mode
  view.setUint32(128, MAJOR, true); // stx_rdev_major
  view.setUint32(132, minor, true); // stx_rdev_minor
  return new Uint8Array(view.buffer);
}
