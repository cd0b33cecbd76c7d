import { cellsOf, clipCells, fitCells } from "../../driver/host/cli/cells.ts";
import type { TopDriver } from "../../driver/host/cli/top_answers.ts";
import { topDetail } from "../../driver/host/cli/top_detail_view.ts";
import {
  durationText,
  topList,
  type TopListView,
  topTable,
} from "../../driver/host/cli/top_list_view.ts";
import { TopModel, type TopRow } from "../../driver/host/cli/top_model.ts";
import {
  paintLine,
  type ScreenLine,
} from "../../driver/host/cli/top_screen.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../driver/std.ts";
import { topDriver } from "./top_bench.ts";

const NOW = 3_725_000;

function rowsOf(...drivers: TopDriver[]): TopRow[] {
  const model = new TopModel();
  const status = { version: "0.1.0", stopping: false, drivers };
  const known = new Map(drivers.map((driver) => [driver.name, driver]));
  model.take({ atMs: 0, status, drivers: known });
  return model.rows();
}

function listOf(
  rows: readonly TopRow[],
  more: Partial<TopListView> = {},
): TopListView {
  return {
    status: { version: "0.1.0", stopping: false, drivers: [] },
    rows,
    sort: "order",
    wallMs: NOW,
    ...more,
  };
}

function texts(lines: readonly ScreenLine[]): string[] {
  return lines.map(({ text }) => text.trimEnd());
}

Deno.test("The list shows every driver with what it does and why, the chosen one marked", () => {
  const rows = rowsOf(
    topDriver(),
    topDriver({ name: "scope", state: "backoff", cause: "lost", starts: 4 }),
  );
  const view = listOf(rows, { selected: "scope" });
  assertEquals(texts(topList(view, { columns: 100, rows: 6 })), [
    "driverspace 0.1.0   1 ready, 1 backoff   01:02:05Z",
    "  DRIVER  STATE          FOR  REPORTS/S  MB/S  P99 MS  QUEUE  DROPPED  RESTARTS  CAUSE",
    "  dmm     ready    1 h 2 min          -     -       -      3        0         0",
    "> scope   backoff  1 h 2 min          -     -       -      3        0         3  lost",
    "",
    "q quit  ↑↓ select  Enter details  r retry  s sort: as configured",
  ]);
});

Deno.test("What fits less is left out, the name and the state last", () => {
  const rows = rowsOf(topDriver({ cause: "a long story" }));
  const head = (columns: number) =>
    texts(topList(listOf(rows), { columns, rows: 9 }))[1]?.split(/ {2,}/)
      .filter((title) => title !== "");
  assertEquals(head(130)?.slice(-2), ["STANDBY", "CAUSE"]);
  assertEquals(head(100)?.slice(-2), ["RESTARTS", "CAUSE"]);
  assertEquals(head(80)?.at(-1), "RESTARTS");
  assertEquals(head(60), [
    "DRIVER",
    "STATE",
    "FOR",
    "REPORTS/S",
    "DROPPED",
    "RESTARTS",
  ]);
  assertEquals(head(30), ["DRIVER", "STATE", "REPORTS/S"]);
  assertEquals(head(10), ["DRIVER", "STATE"]);
});

/** Moves the cursor, sets a title, turns the line around, is wide, has no width. */
const EVIL = "\x1b[2J\x1b]0;x\x07\u202e\r\n\u009b31m数値計é\u0301👍";

function evilDriver(): TopDriver {
  return topDriver({
    name: EVIL,
    state: EVIL,
    cause: EVIL,
    device: { label: EVIL, product: EVIL, serial: EVIL },
    safe_state: EVIL,
    mailbox: { [EVIL]: 1 },
    starts: 3,
    last_exit: { class: EVIL, message: EVIL.repeat(50) },
    values: [{ event: EVIL, data: { [EVIL]: EVIL }, age_ms: 1, stale: true }, {
      event: "reading",
      data: { value: 1, unit: EVIL },
      age_ms: 61_000,
      stale: false,
    }],
    endpoints: [{
      endpoint: EVIL,
      type: EVIL,
      bytes_in: 1,
      bytes_out: 2,
      in_flight: 3,
      paused: true,
    }],
    transitions: [{ from: EVIL, to: EVIL, cause: EVIL, at: EVIL }],
  });
}

Deno.test("No line is wider than the screen, no screen longer, and nothing of a device reaches it as it is", () => {
  const drivers = Array.from(
    { length: 30 },
    (_, at) => ({ ...evilDriver(), name: `${EVIL}${at}` }),
  );
  const rows = rowsOf(...drivers);
  const log = {
    lines: [{ at: EVIL, level: EVIL, event: EVIL, message: EVIL }],
  };
  const lost = { forMs: 1, reason: EVIL };
  for (const columns of [1, 2, 7, 20, 33, 80, 300]) {
    for (const count of [1, 2, 3, 5, 24, 60]) {
      const size = { columns, rows: count };
      const list = listOf(rows, {
        lost,
        message: EVIL,
        selected: `${EVIL}20`,
      });
      const row = rows[0];
      assert(row !== undefined);
      const detail = { row, log, isLost: true, offset: 3, wallMs: NOW };
      for (
        const lines of [
          topList(list, size),
          topList(listOf(rows), size),
          topDetail({ ...detail, message: EVIL }, size).lines,
        ]
      ) {
        assert(lines.length <= count, `${lines.length} lines on ${count}`);
        for (const line of lines) {
          const text = paintLine(line, { columns, hasColor: true });
          // deno-lint-ignore no-control-regex -- what is ours is taken away
          const bare = text.replaceAll(/\x1b\[[0-9;]*m/g, "");
          assert(cellsOf(bare) <= columns, JSON.stringify([columns, bare]));
          assert(
            !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(bare),
            JSON.stringify(bare),
          );
        }
      }
    }
  }
});

Deno.test("The chosen driver is on the screen, however many there are", () => {
  const drivers = Array.from(
    { length: 64 },
    (_, at) => topDriver({ name: `d${String(at).padStart(2, "0")}` }),
  );
  const rows = rowsOf(...drivers);
  for (const { name } of drivers) {
    const lines = texts(
      topList(listOf(rows, { selected: name }), { columns: 80, rows: 10 }),
    );
    assert(lines.some((line) => line.startsWith(`> ${name}`)), name);
    assertEquals(lines.length, 10);
  }
});

Deno.test("A supervisor that is away makes everything stale, and says for how long", () => {
  const rows = rowsOf(topDriver());
  const lost = { forMs: 5_000, reason: "nobody listens there" };
  const lines = topList(listOf(rows, { lost }), { columns: 90, rows: 8 });
  assertEquals(
    texts(lines)[1],
    "STALE for 5 s, asking again: nobody listens there",
  );
  assertEquals(lines[3]?.style, "dim");
});

Deno.test("One driver in full shows device, values with their age, history and log, and is scrolled", () => {
  const [row] = rowsOf(topDriver({
    starts: 2,
    last_exit: { class: "hang", message: "no beat" },
    values: [
      {
        event: "reading",
        data: { value: 5, unit: "V" },
        age_ms: 500,
        stale: false,
      },
      { event: "status", data: { byte: 64 }, age_ms: 61_000, stale: true },
    ],
    transitions: [{
      from: "starting",
      to: "ready",
      cause: null,
      at: "2026-07-30T10:00:00.000Z",
    }],
  }));
  assert(row !== undefined);
  const log = {
    lines: [{
      at: "2026-07-30T10:00:01.500Z",
      level: "warn",
      event: "usbtmc.stall",
      message: "Cleared",
    }],
  };
  const view = { row, log, isLost: false, offset: 0, wallMs: NOW };
  const { lines, offsetMax } = topDetail(view, { columns: 80, rows: 40 });
  const text = texts(lines).join("\n");
  for (
    const part of [
      "dmm  ready for 1 h 2 min",
      "device      0957:1755@1-4  34410A",
      "last end    hang: no beat",
      "reading  5 V      now",
      "status   byte=64  1 min ago, STALE",
      "2026-07-30 10:00:00  starting → ready",
      "10:00:01.500  warn  usbtmc.stall  Cleared",
    ]
  ) assertStringIncludes(text, part);
  assertEquals(offsetMax, 0);
  const low = topDetail({ ...view, offset: 99 }, { columns: 80, rows: 10 });
  assertStringIncludes(texts(low.lines).join("\n"), "usbtmc.stall");
  assert(low.offsetMax > 10);
});

Deno.test("Whether a driver's next process waits is said in a word, and nothing where a supervisor does not tell", () => {
  const rows = rowsOf(
    topDriver({ name: "a", standby: true }),
    topDriver({ name: "b", standby: false }),
    topDriver({ name: "c" }),
  );
  const [head, ...lines] = topTable(listOf(rows));
  const words = lines.map((line) => line.slice(head?.indexOf("STANDBY")));
  assertEquals(words, ["ready", "none", "-"]);
  const details = rows.map((row) => {
    const view = { row, log: undefined, isLost: false, offset: 0, wallMs: NOW };
    const { lines } = topDetail(view, { columns: 80, rows: 40 });
    return texts(lines).find((line) => line.startsWith("standby"));
  });
  assertEquals(details, ["standby     ready", "standby     none", undefined]);
});

Deno.test("For a pipe the table has every column and no escape", () => {
  const lines = topTable(listOf(rowsOf(topDriver({ cause: "x".repeat(200) }))));
  assertStringIncludes(lines[1] ?? "", "x".repeat(200));
  assert(!lines.join("").includes("\x1b"));
});

Deno.test("Text is cut and filled by the cells it takes", () => {
  assertEquals(cellsOf("数a\u0301👍"), 5);
  assertEquals(clipCells("数値計", 5), "数値…");
  assertEquals(clipCells("数値計", 4), "数…");
  assertEquals(clipCells("abc", 3), "abc");
  assertEquals(clipCells("abc", 0), "");
  assertEquals(fitCells("数", 4), "数  ");
  assertEquals(fitCells("7", 3, "right"), "  7");
});

Deno.test("Without colours a line keeps its attributes, and with them it ends them", () => {
  const line = { text: "x", style: "bad", isSelected: true } as const;
  assertEquals(
    paintLine(line, { columns: 2, hasColor: false }),
    "\x1b[7mx \x1b[0m",
  );
  assertEquals(
    paintLine(line, { columns: 2, hasColor: true }),
    "\x1b[31;7mx \x1b[0m",
  );
});

Deno.test("A duration is said in the two units that matter", () => {
  const minute = 60_000;
  assertEquals(durationText(-5), "0 s");
  assertEquals(durationText(59_999), "59 s");
  assertEquals(durationText(59 * minute), "59 min");
  assertEquals(durationText(125 * minute), "2 h 5 min");
  assertEquals(durationText(25 * 60 * minute), "1 d 1 h");
});
