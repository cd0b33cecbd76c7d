import {
  LINE_BYTES_KEPT,
  LineCutter,
} from "../../../driver/host/logs/line_cutter.ts";
import { readEntry } from "../../../driver/host/logs/log_entry.ts";
import { SequenceWatch } from "../../../driver/host/logs/log_gaps.ts";
import { isWanted } from "../../../driver/host/logs/log_filter.ts";
import { mergeByTime } from "../../../driver/host/logs/log_merge.ts";
import type { LogEntry, LogLine } from "../../../driver/host/logs/log_entry.ts";
import { Chance } from "../../../driver/loop/chance.ts";
import { assert, assertEquals } from "../../../driver/std.ts";
import { line, shortly } from "./log_bench.ts";

const encoder = new TextEncoder();

function read(text: string, source = "a"): LogEntry {
  const bytes = encoder.encode(text);
  const raw = { bytes, lengthBytes: bytes.length, isTorn: false };
  return readEntry(raw, { source, beforeMs: 7 });
}

function readLine(seq: number, more = {}): LogLine {
  const entry = read(line(seq, more));
  if (entry.kind !== "line") throw new Error("It is no line");
  return entry;
}

Deno.test("A line is read with its time, level, event and sentence", () => {
  const entry = readLine(3, { level: "warn", free: [1] });
  assertEquals(entry.atMs, 3_000);
  assertEquals([entry.level, entry.event], ["warn", "test.line"]);
  assertEquals(entry.message, "line 3");
  assertEquals(entry.fields["free"], [1]);
});

Deno.test("What is no object of JSON is unreadable, and bears the time of the line before", () => {
  for (const text of ["garbage", "[1]", "12", "null", '{"ts":', "\0\0\0"]) {
    const entry = read(text);
    assertEquals([entry.kind, entry.atMs], ["unreadable", 7], text);
  }
});

Deno.test("A foreign object is a line with what is missing left out", () => {
  const entry = read('{"ts":"yesterday","level":7,"msg":null,"a":1}');
  assert(entry.kind === "line");
  assertEquals(
    [entry.atMs, entry.level, entry.event, entry.message],
    [undefined, "info", "", ""],
  );
});

Deno.test("Lines are the same however their bytes come in pieces", () => {
  const chance = new Chance(11);
  const text = Array.from(
    { length: 40 },
    (_, at) => "é".repeat(chance.integer(0, 30)) + at,
  );
  const bytes = encoder.encode(`${text.join("\n\n")}\nend`);
  for (let round = 0; round < 50; round++) {
    const cutter = new LineCutter();
    const seen: string[] = [];
    for (let at = 0; at < bytes.length;) {
      const length = chance.integer(1, 40);
      // The piece is overwritten afterwards, as a buffer that is read into.
      const piece = bytes.slice(at, at + length);
      for (const { bytes } of cutter.push(piece)) {
        seen.push(new TextDecoder().decode(bytes));
      }
      piece.fill(0);
      at += length;
    }
    assertEquals(seen, text);
    const last = cutter.end();
    assertEquals([last?.lengthBytes, last?.isTorn], [3, true]);
    assertEquals(cutter.end(), undefined);
  }
});

Deno.test("A line without an end costs what is kept of it, and is unreadable", () => {
  const cutter = new LineCutter();
  const piece = new Uint8Array(1024 * 1024).fill(0x61);
  for (let count = 0; count < 64; count++) {
    assertEquals([...cutter.push(piece)], []);
  }
  const [line] = [...cutter.push(Uint8Array.of(0x0a))];
  assertEquals(line?.lengthBytes, 64 * piece.length);
  assertEquals(line?.bytes.length, LINE_BYTES_KEPT);
  assert(line !== undefined);
  const entry = readEntry(line, { source: "a", beforeMs: undefined });
  assertEquals(entry.kind, "unreadable");
});

Deno.test("A number that is missing is a gap; each start of a writer counts anew", () => {
  const watch = new SequenceWatch();
  const gaps = [
    readLine(5),
    readLine(6),
    readLine(9),
    readLine(1, { pid: 2 }),
    readLine(10),
    readLine(3, { pid: 2 }),
    readLine(1),
    readLine(2),
    readLine(0, { seq: "x" }),
  ].map((entry) => watch.note(entry));
  const shown = shortly(gaps.filter((gap) => gap !== undefined));
  assertEquals(shown, ["gap 7-8", "gap 2-2"]);
});

Deno.test("Two runs in one log prove nothing of each other, whatever else is the same", () => {
  const watch = new SequenceWatch();
  const gaps = [
    readLine(1, { run: "a" }),
    readLine(2, { run: "a" }),
    readLine(7, { run: "b" }),
    readLine(4, { run: "a" }),
    readLine(8, { run: "b" }),
  ].map((entry) => watch.note(entry));
  assertEquals(shortly(gaps.filter((gap) => gap !== undefined)), ["gap 3-3"]);
});

Deno.test("Writers without end are forgotten, the youngest last", () => {
  const watch = new SequenceWatch();
  for (let pid = 0; pid < 1_000; pid++) watch.note(readLine(1, { pid }));
  assertEquals(watch.note(readLine(3, { pid: 0 })), undefined);
  assertEquals(watch.note(readLine(3, { pid: 999 }))?.from, 2);
});

Deno.test("A filter takes a level and those above, the beginning of an event, a time, and drivers", () => {
  const warning = readLine(10, { level: "warn", driver: "dmm" });
  assert(isWanted(warning, {}));
  assert(isWanted(warning, { level: "info", event: "test", sinceMs: 10_000 }));
  assert(!isWanted(warning, { level: "error" }));
  assert(!isWanted(warning, { event: "driver" }));
  assert(!isWanted(warning, { sinceMs: 10_001 }));
  assert(isWanted(warning, { drivers: ["dmm"] }));
  assert(!isWanted(warning, { drivers: ["scope"] }));
  assert(isWanted(read("garbage"), { level: "error", event: "x" }));
  assert(!isWanted(read("garbage"), { sinceMs: 8 }));
});

Deno.test("Logs are merged by time, each in its own order whatever its clock did", () => {
  const a = [1, 2, 9, 3].map((seq) => readLine(seq));
  const b = [read('{"msg":"timeless"}'), ...[2, 5].map((seq) => readLine(seq))];
  const merged = shortly(mergeByTime([a, b, []].map((list) => list.values())));
  assertEquals(merged, ["timeless", "1", "2", "2", "5", "9", "3"]);
});
