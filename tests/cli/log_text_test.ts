import { logJson, logText } from "../../driver/host/cli/log_text.ts";
import { parseMoment } from "../../driver/host/cli/text.ts";
import type { LogEntry } from "../../driver/host/logs/log_entry.ts";
import { readEntry } from "../../driver/host/logs/log_entry.ts";
import { assert, assertEquals, assertThrows } from "../../driver/std.ts";

const PLAIN = { hasColor: false, nameWidth: 5 };

function entryOf(text: string, source = "dmm"): LogEntry {
  const bytes = new TextEncoder().encode(text);
  const line = { bytes, lengthBytes: bytes.length, isTorn: false };
  return readEntry(line, { source, beforeMs: 0 });
}

const STATE = JSON.stringify({
  ts: "2026-07-30T10:00:00.123Z",
  level: "warn",
  event: "driver.state",
  msg: "ready → backoff: lost",
  driver: "dmm",
  instance: "supervisor",
  run: "d5d4cfaf",
  pid: 7,
  boot: "b",
  seq: 3,
  to: "backoff",
  code: 70,
  reason: "two words",
  err: { class: "fault" },
});

Deno.test("A line shows time, level, name, event, sentence, and the fields that say more", () => {
  assertEquals(
    logText(entryOf(STATE), PLAIN),
    "2026-07-30T10:00:00.123Z warn  dmm    driver.state  " +
      'ready → backoff: lost  code=70 reason="two words" err={"class":"fault"}',
  );
});

Deno.test("A line of the supervisor says which driver it is about", () => {
  const text = logText(entryOf(STATE, "supervisor"), PLAIN);
  assert(text.includes("  dmm: ready → backoff: lost"), text);
});

Deno.test("Losses, torn lines and what is no line are told as such", () => {
  const at = { source: "dmm", atMs: 0 };
  const of = (entry: LogEntry) => logText(entry, PLAIN).slice(38);
  assertEquals(
    of({ kind: "gap", ...at, from: 5, to: 7 }),
    "3 lines are missing here: numbers 5 to 7",
  );
  assertEquals(
    of({ kind: "gap", ...at, from: 5, to: 5 }),
    "1 line is missing here: number 5",
  );
  assertEquals(
    of({ kind: "unreadable", ...at, text: "{", lengthBytes: 1, isTorn: true }),
    "torn line, 1 bytes: {",
  );
  assertEquals(
    of(entryOf("gar\tbage")),
    "no line of a log, 8 bytes: gar\\u{9}bage",
  );
  assertEquals(of({ kind: "note", ...at, text: "gone" }), "gone");
});

/** Moves the cursor, sets a title, turns the line around, ends it, is 8-bit. */
const EVIL = "\x1b[2J\x1b]0;x\x07\u202e\r\n\u009b31m\u2028";

Deno.test("Nothing that stands in a file reaches a terminal as it is", () => {
  const { log: _log, ...evil } = Object.fromEntries(
    ["ts", "level", "event", "msg", "driver", EVIL].map((name) => [name, EVIL]),
  ) as Record<string, string>;
  const entries: LogEntry[] = [
    entryOf(JSON.stringify(evil), "supervisor"),
    entryOf(JSON.stringify({ deep: { [EVIL]: [EVIL] } })),
    entryOf(`garbage ${EVIL}`),
    { kind: "note", source: EVIL, atMs: undefined, text: EVIL },
  ];
  for (const entry of entries) {
    for (const text of [logText(entry, PLAIN), logJson(entry)]) {
      assert(!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text), JSON.stringify(text));
    }
    JSON.parse(logJson(entry));
  }
});

Deno.test("For machines a line is what it was, with the log it is from", () => {
  assertEquals(JSON.parse(logJson(entryOf(STATE))), {
    log: "dmm",
    ...JSON.parse(STATE),
  });
  const gap = { kind: "gap", source: "dmm", atMs: 0, from: 5, to: 7 } as const;
  assertEquals(JSON.parse(logJson(gap)), {
    log: "dmm",
    ts: "1970-01-01T00:00:00.000Z",
    level: "warn",
    event: "log.reader.gap",
    msg: "3 lines are missing here: numbers 5 to 7",
    from_seq: 5,
    to_seq: 7,
  });
  assertEquals(
    JSON.parse(logJson(entryOf("x"))).event,
    "log.reader.unreadable",
  );
});

Deno.test("Colours come only where they are wanted, and end on their line", () => {
  assert(!logText(entryOf(STATE), PLAIN).includes("\x1b"));
  const text = logText(entryOf(STATE), { ...PLAIN, hasColor: true });
  assert(text.includes("\x1b[33mwarn \x1b[0m"), JSON.stringify(text));
  assert(text.lastIndexOf("\x1b[0m") > text.lastIndexOf("\x1b[2m"));
});

Deno.test("A moment is a time ago, or a date in UTC unless it says otherwise", () => {
  const nowMs = Date.parse("2026-07-30T12:00:00Z");
  const of = (text: string) =>
    new Date(parseMoment(text, { flag: "since", nowMs })).toISOString();
  assertEquals(of("10m"), "2026-07-30T11:50:00.000Z");
  assertEquals(of("1.5d"), "2026-07-29T00:00:00.000Z");
  assertEquals(of("2026-07-01"), "2026-07-01T00:00:00.000Z");
  assertEquals(of("2026-07-01 08:30"), "2026-07-01T08:30:00.000Z");
  assertEquals(of("2026-07-01T08:30:01.5Z"), "2026-07-01T08:30:01.500Z");
  assertEquals(of("2026-07-01T08:30+02:00"), "2026-07-01T06:30:00.000Z");
  for (const text of ["", "10", "m", "yesterday", "2026-13-01", "12:00"]) {
    assertThrows(() => of(text), Error, "for --since");
  }
});
