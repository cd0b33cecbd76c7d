/** What the page remembers: bounded, and honest about what nobody saw. */

import {
  HISTORY_MS,
  HOLE_MS,
  nearest,
  POINTS_MAX,
  Rate,
  Series,
  States,
} from "../../driver/host/dashboard/page/history.js";
import {
  areaPath,
  linePath,
  rangeOf,
  runsOf,
} from "../../driver/host/dashboard/page/plot_path.js";
import {
  quantile,
  Quantiles,
} from "../../driver/host/dashboard/page/latency.js";
import { outagesOf } from "../../driver/host/dashboard/page/recovery.js";
import { Chance } from "../../driver/loop/chance.ts";
import { assert, assertAlmostEquals, assertEquals } from "../../driver/std.ts";

Deno.test("A series keeps the last ten minutes, and never more than its bound", () => {
  const series = new Series();
  for (let atMs = 0; atMs <= 2 * HISTORY_MS; atMs += 1_000) {
    series.add(atMs, atMs);
  }
  assertEquals(series.points[0]?.atMs, HISTORY_MS);
  assertEquals(series.last?.value, 2 * HISTORY_MS);
  for (let count = 0; count < 10 * POINTS_MAX; count++) {
    series.add(2 * HISTORY_MS + count, count);
  }
  assertEquals(series.points.length, POINTS_MAX);
  series.add(3 * HISTORY_MS, undefined);
  assertEquals(series.points.length, POINTS_MAX, "nothing new, no point");
  series.add(5, 1);
  assertEquals(series.points, [{ atMs: 5, value: 1 }], "a clock set back");
});

Deno.test("A rate is that of the counter's own times, whenever somebody asks", () => {
  const rate = new Rate();
  const chance = new Chance(3);
  assertEquals(rate.take({ count: 0, atMs: 0, pid: 1 }), null);
  for (let second = 1; second < 50; second++) {
    // The heartbeat is up to 250 ms old when it is asked for.
    const atMs = second * 1_000 - chance.integer(0, 250);
    const found = rate.take({ count: atMs * 0.008, atMs, pid: 1 });
    assertAlmostEquals(found ?? 0, 8, 1e-9);
  }
});

Deno.test("A rate is not known over a restart, nor from the same heartbeat twice", () => {
  const rate = new Rate();
  const at = (count: number, atMs: number, pid: number | null = 1) =>
    rate.take({ count, atMs, pid });
  assertEquals(at(100, 1_000), null);
  assertEquals(at(110, 2_000), 10);
  assertEquals(at(110, 2_010), undefined, "the same beat");
  assertEquals(at(0, 3_000, 2), null, "another process");
  assertEquals(at(5, 4_000, 2), 5);
  assertEquals(at(1, 5_000, 2), null, "a counter that fell");
  assertEquals(at(2, 4_000, 2), null, "a supervisor that began anew");
  assertEquals(at(3, 20_000, 2), 1 / 16, "after a long pause");
});

Deno.test("States become stretches, with a hole where nobody looked", () => {
  const states = new States();
  for (let second = 0; second < 10; second++) {
    states.see(second * 1_000, second < 5 ? "starting" : "ready");
  }
  states.see(9_000 + HOLE_MS + 1, "ready");
  assertEquals(states.stretches, [
    { state: "starting", fromMs: 0, toMs: 5_000 },
    { state: "ready", fromMs: 5_000, toMs: 9_000 },
    { state: "ready", fromMs: 13_001, toMs: 13_001 },
  ]);
  for (let turn = 0; turn < 10_000; turn++) {
    states.see(20_000 + turn, turn % 2 === 0 ? "backoff" : "starting");
  }
  assert(states.stretches.length <= POINTS_MAX);
  states.see(1_000, "ready");
  assertEquals(states.stretches.length, 1, "a clock set back");
});

Deno.test("The point under the cursor is the nearest, if one is near", () => {
  const points = [0, 1_000, 9_000].map((atMs) => ({ atMs, value: atMs }));
  assertEquals(nearest(points, 600)?.atMs, 1_000);
  assertEquals(nearest(points, 400)?.atMs, 0);
  assertEquals(nearest(points, 5_000 - 1)?.atMs, 1_000);
  assertEquals(nearest(points, 9_000 + HOLE_MS + 1), undefined);
  assertEquals(nearest([], 0), undefined);
});

const PAPER = {
  x: (atMs: number) => atMs / 100,
  y: (value: number) => 100 - value,
  baseY: 100,
};

Deno.test("A line breaks off where nothing is known", () => {
  const points = [
    { atMs: 0, value: 1 },
    { atMs: 1_000, value: 2 },
    { atMs: 2_000, value: null },
    { atMs: 3_000, value: 3 },
    { atMs: 4_000 + HOLE_MS, value: 4 },
    { atMs: 5_000 + HOLE_MS, value: 5 },
  ];
  assertEquals(runsOf(points).map(({ length }) => length), [2, 1, 2]);
  assertEquals(
    linePath(points, PAPER),
    "M0,99L10,98M30,97h0.01M80,96L90,95",
  );
  assertEquals(
    areaPath(points, PAPER),
    "M0,100L0,99L10,98L10,100ZM80,100L80,96L90,95L90,100Z",
  );
  assertEquals(linePath([], PAPER), "");
});

Deno.test("The range is that of what is in view and known", () => {
  const points = [
    { atMs: 0, value: 100 },
    { atMs: 1_000, value: -1 },
    { atMs: 2_000, value: null },
    { atMs: 3_000, value: 4 },
  ];
  assertEquals(rangeOf(points, 500), { lowest: -1, highest: 4 });
  assertEquals(rangeOf(points, 5_000), undefined);
});

const BOUNDS = [1, 2, 4];

Deno.test("A quantile lies within its bucket, and above every bound it is the last", () => {
  assertEquals(quantile([10, 0, 0, 0], BOUNDS, 0.5), 0.5);
  assertEquals(quantile([0, 10, 0, 0], BOUNDS, 0.5), 1.5);
  assertEquals(quantile([5, 0, 5, 0], BOUNDS, 0.5), 1);
  assertEquals(quantile([5, 0, 5, 0], BOUNDS, 0.75), 3);
  assertEquals(quantile([0, 0, 0, 3], BOUNDS, 0.5), 4);
  assertEquals(quantile([0, 0, 0, 0], BOUNDS, 0.5), null);
  assertEquals(quantile([], [], 0.5), null);
  const chance = new Chance(9);
  for (let round = 0; round < 1_000; round++) {
    const counts = BOUNDS.concat(0).map(() => chance.integer(0, 20));
    const [low, high] = [0.5, 0.99].map((part) =>
      quantile(counts, BOUNDS, part)
    );
    if (low === null || high === null) continue;
    assert((low ?? 9) <= (high ?? 0) && (high ?? 9) <= 4, String(counts));
  }
});

Deno.test("Quantiles are those of the last seconds, of one process", () => {
  const quantiles = new Quantiles();
  const at = (atMs: number, counts: number[], pid = 1) =>
    quantiles.take({ histogram: { bounds_ms: BOUNDS, counts }, atMs, pid });
  assertEquals(at(0, [100, 0, 0, 0]), null);
  assertEquals(at(1_000, [100, 0, 10, 0])?.median, 3);
  assertEquals(at(1_000, [100, 0, 10, 0])?.median, 3);
  // What was long ago does not count: only the newest lie in the first bucket.
  for (let second = 2; second < 10; second++) {
    at(second * 1_000, [100 + second, 0, 10, 0]);
  }
  assertEquals(at(10_000, [110, 0, 10, 0])?.median, 0.5);
  assertEquals(at(11_000, [1, 0, 0, 0], 2), null, "another process");
  assertEquals(at(12_000, [0, 0, 0, 0], 2), null, "counts that fell");
  assertEquals(at(13_000, [0, 0, 0, 0], 2), null, "nothing happened");
});

Deno.test("An outage lasts from the end of a process to the next READY before the next end", () => {
  const time = (second: number): string =>
    new Date(1_000_000 + second * 1_000).toISOString();
  const exits = [1, 10, 12, 20].map((second) => ({
    class: "fault",
    message: "",
    ready_ms: 1,
    at: time(second),
  }));
  const transitions = [[0, "ready"], [1, "backoff"], [3, "ready"], [
    13,
    "ready",
  ]].map(([second, to]) => ({
    from: "",
    to: String(to),
    cause: null,
    at: time(Number(second)),
  }));
  assertEquals(
    outagesOf(exits, transitions).map(({ exit, awayMs }) => [exit.at, awayMs]),
    [
      [time(20), undefined],
      [time(12), 1_000],
      [time(10), undefined],
      [time(1), 2_000],
    ],
  );
  assertEquals(outagesOf([], transitions), []);
});
