import { assertEquals, assertThrows } from "../../driver/std.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import { Journal, JOURNAL_CAPACITY } from "../../driver/loop/journal.ts";
import {
  decodeRecording,
  encodeRecording,
} from "../../driver/loop/recording.ts";

Deno.test("Journal keeps the last events, with sizes and without bytes", async () => {
  const clock = new VirtualClock();
  const journal = new Journal(clock);
  for (let at = 0; at < JOURNAL_CAPACITY + 10; at++) {
    journal.record("report", "0x81", Uint8Array.of(1, 2, 3));
  }
  await clock.advance(5);
  journal.epoch = 1;
  journal.record("state", "stopping");
  assertEquals([journal.recorded, journal.events().length], [
    JOURNAL_CAPACITY + 11,
    JOURNAL_CAPACITY,
  ]);
  const [first] = journal.events();
  assertEquals([first?.sequence, first?.sizeBytes, first?.payload], [
    11,
    3,
    undefined,
  ]);
  assertEquals(journal.events().at(-1), {
    sequence: JOURNAL_CAPACITY + 10,
    timeMs: 5,
    epoch: 1,
    kind: "state",
    name: "stopping",
    sizeBytes: 0,
  });
});

Deno.test("Journal keeps the first bytes of a payload when asked, copied", () => {
  const journal = new Journal(new VirtualClock(), { payloadBytesMax: 2 });
  const data = Uint8Array.of(1, 2, 3);
  journal.record("report", "0x81", data);
  data.fill(0);
  assertEquals(journal.events()[0]?.payload, Uint8Array.of(1, 2));
});

Deno.test("Journal's trace hash is the same for the same events only", () => {
  const hash = (...names: string[]): string => {
    const journal = new Journal(new VirtualClock());
    for (const name of names) journal.record("timer", name);
    return journal.traceHash;
  };
  assertEquals(hash("a", "b"), hash("a", "b"));
  const hashes = [
    hash(),
    hash("a"),
    hash("a", "b"),
    hash("b", "a"),
    hash("ab"),
  ];
  assertEquals(new Set(hashes).size, hashes.length);
  // Written down, so that another engine version or machine is noticed.
  assertEquals(hash("poll"), HASH_OF_POLL);
});

const HASH_OF_POLL = "36173c20055a36b4";

Deno.test("Recording comes back as it was written", () => {
  const journal = new Journal(new VirtualClock(), { payloadBytesMax: 8 });
  journal.record("report", "0x81", Uint8Array.of(0x00, 0xff));
  journal.record("state", "ready");
  const recording = {
    header: {
      driver: "usbtmc",
      device: "0957:1755@1-4",
      traceHash: journal.traceHash,
      seed: 7,
    },
    events: journal.events(),
  };
  assertEquals(decodeRecording(encodeRecording(recording)), recording);
});

Deno.test("Recording of another version, cut, or tampered with is refused", () => {
  const header = JSON.stringify({
    version: 1,
    driver: "a",
    device: "b",
    traceHash: "c",
  });
  const event = {
    sequence: 0,
    timeMs: 0,
    epoch: 0,
    kind: "state",
    name: "ready",
    sizeBytes: 0,
  };
  const lines = (...values: unknown[]): string =>
    [header, ...values.map((value) => JSON.stringify(value))].join("\n") + "\n";
  assertEquals(decodeRecording(lines(event)).events.length, 1);
  const bad: [string, string][] = [
    ["", "no header"],
    [lines(event).slice(0, -1), "a cut line"],
    [lines(event).replace('"version":1', '"version":2'), "version 1 is known"],
    [lines({ ...event, kind: "magic" }), "unknown kind"],
    [lines({ ...event, name: "x".repeat(1_000) }), "too long"],
    [lines({ ...event, timeMs: -1 }), "negative"],
    [lines({ ...event, payload: "0g" }), "not hexadecimal"],
    [lines([event]), "not an object"],
    [header + "\n{\n", "not JSON"],
    [header + "\n" + "{}\n".repeat(70_000), "over 65536 events"],
  ];
  for (const [text, message] of bad) {
    assertThrows(() => decodeRecording(text), SyntaxError, message);
  }
});
