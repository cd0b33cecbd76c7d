/** Values as people read them; what drivers say made harmless. */

import { harmless as harmlessOnTerminal } from "../../driver/host/cli/text.ts";
import {
  blockText,
  bytesText,
  countText,
  dataText,
  dateTimeText,
  durationText,
  harmless,
  jsonText,
  numberText,
  timeText,
  withUnit,
} from "../../driver/host/dashboard/page/text.js";
import { Chance } from "../../driver/loop/chance.ts";
import { assert, assertEquals } from "../../driver/std.ts";

const HOSTILE = [
  "\x1b[2J\x1b]0;owned\x07",
  "a\u202eb\u2066c\u200bd",
  "line\nline\r\u2028",
  "\ud83d",
  "\ufeffBOM\u0000",
  "<img src=x onerror=alert(1)>",
];

Deno.test("What would hide, turn or break a text is written out, as on a terminal", () => {
  for (const text of HOSTILE) {
    assertEquals(harmless(text), harmlessOnTerminal(text));
    assert(!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(harmless(text)));
  }
  assertEquals(harmless("\x1b[2J"), "\\u{1b}[2J");
  assertEquals(harmless("<b>"), "<b>", "Markup is only text");
});

Deno.test("A long text is cut between characters, however long it is", () => {
  assertEquals(harmless("abcdef", 4), "abc…");
  assertEquals(harmless("😀😀😀😀", 3), "😀😀…");
  assertEquals(harmless("x".repeat(50_000_000), 10), "xxxxxxxxx…");
  const chance = new Chance(11);
  for (let round = 0; round < 2_000; round++) {
    const units = Array.from(
      { length: chance.integer(0, 12) },
      () => String.fromCharCode(chance.integer(0, 0xffff)),
    );
    const shown = harmless(units.join(""), 5);
    assert([...shown].length <= 5 && shown.isWellFormed(), shown);
  }
});

Deno.test("Data read as a value with its unit, or as names and values", () => {
  assertEquals(
    dataText({ value: 5.000004, unit: "V", raw: "x" }),
    "5.000004 V",
  );
  assertEquals(dataText({ value: null, unit: "V" }), "value null, unit V");
  assertEquals(dataText({ x: 1, y: -2 }), "x 1, y -2");
  assertEquals(dataText({}), "–");
  assertEquals(
    dataText({ "\x1b": { "<b>": ["\n"] } }),
    '\\u{1b} {"<b>":["\\n"]}',
  );
  const many = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, index) => [`name${index}`, "x"]),
  );
  assert(dataText(many).length <= 200);
  assertEquals(jsonText("text"), "text");
  assertEquals(jsonText(["a"]), '["a"]');
});

Deno.test("A block keeps its lines and nothing else that moves a cursor", () => {
  assertEquals(blockText("a\r\nb\n\tc\x1b"), "a\nb\n\\u{9}c\\u{1b}");
  assertEquals(blockText({ a: [1] }), '{\n  "a": [\n    1\n  ]\n}');
  assertEquals(blockText("x".repeat(100), 10), `${"x".repeat(9)}…`);
  assertEquals(blockText("\n".repeat(100), 10).length, 11);
});

Deno.test("Numbers have as many digits as say something", () => {
  const rows: readonly [number | null | undefined, string][] = [
    [0, "0"],
    [7, "7"],
    [-7, "\u22127"],
    [0.5, "0.50"],
    [0.0123, "0.0123"],
    [0.00001, "1.00e-5"],
    [12.345, "12.3"],
    [123.45, "123"],
    [1234, "1\u202f234"],
    [1234567.8, "1\u202f234\u202f568"],
    [-65536, "\u221265\u202f536"],
    [1e20, "1.00e+20"],
    [NaN, "–"],
    [Infinity, "–"],
    [null, "–"],
    [undefined, "–"],
  ];
  for (const [value, text] of rows) assertEquals(numberText(value), text);
  const sizes = [0, 999, 1_500, 12_345_678, 1e18].map(bytesText);
  assertEquals(sizes, [
    "0 B",
    "999 B",
    "1.50 kB",
    "12.3 MB",
    "1\u202f000\u202f000 TB",
  ]);
  assertEquals(withUnit(4, "/s"), "4 /s");
  assertEquals(withUnit(null, "/s"), "–");
  assertEquals(countText(1, "restart"), "1 restart");
  assertEquals(countText(0, "restart"), "0 restarts");
});

Deno.test("Durations are told in the two largest units that say something", () => {
  const rows: readonly [number | null, string][] = [
    [0, "0 ms"],
    [-5, "0 ms"],
    [999.4, "999 ms"],
    [1_000, "1 s"],
    [59_999, "59 s"],
    [60_000, "1 min"],
    [200_000, "3 min 20 s"],
    [3_600_000, "1 h"],
    [7_500_000, "2 h 5 min"],
    [90_000_000, "1 d 1 h"],
    [null, "–"],
    [NaN, "–"],
  ];
  for (const [durationMs, text] of rows) {
    assertEquals(durationText(durationMs), text);
  }
});

Deno.test("A time of another day bears its date", () => {
  const noon = new Date(2026, 10, 30, 12, 3, 4).getTime();
  assertEquals(timeText(noon), "12:03:04");
  assertEquals(timeText(NaN), "–");
  assertEquals(dateTimeText(noon, noon + 60_000), "12:03:04");
  assertEquals(dateTimeText(noon, noon + 86_400_000), "2026-11-30 12:03:04");
  assertEquals(dateTimeText(NaN, noon), "–");
});
