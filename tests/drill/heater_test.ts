/** The heater of the drill and its driver, in virtual time. */

import { startDriver } from "../../driver/host/start_driver.ts";
import { settle, VirtualClock } from "../../driver/loop/clock.ts";
import { SimulatedPort } from "../../driver/sim/simulated_port.ts";
import { seededRandom, VirtualBus } from "../../driver/sim/virtual_bus.ts";
import { assert, assertEquals } from "../../driver/std.ts";
import { ReportingHeater } from "./heater.ts";
import heaterDriver from "./heater_driver.ts";

Deno.test("The drill's heater heats while its driver runs, and is off when it has stopped", async () => {
  const clock = new VirtualClock();
  const bus = new VirtualBus({ clock, random: seededRandom(1) });
  const heater = new ReportingHeater();
  bus.plug(heater);
  const port = new SimulatedPort(bus);
  const starting = startDriver(heaterDriver, { port, clock });
  await clock.advance(100);
  const running = await starting;
  assert(heater.isOn);
  await clock.advance(1_000);
  const numbers: unknown[] = [];
  const reading = (async (): Promise<void> => {
    for await (const { event, data } of running) {
      if (event === "temperature") numbers.push(data["number"]);
      if (numbers.length === 10) break;
    }
  })();
  await clock.advance(500);
  await settle();
  await reading;
  const first = Number(numbers[0]);
  assertEquals(numbers, Array.from({ length: 10 }, (_, at) => first + at));
  const stopping = running.stop();
  await clock.advance(1_000);
  await stopping;
  assert(!heater.isOn);
  await port.close();
  bus.close();
});

Deno.test("A heater that nobody asks keeps its last readings and counts what it overwrote", async () => {
  const clock = new VirtualClock();
  const bus = new VirtualBus({ clock, random: seededRandom(1) });
  const heater = new ReportingHeater();
  bus.plug(heater);
  await clock.advance(2_010);
  assertEquals(heater.observed(), { made: 100, overwritten: 92 });
  bus.close();
});
