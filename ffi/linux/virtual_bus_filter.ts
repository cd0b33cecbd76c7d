/**
 * The seccomp filter of a client: which of its system calls the bus is asked
 * about. Everything else runs as ever, at no cost.
 *
 * @module
 */

import { assert } from "../../driver/assert.ts";
import type { Abi } from "./virtual_bus_abi.ts";

/**
 * First number of the descriptors given to clients, far from what programs use
 * and below the usual limit of 1024 open files.
 */
export const FIRST_DESCRIPTOR = 900;
/** Where a launcher leaves the device for a sandboxed driver. */
export const INHERITED_DESCRIPTOR = 100;

/** Conditional jump or other instruction: operation, constant, label if true, label if false. */
type Line = readonly [
  operation: number,
  constant: number,
  whenTrue?: string,
  whenFalse?: string,
];

/** Linux, include/uapi/linux/bpf_common.h. */
const LOAD = 0x20;
const AND = 0x54;
const EQUAL = 0x15;
const NOT_BELOW = 0x35;
const RETURN = 0x06;

/** Linux, include/uapi/linux/seccomp.h. */
const ALLOW = 0x7fff0000;
const NOTIFY = 0x7fc00000;
const KILL_PROCESS = 0x80000000;

/** Offsets in `struct seccomp_data`. */
const NUMBER = 0;
const ARCHITECTURE = 4;

/** The low half of an argument; both architectures are little endian. */
function argument(index: number): number {
  return 16 + 8 * index;
}

/** The program, eight bytes an instruction. */
export function assembleFilter(abi: Abi): Uint8Array<ArrayBuffer> {
  const { calls, foreignNumbersFrom } = abi;
  const opens = [calls.open, calls.openat, calls.openat2];
  const onDescriptors = [
    calls.close,
    calls.read,
    calls.pread64,
    calls.lseek,
    calls.fstat,
    calls.newfstatat,
    calls.statx,
  ];
  const foreign: Line[] = foreignNumbersFrom === undefined
    ? []
    : [[NOT_BELOW, foreignNumbersFrom, "kill"]];
  return assemble([
    // Another architecture's numbers mean other calls, which could reach real devices.
    [LOAD, ARCHITECTURE],
    [EQUAL, abi.auditArchitecture, "number", "kill"],
    "number",
    [LOAD, NUMBER],
    ...foreign,
    ...opens.filter((call) => call !== undefined)
      .map((call): Line => [EQUAL, call, "notify"]),
    [EQUAL, calls.ioctl, "ioctl"],
    ...onDescriptors.map((call): Line => [EQUAL, call, "descriptor"]),
    [RETURN, ALLOW],
    "ioctl", // Type 'U' is usbfs, on any descriptor: a client may duplicate it.
    [LOAD, argument(1)],
    [AND, 0xff00],
    [EQUAL, 0x5500, "notify", "pass"],
    "descriptor",
    [LOAD, argument(0)],
    [EQUAL, INHERITED_DESCRIPTOR, "notify"],
    [NOT_BELOW, 0x80000000, "pass"], // AT_FDCWD
    [NOT_BELOW, FIRST_DESCRIPTOR, "notify"],
    "pass",
    [RETURN, ALLOW],
    "notify",
    [RETURN, NOTIFY],
    "kill",
    [RETURN, KILL_PROCESS],
  ]);
}

/** Strings are labels, of the instruction that follows. */
function assemble(source: readonly (Line | string)[]): Uint8Array<ArrayBuffer> {
  const labels = new Map<string, number>();
  const lines: Line[] = [];
  for (const line of source) {
    if (typeof line === "string") labels.set(line, lines.length);
    else lines.push(line);
  }
  const view = new DataView(new ArrayBuffer(lines.length * 8));
  const distance = (label: string | undefined, from: number): number => {
    if (label === undefined) return 0;
    const skip = (labels.get(label) ?? -1) - from - 1;
    assert(skip >= 0 && skip <= 0xff, `Cannot jump to ${label}`);
    return skip;
  };
  lines.forEach(([operation, constant, whenTrue, whenFalse], index) => {
    view.setUint16(8 * index, operation, true);
    view.setUint8(8 * index + 2, distance(whenTrue, index));
    view.setUint8(8 * index + 3, distance(whenFalse, index));
    view.setUint32(8 * index + 4, constant, true);
  });
  return new Uint8Array(view.buffer);
}
