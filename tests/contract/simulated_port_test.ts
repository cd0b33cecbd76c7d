/** The simulated port keeps the port contract. */

import { VirtualClock } from "../../driver/loop/clock.ts";
import { SimulatedPort } from "../../driver/sim/simulated_port.ts";
import { seededRandom, VirtualBus } from "../../driver/sim/virtual_bus.ts";
import { busControl, type ContractBench } from "./bench.ts";
import { BusController } from "./bus_controller.ts";
import { within } from "./contract_kit.ts";
import { portContract } from "./port_contract.ts";

/** A bus in virtual time; `jitterMs` delays completions by chance. */
function makeBench(jitterMs: number, seed: number): ContractBench {
  const clock = new VirtualClock();
  const bus = new VirtualBus({ clock, random: seededRandom(seed) });
  const port = new SimulatedPort(bus, { jitterMs });
  const controller = new BusController(bus);
  const bench: ContractBench = {
    port,
    bus: busControl((command) => Promise.resolve(controller.execute(command))),
    advance: (durationMs) => clock.advance(durationMs),
    dispose: async () => {
      await within(bench, port.close());
      bus.close();
    },
  };
  return bench;
}

portContract("Simulated port", () => Promise.resolve(makeBench(0, 1)));
portContract(
  "Simulated port with jitter, seed 7",
  () => Promise.resolve(makeBench(2, 7)),
);
