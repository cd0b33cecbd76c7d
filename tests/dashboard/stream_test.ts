/** The stream of events as the page reads it, and how it comes back to it. */

import {
  type Api,
  LinkError,
  TokenError,
} from "../../driver/host/dashboard/page/api.js";
import { delayOf, follow } from "../../driver/host/dashboard/page/follow.js";
import {
  EVENT_CHARACTERS_MAX,
  EventParser,
} from "../../driver/host/dashboard/page/sse.js";
import { Chance } from "../../driver/loop/chance.ts";
import { assert, assertEquals, assertThrows } from "../../driver/std.ts";

const STREAM = ": alive\n\nretry: 1000\n\nid: 7\nevent: driver.state\n" +
  'data: {"to":"ready"}\n\nevent: gap\ndata: {}\n\ndata: a\r\ndata:b\r\n\r\n' +
  "id: 8\nnothing\nevent: x\ndata\n\n";

const EVENTS = [
  { event: "driver.state", data: '{"to":"ready"}', id: "7" },
  { event: "gap", data: "{}", id: "7" },
  { event: "message", data: "a\nb", id: "7" },
  { event: "x", data: "", id: "8" },
];

Deno.test("Events are the same however the stream is cut", () => {
  assertEquals(new EventParser().push(STREAM), EVENTS);
  const chance = new Chance(5);
  for (let round = 0; round < 300; round++) {
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < STREAM.length;) {
      const length = chance.integer(1, 9);
      events.push(...parser.push(STREAM.slice(at, at + length)));
      at += length;
    }
    assertEquals(events, EVENTS, `round ${round}`);
  }
});

Deno.test("An event that does not end is not waited for", () => {
  const long = "x".repeat(EVENT_CHARACTERS_MAX / 4);
  for (const piece of [long, `data: ${long}\n`]) {
    const parser = new EventParser();
    assertThrows(
      () => {
        for (let pieces = 0; pieces < 6; pieces++) parser.push(piece);
      },
      RangeError,
      "does not end",
    );
  }
});

/** An api whose streams a test makes. */
function fakeApi(
  streams: readonly (string | Error)[],
  asked: string[],
  end: () => void,
): Api {
  let index = 0;
  const stream = (
    _path: string,
    options: { readonly lastEventId: string },
  ): Promise<ReadableStream<Uint8Array>> => {
    asked.push(options.lastEventId);
    const next = streams[index++];
    if (next === undefined) end();
    if (next instanceof Error) return Promise.reject(next);
    const { body } = new Response(next ?? "");
    return Promise.resolve(body ?? new ReadableStream());
  };
  return { stream } as unknown as Api;
}

Deno.test("A stream that ends is followed again from its last number, later each time", async () => {
  const ended = new AbortController();
  const asked: string[] = [];
  const links: boolean[] = [];
  const waits: number[] = [];
  const events: string[] = [];
  await follow({
    api: fakeApi(
      [
        "id: 4\ndata: one\n\ndata: two\n\n",
        new LinkError("gone"),
        new LinkError("gone"),
        "data: three\n\n",
        "",
      ],
      asked,
      () => ended.abort(),
    ),
    path: "/events",
    signal: ended.signal,
    onEvent: ({ data }) => void events.push(data),
    onLink: (isOpen) => void links.push(isOpen),
    random: () => 1,
    wait: (durationMs) => Promise.resolve(void waits.push(durationMs)),
  });
  assertEquals(events, ["one", "two", "three"]);
  assertEquals(asked, ["", "4", "4", "4", "4", "4"]);
  assertEquals(waits.slice(0, 5), [1_000, 2_000, 4_000, 1_000, 2_000]);
  assertEquals(links.slice(0, 4), [true, false, false, false]);
});

Deno.test("A refused token ends it: nobody knocks for ever", async () => {
  const asked: string[] = [];
  await follow({
    api: fakeApi([new TokenError("no")], asked, () => {}),
    path: "/events",
    signal: new AbortController().signal,
    onEvent: () => {},
    onLink: () => {},
    random: () => 0,
    wait: () => Promise.reject(new Error("It was not to be tried again")),
  });
  assertEquals(asked.length, 1);
});

Deno.test("Attempts are spread and bounded", () => {
  for (let failures = 0; failures < 60; failures++) {
    assert(delayOf(failures, 0) >= 500);
    assert(delayOf(failures, 1) <= 15_000);
  }
});
