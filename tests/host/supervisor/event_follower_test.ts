/** The client of the event stream: its parser, and a stream over a real socket. */

import { listen } from "../../../driver/host/http/server.ts";
import { UnreachableError } from "../../../driver/host/supervisor/client.ts";
import {
  EventStreamReader,
  followEvents,
  type StreamedEvent,
} from "../../../driver/host/supervisor/event_follower.ts";
import {
  assertEquals,
  assertRejects,
  assertThrows,
} from "../../../driver/std.ts";

const STREAM = "retry: 1000\n\n" +
  ': alive\n\nid: 7\nevent: driver.state\ndata: {"a":1}\n\n' +
  "event: gap\r\ndata: 1\r\ndata: 2\r\n\r\nevent: without data\n\n" +
  "data:no space\n\nid: none\nunknown\ndata: x\n\n";

const EVENTS: readonly StreamedEvent[] = [
  { id: 7, event: "driver.state", data: '{"a":1}' },
  { id: undefined, event: "gap", data: "1\n2" },
  { id: undefined, event: "message", data: "no space" },
  { id: undefined, event: "message", data: "x" },
];

Deno.test("An event stream is taken apart the same wherever it is cut", () => {
  for (let size = 1; size <= STREAM.length; size++) {
    const reader = new EventStreamReader();
    const found: StreamedEvent[] = [];
    for (let at = 0; at < STREAM.length; at += size) {
      found.push(...reader.push(STREAM.slice(at, at + size)));
    }
    assertEquals(found, EVENTS, `in pieces of ${size}`);
  }
});

Deno.test("An event that does not end is refused before it fills the memory", () => {
  const reader = new EventStreamReader();
  const piece = "x".repeat(1024 * 1024);
  reader.push("data: ");
  assertThrows(() => {
    for (let count = 0; count < 5; count++) reader.push(piece);
  }, RangeError);
  const lines = new EventStreamReader();
  assertThrows(() => {
    for (let count = 0; count < 5; count++) lines.push(`data: ${piece}\n`);
  }, RangeError);
});

/** Serves one answer at a socket of its own. */
async function withServer(
  answer: (request: Request) => Response,
  run: (socket: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const socket = `${folder}/socket`;
  const server = await listen((request) => Promise.resolve(answer(request)), {
    socket,
  });
  try {
    await run(socket);
  } finally {
    await server.close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("A follower names the last event it saw, and ends when it is told or the stream does", async () => {
  const asked: (string | null)[] = [];
  await withServer(
    (request) => {
      asked.push(request.headers.get("last-event-id"));
      return new Response(STREAM);
    },
    async (socket) => {
      const found: StreamedEvent[] = [];
      const abort = new AbortController();
      const following = (lastEventId?: number): Promise<void> =>
        followEvents(socket, {
          lastEventId,
          onEvent: (event) => void found.push(event),
          signal: abort.signal,
        });
      await assertRejects(
        () => following(6),
        UnreachableError,
        "ended the stream",
      );
      assertEquals([asked, found], [["6"], [...EVENTS]]);
      abort.abort();
      await following();
      assertEquals(asked, ["6"]);
    },
  );
});

Deno.test("A follower that is told while it waits ends at once", async () => {
  const open = new ReadableStream<Uint8Array>({
    start: (controller) =>
      controller.enqueue(
        new TextEncoder().encode("data: first\n\ndata: second\n\n"),
      ),
  });
  await withServer(() => new Response(open), async (socket) => {
    const abort = new AbortController();
    let count = 0;
    await followEvents(socket, {
      onEvent: () => {
        count++;
        abort.abort();
      },
      signal: abort.signal,
    });
    assertEquals(count, 1);
  });
});

Deno.test("A follower says why it reaches nobody, or is refused", async () => {
  const signal = new AbortController().signal;
  await assertRejects(
    () => followEvents("/nowhere/socket", { onEvent: () => {}, signal }),
    UnreachableError,
    "there is no such socket",
  );
  await withServer(
    () => new Response("busy", { status: 503 }),
    async (socket) => {
      await assertRejects(
        () => followEvents(socket, { onEvent: () => {}, signal }),
        UnreachableError,
        "it answers 503",
      );
    },
  );
});
