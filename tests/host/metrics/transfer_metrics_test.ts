/** What a driver says it moved, as metrics: the truth, lies, and restarts. */

import { DriverMetrics } from "../../../driver/host/metrics/driver_metrics.ts";
import { FAMILIES } from "../../../driver/host/metrics/families.ts";
import { MetricRegistry } from "../../../driver/host/metrics/registry.ts";
import { LABELLED_ENDPOINTS_MAX } from "../../../driver/host/metrics/transfer_metrics.ts";
import type { DriverFrame } from "../../../driver/host/wire.ts";
import type { WireTelemetry } from "../../../driver/host/wire_telemetry.ts";
import { Chance } from "../../../driver/loop/chance.ts";
import { VirtualClock } from "../../../driver/loop/clock.ts";
import { TRANSFER_TYPES } from "../../../driver/loop/telemetry.ts";
import {
  assert,
  assertEquals,
  assertLess,
  assertStringIncludes,
} from "../../../driver/std.ts";
import { beat, READY, TELEMETRY } from "../fake_process.ts";

class Bench {
  readonly registry = new MetricRegistry(FAMILIES);
  readonly metrics = new DriverMetrics(this.registry, {
    driver: "dmm",
    clock: new VirtualClock(),
  });

  beat(telemetry: WireTelemetry): void {
    this.metrics.frame({ ...beat(1), telemetry } as DriverFrame);
  }

  /** Every sample of the exposition that is no gauge, by name and labels. */
  counters(): Map<string, number> {
    const gauges = FAMILIES.filter(({ type }) => type === "gauge")
      .map(({ name }) => name);
    const samples = this.registry.exposition().split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .filter((line) => !gauges.some((name) => line.startsWith(`${name}{`)));
    return new Map(samples.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }));
  }

  has(...lines: readonly string[]): void {
    const text = this.registry.exposition();
    for (const line of lines) {
      assertStringIncludes(text, `driverspace_${line}\n`);
    }
  }
}

Deno.test("What a driver moved is shown by endpoint, type and status", () => {
  const bench = new Bench();
  bench.beat(TELEMETRY);
  bench.has(
    'transfers_total{driver="dmm",endpoint="0x81",type="interrupt",status="completed"} 2',
    'transfers_total{driver="dmm",endpoint="0x81",type="interrupt",status="stall"} 1',
    'transfers_total{driver="dmm",endpoint="0x81",type="interrupt",status="overflow"} 0',
    'transfers_total{driver="dmm",endpoint="0x00",type="control",status="completed"} 3',
    'transfer_bytes_total{driver="dmm",endpoint="0x81",direction="in"} 16',
    'transfer_bytes_total{driver="dmm",endpoint="0x00",direction="out"} 8',
    'transfer_duration_seconds_bucket{driver="dmm",type="control",le="0.00005"} 2',
    'transfer_duration_seconds_count{driver="dmm",type="control"} 3',
    'transfer_duration_seconds_sum{driver="dmm",type="control"} 0.00025',
    'transfer_duration_seconds_count{driver="dmm",type="bulk"} 0',
    'handler_latency_seconds_count{driver="dmm"} 2',
    'handler_latency_seconds_sum{driver="dmm"} 0.0015',
    'transfers_in_flight{driver="dmm",endpoint="0x81"} 2',
    'endpoint_paused{driver="dmm",endpoint="0x81"} 1',
    'endpoint_paused{driver="dmm",endpoint="0x00"} 0',
    'retries_total{driver="dmm",reason="stall"} 1',
    'retries_total{driver="dmm",reason="reset"} 0',
    'mailbox_dropped_total{driver="dmm",endpoint="0x81",lane="reports",policy="keepLatest"} 5',
    'mailbox_dropped_total{driver="dmm",endpoint="0x81",lane="reports",policy="dropOldest"} 0',
    'mailbox_dropped_total{driver="dmm",endpoint="",lane="commands",policy="refuse"} 2',
    'mailbox_dropped_total{driver="dmm",endpoint="",lane="events",policy="refuse"} 0',
    'log_lines_total{driver="dmm",level="info"} 4',
    'log_dropped_total{driver="dmm",reason="queue"} 1',
  );
  assert(
    !bench.registry.exposition().includes('endpoint="0x81",direction="out"'),
    "An IN endpoint moves nothing out",
  );
});

Deno.test("The same sums again add nothing; after a restart they go on", () => {
  const bench = new Bench();
  bench.beat(TELEMETRY);
  const once = bench.counters();
  bench.beat(TELEMETRY);
  const again = bench.counters();
  for (const [name, value] of once) {
    if (!name.includes("loop_lag")) assertEquals(again.get(name), value, name);
  }
  bench.metrics.ended("fault");
  bench.has(
    'transfers_in_flight{driver="dmm",endpoint="0x81"} 0',
    'endpoint_paused{driver="dmm",endpoint="0x81"} 0',
  );
  bench.metrics.frame(READY);
  bench.beat(TELEMETRY);
  bench.has(
    'transfers_total{driver="dmm",endpoint="0x81",type="interrupt",status="completed"} 4',
    'handler_latency_seconds_count{driver="dmm"} 4',
    'log_lines_total{driver="dmm",level="info"} 8',
  );
});

Deno.test("What came since the last heartbeat is in the last frame, and is counted", () => {
  const bench = new Bench();
  bench.metrics.frame({
    type: "exit",
    reason: "clean",
    message: "Stopped",
    telemetry: TELEMETRY,
  });
  bench.metrics.ended("clean");
  bench.has(
    'transfers_total{driver="dmm",endpoint="0x81",type="interrupt",status="completed"} 2',
  );
});

Deno.test("A driver that lies makes no counter go down and no label grow without bound", () => {
  const bench = new Bench();
  const chance = new Chance(11);
  const number = (): number =>
    chance.pick([
      0,
      1,
      chance.integer(0, 1_000),
      chance.integer(0, Number.MAX_SAFE_INTEGER),
    ]);
  let before = bench.counters();
  for (let round = 0; round < 400; round++) {
    bench.beat({
      endpoints: Array.from({ length: chance.integer(0, 12) }, () => ({
        endpoint: chance.integer(0, 255),
        type: chance.pick(TRANSFER_TYPES),
        ended: { completed: number(), error: number() },
        bytesIn: number(),
        bytesOut: number(),
        inFlight: number(),
        isPaused: chance.pick([true, false]),
      })),
      drops: [{
        endpoint: chance.integer(0, 255),
        dropped: { keepLatest: number(), stale: number() },
      }],
      durations: {
        bulk: { counts: Array.from({ length: 15 }, number), sumMs: number() },
      },
      latency: { counts: Array.from({ length: 15 }, number), sumMs: number() },
      retries: { stall: number() },
      refused: { commands: number(), events: number() },
      logged: { lines: { warn: number() }, dropped: number() },
    });
    if (round % 50 === 49) bench.metrics.ended("fault");
    const now = bench.counters();
    for (const [name, value] of before) {
      const next = now.get(name);
      assert(next !== undefined && next >= value, `${name} of round ${round}`);
    }
    before = now;
  }
  const names = [...before.keys()];
  const endpoints = new Set(
    names.flatMap((name) => name.match(/endpoint="[^"]+"/) ?? []),
  );
  assertLess(endpoints.size, LABELLED_ENDPOINTS_MAX + 2);
  const transfers = names.filter((name) =>
    name.startsWith("driverspace_transfers_total{")
  );
  assertLess(transfers.length, (LABELLED_ENDPOINTS_MAX + 4) * 8 + 1);
});

Deno.test("A loop that says it is early, or later than any can be, moves its histogram within bounds", () => {
  const bench = new Bench();
  bench.metrics.frame({ ...beat(1), lagMs: -1e9 } as DriverFrame);
  bench.has('loop_lag_seconds_sum{driver="dmm"} 0');
  bench.metrics.frame({ ...beat(2), lagMs: 1e300 } as DriverFrame);
  bench.has('loop_lag_seconds_sum{driver="dmm"} 60');
});

Deno.test("A driver that is no more leaves no series", () => {
  const bench = new Bench();
  bench.beat(TELEMETRY);
  bench.metrics[Symbol.dispose]();
  assertEquals(bench.registry.exposition(), "");
});
