/** The unit of the MQTT bridge. */

import {
  mqttUnit,
  type MqttUnitOptions,
} from "../../../driver/host/systemd/mqtt_unit.ts";
import {
  assertEquals,
  assertLessOrEqual,
  assertStringIncludes,
  assertThrows,
} from "../../../driver/std.ts";

const OPTIONS: MqttUnitOptions = {
  command: [
    Deno.execPath(),
    "run",
    "--allow-net=broker.lan:1883,unix:/run/driverspace/socket",
    "/opt/driver space/bridge.ts",
  ],
  fetch: [Deno.execPath(), "cache", "/opt/driver space/bridge.ts"],
  host: "broker.lan",
};

Deno.test("The bridge's unit starts it with its rights, as the supervisor's user", () => {
  const { text, commands, path } = mqttUnit(OPTIONS);
  assertEquals(path, "/etc/systemd/system/driverspace-mqtt.service");
  assertStringIncludes(
    text,
    "--allow-net=broker.lan:1883,unix:/run/driverspace/socket " +
      '"/opt/driver space/bridge.ts"\n',
  );
  assertStringIncludes(text, "User=driverspace\n");
  assertStringIncludes(text, "RestartPreventExitStatus=76 77 78\n");
  // It would be taken from the supervisor when the bridge stops.
  assertEquals(text.includes("RuntimeDirectory"), false);
  assertStringIncludes(commands[0] ?? "", "runuser -u driverspace");
  assertThrows(() => mqttUnit({ ...OPTIONS, user: "root\nX=" }), RangeError);
  assertThrows(
    () => mqttUnit({ ...OPTIONS, command: ["/bin/x", "a\nb"] }),
    TypeError,
  );
});

Deno.test("Where the broker's address is known ahead, the kernel holds the bridge to it", () => {
  const of = (host: string): string[] =>
    mqttUnit({ ...OPTIONS, host }).text.split("\n")
      .filter((line) => line.startsWith("IPAddress"));
  assertEquals(of("broker.lan"), []);
  for (const host of ["192.0.2.1", "2001:db8::1", "localhost"]) {
    assertEquals(of(host), ["IPAddressDeny=any", `IPAddressAllow=${host}`]);
  }
});

function hasAnalyze(): boolean {
  try {
    return Deno.statSync("/usr/bin/systemd-analyze").isFile;
  } catch {
    return false;
  }
}

async function analyze(...args: string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(
    "/usr/bin/systemd-analyze",
    { args },
  ).output();
  const decoder = new TextDecoder();
  return decoder.decode(stdout) + decoder.decode(stderr);
}

Deno.test({
  name: "systemd takes the bridge's unit and finds it well confined",
  ignore: !hasAnalyze(),
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/driverspace-mqtt.service`;
    try {
      for (const host of ["192.0.2.1", "broker.lan"]) {
        await Deno.writeTextFile(path, mqttUnit({ ...OPTIONS, host }).text);
        const said = await analyze("verify", "--man=no", path);
        const about = said.split("\n").filter((line) =>
          line.includes("driverspace-mqtt.service")
        );
        assertEquals(about, [], said);
        const exposure = await analyze("security", "--offline=yes", path);
        const score = /exposure level for .*?: ([\d.]+)/i.exec(exposure)?.[1];
        assertLessOrEqual(Number(score), 1.3, exposure);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
