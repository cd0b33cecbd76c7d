/** An instrument on a simulated bus in virtual time, and a client that talks to it. */

import { timeOf } from "../../../driver/class/usbtmc/link.ts";
import type { UsbtmcOptions } from "../../../driver/class/usbtmc/options.ts";
import { Usbtmc } from "../../../driver/class/usbtmc/usbtmc.ts";
import { Device } from "../../../driver/device.ts";
import { VirtualClock } from "../../../driver/loop/clock.ts";
import { SimulatedPort } from "../../../driver/sim/simulated_port.ts";
import {
  type PluggedDevice,
  seededRandom,
  VirtualBus,
} from "../../../driver/sim/virtual_bus.ts";
import type { VirtualDevice } from "../../../driver/sim/virtual_device.ts";

/** Virtual time until a promise must have settled: longer than any recovery. */
const PATIENCE_MS = 120_000;
/** Steps while waiting: small ones would take long, large ones skip nothing. */
const STEP_MS = 20;

/** What a test talks to. */
export interface Bench extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly bus: VirtualBus;
  readonly plugged: PluggedDevice;
  readonly device: Device;
  /** Lets virtual time pass until the promise settles. */
  run<T>(promise: Promise<T>): Promise<T>;
}

/** A bench with the client open. */
export interface ClientBench extends Bench {
  readonly client: Usbtmc;
}

/** Plugs an instrument in and opens it. */
export async function plugIn(instrument: VirtualDevice): Promise<Bench> {
  const clock = new VirtualClock();
  const bus = new VirtualBus({ clock, random: seededRandom(1) });
  const plugged = bus.plug(instrument);
  const port = new SimulatedPort(bus);
  const [info] = await port.devices();
  if (info === undefined) throw new Error("The bus shows no device");
  const device = new Device(await port.open(info));
  return {
    clock,
    bus,
    plugged,
    device,
    run: (promise) => settled(clock, promise),
    [Symbol.asyncDispose]: async () => {
      await settled(clock, port.close());
      bus.close();
    },
  };
}

/** Plugs an instrument in and opens a client on it. */
export async function openClient(
  instrument: VirtualDevice,
  options: Partial<UsbtmcOptions> = {},
): Promise<ClientBench> {
  const bench = await plugIn(instrument);
  const client = await bench.run(
    Usbtmc.open(bench.device, { time: timeOf(bench.clock), ...options }),
  );
  return { ...bench, client };
}

/** Advances a clock until a promise settles, and no further. */
export async function settled<T>(
  clock: VirtualClock,
  promise: Promise<T>,
): Promise<T> {
  let isSettled = false;
  const done = (): void => void (isSettled = true);
  promise.then(done, done);
  for (let passedMs = 0; !isSettled; passedMs += STEP_MS) {
    if (passedMs > PATIENCE_MS) {
      throw new Error(`Nothing settled in ${PATIENCE_MS} ms of virtual time`);
    }
    await clock.advance(STEP_MS);
  }
  return await promise;
}
