/** What waits for the broker: bounds, order, and nothing lost without being counted. */

import { Outbox } from "../../../driver/host/mqtt/outbox.ts";
import { assert, assertEquals } from "../../../driver/std.ts";

/** Takes everything that is due, as `topic=payload`; `!` marks what is retained. */
function takeAll(outbox: Outbox, nowMs = 0): string[] {
  const taken: string[] = [];
  for (;;) {
    const message = outbox.take(nowMs);
    if (message === undefined) return taken;
    const mark = message.retain ? "!" : "";
    taken.push(`${mark}${message.topic}=${message.payload}`);
    outbox.done(message);
  }
}

Deno.test("Of a retained topic only the latest is sent, before events", () => {
  const outbox = new Outbox();
  outbox.push("event", "1");
  for (const value of ["a", "b", "c"]) outbox.keep("state", () => value);
  assertEquals(takeAll(outbox), ["!state=c", "event=1"]);
  assertEquals(takeAll(outbox), []);
});

Deno.test("A retained topic that changes while it is under way is sent again, not beside", () => {
  const outbox = new Outbox();
  outbox.keep("state", () => "old");
  const first = outbox.take(0);
  outbox.keep("state", () => "new");
  assertEquals(outbox.take(0), undefined);
  assert(first !== undefined);
  outbox.done(first);
  assertEquals(takeAll(outbox), ["!state=new"]);
});

Deno.test("A topic that changes often waits for its time", () => {
  const outbox = new Outbox();
  const keep = (value: string): void =>
    outbox.keep("state", () => value, { minIntervalMs: 200 });
  keep("1");
  assertEquals(takeAll(outbox, 1_000), ["!state=1"]);
  keep("2");
  assertEquals(outbox.nextDueMs, 1_200);
  assertEquals(takeAll(outbox, 1_199), []);
  keep("3");
  assertEquals(takeAll(outbox, 1_200), ["!state=3"]);
  assertEquals(outbox.nextDueMs, undefined);
});

Deno.test("When too many events wait the oldest make room, exactly counted", () => {
  const outbox = new Outbox({ eventsMax: 3 });
  for (let event = 1; event <= 10; event++) outbox.push("event", `${event}`);
  assertEquals(outbox.counters, { sent: 0, dropped: 7, waiting: 3 });
  assertEquals(takeAll(outbox), ["event=8", "event=9", "event=10"]);
  assertEquals(outbox.counters, { sent: 3, dropped: 7, waiting: 0 });
});

Deno.test("Long events make room by their length", () => {
  const outbox = new Outbox({ charactersMax: 10 });
  outbox.push("event", "aaaa");
  outbox.push("event", "bbbb");
  outbox.push("event", "cccc");
  assertEquals(outbox.counters.dropped, 1);
  assertEquals(takeAll(outbox), ["event=bbbb", "event=cccc"]);
});

Deno.test("What is under way is never dropped, and waits no longer than the broker takes", () => {
  const outbox = new Outbox({ eventsMax: 2 });
  outbox.push("event", "1");
  outbox.push("event", "2");
  const [first, second] = [outbox.take(0), outbox.take(0)];
  outbox.push("event", "3");
  assertEquals(outbox.counters, { sent: 0, dropped: 1, waiting: 2 });
  assertEquals(outbox.take(0), undefined);
  assert(first !== undefined && second !== undefined);
  outbox.done(second);
  outbox.done(first);
  assertEquals(outbox.counters, { sent: 2, dropped: 1, waiting: 0 });
});

Deno.test("With another connection what was under way goes again, in order, and every retained topic", () => {
  const outbox = new Outbox();
  outbox.keep("state", () => "ready", { minIntervalMs: 200 });
  for (const event of ["1", "2", "3"]) outbox.push("event", event);
  const state = outbox.take(0);
  const first = outbox.take(0);
  const second = outbox.take(0);
  assert(state !== undefined && first !== undefined && second !== undefined);
  outbox.done(state);
  outbox.done(first);
  outbox.restart();
  assertEquals(takeAll(outbox, 1), ["!state=ready", "event=2", "event=3"]);
  assertEquals(outbox.counters.sent, 3);
});

Deno.test("Somebody who forgot is told every retained topic again, and no event twice", () => {
  const outbox = new Outbox();
  outbox.keep("state", () => "ready");
  outbox.push("event", "1");
  assertEquals(takeAll(outbox), ["!state=ready", "event=1"]);
  outbox.push("event", "2");
  const underWay = outbox.take(0);
  outbox.again();
  assertEquals(takeAll(outbox), ["!state=ready"]);
  assert(underWay !== undefined);
  outbox.done(underWay);
  assertEquals(outbox.counters.sent, 2);
});

Deno.test("A topic that is taken away is forgotten once the broker has forgotten it", () => {
  const outbox = new Outbox();
  outbox.keep("state", () => "ready");
  assertEquals(takeAll(outbox), ["!state=ready"]);
  outbox.clear("state");
  outbox.restart();
  assertEquals(takeAll(outbox), ["!state="]);
  outbox.restart();
  assertEquals(takeAll(outbox), []);
});

Deno.test("What the broker refuses is over and not counted as sent", () => {
  const outbox = new Outbox();
  outbox.push("event", "1");
  const message = outbox.take(0);
  assert(message !== undefined);
  outbox.done(message, { isSent: false });
  assertEquals(outbox.counters, { sent: 0, dropped: 0, waiting: 0 });
});
