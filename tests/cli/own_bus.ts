/** A bus of the test's own, shown to real programs as the command shows its. */

import type { RunningBus, Toolbox } from "../../driver/host/cli/toolbox.ts";
import type {
  ClientOptions,
  ClientProcess,
} from "../../driver/host/client_process.ts";
import { SimulatedPort } from "../../driver/sim/simulated_port.ts";
import type { VirtualBus } from "../../driver/sim/virtual_bus.ts";
import { findLibrary } from "../../ffi/library.ts";
import { confinedClients } from "../../ffi/linux/virtual_bus_confined.ts";
import type {
  ClientCommand,
  ClientProcess as BusClient,
} from "../../ffi/linux/virtual_bus_process.ts";
import { showBus } from "../../ffi/linux/virtual_bus_simulate.ts";
import { fakeToolbox } from "./fake_parts.ts";

const BASE = import.meta.url;

/** The programs of this package, and a bus of the test's own. */
export function toolboxOn(
  bus: VirtualBus,
  tools: Partial<Toolbox> = {},
): Toolbox {
  const library = { path: findLibrary(), version: "1.0" };
  return fakeToolbox({
    tools: {
      driverProcessUrl: new URL("../../ffi/driver_process.ts", BASE).href,
      confinedProcessUrl: new URL("../../ffi/confined_process.ts", BASE).href,
      safeStateUrl: new URL("../../ffi/safe_state_process.ts", BASE).href,
      launcherUrl: new URL("../../ffi/linux/launcher_main.ts", BASE).href,
      findLibrary: () => library,
      startBus: (_names, transport) => running(bus, transport),
      ...tools,
    },
  });
}

async function running(
  bus: VirtualBus,
  transport: "preload" | "notify",
): Promise<RunningBus> {
  const port = new SimulatedPort(bus);
  const shown = await showBus(bus, { transport });
  const confined = confinedClients(shown);
  return {
    transport,
    devices: () => port.devices(),
    spawn: async (command, options) =>
      asClient(await shown.spawn(piped(command, options))),
    ...(confined === undefined ? {} : {
      access: confined.access,
      spawnVirtual: async (commandFor) =>
        asClient(
          await confined.spawn((access) => {
            const { line, ...options } = commandFor(access);
            return piped(line, options);
          }),
        ),
    }),
    [Symbol.asyncDispose]: async () => {
      await shown.close();
      await port.close();
    },
  };
}

function piped(
  [program = "", ...args]: readonly string[],
  { env = {} }: ClientOptions,
): ClientCommand {
  const way = "piped" as const;
  return {
    ...{ program, args, env, clearEnv: true },
    ...{ stdin: way, stdout: way, stderr: way },
  };
}

function asClient(client: BusClient): ClientProcess {
  const { pid, stdin, stdout, stderr } = client.child;
  const { status } = client;
  const kill = (signal: Deno.Signal): void => client.kill(signal);
  return { pid, stdin, stdout, stderr, status, kill };
}
