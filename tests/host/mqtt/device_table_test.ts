/** From what the supervisor says to what stands at the broker. */

import { DeviceTable } from "../../../driver/host/mqtt/device_table.ts";
import type { DriverNews } from "../../../driver/host/mqtt/driver_facts.ts";
import { Outbox } from "../../../driver/host/mqtt/outbox.ts";
import { readDevicesPayload } from "../../../driver/host/mqtt/payloads.ts";
import { bridgeTopics } from "../../../driver/host/mqtt/topics.ts";
import { assert, assertEquals, assertMatch } from "../../../driver/std.ts";
import { driverFacts, eventNews, METER } from "./facts.ts";

/** A table, and a broker that keeps what is retained. */
class TableBench {
  readonly outbox = new Outbox();
  readonly kept = new Map<string, string>();
  readonly events: string[] = [];
  readonly table: DeviceTable;
  #nowMs = 0;

  constructor(tellsHomeAssistant = true) {
    this.table = new DeviceTable({
      outbox: this.outbox,
      topics: bridgeTopics("driverspace", "homeassistant"),
      prefix: "driverspace",
      discoveryPrefix: "homeassistant",
      tellsHomeAssistant,
      takesCommands: true,
      version: "0.1.0",
    });
  }

  /** Sends everything. */
  send(): this {
    this.#nowMs += 60_000;
    for (;;) {
      const message = this.outbox.take(this.#nowMs);
      if (message === undefined) return this;
      const { topic, payload, retain } = message;
      if (!retain) this.events.push(`${topic} ${payload}`);
      else if (payload === "") this.kept.delete(topic);
      else this.kept.set(topic, payload);
      this.outbox.done(message);
    }
  }

  get(topic: string): string | undefined {
    return this.kept.get(`driverspace/${topic}`);
  }

  state(name = "dmm"): Record<string, unknown> {
    return JSON.parse(this.get(`${name}/state`) ?? "null");
  }

  entities(): string[] {
    return [...this.kept.keys()].filter((topic) =>
      topic.startsWith("homeassistant/")
    ).map((topic) => topic.split("/").slice(1, -1).join("/"));
  }
}

function stateNews(state: string, cause: string | null = null): DriverNews {
  const at = "2026-01-01T00:00:02.000Z";
  return { kind: "state", driver: "dmm", state, at, cause };
}

const NODE = "driverspace_dmm_MY47000001";

Deno.test("Availability is told of every device from the start, whatever its state", () => {
  const bench = new TableBench();
  bench.table.names(["dmm", "scope", "new"]);
  bench.table.learn(driverFacts());
  bench.table.learn(
    driverFacts({ name: "scope", state: "waiting-device", device: null }),
  );
  bench.table.absent("new");
  bench.send();
  assertEquals(bench.get("dmm/availability"), "online");
  assertEquals(bench.get("scope/availability"), "offline");
  assertEquals(bench.get("new/availability"), "offline");
});

Deno.test("The state has the last values, and says when they cannot be relied on", () => {
  const bench = new TableBench();
  bench.table.names(["dmm"]);
  bench.table.learn(driverFacts());
  bench.table.news(eventNews());
  bench.send();
  assertEquals(bench.state(), {
    state: "ready",
    since: "2026-01-01T00:00:00.000Z",
    cause: null,
    stale: false,
    values: { reading: { value: 5, unit: "V" } },
    updated: { reading: "2026-01-01T00:00:01.000Z" },
  });
  bench.table.news(stateNews("backoff", "it crashed"));
  bench.send();
  assertEquals(bench.get("dmm/availability"), "offline");
  assertEquals(bench.state(), {
    state: "backoff",
    since: "2026-01-01T00:00:02.000Z",
    cause: "it crashed",
    stale: true,
    values: { reading: { value: 5, unit: "V" } },
    updated: { reading: "2026-01-01T00:00:01.000Z" },
  });
});

Deno.test("Every event is sent, also of a driver that was not asked for yet, and of none that is unknown", () => {
  const bench = new TableBench();
  bench.table.names(["dmm"]);
  bench.table.news(eventNews({ sequence: 1 }));
  bench.table.learn(driverFacts());
  bench.table.news(eventNews({ sequence: 2 }));
  bench.table.news(eventNews({ driver: "stranger" }));
  const { data: _, ...cut } = eventNews({ sequence: 3 });
  bench.table.news(cut);
  bench.send();
  assertEquals(bench.events, [
    'driverspace/dmm/event {"event":"reading","sequence":1,"at":"2026-01-01T00:00:01.000Z","data":{"value":5,"unit":"V"}}',
    'driverspace/dmm/event {"event":"reading","sequence":2,"at":"2026-01-01T00:00:01.000Z","data":{"value":5,"unit":"V"}}',
    'driverspace/dmm/event {"event":"reading","sequence":3,"at":"2026-01-01T00:00:01.000Z","truncated":true}',
  ]);
});

Deno.test("When the supervisor is gone nothing can be used, until it shows each device again", () => {
  const bench = new TableBench();
  bench.table.names(["dmm", "scope"]);
  bench.table.learn(driverFacts());
  bench.table.learn(driverFacts({ name: "scope" }));
  bench.send();
  bench.table.lost();
  bench.send();
  assertEquals(bench.get("dmm/availability"), "offline");
  assertEquals(bench.state()["stale"], true);
  bench.table.names(["dmm", "scope"]);
  bench.table.learn(driverFacts());
  bench.send();
  assertEquals(bench.get("dmm/availability"), "online");
  assertEquals(bench.get("scope/availability"), "offline");
});

Deno.test("An answer that is older than what happened meanwhile takes no value back", () => {
  const bench = new TableBench();
  bench.table.names(["dmm"]);
  bench.table.learn(driverFacts());
  bench.table.news(eventNews({ at: "2026-01-01T00:00:09.000Z" }));
  const old = { event: "reading", data: { value: 1 }, at: "2026-01-01" };
  bench.table.learn(driverFacts({ values: [old] }));
  bench.send();
  assertEquals(bench.state()["values"], { reading: { value: 5, unit: "V" } });
});

Deno.test("A device that is gone from the configuration is taken from the broker, entities and all", () => {
  const bench = new TableBench();
  bench.table.names(["dmm", "scope"]);
  bench.table.learn(driverFacts());
  bench.table.learn(driverFacts({ name: "scope" }));
  assertEquals(bench.send().entities().length, 4);
  bench.table.names(["scope"]);
  bench.table.learn(driverFacts());
  bench.send();
  assertEquals(bench.get("dmm/availability"), undefined);
  assertEquals(bench.get("dmm/state"), undefined);
  assertEquals(bench.entities().length, 2);
  assertEquals(bench.get("scope/availability"), "online");
});

Deno.test("What an earlier bridge told of is taken back when it is gone, and kept when it is away", () => {
  const first = new TableBench();
  first.table.names(["dmm", "scope"]);
  first.table.learn(driverFacts());
  first.table.learn(driverFacts({ name: "scope" }));
  const record = first.send().get("bridge/devices") ?? "";

  const second = new TableBench();
  for (const [topic, payload] of first.kept) second.kept.set(topic, payload);
  second.table.recall(readDevicesPayload(record, () => true));
  second.send();
  // Nobody knows yet whether they can be used.
  assertEquals(second.get("dmm/availability"), "offline");
  assertEquals(second.entities().length, 4);
  second.table.names(["dmm"]);
  second.table.learn(driverFacts({ state: "waiting-device", device: null }));
  second.send();
  assertEquals(second.get("scope/state"), undefined);
  assertEquals(second.entities(), [
    `sensor/${NODE}/reading_value`,
    `button/${NODE}/command_read-status-byte`,
  ]);
  // Its record still knows of them.
  assertMatch(second.get("bridge/devices") ?? "", /reading_value/);
});

Deno.test("The order in which the earlier bridge's record and the supervisor come does not matter", () => {
  const record = JSON.stringify({
    devices: [{
      id: "dmm",
      discovery: [`homeassistant/sensor/${NODE}/old/config`],
    }, { id: "scope", discovery: [] }],
  });
  const orders = ["record first", "supervisor first"];
  for (const order of orders) {
    const bench = new TableBench();
    bench.kept.set(`homeassistant/sensor/${NODE}/old/config`, "{}");
    bench.kept.set("driverspace/scope/state", "{}");
    const recall = (): void =>
      bench.table.recall(readDevicesPayload(record, () => true));
    if (order === orders[0]) recall();
    bench.table.names(["dmm"]);
    bench.table.learn(driverFacts());
    if (order === orders[1]) recall();
    bench.send();
    assertEquals(bench.entities(), [
      `sensor/${NODE}/reading_value`,
      `button/${NODE}/command_read-status-byte`,
    ], order);
    assertEquals(bench.get("scope/state"), undefined, order);
    assertEquals(bench.get("dmm/availability"), "online", order);
  }
});

Deno.test("A record that somebody forged makes us write nowhere", () => {
  const taken = (text: string): unknown =>
    readDevicesPayload(text, (topic) => topic.startsWith("homeassistant/"));
  assertEquals(taken("garbage"), []);
  assertEquals(taken("[]"), []);
  assertEquals(taken('{"devices": 1}'), []);
  assertEquals(
    taken(
      '{"devices":[{"id":"../x"},{"id":"a","discovery":["b/c",1,"homeassistant/d"]}]}',
    ),
    [{ id: "a", discovery: ["homeassistant/d"] }],
  );
});

Deno.test("Another instrument in the same place gets entities of its own", () => {
  const bench = new TableBench();
  bench.table.names(["dmm"]);
  bench.table.learn(driverFacts());
  bench.send();
  bench.table.learn(driverFacts({ state: "waiting-device", device: null }));
  assertEquals(bench.send().entities().length, 2);
  bench.table.learn(driverFacts({ device: { ...METER, serial: "other" } }));
  assertEquals(bench.send().entities(), [
    "sensor/driverspace_dmm_other/reading_value",
    "button/driverspace_dmm_other/command_read-status-byte",
  ]);
});

Deno.test("An entity comes with its first value, changes with its unit, and does not go with a value", () => {
  const bench = new TableBench();
  const plain = { specs: null, commands: [] };
  bench.table.names(["dmm"]);
  bench.table.learn(driverFacts(plain));
  assertEquals(bench.send().entities(), []);
  bench.table.news(eventNews({ data: { value: 1 } }));
  const entity = `sensor/${NODE}/reading_value`;
  assertEquals(bench.send().entities(), [entity]);
  bench.table.news(eventNews({ data: { value: null } }));
  bench.table.learn(driverFacts(plain));
  assertEquals(bench.send().entities(), [entity]);

  const declared = new TableBench();
  const topic = `homeassistant/${entity}/config`;
  declared.table.names(["dmm"]);
  declared.table.learn(driverFacts());
  const unit = (): unknown =>
    JSON.parse(declared.send().kept.get(topic) ?? "{}").unit_of_measurement;
  assertEquals(unit(), undefined);
  declared.table.news(eventNews());
  assertEquals(unit(), "V");
  declared.table.news(eventNews({ data: { value: 1, unit: "Ohm" } }));
  assertEquals(unit(), "Ω");
});

Deno.test("Where Home Assistant is no longer told, its entities are taken back", () => {
  const bench = new TableBench(false);
  bench.kept.set(`homeassistant/sensor/${NODE}/reading_value/config`, "{}");
  bench.table.recall([{
    id: "dmm",
    discovery: [...bench.kept.keys()],
  }]);
  bench.table.names(["dmm"]);
  bench.table.learn(driverFacts());
  assertEquals(bench.send().entities(), []);
});

Deno.test("A driver that says much fills neither memory nor message", () => {
  const bench = new TableBench();
  bench.table.names(["dmm"]);
  bench.table.learn(driverFacts({ specs: null }));
  for (let kind = 0; kind < 100; kind++) {
    const data = { text: "ü".repeat(4_000) };
    bench.table.news(eventNews({ event: `kind${kind}`, data }));
  }
  bench.table.news(
    eventNews({ event: "long", data: { a: "x".repeat(5_000) } }),
  );
  bench.send();
  const values = Object.keys(bench.state()["values"] as object);
  assertEquals(values.length, 32);
  assert(!values.includes("long"));
  assert(values.includes("kind99"));
});
