/** Between the look at the bus and the open, another device takes the node. */

import type { Toolbox } from "../../driver/host/cli/toolbox.ts";
import { systemClock } from "../../driver/host/system_clock.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { VirtualBus } from "../../driver/sim/virtual_bus.ts";
import { assertEquals, assertStringIncludes } from "../../driver/std.ts";
import { call } from "./fake_parts.ts";
import { toolboxOn } from "./own_bus.ts";
import { Folder, testOn } from "./spawned.ts";

const DRIVER =
  new URL("./fixtures/counting_driver.ts", import.meta.url).pathname;

/** A bus that was looked at while a device with another serial number was there. */
function staleToolbox(bus: VirtualBus): Toolbox {
  const { startBus, ...tools } = toolboxOn(bus);
  return {
    ...tools,
    virtualDevices: [{ name: "loopback", description: "Echoes" }],
    startBus: async (names, transport) => {
      const running = await startBus(names, transport);
      return {
        ...running,
        devices: async () =>
          (await running.devices()).map((device) => ({
            ...device,
            serialNumber: "0002",
          })),
      };
    },
  };
}

testOn(
  "notify",
  "A node that another device took after the look is left alone, with 69 and the reason",
  async () => {
    using folder = new Folder();
    const bus = new VirtualBus({ clock: systemClock(), random: () => 0.5 });
    bus.plug(new Loopback());
    const { code, out, err } = await call([
      ...["run", DRIVER, "--virtual", "loopback"],
      ...["--log", `${folder.path}/a.log`],
    ], staleToolbox(bus));
    bus.close();
    assertEquals(code, 69, out + err);
    assertStringIncludes(
      err,
      'its serial number is "0001", not "0002". ' +
        "Look the device up again: another one took its place",
    );
  },
);
