import type { JournalEvent } from "../../driver/loop/journal.ts";
import {
  decodeEvent,
  encodeEvent,
  LINE_CHARACTERS_MAX,
  PAYLOAD_BYTES_MAX,
} from "../../driver/loop/recording.ts";
import { assertEquals, assertThrows } from "../../driver/std.ts";

const EVENT: JournalEvent = {
  sequence: 7,
  timeMs: 1234.567,
  epoch: 1,
  kind: "report",
  name: "0x81",
  sizeBytes: 3,
};

Deno.test("An event comes back as it was written, on one line", () => {
  const events: JournalEvent[] = [
    EVENT,
    { ...EVENT, payload: Uint8Array.of(0x00, 0x7f, 0xff) },
    {
      ...EVENT,
      kind: "done",
      id: 3,
      detail: { status: "stall", a: [1, null] },
    },
    { ...EVENT, name: 'with "quotes"\nand lines' },
  ];
  for (const event of events) {
    const line = encodeEvent(event);
    assertEquals(line.includes("\n"), false);
    assertEquals(decodeEvent(line), event);
  }
  assertEquals(encodeEvent(EVENT), '[7,1234.567,1,"report","0x81",3]');
});

Deno.test("An event's bytes and name are bounded, its size is not", () => {
  const data = new Uint8Array(PAYLOAD_BYTES_MAX + 1);
  const event = decodeEvent(
    encodeEvent({
      ...EVENT,
      name: "x".repeat(1_000),
      sizeBytes: data.length,
      payload: data,
    }),
  );
  assertEquals(
    [event.payload?.length, event.sizeBytes, event.name.length],
    [PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MAX + 1, 256],
  );
});

Deno.test("What is no event is refused, with what is wrong", () => {
  const line = (change: (event: unknown[]) => void): string => {
    const event: unknown[] = JSON.parse(encodeEvent(EVENT));
    change(event);
    return JSON.stringify(event);
  };
  let deep: unknown = 1;
  for (let n = 0; n < 40; n++) deep = [deep];
  const bad: [string, string][] = [
    ["", "not JSON"],
    ["{}", "not an array"],
    ["[1,2,3]", "not an array"],
    [line((event) => event.push({}, 1)), "not an array"],
    [line((event) => event[0] = -1), "sequence"],
    [line((event) => event[0] = 0.5), "sequence"],
    [line((event) => event[1] = "now"), "time"],
    [line((event) => event[2] = null), "epoch"],
    [line((event) => event[3] = "magic"), "unknown kind"],
    [line((event) => event[3] = "__proto__"), "unknown kind"],
    [line((event) => event[4] = "x".repeat(300)), "name"],
    [line((event) => event[5] = 1e300), "size"],
    [line((event) => event.push([])), "seventh"],
    [line((event) => event.push({ id: "a" })), "id"],
    [line((event) => event.push({ data: "0g" })), "hexadecimal"],
    [line((event) => event.push({ data: "000" })), "hexadecimal"],
    [line((event) => event.push({ detail: deep })), "nested"],
    ["[".repeat(LINE_CHARACTERS_MAX + 1), "too long"],
  ];
  for (const [text, message] of bad) {
    assertThrows(() => decodeEvent(text), SyntaxError, message);
  }
});
