/** What our clients share: libusb's path, clocks, and the count of a running case. */

import { cpuUsage } from "node:process";
import { libraryCandidates } from "../../ffi/library.ts";
import { LIBUSB_TRANSFER_TYPE } from "../../ffi/libusb_constants.ts";
import type { Measurement } from "./cases.ts";

/** Packets of an isochronous transfer, as in client.c. */
export const ISO_PACKETS = 8;

/** The first libusb there is, by absolute path. */
export function findLibrary(): string | undefined {
  const { os, arch } = Deno.build;
  return libraryCandidates({ os, arch }).find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

/** CLOCK_MONOTONIC in nanoseconds, which the fake device stamps its data with. */
export function monotonicClock(library: string): () => number {
  const time = new BigInt64Array(2);
  // SAFETY: clock_gettime writes one struct timespec, 16 bytes, into `time`.
  const { symbols } = Deno.dlopen(library, {
    clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  });
  const words = new Uint32Array(time.buffer);
  return () => {
    symbols.clock_gettime(1, time);
    return (words[0] ?? 0) * 1e9 + (words[2] ?? 0);
  };
}

/** CPU time of this process: from Node's own accounting, which needs no permission. */
export function processCpuNs(): number {
  const { user, system } = cpuUsage();
  return (user + system) * 1000;
}

/** A case as a client sees it. */
export interface Job {
  readonly text: string;
  readonly model: readonly [mode: number, a: number, b: number];
  readonly endpoint: number;
  /** `LIBUSB_TRANSFER_TYPE_*` of that endpoint of the fake device. */
  readonly type: number;
  readonly bytes: number;
  readonly depth: number;
  readonly count: number;
  readonly latency: boolean;
}

/** Types of the fake device's endpoints, by number. */
const TYPES = [
  LIBUSB_TRANSFER_TYPE.CONTROL,
  LIBUSB_TRANSFER_TYPE.INTERRUPT,
  LIBUSB_TRANSFER_TYPE.BULK,
  LIBUSB_TRANSFER_TYPE.ISOCHRONOUS,
];

/** From its line, see cases.ts. */
export function jobFrom(text: string): Job {
  const [
    mode = 0,
    a = 0,
    b = 0,
    endpoint = 0,
    bytes = 0,
    depth = 0,
    count = 0,
    latency = 0,
  ] = text.split(",").map(Number);
  return {
    text,
    model: [mode, a, b],
    endpoint,
    type: TYPES[endpoint & 0x7f] ?? LIBUSB_TRANSFER_TYPE.BULK,
    bytes,
    depth,
    count,
    latency: latency !== 0,
  };
}

/** What a running case has seen. */
export class Tally {
  completed = 0;
  bad = 0;
  /** CPU time of the fake device's helper before the case. */
  helperNs = 0;
  readonly latencies: Float64Array;
  readonly finished: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly job: Job;
  /** CLOCK_MONOTONIC in nanoseconds. */
  readonly nowNs: () => number;
  #expected = 0;

  /** For one case. */
  constructor(job: Job, nowNs: () => number) {
    this.job = job;
    this.nowNs = nowNs;
    this.latencies = new Float64Array(job.latency ? job.count : 0);
  }

  /** Records one completion; `startedNs` matters where the data carry no stamp. */
  record(data: Uint8Array, startedNs: number): void {
    const { job } = this;
    if (this.completed >= job.count) return;
    if ((job.endpoint & 0x80) !== 0) {
      const sequence = (data[0] ?? 0) | (data[1] ?? 0) << 8 |
        (data[2] ?? 0) << 16 | (data[3] ?? 0) << 24;
      if (data.length !== job.bytes || sequence !== this.#expected++) {
        this.bad++;
      }
    }
    if (job.latency) {
      const fromNs = job.model[0] !== 0 ? stampOf(data) : startedNs;
      this.latencies[this.completed] = this.nowNs() - fromNs;
    }
    if (++this.completed === job.count) this.finished.resolve();
  }
}

function stampOf(data: Uint8Array): number {
  const view = new DataView(data.buffer, data.byteOffset);
  return view.getUint32(8, true) + view.getUint32(12, true) * 2 ** 32;
}

/** The line a client prints for a case. */
export function resultLine(
  tally: Tally,
  { wallNs, cpuNs }: { readonly wallNs: number; readonly cpuNs: number },
): string {
  const sorted = tally.latencies.sort();
  const at = (part: number): number =>
    sorted[Math.floor(sorted.length * part)] ?? 0;
  const measurement: Measurement = {
    case: tally.job.text,
    count: tally.completed,
    wallNs,
    cpuNs,
    bad: tally.bad,
    p50Ns: at(0.5),
    p99Ns: at(0.99),
  };
  return JSON.stringify(measurement);
}
