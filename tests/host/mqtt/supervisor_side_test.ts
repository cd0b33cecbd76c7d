/** Following supervisors that come, go and are others, over a real socket. */

import { listen } from "../../../driver/host/http/server.ts";
import { DeviceTable } from "../../../driver/host/mqtt/device_table.ts";
import { Outbox } from "../../../driver/host/mqtt/outbox.ts";
import { SupervisorSide } from "../../../driver/host/mqtt/supervisor_side.ts";
import { bridgeTopics } from "../../../driver/host/mqtt/topics.ts";
import { UnreachableError } from "../../../driver/host/supervisor/client.ts";
import { systemClock } from "../../../driver/host/system_clock.ts";
import { assertEquals, assertRejects } from "../../../driver/std.ts";
import { until } from "../../until.ts";

/** A stream that ends: a snapshot, and events with these numbers. */
function stream(started: string, ids: readonly number[]): string {
  const snapshot = { started, configured: ["a"] };
  const data = { at: started, driver: "a", event: "e", data: {} };
  return [
    `event: snapshot\ndata: ${JSON.stringify(snapshot)}\n\n`,
    ...ids.map((id) =>
      `id: ${id}\nevent: driver.event\ndata: ${
        JSON.stringify({ ...data, sequence: id })
      }\n\n`
    ),
  ].join("");
}

class FollowBench {
  readonly folder = Deno.makeTempDirSync();
  readonly socket = `${this.folder}/socket`;
  readonly asked: (string | null)[] = [];
  readonly outbox = new Outbox();
  readonly notes: string[] = [];
  readonly stop = new AbortController();
  readonly side: SupervisorSide;

  constructor() {
    const topics = bridgeTopics("driverspace", "homeassistant");
    const table = new DeviceTable({
      outbox: this.outbox,
      topics,
      prefix: "driverspace",
      discoveryPrefix: "homeassistant",
      tellsHomeAssistant: false,
      takesCommands: true,
      version: "0.1.0",
    });
    this.side = new SupervisorSide({
      clock: systemClock(),
      random: () => 0,
      socket: this.socket,
      table,
      onChange: () => {},
      note: (_, event) => this.notes.push(event),
    });
  }

  /** Answers each request for events by the next of these; after the last it is over. */
  async follow(streams: readonly string[]): Promise<void> {
    const left = [...streams];
    const server = await listen((request) => {
      if (!request.url.endsWith("/events")) {
        return Promise.resolve(new Response("{}", { status: 404 }));
      }
      this.asked.push(request.headers.get("last-event-id"));
      const next = left.shift();
      if (left.length === 0) this.stop.abort();
      return Promise.resolve(new Response(next ?? ""));
    }, { socket: this.socket });
    await this.side.run(this.stop.signal);
    await server.close();
    Deno.removeSync(this.folder, { recursive: true });
  }

  /** Numbers of the events that were told. */
  told(): number[] {
    const numbers: number[] = [];
    for (;;) {
      const message = this.outbox.take(Infinity);
      if (message === undefined) return numbers;
      this.outbox.done(message);
      if (!message.retain) numbers.push(JSON.parse(message.payload).sequence);
    }
  }
}

Deno.test("A supervisor that comes back is asked for what was missed", async () => {
  const bench = new FollowBench();
  await bench.follow([stream("A", [5, 6]), stream("A", [7]), stream("A", [])]);
  assertEquals(bench.asked, [null, "6", "7"]);
  assertEquals(bench.told(), [5, 6, 7]);
  assertEquals(bench.side.counters, { connections: 2, missed: 0 });
});

Deno.test("Another supervisor counts anew: it is asked for all it has told, and nothing is told twice", async () => {
  const bench = new FollowBench();
  await bench.follow([
    stream("A", [5, 6]),
    // By then it has told nine: asked for what came after 6, it shows three.
    stream("B", [7, 8, 9]),
    stream("B", [1, 2, 3, 4, 5, 6, 7, 8, 9]),
    stream("B", []),
  ]);
  assertEquals(bench.asked, [null, "6", "0", "9"]);
  assertEquals(bench.told(), [5, 6, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

Deno.test("What is lost is counted, and what cannot be read is told and passed over", async () => {
  const bench = new FollowBench();
  await bench.follow([
    stream("A", [1]) +
    'event: gap\ndata: {"from":2,"to":11}\n\n' +
    "id: 12\nevent: driver.event\ndata: garbage\n\n" +
    stream("A", [13]),
    stream("A", []),
  ]);
  assertEquals(bench.told(), [1, 13]);
  assertEquals(bench.side.counters.missed, 10);
  assertEquals(bench.notes.includes("supervisor.missed"), true);
  assertEquals(bench.notes.includes("supervisor.unreadable"), true);
});

Deno.test("A supervisor that is away is waited for", async () => {
  const bench = new FollowBench();
  const running = bench.side.run(bench.stop.signal);
  await until("a second look", () => bench.notes.length > 1);
  bench.stop.abort();
  await running;
  assertEquals(new Set(bench.notes), new Set(["supervisor.away"]));
  await assertRejects(
    () => bench.side.call("a", "b", {}),
    UnreachableError,
  );
  Deno.removeSync(bench.folder, { recursive: true });
});
