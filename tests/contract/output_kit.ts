/** What the tests of standing outputs share. */

import type {
  DevicePort,
  OutputCounters,
  OutputEnd,
  OutputOptions,
  OutputRing,
} from "../../driver/port.ts";
import { pattern } from "../../driver/sim/devices/loopback.ts";
import { assertEquals } from "../../driver/std.ts";
import type { ContractBench } from "./bench.ts";
import { type Opened, SINK } from "./contract_kit.ts";

/** `submitted = completed + inFlight`, `completed = delivered + failed + cancelled`. */
export function assertOutputLaw(counters: OutputCounters): void {
  const { completed, delivered, failed, cancelled } = counters;
  const shown = JSON.stringify(counters);
  assertEquals(counters.submitted, completed + counters.inFlight, shown);
  assertEquals(completed, delivered + failed + cancelled, shown);
}

/** A source of the sink's pattern, until it has nothing. */
export class Feeder {
  readonly ends: OutputEnd[] = [];
  readonly lengths: number[] = [];
  /** How many more transfers it fills. */
  left: number;
  /** Calls of the source. */
  asked = 0;
  ring: OutputRing | undefined;
  #atBytes = 0;

  constructor(left = Infinity) {
    this.left = left;
  }

  readonly source = (data: Uint8Array): number | undefined => {
    this.asked++;
    this.lengths.push(data.length);
    if (this.ring !== undefined) assertOutputLaw(this.ring.counters);
    if (this.left <= 0) return undefined;
    this.left--;
    data.set(pattern(this.#atBytes, data.length));
    this.#atBytes += data.length;
    return data.length;
  };

  readonly onEnd = (end: OutputEnd): void => {
    this.ends.push(end);
    if (this.ring !== undefined) assertOutputLaw(this.ring.counters);
  };

  /** Opens an output that it feeds. */
  feed(
    device: DevicePort,
    options: Partial<OutputOptions> = {},
  ): OutputRing {
    this.ring = device.openOutput({
      endpoint: SINK,
      transfersInFlight: 4,
      transferLengthBytes: 1024,
      source: this.source,
      onEnd: this.onEnd,
      ...options,
    });
    return this.ring;
  }
}

/** What the sink took: bytes, and words that were not next. */
export async function sunk(
  bench: ContractBench,
  { id }: Opened,
): Promise<[bytes: number, errors: number]> {
  const { sinkBytes = NaN, sinkErrors = NaN } = await bench.bus.observed(id);
  return [sinkBytes, sinkErrors];
}

/** A source of those answers, one after the other, then of nothing. */
export function answers(...values: unknown[]): OutputOptions["source"] {
  return () => values.shift() as number | undefined;
}
