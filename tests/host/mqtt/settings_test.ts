/** The table [mqtt] of a configuration. */

import { ConfigurationError } from "../../../driver/host/supervisor/configuration.ts";
import { parseConfiguration } from "../../../driver/host/supervisor/configuration.ts";
import {
  brokerAddress,
  type MqttSettings,
} from "../../../driver/host/mqtt/settings.ts";
import { assertEquals, fail } from "../../../driver/std.ts";

const DRIVER = '\n[drivers.a]\ndriver = "usbtmc"\ndevice.serial = "A"\n';

function settingsOf(table: string): MqttSettings | undefined {
  return parseConfiguration(table + DRIVER, "lab.toml").mqtt;
}

function problemsOf(table: string): string[] {
  try {
    settingsOf(table);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message.split("\n");
    throw error;
  }
  return fail("The configuration was taken");
}

Deno.test("Without the table there is no bridge; with a broker alone the rest is given", () => {
  assertEquals(settingsOf(""), undefined);
  assertEquals(settingsOf('[mqtt]\nbroker = "mqtt://broker.lan"'), {
    host: "broker.lan",
    port: 1883,
    isTls: false,
    clientId: "driverspace",
    prefix: "driverspace",
    takesCommands: true,
    tellsHomeAssistant: false,
    discoveryPrefix: "homeassistant",
  });
});

Deno.test("The table names broker, user, files, topics and what is told", () => {
  assertEquals(
    settingsOf(
      [
        "[mqtt]",
        'broker = "mqtts://[FE80::1]:8884/"',
        'user = "lab"',
        'password_file = "/etc/driverspace/mqtt-password"',
        'ca_file = "/etc/driverspace/ca.pem"',
        'prefix = "driverspace/lab1"',
        "commands = false",
        "home_assistant = true",
        'discovery_prefix = "ha"',
      ].join("\n"),
    ),
    {
      host: "fe80::1",
      port: 8884,
      isTls: true,
      user: "lab",
      passwordFile: "/etc/driverspace/mqtt-password",
      caFile: "/etc/driverspace/ca.pem",
      clientId: "driverspace_lab1",
      prefix: "driverspace/lab1",
      takesCommands: false,
      tellsHomeAssistant: true,
      discoveryPrefix: "ha",
    },
  );
  const place = { host: "fe80::1", port: 1, isTls: false };
  assertEquals(brokerAddress(place), "[fe80::1]:1");
  assertEquals(brokerAddress({ ...place, host: "b" }), "b:1");
});

Deno.test("Every mistake of the table is told with its line and column", () => {
  assertEquals(
    problemsOf(
      [
        "[mqtt]",
        'broker = "mqtt://broker"',
        'password_file = "secret"',
        'ca_file = "/etc/ca.pem"',
        'prefix = "a/+/b"',
        'client_id = "a b"',
        'password = "1234"',
        "home_asistant = true",
      ].join("\n"),
    ),
    [
      "lab.toml:3:1: mqtt.password_file must be an absolute path without ..",
      "lab.toml:4:1: mqtt.ca_file needs a broker that begins with mqtts://",
      "lab.toml:5:1: mqtt.prefix must be letters, digits, dots, dashes and underscores, divided by /",
      "lab.toml:6:1: mqtt.client_id must be letters, digits, dots, dashes and underscores",
      "lab.toml:7:1: mqtt.password is not known here. Did you mean password_file?",
      "lab.toml:8:1: mqtt.home_asistant is not known here. Did you mean home_assistant?",
    ],
  );
});

Deno.test("A broker that cannot be one is told with what it should look like", () => {
  const of = (broker: string): string =>
    problemsOf(`[mqtt]\nbroker = ${JSON.stringify(broker)}`)
      .map((line) => line.replace("lab.toml:2:1: mqtt.broker ", "")).join();
  const form = 'must be as "mqtt://host:1883" or "mqtts://host:8883"';
  for (
    const broker of [
      "broker.lan",
      "http://broker",
      "mqtt://broker/topic",
      "mqtt://a b",
      "mqtt://a,b",
      "MQTT://a",
      "mqtt://:1883",
    ]
  ) assertEquals(of(broker), form, broker);
  assertEquals(
    of("mqtt://lab:secret@broker"),
    "bears a user: name it by user, and the password by password_file",
  );
  assertEquals(of("mqtt://broker:0"), "has no such port");
  assertEquals(of("mqtt://broker:65536"), "has no such port");
  assertEquals(of("mqtt://[::1::2]"), "has no such host");
  assertEquals(of("mqtt://1.2.3.400"), "has no such host");
  assertEquals(problemsOf("[mqtt]"), [
    'lab.toml:1:2: mqtt.broker is missing: which one, as "mqtt://host:1883"?',
  ]);
  assertEquals(problemsOf("mqtt = 1"), [
    "lab.toml:1:1: mqtt must be a table",
    'lab.toml:1:1: mqtt.broker is missing: which one, as "mqtt://host:1883"?',
  ]);
});
