import { selectorOf } from "../../driver/host/cli/choose_command.ts";
import { matches, parseDeviceSelector } from "../../driver/match.ts";
import { BootMouse } from "../../driver/sim/devices/boot_mouse.ts";
import { SimulatedPort } from "../../driver/sim/simulated_port.ts";
import { VirtualBus } from "../../driver/sim/virtual_bus.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../driver/std.ts";
import { driverspace, testOn } from "./spawned.ts";

Deno.test("A chosen device is named so that --device finds that one", async () => {
  const bus = new VirtualBus({ clock: new VirtualClock(), random: () => 0.5 });
  bus.plug(new BootMouse({ serialNumber: "A" }));
  bus.plug(new BootMouse({ serialNumber: "B" }));
  const port = new SimulatedPort(bus);
  const devices = await port.devices();
  for (const device of devices) {
    const found = devices.filter((other) =>
      matches(other, parseDeviceSelector(selectorOf(device)))
    );
    assertEquals(found, [device]);
  }
  const [first] = devices;
  assert(first !== undefined);
  const { serialNumber: _serial, ...nameless } = first;
  assertEquals(
    selectorOf({ ...nameless, serialNumber: undefined }),
    "1209:0004@1-1",
  );
  await port.close();
  bus.close();
});

testOn("preload", "choose ends with 69 where nobody can answer", async () => {
  const cli = new URL("../../cli.ts", import.meta.url).pathname;
  const { code, out, err } = await driverspace([
    ...["simulate", "mouse", "--transport", "preload", "--"],
    ...[Deno.execPath(), "run", "--allow-all", cli, "choose"],
  ]);
  assertEquals([code, out], [69, ""]);
  assertStringIncludes(err, "1209:0004");
  assertStringIncludes(err, "Nobody can answer");
});
