import { defineDriver } from "../../driver/driver.ts";
import { UsbError } from "../../driver/errors.ts";
import { startDriver } from "../../driver/host/start_driver.ts";
import { settle, VirtualClock } from "../../driver/loop/clock.ts";
import { BootMouse } from "../../driver/sim/devices/boot_mouse.ts";
import { SimulatedPort } from "../../driver/sim/simulated_port.ts";
import { VirtualBus } from "../../driver/sim/virtual_bus.ts";
import { assert, assertEquals, assertRejects } from "../../driver/std.ts";
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

/** Reports that wait for a handler: far more than it handles in one turn. */
const BACKLOG = 300;

Deno.test("A started driver that has much to do gives way for turns of the event loop, and waits for no timer", async () => {
  const clock = new VirtualClock();
  const bus = new VirtualBus({ clock, random: () => 0.5 });
  const script = new Array(BACKLOG).fill({ buttons: 0, dx: 1, dy: 0 });
  bus.plug(new BootMouse({ script, intervalMs: 1 }));
  const port = new SimulatedPort(bus);
  const gate = Promise.withResolvers<void>();
  let handled = 0;
  const [input] = driver.inputs ?? [];
  assert(input !== undefined);
  const slow = defineDriver({
    ...driver,
    inputs: [{
      ...input,
      async handle(): Promise<void> {
        await gate.promise;
        handled++;
      },
    }],
  });
  await using running = await startDriver(slow, { port, clock });
  await clock.advance(2 * BACKLOG);
  const beganMs = clock.nowMs();
  const { setTimeout: original } = globalThis;
  let timers = 0;
  globalThis.setTimeout = ((...args: Parameters<typeof original>) => {
    timers++;
    return original(...args);
  }) as typeof original;
  try {
    gate.resolve();
    await settle(10_000);
    assert(handled > 0 && handled < BACKLOG, "It gives way");
    for (let turn = 0; turn < BACKLOG && handled < BACKLOG; turn++) {
      await new Promise((resolve) => void setImmediate(resolve));
    }
  } finally {
    globalThis.setTimeout = original;
  }
  assertEquals([handled, timers], [BACKLOG, 0]);
  assertEquals(clock.nowMs(), beganMs);
  const stopped = running.stop();
  await clock.advance(5_000);
  assertEquals((await stopped).class, "clean");
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
