import {
  CLIENT_EVENTS_MAX,
  CLIENT_LINES_MAX,
  EVENT_CLIENTS_MAX,
  KEEP_ALIVE_MS,
} from "../../../driver/host/http/event_stream.ts";
import {
  EVENT_CHARACTERS_MAX,
  EventRing,
  EVENTS_KEPT,
} from "../../../driver/host/supervisor/event_ring.ts";
import { VirtualClock } from "../../../driver/loop/clock.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../../driver/std.ts";
import { configure } from "../supervisor/supervisor_bench.ts";
import { EventReader, HttpBench } from "./http_bench.ts";

async function running(): Promise<HttpBench> {
  const bench = new HttpBench();
  await bench.supervisor.start(configure({ a: "A" }));
  await bench.pass(500);
  return bench;
}

function cutFor(bench: HttpBench, reason: string): number | undefined {
  return bench.registry.value("driverspace_event_clients_cut_total", {
    reason,
  });
}

Deno.test("A client of the events first gets the present state, then what happens", async () => {
  const bench = await running();
  const reader = new EventReader(await bench.get("/events"));
  const first = await reader.next() ?? "";
  assertStringIncludes(first, "retry: 1000\n\n");
  assertStringIncludes(first, "event: snapshot\n");
  assertStringIncludes(first, '"state":"ready"');
  bench.events.publish("driver.event", { volts: 1 }, "a");
  const sequence = bench.events.lastSequence;
  assertStringIncludes(
    await reader.next() ?? "",
    `id: ${sequence}\nevent: driver.event\ndata: {`,
  );
  assertEquals(bench.registry.value("driverspace_event_clients"), 1);
  await reader.cancel();
  assertEquals(bench.registry.value("driverspace_event_clients"), 0);
  await bench.stop();
  assertEquals(bench.clock.pendingTimers, 0);
});

Deno.test("A client that was away gets what it missed, or is told what is lost", async () => {
  const bench = await running();
  for (let number = 0; number < 5; number++) {
    bench.events.publish("driver.event", { number }, "a");
  }
  const last = bench.events.lastSequence;
  const resumed = new EventReader(
    await bench.get("/events", { "last-event-id": String(last - 2) }),
  );
  const text = await resumed.next() ?? "";
  assert(!text.includes("event: gap"));
  assertEquals(text.match(/^id: \d+$/gm), [`id: ${last - 1}`, `id: ${last}`]);
  await resumed.cancel();

  for (let number = 0; number < EVENTS_KEPT * 3; number++) {
    bench.events.publish("driver.event", { number }, "a");
  }
  const lost = new EventReader(
    await bench.get("/events", { "last-event-id": String(last) }),
  );
  const first = bench.events.lastSequence - EVENTS_KEPT + 1;
  assertStringIncludes(
    await lost.next() ?? "",
    `event: gap\ndata: {"from":${last + 1},"to":${first - 1},"of":"events"}`,
  );
  await lost.cancel();
  assertEquals(
    (await bench.get("/events", { "last-event-id": "x" })).status,
    400,
  );
  await bench.stop();
});

Deno.test("A client that does not read is cut and counted, the others go on", async () => {
  const bench = await running();
  const slow = new EventReader(await bench.get("/events"));
  const quick = new EventReader(await bench.get("/events"));
  await quick.next();
  for (let number = 0; number < CLIENT_EVENTS_MAX + 10; number++) {
    bench.events.publish("driver.event", { number }, "a");
    assertStringIncludes(await quick.next() ?? "", `"number":${number}`);
  }
  assertEquals(cutFor(bench, "slow"), 1);
  assertEquals(bench.registry.value("driverspace_event_clients"), 1);
  assertEquals(await slow.next(), undefined);
  await quick.cancel();
  await bench.stop();
});

Deno.test("A client may ask for one driver or one kind of event", async () => {
  const bench = await running();
  const reader = new EventReader(
    await bench.get("/events?driver=a&event=driver.event"),
  );
  await reader.next();
  bench.events.publish("driver.event", { number: 1 }, "b");
  bench.events.publish("driver.state", { number: 2 }, "a");
  bench.events.publish("driver.event", { number: 3 }, "a");
  assertStringIncludes(await reader.next() ?? "", '"number":3');
  await reader.cancel();
  await bench.stop();
});

/** Has the driver log a line. */
async function say(
  bench: HttpBench,
  message: string,
  level: "info" | "warn" = "info",
): Promise<void> {
  bench.processes[0]?.process.say({
    type: "log",
    level,
    event: "meter.read",
    message,
    fields: { "volts": 1 },
  });
  await bench.clock.advance(0);
}

Deno.test("Lines of logs come only to who asks for them, from the level asked for", async () => {
  const bench = await running();
  const readers: Record<string, EventReader> = {};
  for (
    const query of ["", "?log=warn", "?event=driver.log", "?log=warn&driver=b"]
  ) {
    readers[query] = new EventReader(await bench.get(`/events${query}`));
    await readers[query].next();
  }
  await say(bench, "quiet");
  const sequence = bench.events.lastSequence;
  assertStringIncludes(
    await readers["?event=driver.log"]?.next() ?? "",
    `id: ${sequence}\nevent: driver.log\ndata: {`,
  );
  await say(bench, "loud", "warn");
  const lines = await readers["?event=driver.log"]?.next() ?? "";
  assertStringIncludes(
    lines,
    '"driver":"a","level":"warn","from":"driver","event":"meter.read",' +
      '"message":"loud","fields":{"volts":1}',
  );
  assertEquals(await readers["?log=warn"]?.next(), lines, "not the quiet one");
  bench.events.publish("driver.event", { number: 1 }, "b");
  for (const query of ["", "?log=warn", "?log=warn&driver=b"]) {
    const text = await readers[query]?.next() ?? "";
    assertStringIncludes(text, '"number":1');
    assertEquals(text.match(/^id: /gm)?.length, 1, query);
  }
  for (const reader of Object.values(readers)) await reader.cancel();
  for (const query of ["?log=loud", "?log=", "?event=driver.log&log=1"]) {
    assertEquals((await bench.get(`/events${query}`)).status, 400);
  }
  await bench.stop();
});

Deno.test("A client of logs that comes back gets events and lines in order, and hears of lost lines", async () => {
  const bench = await running();
  const seen = bench.events.lastSequence;
  await say(bench, "first");
  bench.events.publish("driver.event", { number: 2 }, "a");
  await say(bench, "third");
  const headers = { "last-event-id": String(seen) };
  const back = new EventReader(await bench.get("/events?log=info", headers));
  const text = await back.next() ?? "";
  assert(!text.includes("event: gap"));
  assertEquals(text.match(/^event: \S+$/gm), [
    "event: snapshot",
    "event: driver.log",
    "event: driver.event",
    "event: driver.log",
  ]);
  await back.cancel();
  for (let number = 0; number < 300; number++) {
    await say(bench, `line ${number}`);
  }
  const log = bench.events.logs.of("a");
  const lost = new EventReader(await bench.get("/events?log=info", headers));
  assertStringIncludes(
    await lost.next() ?? "",
    `event: gap\ndata: {"from":${
      seen + 1
    },"to":${log.lostUpTo},"of":"driver.log"}`,
  );
  await lost.cancel();
  const other = new EventReader(await bench.get("/events", headers));
  const others = await other.next() ?? "";
  assert(!others.includes("event: gap"), "who wants no lines misses none");
  assertStringIncludes(others, '"number":2');
  await other.cancel();
  await bench.stop();
});

Deno.test("A client that is too slow for a log is told which lines it missed, and is not cut", async () => {
  const bench = await running();
  const slow = new EventReader(await bench.get("/events?log=info"));
  await slow.next();
  const first = bench.events.lastSequence + 1;
  for (let number = 0; number < CLIENT_EVENTS_MAX * 4; number++) {
    await say(bench, `line ${number}`);
  }
  const last = bench.events.lastSequence;
  bench.events.publish("driver.event", { number: 1 }, "a");
  const text = await slow.next() ?? "";
  assertEquals(text.match(/^event: driver.log$/gm)?.length, CLIENT_LINES_MAX);
  assertStringIncludes(text, '"number":1');
  const from = first + CLIENT_LINES_MAX;
  assertStringIncludes(
    text,
    `event: gap\ndata: {"from":${from},"to":${last},"of":"driver.log"}`,
  );
  assertEquals(cutFor(bench, "slow"), 0);
  await slow.cancel();
  await bench.stop();
});

Deno.test("A client may leave out what a fast driver tells", async () => {
  const bench = await running();
  const path = "/events?without=driver.event";
  const reader = new EventReader(await bench.get(path));
  await reader.next();
  const before = bench.events.lastSequence;
  for (let number = 0; number < CLIENT_EVENTS_MAX * 2; number++) {
    bench.events.publish("driver.event", { number }, "a");
  }
  bench.events.publish("driver.state", { to: "ready" }, "a");
  const heard = await reader.next() ?? "";
  assertStringIncludes(heard, '"to":"ready"');
  assert(!heard.includes("driver.event"));
  const resumed = new EventReader(
    await bench.get(path, { "last-event-id": String(before) }),
  );
  assert(!(await resumed.next() ?? "").includes("event: driver.event"));
  await reader.cancel();
  await resumed.cancel();
  await bench.stop();
});

Deno.test("A quiet stream is kept alive by comments, and ends with the supervisor", async () => {
  const bench = await running();
  const reader = new EventReader(await bench.get("/events?event=none"));
  await reader.next();
  await bench.pass(KEEP_ALIVE_MS);
  assertEquals(await reader.next(), ": alive\n\n");
  bench.http.close();
  assertEquals(await reader.next(), undefined);
  await bench.stop();
});

Deno.test("There are only so many clients of the events", async () => {
  const bench = await running();
  for (let client = 0; client < EVENT_CLIENTS_MAX; client++) {
    assertEquals((await bench.get("/events")).status, 200);
  }
  assertEquals((await bench.get("/events")).status, 503);
  bench.http.close();
  const again = await bench.get("/events");
  assertEquals(again.status, 200);
  bench.http.close();
  await bench.stop();
});

Deno.test("An event ring keeps the last, drops what is too long, and knows a restart", () => {
  const ring = new EventRing(new VirtualClock(), 4);
  assertEquals(ring.since(0), { gap: undefined, events: [] });
  for (let number = 1; number <= 9; number++) ring.publish("n", { number });
  assertEquals(ring.since(0).gap, { from: 1, to: 5 });
  assertEquals(ring.since(7).events.map(({ sequence }) => sequence), [8, 9]);
  assertEquals(ring.since(9), { gap: undefined, events: [] });
  assertEquals(
    ring.since(1_000).events.length,
    4,
    "Another supervisor's number",
  );
  ring.publish("long", { text: "x".repeat(EVENT_CHARACTERS_MAX) });
  assertEquals(ring.since(9).events[0]?.data, { truncated: true });
});
