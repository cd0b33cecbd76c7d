/** `driverspace mqtt` as a person would run it. */

import { assertEquals, assertStringIncludes } from "../../driver/std.ts";
import { HAS_MOSQUITTO, Mosquitto } from "../host/mqtt/mosquitto.ts";
import { driverspace, Folder, Spawned } from "./spawned.ts";

const DRIVERS = '[drivers.a]\ndriver = "usbtmc"\ndevice.serial = "A"\n';

function configuration(folder: Folder, table: string): string {
  const path = `${folder.path}/lab.toml`;
  Deno.writeTextFileSync(
    path,
    `[server]\nsocket = "${folder.path}/socket"\n${table}${DRIVERS}`,
  );
  return path;
}

Deno.test("mqtt --check prints the rights the bridge would have, and starts nothing", async () => {
  using folder = new Folder();
  const path = configuration(folder, '[mqtt]\nbroker = "mqtts://broker.lan"\n');
  const { code, out, err } = await driverspace(["mqtt", path, "--check"]);
  assertEquals([code, err], [0, ""]);
  assertEquals(out.split("\n"), [
    "Bridge to broker.lan:8883, with these rights only:",
    "  --ignore-env",
    `  --allow-net=broker.lan:8883,unix:${folder.path}/socket`,
    `  --allow-read=${folder.path}/socket,${path}`,
    `  --allow-write=${folder.path}/socket`,
    "",
  ]);
});

Deno.test("mqtt tells what is wrong with its configuration, and ends with 78", async () => {
  using folder = new Folder();
  const says = async (table: string, ...flags: string[]): Promise<string> => {
    const path = configuration(folder, table);
    const { code, err } = await driverspace(["mqtt", path, ...flags]);
    assertEquals(code, 78, err);
    return err;
  };
  assertStringIncludes(await says(""), "There is no table [mqtt] in");
  assertStringIncludes(
    await says('[mqtt]\nbroker = "broker"\n'),
    'lab.toml:4:1: mqtt.broker must be as "mqtt://host:1883"',
  );
  const secret = `${folder.path}/password`;
  const table = '[mqtt]\nbroker = "mqtt://broker"\nuser = "a"\n' +
    `password_file = "${secret}"\n`;
  assertStringIncludes(await says(table), "there is no such file");
  Deno.writeTextFileSync(secret, "secret", { mode: 0o644 });
  assertStringIncludes(await says(table, "--check"), "chmod 600");
  assertStringIncludes(
    await says('[mqtt]\nbroker = "mqtt://broker"\n', "--socket", "/a,b"),
    "comma",
  );
});

Deno.test("unit prints a second unit where the configuration asks for a bridge", async () => {
  using folder = new Folder();
  const without = configuration(folder, "");
  const one = await driverspace(["unit", without]);
  assertEquals(one.out.split("[Service]").length, 2);
  const path = configuration(folder, '[mqtt]\nbroker = "mqtt://192.0.2.1"\n');
  const two = await driverspace(["unit", path]);
  assertEquals([two.code, two.out.split("[Service]").length], [0, 3]);
  assertStringIncludes(
    two.out,
    `--allow-net=192.0.2.1:1883,unix:${folder.path}/socket `,
  );
  const bad = configuration(folder, "[mqtt]\n");
  const refused = await driverspace(["unit", bad]);
  assertEquals(refused.code, 78);
  assertStringIncludes(refused.err, "mqtt.broker is missing");
});

const reason = HAS_MOSQUITTO ? "" : " [not run: there is no mosquitto]";

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  const what = signal === "SIGTERM"
    ? "Told to stop, mqtt has the bridge say offline"
    : "When mqtt is killed, the bridge sees it and says offline";
  Deno.test({
    name: `${what}${reason}`,
    ignore: !HAS_MOSQUITTO,
    fn: async (): Promise<void> => {
      using folder = new Folder();
      await using broker = await Mosquitto.start();
      await using seen = await broker.follow();
      const table = `[mqtt]\nbroker = "mqtt://127.0.0.1:${broker.port}"\n`;
      const path = configuration(folder, table);
      await using started = new Spawned(["mqtt", path]);
      await seen.untilLast("driverspace/bridge/state", "online");
      started.signal(signal);
      const { code, err } = await started.result();
      assertEquals(code, signal === "SIGTERM" ? 0 : 137, err);
      await seen.untilLast("driverspace/bridge/state", "offline");
      assertStringIncludes(err, `unix:${folder.path}/socket`);
    },
  });
}
