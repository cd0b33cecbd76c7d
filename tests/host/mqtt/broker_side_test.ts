/** Keeping a connection, in virtual time, with a broker in the test's hands. */

import {
  BrokerError,
  type BrokerLink,
  LinkClosedError,
  RefusedByBrokerError,
} from "../../../driver/host/mqtt/broker_link.ts";
import { BrokerSide } from "../../../driver/host/mqtt/broker_side.ts";
import { Outbox, type OutMessage } from "../../../driver/host/mqtt/outbox.ts";
import { VirtualClock } from "../../../driver/loop/clock.ts";
import { assertEquals, assertRejects } from "../../../driver/std.ts";

/** A connection that acknowledges at once, or when told. */
class FakeLink implements BrokerLink {
  readonly inFlightMax = 4;
  packetBytesMax = Infinity;
  readonly published: string[] = [];
  readonly subscribed: string[] = [];
  readonly waiting: (() => void)[] = [];
  isAutomatic = true;
  isClosedInOrder = false;
  readonly #closed = Promise.withResolvers<string>();
  readonly closed = this.#closed.promise;
  refused = "";

  publish({ topic, payload }: OutMessage): Promise<void> {
    this.published.push(`${topic}=${payload}`);
    if (topic === this.refused) {
      return Promise.reject(new RefusedByBrokerError("Not authorized"));
    }
    if (this.isAutomatic) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.waiting.push(resolve);
    void this.closed.then((reason) => reject(new LinkClosedError(reason)));
    return promise;
  }

  subscribe(topic: string): Promise<void> {
    this.subscribed.push(topic);
    return topic === this.refused
      ? Promise.reject(new RefusedByBrokerError("Not authorized"))
      : Promise.resolve();
  }

  break(): void {
    this.#closed.resolve("pulled");
  }

  close(): Promise<void> {
    this.isClosedInOrder = true;
    this.#closed.resolve("left");
    return Promise.resolve();
  }
}

class SideBench {
  readonly clock = new VirtualClock();
  readonly outbox = new Outbox();
  readonly notes: string[] = [];
  readonly attemptsMs: number[] = [];
  readonly stop = new AbortController();
  next: () => Promise<BrokerLink> = () => Promise.resolve(this.link);
  link = new FakeLink();
  readonly side = new BrokerSide({
    clock: this.clock,
    random: () => 0,
    outbox: this.outbox,
    connect: () => {
      this.attemptsMs.push(this.clock.nowMs());
      return this.next();
    },
    subscriptions: ["devices", "set"],
    farewell: () => this.outbox.keep("state", () => "offline"),
    onEventDone: () => {},
    note: (_, event) => this.notes.push(event),
    backoff: { firstMs: 100, maxMs: 1_000 },
  });
  readonly running: Promise<void>;

  constructor(next?: () => Promise<BrokerLink>) {
    if (next !== undefined) this.next = next;
    this.running = this.side.run(this.stop.signal);
  }

  async end(): Promise<void> {
    this.stop.abort();
    await this.clock.advance(5_000);
    await this.running;
    assertEquals(this.clock.pendingTimers, 0);
  }
}

function away(): Promise<BrokerLink> {
  return Promise.reject(new BrokerError("away", "not there"));
}

Deno.test("What waits is sent after the subscriptions, and farewell comes last", async () => {
  const bench = new SideBench();
  bench.outbox.keep("state", () => "online");
  bench.outbox.push("event", "1");
  await bench.clock.advance(0);
  assertEquals(bench.link.subscribed, ["devices", "set"]);
  await bench.end();
  assertEquals(bench.link.published, [
    "state=online",
    "event=1",
    "state=offline",
  ]);
  assertEquals(bench.link.isClosedInOrder, true);
  assertEquals(bench.notes, ["broker.connected"]);
});

Deno.test("No more is under way than the broker takes, and nothing is lost when it breaks", async () => {
  const bench = new SideBench();
  bench.link.isAutomatic = false;
  for (let event = 1; event <= 6; event++) bench.outbox.push("e", `${event}`);
  await bench.clock.advance(0);
  assertEquals(bench.link.published, ["e=1", "e=2", "e=3", "e=4"]);
  bench.link.waiting.shift()?.();
  await bench.clock.advance(0);
  assertEquals(bench.link.published.at(-1), "e=5");
  const [broken] = [bench.link];
  bench.link = new FakeLink();
  broken.break();
  await bench.clock.advance(500);
  assertEquals(bench.link.published, ["e=2", "e=3", "e=4", "e=5", "e=6"]);
  assertEquals(bench.outbox.counters, { sent: 6, dropped: 0, waiting: 0 });
  await bench.end();
});

Deno.test("A broker that is away is tried again, ever more rarely, and events wait", async () => {
  const bench = new SideBench(away);
  bench.outbox.push("e", "1");
  await bench.clock.advance(5_000);
  const [first, ...later] = bench.attemptsMs;
  const waits = later.map((atMs, at) => atMs - (bench.attemptsMs[at] ?? 0));
  assertEquals(first, 0);
  assertEquals(waits.slice(0, 6), [100, 200, 400, 500, 500, 500]);
  bench.next = () => Promise.resolve(bench.link);
  await bench.clock.advance(1_000);
  assertEquals(bench.link.published, ["e=1"]);
  await bench.end();
});

Deno.test("A connection that ends as soon as it began is not made again at once", async () => {
  const bench = new SideBench(() => {
    const link = new FakeLink();
    link.break();
    return Promise.resolve(link);
  });
  await bench.clock.advance(10_000);
  assertEquals(bench.attemptsMs.length < 25, true, `${bench.attemptsMs}`);
  await bench.end();
});

Deno.test("A first refusal ends it, a later one does not: nobody dies of a broker that is reconfigured", async () => {
  const refused = (): Promise<BrokerLink> =>
    Promise.reject(new BrokerError("refused", "no", "Check the password"));
  const first = new SideBench(refused);
  await assertRejects(() => first.running, BrokerError, "no");

  const later = new SideBench();
  await later.clock.advance(0);
  later.next = refused;
  later.link.break();
  await later.clock.advance(1_000);
  later.next = () => Promise.resolve(later.link);
  later.link = new FakeLink();
  later.outbox.push("e", "1");
  await later.clock.advance(2_000);
  assertEquals(later.link.published, ["e=1"]);
  await later.end();
});

Deno.test("What the broker refuses or cannot take is counted, and the rest goes on", async () => {
  const bench = new SideBench();
  bench.link.refused = "set";
  bench.link.packetBytesMax = 2_000;
  bench.outbox.push("set", "1");
  bench.outbox.push("long", "x".repeat(3_000));
  bench.outbox.keep("kept", () => "x".repeat(3_000));
  bench.outbox.push("e", "2");
  await bench.clock.advance(0);
  assertEquals(bench.link.published, ["set=1", "e=2"]);
  assertEquals(bench.side.counters, { connections: 1, refused: 3 });
  assertEquals(bench.outbox.counters, { sent: 1, dropped: 0, waiting: 0 });
  assertEquals(
    bench.notes.filter((event) => event === "broker.refused").length,
    4,
  );
  await bench.end();
});

Deno.test("Told to stop it waits neither for a broker that does not answer nor for one that does not acknowledge", async () => {
  const silent = new SideBench(() => new Promise(() => {}));
  await silent.clock.advance(100);
  silent.stop.abort();
  await silent.running;

  const deaf = new SideBench();
  deaf.link.isAutomatic = false;
  deaf.outbox.push("e", "1");
  await deaf.clock.advance(0);
  await deaf.end();
  assertEquals(deaf.link.isClosedInOrder, true);
});

Deno.test("A topic that changes often is sent when its time comes, without another push", async () => {
  const bench = new SideBench();
  const keep = (value: string): void => {
    bench.outbox.keep("state", () => value, { minIntervalMs: 200 });
    bench.side.wake();
  };
  await bench.clock.advance(0);
  bench.outbox.keep("slow", () => "1", { minIntervalMs: 10_000 });
  keep("1");
  bench.outbox.keep("slow", () => "2", { minIntervalMs: 10_000 });
  keep("2");
  keep("3");
  await bench.clock.advance(199);
  assertEquals(bench.link.published, ["slow=1", "state=1"]);
  await bench.clock.advance(1);
  assertEquals(bench.link.published, ["slow=1", "state=1", "state=3"]);
  await bench.end();
});
