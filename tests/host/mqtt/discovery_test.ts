/** What Home Assistant is told, from data alone. */

import {
  discoveryConfigs,
  type DiscoveryParts,
  ENTITIES_MAX,
  isDiscoveryTopic,
  isTopicOf,
  nodeOf,
  valuesOf,
} from "../../../driver/host/mqtt/discovery.ts";
import type { DriverFacts } from "../../../driver/host/mqtt/driver_facts.ts";
import { bridgeTopics } from "../../../driver/host/mqtt/topics.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
} from "../../../driver/std.ts";
import { driverFacts, METER } from "./facts.ts";

const PARTS: DiscoveryParts = {
  prefix: "driverspace",
  discoveryPrefix: "homeassistant",
  topics: bridgeTopics("driverspace", "homeassistant"),
  takesCommands: true,
  version: "0.1.0",
};

function configsOf(
  facts: DriverFacts,
  parts = PARTS,
): Record<string, Record<string, unknown>> {
  const device = facts.device ?? METER;
  const configs = discoveryConfigs(
    { ...facts, device },
    valuesOf(facts),
    parts,
  );
  return Object.fromEntries(
    [...configs].map(([topic, text]) => [topic, JSON.parse(text)]),
  );
}

const NODE = "driverspace_dmm_MY47000001";

Deno.test("A declared value becomes a sensor with its unit, a command without parameters a button", () => {
  const facts = driverFacts({
    values: [{ event: "reading", data: { value: 5, unit: "V" }, at: "" }],
  });
  const shared = {
    availability: [
      { topic: "driverspace/bridge/state" },
      { topic: "driverspace/dmm/availability" },
    ],
    "availability_mode": "all",
    device: {
      identifiers: [NODE],
      name: "dmm",
      model: "U2751A",
      manufacturer: "Agilent",
      "serial_number": "MY47000001",
      "sw_version": "1.00",
    },
    origin: { name: "Driver Space", "sw_version": "0.1.0" },
  };
  assertEquals(configsOf(facts), {
    [`homeassistant/sensor/${NODE}/reading_value/config`]: {
      "unique_id": `${NODE}_reading_value`,
      ...shared,
      "state_topic": "driverspace/dmm/state",
      name: "Reading",
      "value_template":
        "{{ value_json['values'].get('reading', {}).get('value') }}",
      "state_class": "measurement",
      "unit_of_measurement": "V",
      "device_class": "voltage",
    },
    [`homeassistant/button/${NODE}/command_read-status-byte/config`]: {
      "unique_id": `${NODE}_command_read-status-byte`,
      ...shared,
      "command_topic": "driverspace/dmm/set",
      name: "Read status byte",
      "payload_press": '{"command":"read-status-byte"}',
    },
  });
});

Deno.test("A driver that declares nothing is shown by the numbers and truth values it told", () => {
  const configs = configsOf(driverFacts({
    specs: null,
    commands: [],
    values: [{
      event: "moved",
      data: { x: 1, held: false, raw: "text", nested: { a: 1 }, none: null },
      at: "",
    }],
  }));
  assertEquals(Object.keys(configs), [
    `homeassistant/sensor/${NODE}/moved_x/config`,
    `homeassistant/binary_sensor/${NODE}/moved_held/config`,
  ]);
  const [number, truth] = Object.values(configs);
  assertEquals(number?.["name"], "Moved x");
  assertEquals(truth?.["payload_on"], "True");
});

Deno.test("A unit is told as Home Assistant knows it, an unknown one as it is", () => {
  const of = (unit: string): unknown[] => {
    const spec = { description: "Value", type: "number", unit } as const;
    const [config] = Object.values(
      configsOf(driverFacts({ specs: { a: { b: spec } }, commands: [] })),
    );
    return [config?.["unit_of_measurement"], config?.["device_class"]];
  };
  assertEquals(of("Cel"), ["°C", "temperature"]);
  assertEquals(of("Ohm"), ["Ω", undefined]);
  assertEquals(of("furlong"), ["furlong", undefined]);
  assertEquals(of("\u202ex".repeat(40)).length, 2);
  assert(String(of("x".repeat(999))[0]).length <= 16);
});

Deno.test("Text is shown only where it is declared, cut to what Home Assistant takes", () => {
  const spec = { description: "State", type: "text" } as const;
  const [config] = Object.values(
    configsOf(driverFacts({ specs: { a: { b: spec } }, commands: [] })),
  );
  assertMatch(String(config?.["value_template"]), /\[:255\]/);
  assertEquals(config?.["state_class"], undefined);
});

Deno.test("Without commands there are no buttons", () => {
  const parts = { ...PARTS, takesCommands: false };
  assertEquals(Object.keys(configsOf(driverFacts(), parts)).length, 1);
});

Deno.test("Identifiers come from machine, name and serial number, else the port", () => {
  assertEquals(nodeOf("dmm", METER, PARTS), NODE);
  const silent = { ...METER, serial: null };
  assertMatch(
    nodeOf("dmm", silent, PARTS),
    /^driverspace_dmm_1-4_2_[0-9a-f]+$/,
  );
  assertEquals(
    nodeOf("dmm", { ...METER, serial: "" }, PARTS),
    nodeOf("dmm", silent, PARTS),
  );
  const other = { prefix: "driverspace/lab2" };
  assertEquals(nodeOf("dmm", METER, other), "driverspace_lab2_dmm_MY47000001");
});

Deno.test("What a device or driver says of itself stays where it belongs", () => {
  const evil = "x/y\u0000+#'}}{{\u202e" + "z".repeat(300);
  const spec = { description: evil, type: "number", unit: evil } as const;
  const facts = driverFacts({
    device: {
      ...METER,
      serial: evil,
      product: evil,
      manufacturer: evil,
      version: evil,
    },
    specs: { [evil]: { [evil]: spec }, sound: { [evil]: spec, ok: spec } },
    commands: [{ name: evil, hasParameters: false }],
  });
  const configs = configsOf(facts);
  // A name that cannot stand in a template is no entity.
  assertEquals(Object.keys(configs).length, 2);
  for (const [topic, config] of Object.entries(configs)) {
    assertMatch(
      topic,
      /^homeassistant\/(sensor|button)\/[\w-]{1,64}\/[\w-]{1,64}\/config$/,
    );
    assert(isDiscoveryTopic(topic, PARTS), topic);
    const text = JSON.stringify({ ...config, "payload_press": undefined });
    assert(!/[\p{Cc}\p{Cf}]/u.test(text), text);
    assert(text.length < 2_000, `${text.length}`);
  }
  assertEquals(
    JSON.parse(String(Object.values(configs)[1]?.["payload_press"])),
    { command: evil },
  );
});

Deno.test("A driver makes only so many entities", () => {
  const members = Object.fromEntries(
    Array.from({ length: 500 }, (_, at) => [`m${at}`, at]),
  );
  const facts = driverFacts({
    specs: null,
    values: [{ event: "flood", data: members, at: "" }],
  });
  assertEquals(Object.keys(configsOf(facts)).length, ENTITIES_MAX);
});

Deno.test("Only topics of our own machine are taken back", () => {
  const of = (topic: string): boolean => isDiscoveryTopic(topic, PARTS);
  assert(of(`homeassistant/sensor/${NODE}/reading_value/config`));
  assert(of("ha/x/button/driverspace_a/b/config"));
  for (
    const topic of [
      "homeassistant/sensor/other_dmm/reading/config",
      "homeassistant/light/driverspace_dmm/reading/config",
      "homeassistant/sensor/driverspace_dmm/reading/state",
      "homeassistant/sensor/driverspace_dmm/+/config",
      "homeassistant/sensor/driverspace_dmm/a/b/config",
      "driverspace/dmm/state",
      "#",
      "",
    ]
  ) assert(!of(topic), topic);
  assert(isTopicOf(`homeassistant/sensor/${NODE}/a/config`, NODE));
  assertNotEquals(
    isTopicOf(`homeassistant/sensor/${NODE}x/a/config`, NODE),
    true,
  );
});
