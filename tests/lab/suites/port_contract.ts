/**
 * The port contract with the real libusb on a real kernel: the loopback device
 * comes by USB/IP.
 */

import { LibusbPort } from "../../../ffi/libusb_port.ts";
import type { ContractBench, ContractFeature } from "../../contract/bench.ts";
import { portContract } from "../../contract/port_contract.ts";
import { ExportedBus } from "./exported_bus.ts";

/** Kernel drivers bind as they please here, and root may open every node. */
const FEATURES: ReadonlySet<ContractFeature> = new Set<ContractFeature>([
  "hotplug",
  "faults",
  "isochronous",
  "configurations",
  "reset",
  "superSpeed",
]);

const bus = await ExportedBus.start();
Deno.test.afterAll(() => bus.stop());

async function makeBench(): Promise<ContractBench> {
  const port = await LibusbPort.open();
  return {
    port,
    bus: bus.control,
    advance: (durationMs) =>
      new Promise((later) => setTimeout(later, durationMs)),
    dispose: async () => {
      await port.close();
      await bus.unplugAll();
    },
  };
}

portContract("libusb on a kernel", makeBench, { features: FEATURES });
