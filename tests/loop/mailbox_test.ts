import { assert, assertEquals, assertThrows } from "../../driver/std.ts";
import type { OverflowPolicy } from "../../driver/driver.ts";
import {
  MAILBOX_COMMAND_CAPACITY,
  MAILBOX_CONTROL_CAPACITY,
} from "../../driver/limits.ts";
import {
  Mailbox,
  REPORT_STARVATION_MAX,
  TIMERS_MAX,
} from "../../driver/loop/mailbox.ts";
import type {
  CommandMessage,
  ReportMessage,
} from "../../driver/loop/messages.ts";
import type { ReportLaneOptions } from "../../driver/loop/report_lane.ts";

function mailboxOf(
  policies: readonly OverflowPolicy[],
  options: ReportLaneOptions = {},
): Mailbox {
  return new Mailbox(
    policies.map((overflow, index) => ({ name: `in${index}`, overflow })),
    options,
  );
}

function report(...bytes: number[]): { data: Uint8Array; timestampMs: number } {
  return { data: Uint8Array.from(bytes), timestampMs: 0 };
}

function command(name: string): CommandMessage {
  return { lane: "command", name, params: {}, dueMs: 1_000 };
}

function takeReport(mailbox: Mailbox): ReportMessage {
  const message = mailbox.take("all");
  assert(message?.lane === "report");
  return message;
}

function takeBytes(mailbox: Mailbox): number[] {
  const bytes: number[] = [];
  for (
    let taken = mailbox.take("all");
    taken?.lane === "report";
    taken = mailbox.take("all")
  ) {
    bytes.push(taken.data[0] ?? -1);
    mailbox.reports.release(taken);
  }
  return bytes;
}

Deno.test("Mailbox gives control before timers before commands before reports", () => {
  const mailbox = mailboxOf(["pause"]);
  mailbox.offerReport(0, report(1), 0);
  mailbox.postCommand(command("query"));
  mailbox.postTimer("poll", 0);
  mailbox.postControl("stop", () => {});
  assertEquals(mailbox.depths, {
    control: 1,
    timers: 1,
    commands: 1,
    reports: 1,
  });
  const lanes = [1, 2, 3, 4, 5].map(() => mailbox.take("all")?.lane);
  assertEquals(lanes, ["control", "timer", "command", "report", undefined]);
});

Deno.test("Mailbox gives only control while a handler is at work", () => {
  const mailbox = mailboxOf(["pause"]);
  mailbox.offerReport(0, report(1), 0);
  mailbox.postCommand(command("query"));
  assertEquals(mailbox.take("control"), undefined);
  mailbox.postControl("stop", () => {});
  assertEquals(mailbox.take("control")?.lane, "control");
});

Deno.test("Mailbox lets a report through after many messages of higher lanes", () => {
  const mailbox = mailboxOf(["pause"]);
  mailbox.offerReport(0, report(1), 0);
  for (let count = 0; count < 40; count++) {
    mailbox.postCommand(command("flood"));
  }
  const lanes: string[] = [];
  for (let count = 0; count < 20; count++) {
    lanes.push(mailbox.take("all")?.lane ?? "none");
  }
  assertEquals(lanes.indexOf("report"), REPORT_STARVATION_MAX);
});

Deno.test("Mailbox refuses a command when its lane is full, and counts it", () => {
  const mailbox = mailboxOf([]);
  for (let count = 0; count < MAILBOX_COMMAND_CAPACITY; count++) {
    assert(mailbox.postCommand(command("query")));
  }
  assertEquals(mailbox.postCommand(command("one too many")), false);
  assertEquals(mailbox.refusals.commands, 1);
  assertEquals(mailbox.depths.commands, MAILBOX_COMMAND_CAPACITY);
});

Deno.test("Mailbox refuses control messages and timers beyond their capacity", () => {
  const mailbox = mailboxOf([]);
  const control = Array.from(
    { length: MAILBOX_CONTROL_CAPACITY + 1 },
    () => mailbox.postControl("x", () => {}),
  );
  const timers = Array.from(
    { length: TIMERS_MAX + 1 },
    (_, at) => mailbox.postTimer(`t${at}`, 0),
  );
  assertEquals([control.indexOf(false), timers.indexOf(false)], [
    MAILBOX_CONTROL_CAPACITY,
    TIMERS_MAX,
  ]);
});

Deno.test("Mailbox takes a waiting command or timer out again", () => {
  const mailbox = mailboxOf([]);
  const waiting = command("query");
  mailbox.postCommand(waiting);
  mailbox.postTimer("poll", 0);
  assertEquals([
    mailbox.withdrawCommand(waiting),
    mailbox.withdrawTimer("poll"),
  ], [true, true]);
  assertEquals([
    mailbox.withdrawCommand(waiting),
    mailbox.withdrawTimer("poll"),
  ], [false, false]);
  assertEquals(mailbox.take("all"), undefined);
});

Deno.test("Mailbox copies a report, so that the transfer may go back at once", () => {
  const mailbox = mailboxOf(["pause"]);
  const lent = report(1, 2, 3);
  mailbox.offerReport(0, lent, 0);
  lent.data.fill(0xff);
  assertEquals([...takeReport(mailbox).data], [1, 2, 3]);
});

Deno.test("Mailbox with pause refuses when full, loses nothing, and calls when there is room", () => {
  const rooms: number[] = [];
  const mailbox = mailboxOf(["pause"], {
    capacity: 4,
    onRoom: (input) => void rooms.push(input),
  });
  const taken = [1, 2, 3, 4, 5].map((byte) =>
    mailbox.offerReport(0, report(byte), 0)
  );
  assertEquals(taken, [true, true, true, true, false]);
  mailbox.reports.release(takeReport(mailbox));
  assertEquals(rooms, [], "above the low mark it does not flutter");
  mailbox.reports.release(takeReport(mailbox));
  assertEquals(rooms, [0]);
  assertEquals(mailbox.offerReport(0, report(5), 0), true);
  assertEquals(takeBytes(mailbox), [3, 4, 5]);
  assertEquals(mailbox.reports.tally(0).refused, 1);
});

Deno.test("Mailbox with keepLatest keeps the newest and counts the replaced", () => {
  const mailbox = mailboxOf(["keepLatest"]);
  for (const byte of [1, 2, 3]) assert(mailbox.offerReport(0, report(byte), 0));
  assertEquals(takeBytes(mailbox), [3]);
  const { accepted, handled, dropped } = mailbox.reports.tally(0);
  assertEquals([accepted, handled, dropped.replaced], [3, 1, 2]);
});

Deno.test("Mailbox with dropOldest drops the oldest and counts it", () => {
  const mailbox = mailboxOf(["dropOldest"], { capacity: 2 });
  for (const byte of [1, 2, 3]) assert(mailbox.offerReport(0, report(byte), 0));
  assertEquals(mailbox.reports.tally(0).dropped.oldest, 1);
  assertEquals(takeBytes(mailbox), [2, 3]);
});

Deno.test("Mailbox keeps a place for an input that cannot pause", () => {
  const mailbox = mailboxOf(["pause", "keepLatest", "dropOldest"], {
    capacity: 4,
  });
  const flood = [1, 2, 3].map((byte) =>
    mailbox.offerReport(0, report(byte), 0)
  );
  assertEquals(flood, [true, true, false]);
  assert(mailbox.offerReport(1, report(8), 0));
  assert(mailbox.offerReport(2, report(9), 0));
  assertEquals(takeBytes(mailbox), [1, 2, 8, 9]);
});

Deno.test("Mailbox pauses by bytes as well as by number", () => {
  const rooms: number[] = [];
  const mailbox = mailboxOf(["pause"], {
    limitBytes: 256,
    onRoom: (input) => void rooms.push(input),
  });
  const big = { data: new Uint8Array(128), timestampMs: 0 };
  assertEquals([1, 2, 3].map(() => mailbox.offerReport(0, big, 0)), [
    true,
    true,
    false,
  ]);
  mailbox.reports.release(takeReport(mailbox));
  assertEquals(rooms, [0]);
});

Deno.test("Mailbox drops the oldest for bytes where the policy says so", () => {
  const mailbox = mailboxOf(["dropOldest"], { limitBytes: 256 });
  const big = { data: new Uint8Array(128), timestampMs: 0 };
  assertEquals([1, 2, 3].map(() => mailbox.offerReport(0, big, 0)), [
    true,
    true,
    true,
  ]);
  assertEquals(mailbox.reports.tally(0).dropped.oldest, 1);
});

Deno.test("Mailbox counts a report that no storage was left for", () => {
  const mailbox = mailboxOf(["pause", "keepLatest"], { limitBytes: 128 });
  assert(
    mailbox.offerReport(0, { data: new Uint8Array(128), timestampMs: 0 }, 0),
  );
  assertEquals(mailbox.offerReport(1, report(1), 0), true);
  assertEquals(mailbox.reports.tally(1).dropped.full, 1);
});

Deno.test("Mailbox gives reports of several inputs in the order they came", () => {
  const mailbox = mailboxOf(["pause", "pause"]);
  for (const [input, byte] of [[0, 1], [1, 2], [0, 3], [1, 4]] as const) {
    mailbox.offerReport(input, report(byte), 0);
  }
  assertEquals(takeBytes(mailbox), [1, 2, 3, 4]);
});

Deno.test("Mailbox gives a matching report over the heads of the others", () => {
  const mailbox = mailboxOf(["pause"]);
  for (const byte of [1, 2, 3]) mailbox.offerReport(0, report(byte), 0);
  const found = mailbox.reports.takeMatching(0, (data) => data[0] === 2);
  assertEquals(found?.data[0], 2);
  assertEquals(
    mailbox.reports.takeMatching(0, (data) => data[0] === 9),
    undefined,
  );
  assertEquals(takeBytes(mailbox), [1, 3]);
  const { accepted, handled, received } = mailbox.reports.tally(0);
  assertEquals([accepted, handled, received], [3, 2, 1]);
});

Deno.test("Mailbox drops what waits with a reason, and frees its storage", () => {
  const mailbox = mailboxOf(["pause"], { limitBytes: 128 });
  mailbox.offerReport(0, report(1), 0);
  mailbox.offerReport(0, report(2), 0);
  mailbox.reports.drop("stopped");
  assertEquals(mailbox.reports.tally(0).dropped.stopped, 2);
  assertEquals(mailbox.offerReport(0, report(3), 0), true);
});

Deno.test("Mailbox refuses a capacity below one report for each input", () => {
  assertThrows(
    () => mailboxOf(["pause", "pause"], { capacity: 1 }),
    RangeError,
  );
});
