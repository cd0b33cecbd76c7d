import type { LogEntry } from "../../../driver/host/logs/log_entry.ts";
import { LogFile, LogReadError } from "../../../driver/host/logs/log_file.ts";
import { rotateLogFile } from "../../../driver/host/log_rotation.ts";
import { Chance } from "../../../driver/loop/chance.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../../driver/std.ts";
import { line, LogBench, shortly } from "./log_bench.ts";

const ALL = { isWanted: () => true };

function opened(bench: LogBench): LogFile {
  return new LogFile({ name: "a", path: bench.path });
}

Deno.test("A log is read from its beginning, and then what is new", () => {
  using bench = new LogBench();
  using file = opened(bench);
  bench.lines(1, 2);
  assertEquals(file.seek(ALL), 2);
  assertEquals(shortly(file.read()), ["1", "2"]);
  assertEquals(shortly(file.read()), []);
  bench.lines(3);
  assertEquals(shortly(file.read()), ["3"]);
});

Deno.test("A line that is not whole yet is waited for, and at the end shown as torn", () => {
  using bench = new LogBench();
  using file = opened(bench);
  bench.write(line(1).slice(0, 20));
  file.seek(ALL);
  assertEquals(shortly(file.read()), []);
  bench.write(`${line(1).slice(20)}\n{"ts":"2026`);
  assertEquals(shortly(file.read()), ["1"]);
  assertEquals(shortly(file.end()), ['torn {"ts":"2026']);
});

Deno.test("The last wanted lines are found from the end, in any file", () => {
  const chance = new Chance(5);
  for (let round = 0; round < 200; round++) {
    using bench = new LogBench();
    using file = opened(bench);
    bench.write("");
    const count = chance.integer(0, 60);
    for (let seq = 1; seq <= count; seq++) {
      // Long ones lie in two of the pieces that are read.
      const length = chance.integer(0, 9) === 0 ? 60_000 : 100;
      const pad = "x".repeat(chance.integer(0, length));
      const empty = "\n".repeat(chance.integer(0, 2));
      bench.write(`${line(seq, { pad })}\n${empty}`);
    }
    const lines = chance.integer(0, 40);
    const every = chance.integer(1, 4);
    const isWanted = (entry: LogEntry): boolean =>
      entry.atMs !== undefined && entry.atMs % (every * 1_000) === 0;
    const expected = Array.from({ length: count }, (_, at) => at + 1)
      .filter((seq) => seq % every === 0)
      .slice(lines === 0 ? count : -lines);
    const wanted = file.seek({ lines, isWanted });
    assertEquals(wanted, expected.length, `round ${round}, seed 5`);
    const found = [...file.read()].filter(isWanted);
    assertEquals(shortly(found), expected.map(String), `round ${round}`);
  }
});

Deno.test("The end of a log far larger than memory is found at once", () => {
  using bench = new LogBench();
  Deno.writeTextFileSync(bench.path, "");
  // Takes no space: a hole.
  Deno.truncateSync(bench.path, 64 * 1024 ** 3);
  bench.write("\n");
  bench.lines(1, 2, 3);
  using file = opened(bench);
  assertEquals(file.seek({ ...ALL, lines: 2 }), 2);
  assertEquals(shortly(file.read()), ["2", "3"]);
});

Deno.test("A time is looked for until everything is older, not at the first jump of a clock", () => {
  using bench = new LogBench();
  using file = opened(bench);
  const many = Array.from({ length: 2_000 }, (_, at) => at + 1);
  bench.lines(...many, 10_001, 5, 6, 10_002);
  file.seek({ sinceMs: 10_000_000, isWanted: (entry) => entry.atMs! > 9e6 });
  assertEquals(shortly(file.read()), [
    "10001",
    "5",
    "6",
    "gap 7-10001",
    "10002",
  ]);
});

Deno.test("A log that was copied and truncated goes on where it was left, without a loss", () => {
  using bench = new LogBench();
  using file = opened(bench);
  bench.lines(1, 2);
  file.seek(ALL);
  assertEquals(shortly(file.read()), ["1", "2"]);
  bench.lines(3, 4);
  rotateLogFile(bench.path, 1);
  bench.lines(5);
  assertEquals(shortly(file.read()), ["3", "4", "5"]);
});

Deno.test("A truncated log that grew past our place is recognised by what it holds", () => {
  using bench = new LogBench();
  using file = opened(bench);
  bench.lines(1);
  file.seek(ALL);
  assertEquals(shortly(file.read()), ["1"]);
  rotateLogFile(bench.path, 1);
  bench.lines(2, 3, 4);
  assertEquals(shortly(file.read()), ["2", "3", "4"]);
});

Deno.test("A log that was truncated without a copy shows its loss as a gap", () => {
  using bench = new LogBench();
  using file = opened(bench);
  bench.lines(1);
  file.seek(ALL);
  assertEquals(shortly(file.read()), ["1"]);
  bench.lines(2, 3);
  Deno.truncateSync(bench.path, 0);
  bench.lines(4);
  assertEquals(shortly(file.read()), ["gap 2-3", "4"]);
});

Deno.test("A log that was renamed is read to its end before the new one", () => {
  using bench = new LogBench();
  using file = opened(bench);
  bench.lines(1);
  file.seek(ALL);
  assertEquals(shortly(file.read()), ["1"]);
  bench.lines(2);
  Deno.renameSync(bench.path, `${bench.path}.old`);
  bench.write(`${line(3)}\n`, `${bench.path}.old`);
  bench.lines(4);
  assertEquals(shortly(file.read()), ["2", "3", "4"]);
});

Deno.test("A log that is gone is said once, and read again when it is back", () => {
  using bench = new LogBench();
  using file = opened(bench);
  bench.lines(1);
  file.seek(ALL);
  assertEquals(shortly(file.read()), ["1"]);
  bench.lines(2);
  Deno.removeSync(bench.path);
  assertEquals(shortly(file.read()), ["2", "note"]);
  assertEquals(shortly(file.read()), []);
  bench.lines(3);
  assertEquals(shortly(file.read()), ["3"]);
});

Deno.test("Lines of the rotated file are read when the log itself has too few", () => {
  using bench = new LogBench();
  bench.lines(1, 2, 3);
  rotateLogFile(bench.path, 1);
  bench.lines(4, 5);
  for (
    const [lines, expected] of [[2, ["4", "5"]], [4, ["2", "3", "4", "5"]], [
      9,
      ["1", "2", "3", "4", "5"],
    ]] as const
  ) {
    using file = opened(bench);
    assertEquals(file.seek({ ...ALL, lines }), expected.length);
    assertEquals(shortly(file.read()), [...expected]);
  }
  using file = opened(bench);
  assertEquals(
    file.seek({ sinceMs: 3_000, isWanted: (e) => e.atMs! >= 3_000 }),
    3,
  );
});

Deno.test("What cannot be read says why", () => {
  using bench = new LogBench();
  const absent = assertThrows(() => opened(bench).seek(ALL), LogReadError);
  assertEquals(absent.kind, "absent");
  assertStringIncludes(absent.message, "there is no such file");
  using folder = new LogFile({ name: "a", path: bench.folder });
  const other = assertThrows(() => folder.seek(ALL), LogReadError);
  assertStringIncludes(other.message, "not a regular file");
});

const isRoot = Deno.uid() === 0;
const reason = isRoot ? " [not run: root may read everything]" : "";

Deno.test({
  name: `A log that may not be read is said once while it is followed${reason}`,
  ignore: isRoot,
  fn: () => {
    using bench = new LogBench();
    using file = opened(bench);
    bench.lines(1);
    Deno.chmodSync(bench.path, 0);
    assertEquals(
      assertThrows(() => file.seek(ALL), LogReadError).kind,
      "denied",
    );
    assertEquals(shortly(file.read()), []);
    Deno.chmodSync(bench.path, 0o600);
    assertEquals(shortly(file.read()), ["1"]);
    Deno.chmodSync(bench.path, 0);
    assert(shortly(file.read()).length <= 1);
  },
});
