/**
 * What is measured, and the targets. A case is a line of numbers that every
 * client understands: mode, a, b, endpoint, bytes, depth, count, latency; the
 * device models behind `mode` stand in `fake_usbfs.c`.
 */

/** One case, on one device model. */
export interface Case {
  readonly name: string;
  readonly model: readonly [mode: number, a: number, b: number];
  readonly endpoint: number;
  readonly bytes: number;
  readonly depth: number;
  /** Transfers C makes; slower peers make fewer, so that each takes its share of the time. */
  readonly count: number;
  readonly latency: boolean;
}

const IMMEDIATE = [0, 0, 0] as const;
/** 5 µs and 2.5 µs per KiB: a SuperSpeed bus of about 400 MB/s. */
const BUS = [2, 5_000, 2_500] as const;
/** The system calls of usbfs, which every program pays alike. */
const AS_USBFS = [4, 0, 0] as const;
/** Done by the next look, and never inside the submit: as no other one here, as every real one. */
const NEXT_LOOK = [5, 0, 0] as const;
/** The default control pipe: the fake device's vendor request with data. */
const CONTROL_IN = 0x80;
const INTERRUPT_IN = 0x81;
const BULK_IN = 0x82;
const BULK_OUT = 0x02;
const ISOCHRONOUS_IN = 0x83;

const DEPTHS = [1, 4, 16, 32] as const;

/**
 * Shallow queues are slow and would take most of the time; deep ones are over so
 * soon that one collection of garbage decides.
 */
function shareOf(depth: number): number {
  return depth >= 16 ? 3 : Math.min(1, depth / 4);
}

function bulk(endpoint: number, bytes: number, count: number): Case[] {
  const way = endpoint === BULK_IN ? "in" : "out";
  return DEPTHS.map((depth) => ({
    name: `bulk ${way} ${sizeName(bytes)} depth ${depth}`,
    model: IMMEDIATE,
    endpoint,
    bytes,
    depth,
    count: count * shareOf(depth),
    latency: false,
  }));
}

function asUsbfs(bytes: number, depth: number): Case[] {
  return [{
    name: `with usbfs's system calls ${sizeName(bytes)} depth ${depth}`,
    model: AS_USBFS,
    endpoint: BULK_IN,
    bytes,
    depth,
    count: 20_000,
    latency: false,
  }];
}

/** Whether it is one of the cases with usbfs's system calls. */
function isAsUsbfs({ model: [mode] }: Case): boolean {
  return mode === AS_USBFS[0];
}

function byNextLook(bytes: number, depth: number): Case {
  return {
    name: `done by the next look ${sizeName(bytes)} depth ${depth}`,
    model: NEXT_LOOK,
    endpoint: BULK_IN,
    bytes,
    depth,
    count: 60_000 * shareOf(depth),
    latency: false,
  };
}

/** Whether it is one of the cases of a device that is done by the next look. */
export function isByNextLook({ model: [mode] }: Case): boolean {
  return mode === NEXT_LOOK[0];
}

/** Whether the device takes its time, whoever asks. */
export function isTimed(c: Case): boolean {
  return c.model[0] !== IMMEDIATE[0] && !isAsUsbfs(c) && !isByNextLook(c);
}

/** `64 B`, `16 KiB`. */
export function sizeName(bytes: number): string {
  return bytes < 1024 ? `${bytes} B` : `${bytes / 1024} KiB`;
}

/** Every case, in the order they are run. */
export const CASES: readonly Case[] = [
  {
    name: "interrupt round trip 64 B depth 1",
    model: IMMEDIATE,
    endpoint: INTERRUPT_IN,
    bytes: 64,
    depth: 1,
    count: 30_000,
    latency: true,
  },
  ...bulk(BULK_IN, 64, 120_000),
  ...bulk(BULK_IN, 512, 60_000),
  ...bulk(BULK_IN, 16_384, 60_000),
  ...bulk(BULK_IN, 262_144, 4_000),
  ...bulk(BULK_OUT, 64, 60_000),
  ...bulk(BULK_OUT, 512, 60_000),
  ...bulk(BULK_OUT, 16_384, 30_000),
  ...bulk(BULK_OUT, 262_144, 2_000),
  {
    name: "control in 64 B",
    model: IMMEDIATE,
    endpoint: CONTROL_IN,
    bytes: 64,
    depth: 1,
    count: 15_000,
    latency: true,
  },
  {
    name: "isochronous in 8 × 512 B depth 4",
    model: IMMEDIATE,
    endpoint: ISOCHRONOUS_IN,
    bytes: 4_096,
    depth: 4,
    count: 20_000,
    latency: false,
  },
  ...asUsbfs(64, 1),
  ...asUsbfs(64, 16),
  ...asUsbfs(64, 32),
  ...asUsbfs(16_384, 16),
  ...DEPTHS.map((depth) => byNextLook(64, depth)),
  byNextLook(16_384, 16),
  {
    name: "bus model 16 KiB depth 8",
    model: BUS,
    endpoint: BULK_IN,
    bytes: 16_384,
    depth: 8,
    count: 6_000,
    latency: false,
  },
  {
    name: "bus model 256 KiB depth 8",
    model: BUS,
    endpoint: BULK_IN,
    bytes: 262_144,
    depth: 8,
    count: 300,
    latency: false,
  },
  {
    name: "interrupts each 125 µs",
    model: [3, 125_000, 0],
    endpoint: INTERRUPT_IN,
    bytes: 64,
    depth: 4,
    // Of a driver that runs for months, not of its first second.
    count: 6_000,
    latency: true,
  },
  {
    name: "interrupts each 1 ms (parked)",
    model: [3, 1_000_000, 0],
    endpoint: INTERRUPT_IN,
    bytes: 64,
    depth: 2,
    count: 250,
    latency: true,
  },
];

/** The case as its line, with a share of its transfers. */
export function caseLine(c: Case, share: number): string {
  const count = Math.max(c.depth * 4, Math.round(c.count * share));
  return [...c.model, c.endpoint, c.bytes, c.depth, count, Number(c.latency)]
    .join(",");
}

/** What a client prints for a case. */
export interface Measurement {
  readonly case: string;
  readonly count: number;
  readonly wallNs: number;
  readonly cpuNs: number;
  /** Transfers with wrong data or status: any makes the row void. */
  readonly bad: number;
  readonly p50Ns: number;
  readonly p99Ns: number;
}

/** A figure of a row: what is compared with C's. */
export type Figure = "throughput" | "cpu" | "p50";

/** A promise of the project about one figure: a ratio to another peer in the same round. */
export interface Target {
  readonly peer: string;
  readonly case: string;
  readonly figure: Figure;
  readonly against: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

const faster = (
  c: string,
  atLeast: number,
  options: { readonly peer?: string; readonly against?: string } = {},
): Target => ({
  peer: options.peer ?? "driverspace",
  case: c,
  figure: "throughput",
  against: options.against ?? "C",
  atLeast,
});
const within = (c: string, figure: Figure, atMost: number): Target => ({
  peer: "driverspace",
  case: c,
  figure,
  against: "C",
  atMost,
});

/** The targets, as agreed for this project: of a program under scoped flags. */
const OURS: readonly Target[] = [
  faster("bulk in 64 B depth 32", 0.80),
  faster("bulk in 16 KiB depth 32", 0.90),
  faster("bulk in 256 KiB depth 32", 0.90),
  faster("bulk in 64 B depth 16", 0.65),
  faster("bulk in 16 KiB depth 16", 0.85),
  faster("bus model 16 KiB depth 8", 0.97),
  faster("bus model 256 KiB depth 8", 0.97),
  within("interrupt round trip 64 B depth 1", "p50", 2.5),
  within("interrupts each 125 µs", "p50", 1.1),
  within("interrupts each 125 µs", "cpu", 2),
  within("interrupts each 1 ms (parked)", "p50", 2),
  faster("bulk in 64 B depth 16", 8, { against: "npm usb 2" }),
  faster("bulk in 16 KiB depth 16", 5, { against: "npm usb 2" }),
  faster("bulk in 64 B depth 16", 2, {
    peer: "driverspace, fresh buffers",
    against: "npm usb 2",
  }),
  faster("bulk in 16 KiB depth 16", 2, {
    peer: "driverspace, fresh buffers",
    against: "npm usb 2",
  }),
];

/** Every target. A driver process in the sandbox has to meet the same. */
export const TARGETS: readonly Target[] = [
  ...OURS,
  ...OURS.filter(({ peer }) => peer === "driverspace")
    .map((target) => ({ ...target, peer: "driverspace, sandboxed" })),
];

/** Whether targets are about it, or it is nearer to a real device than those. */
export function isPromised(c: Case): boolean {
  return isAsUsbfs(c) || isByNextLook(c) ||
    TARGETS.some((target) => target.case === c.name);
}

/** Whether a copy is much of it. */
export function isForMapped(c: Case): boolean {
  return c.endpoint === BULK_IN && c.model === IMMEDIATE && c.depth === 16 &&
    c.bytes >= 16_384;
}
