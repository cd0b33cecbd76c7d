/** Axes in round steps, and the sheet they are drawn on. */

import {
  decimalsOf,
  prefixOf,
  timeTicks,
  valueAxis,
  windowOf,
} from "../../driver/host/dashboard/page/scale.js";
import {
  SHEET_HEIGHT,
  sheetOf,
  valueText,
} from "../../driver/host/dashboard/page/sheet.js";
import { target } from "../../driver/host/dashboard/page/time_cursor.js";
import { Chance } from "../../driver/loop/chance.ts";
import { assert, assertAlmostEquals, assertEquals } from "../../driver/std.ts";

Deno.test("An axis has round steps that hold every value", () => {
  assertEquals(valueAxis(0, 9).ticks, [0, 5, 10]);
  assertEquals(valueAxis(7, 9).ticks, [7, 7.5, 8, 8.5, 9]);
  assertEquals(valueAxis(7, 9, { fromZero: true }).ticks, [0, 5, 10]);
  assertEquals(valueAxis(0, 1, { isWhole: true }).ticks, [0, 1]);
  assertEquals(valueAxis(-3, 3).ticks, [-4, -2, 0, 2, 4]);
  assertEquals(valueAxis(0, 0).ticks, [0, 0.5, 1]);
  assertEquals(valueAxis(5, 5).ticks, [4.5, 5, 5.5]);
  assertEquals(valueAxis(Infinity, -Infinity).ticks, [0, 0.5, 1], "nothing");
  assertEquals(valueAxis(4.999981, 4.999995).ticks, [
    4.99998,
    4.999985,
    4.99999,
    4.999995,
  ]);
});

Deno.test("An axis is sound for any values, small or large", () => {
  const chance = new Chance(17);
  for (let round = 0; round < 5_000; round++) {
    const size = 10 ** chance.integer(-9, 12);
    const values = [0, 0].map(() => (chance.integer(-1000, 1000)) * size / 7);
    const lowest = Math.min(...values);
    const highest = Math.max(...values);
    const axis = valueAxis(lowest, highest, {
      fromZero: chance.integer(0, 1) === 1,
      isWhole: chance.integer(0, 1) === 1,
    });
    const near = (highest - lowest + size) * 1e-6;
    assert(axis.from <= lowest + near && axis.to >= highest - near, `${axis}`);
    assert(axis.from < axis.to && axis.ticks.length <= 7, `${axis.ticks}`);
    assertEquals(new Set(axis.ticks).size, axis.ticks.length);
    assert(decimalsOf(axis) >= 0 && decimalsOf(axis) <= 9);
  }
});

Deno.test("Times are marked at round ones, as many as there is room for", () => {
  const noon = Date.UTC(2026, 10, 30, 12);
  assertEquals(
    timeTicks(noon + 1, noon + 60_000, 4).map((at) => at - noon),
    [15_000, 30_000, 45_000, 60_000],
  );
  assertEquals(timeTicks(noon, noon + 600_000, 5).length, 6);
  assertEquals(windowOf(0), 60_000);
  assertEquals(windowOf(60_001), 120_000);
  assertEquals(windowOf(10 * 600_000), 600_000);
});

Deno.test("A sheet fits its width, and its pixels lead back to times", () => {
  for (const width of [120, 320, 1_200]) {
    const axis = valueAxis(4.999981, 4.999995);
    const sheet = sheetOf({ axis, width, fromMs: 0, toMs: 60_000 });
    assert(sheet.left > 60, "room for long labels");
    assert(sheet.right <= width);
    assertEquals([sheet.x(0), sheet.x(60_000)], [sheet.left, sheet.right]);
    assertEquals([sheet.y(axis.from), sheet.y(axis.to)], [
      sheet.baseY,
      sheet.topY,
    ]);
    assertAlmostEquals(sheet.timeAt(sheet.x(20_000)), 20_000, 1e-6);
    assertEquals(sheet.timeAt(-50), 0);
    assertEquals(sheet.timeAt(9_999), 60_000);
    for (const { y } of sheet.values) assert(y > 0 && y < SHEET_HEIGHT);
  }
});

Deno.test("A value is as exact as its axis", () => {
  const fine = valueAxis(4.999981, 4.999995);
  assertEquals(valueText(4.9999874, fine), "4.9999874");
  assertEquals(valueText(7.98, valueAxis(0, 9)), "7.98");
  assertEquals(valueText(null, fine), "–");
  const axis = valueAxis(-2, 1);
  const { values } = sheetOf({ axis, width: 300, fromMs: 0, toMs: 1 });
  assertEquals(values[0]?.text, "\u22122");
});

Deno.test("Keys move the cursor as those of a slider", () => {
  const now = { atMs: 30_000, fromMs: 0, toMs: 60_000 };
  assertEquals(target("ArrowLeft", now), 29_000);
  assertEquals(target("ArrowUp", now), 31_000);
  assertEquals(target("PageDown", now), 20_000);
  assertEquals(target("PageUp", { ...now, atMs: 55_000 }), 60_000);
  assertEquals(target("ArrowLeft", { ...now, atMs: 500 }), 0);
  assertEquals(target("Home", now), 0);
  assertEquals(target("End", now), 60_000);
  assertEquals(target("Escape", now), undefined);
  assertEquals(target("Tab", now), null, "not ours");
});

Deno.test("A unit takes the prefix that leaves few digits", () => {
  const rows: readonly [number, string][] = [
    [0, ""],
    [999, ""],
    [1_999, ""],
    [2_000, "k"],
    [3_500_000, "M"],
    [7e9, "G"],
  ];
  for (const [highest, sign] of rows) {
    assertEquals(prefixOf({ from: 0, to: highest, ticks: [] }).sign, sign);
  }
  const axis = valueAxis(0, 4_000_000);
  const { factor } = prefixOf(axis);
  const sheet = sheetOf({ axis, width: 300, fromMs: 0, toMs: 1, factor });
  assertEquals(sheet.values.map(({ text }) => text), ["0", "1", "2", "3", "4"]);
  assertEquals(sheet.y(4_000_000), sheet.topY, "values keep their place");
});
