/** What the bridge reads of a supervisor: of a real one, and of what is none. */

import {
  readDriver,
  readGap,
  readNews,
  readSnapshot,
} from "../../../driver/host/mqtt/driver_facts.ts";
import { statePayload } from "../../../driver/host/mqtt/payloads.ts";
import { assertEquals, assertThrows } from "../../../driver/std.ts";
import { HttpBench } from "../http/http_bench.ts";
import { configure } from "../supervisor/supervisor_bench.ts";

Deno.test("A driver, the snapshot and events are read as a supervisor tells them", async () => {
  const bench = new HttpBench();
  await bench.supervisor.start(configure({ a: "A", absent: "none" }));
  await bench.pass(500);
  bench.processes[0]?.process.say({
    type: "event",
    sequence: 7,
    event: "reading",
    data: { volts: 1 },
  });
  await bench.pass(250);

  const a = readDriver(await (await bench.get("/drivers/a")).text());
  assertEquals([a.name, a.driver, a.state, a.cause], [
    "a",
    "usbtmc",
    "ready",
    null,
  ]);
  assertEquals([a.device?.serial, a.device?.port, a.device?.vendorId], [
    "A",
    "1-1",
    "0957",
  ]);
  assertEquals(a.values.map(({ event, data }) => [event, data]), [
    ["reading", { volts: 1 }],
  ]);
  assertEquals(a.specs, {
    reading: { volts: { description: "Voltage", type: "number", unit: "V" } },
  });
  assertEquals(a.commands, [
    { name: "query", hasParameters: true },
    { name: "read", hasParameters: false },
  ]);
  const absent = readDriver(await (await bench.get("/drivers/absent")).text());
  assertEquals([absent.state, absent.device], ["waiting-device", null]);

  const status = await (await bench.get("/status")).text();
  assertEquals(readSnapshot(status).names, ["a", "absent"]);
  assertEquals(
    bench.events.since(0).events
      .map(({ event, driver, data }) => {
        const told = { at: "now", driver: driver ?? null, ...data };
        return readNews(event, JSON.stringify(told));
      })
      .filter((news) => news !== undefined && news.driver === "a"),
    [
      { kind: "state", driver: "a", at: "now", state: "starting", cause: null },
      { kind: "state", driver: "a", at: "now", state: "ready", cause: null },
      {
        kind: "event",
        driver: "a",
        at: "now",
        event: "reading",
        sequence: 7,
        data: { volts: 1 },
      },
    ],
  );
  await bench.stop();
});

Deno.test("A configured driver is named before it is prepared", async () => {
  const bench = new HttpBench();
  const starting = bench.supervisor.start(configure({ a: "A", b: "B" }));
  assertEquals(bench.supervisor.names, ["a", "b"]);
  await bench.pass(250);
  await starting;
  await bench.stop();
});

Deno.test("A member that is not as expected spoils itself, not the driver", () => {
  const facts = readDriver(JSON.stringify({
    name: "a",
    driver: "custom",
    state: "ready",
    since: "now",
    device: { port: 1 },
    values: "none",
    value_specs: { reading: { value: { type: "colour" } } },
    commands: [{ name: "a", params: null }],
  }));
  assertEquals(facts, {
    name: "a",
    driver: "custom",
    state: "ready",
    since: "now",
    cause: null,
    device: null,
    values: [],
    specs: null,
    commands: [],
  });
});

Deno.test("An event that was too long is known as one; other kinds are passed over", () => {
  assertEquals(
    readNews("driver.event", '{"at":"t","driver":"a","truncated":true}'),
    { kind: "event", driver: "a", at: "t", event: "", sequence: 0 },
  );
  assertEquals(
    readNews("driver.unusable", '{"at":"t","driver":"a","message":"m"}'),
    { kind: "other", driver: "a" },
  );
  assertEquals(readNews("driver.ended", "not even JSON"), undefined);
  assertEquals(readGap('{"from":3,"to":9}'), 7);
});

Deno.test("What is no answer of a supervisor is refused", () => {
  for (const text of ["", "null", "[]", "{}", '{"name":1}', "garbage"]) {
    assertThrows(() => readDriver(text));
    assertThrows(() => readSnapshot(text));
    assertThrows(() => readGap(text));
    assertThrows(() => readNews("driver.state", text));
    assertThrows(() => readNews("driver.event", text));
  }
});

Deno.test("A state that is longer than a message may be is told without its values", () => {
  const values = Array.from({ length: 32 }, (_, at) => ({
    event: `kind${at}`,
    data: { text: "€".repeat(4_000) },
    at: "now",
  }));
  const parts = { state: "ready", since: "s", cause: null, stale: false };
  assertEquals(JSON.parse(statePayload({ ...parts, values })), {
    ...parts,
    values: {},
    updated: {},
    truncated: true,
  });
});
