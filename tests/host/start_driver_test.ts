import { defineDriver } from "../../driver/driver.ts";
import { UsbError } from "../../driver/errors.ts";
import { startDriver } from "../../driver/host/start_driver.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import { BootMouse } from "../../driver/sim/devices/boot_mouse.ts";
import { SimulatedPort } from "../../driver/sim/simulated_port.ts";
import { VirtualBus } from "../../driver/sim/virtual_bus.ts";
import { assertEquals, assertRejects } from "../../driver/std.ts";
import { systemClock } from "../../driver/host/system_clock.ts";

const driver = defineDriver({
  name: "mouse",
  description: "HID boot mouse",
  match: [{ interfaceClass: 3, interfaceSubclass: 1, interfaceProtocol: 2 }],
  interfaces: [{ interfaceClass: 3 }],
  init: () => ({ x: 0 }),
  inputs: [{
    endpoint: { type: "interrupt", direction: "in" },
    handle(state, { data }, context): void {
      state.x += new Int8Array(data)[1] ?? 0;
      context.emit("moved", { x: state.x });
    },
  }],
  commands: {
    where: { description: "Where it is", run: (state) => state.x },
  },
});

function benchWith(script: { buttons: number; dx: number; dy: number }[]): {
  readonly bus: VirtualBus;
  readonly mouse: BootMouse;
  readonly port: SimulatedPort;
} {
  const bus = new VirtualBus({ clock: systemClock(), random: () => 0.5 });
  const mouse = new BootMouse({ script, intervalMs: 1 });
  bus.plug(mouse);
  return { bus, mouse, port: new SimulatedPort(bus) };
}

Deno.test("A started driver tells its events in order and answers commands", async () => {
  const { bus, port } = benchWith([1, 2, 3].map((dx) => ({
    buttons: 0,
    dx,
    dy: 0,
  })));
  await using running = await startDriver(driver, { port });
  const seen: unknown[] = [];
  for await (const { event, data } of running) {
    seen.push([event, data.x]);
    if (seen.length === 3) break;
  }
  assertEquals(seen, [["moved", 1], ["moved", 3], ["moved", 6]]);
  assertEquals(await running.command("where"), 6);
  assertEquals((await running.stop()).class, "clean");
  await port.close();
  bus.close();
});

Deno.test("A started driver's events end when its device leaves", async () => {
  const { bus, mouse, port } = benchWith([{ buttons: 0, dx: 1, dy: 0 }]);
  const running = await startDriver(driver, { port });
  const seen: string[] = [];
  for await (const { event } of running) {
    seen.push(event);
    bus.unplug(mouse);
  }
  assertEquals(seen, ["moved"]);
  assertEquals((await running.ended).class, "device-gone");
  await assertRejects(() => running.command("where"), UsbError);
  await port.close();
  bus.close();
});

Deno.test("A driver without a device is not started", async () => {
  const bus = new VirtualBus({
    clock: new VirtualClock(),
    random: () => 0.5,
  });
  const port = new SimulatedPort(bus);
  const error = await assertRejects(
    () => startDriver(driver, { port }),
    UsbError,
  );
  assertEquals(error.code, "noDevice");
  await port.close();
  bus.close();
});
