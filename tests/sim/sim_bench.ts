/** A bus in virtual time with one open device, for tests of devices. */

import { Device } from "../../driver/device.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import { seededRandom } from "../../driver/sim/seeded_random.ts";
import { SimulatedPort } from "../../driver/sim/simulated_port.ts";
import {
  type PluggedDevice,
  VirtualBus,
} from "../../driver/sim/virtual_bus.ts";
import type { VirtualDevice } from "../../driver/sim/virtual_device.ts";
import type { SetupPacket } from "../../driver/usb.ts";

/** What a test of a device works with. */
export interface SimBench extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly bus: VirtualBus;
  readonly port: SimulatedPort;
  readonly plugged: PluggedDevice;
  readonly device: Device;
}

/** Plugs a device in, opens it and claims interfaces. */
export async function openSim(
  virtual: VirtualDevice,
  options: {
    readonly claim?: readonly number[];
    readonly seed?: number;
    readonly jitterMs?: number;
    readonly usbfsMemoryBytes?: number;
  } = {},
): Promise<SimBench> {
  const clock = new VirtualClock();
  const { usbfsMemoryBytes } = options;
  const bus = new VirtualBus({
    clock,
    random: seededRandom(options.seed ?? 1),
    ...(usbfsMemoryBytes === undefined ? {} : { usbfsMemoryBytes }),
  });
  const plugged = bus.plug(virtual);
  const port = new SimulatedPort(bus, { jitterMs: options.jitterMs ?? 0 });
  const [info] = await port.devices();
  if (info === undefined) throw new Error("The device is not listed");
  const device = new Device(await port.open(info, { kernelDriver: "detach" }));
  for (const number of options.claim ?? [0]) {
    await device.claimInterface(number);
  }
  return {
    clock,
    bus,
    port,
    plugged,
    device,
    [Symbol.asyncDispose]: async () => {
      const closing = port.close();
      // Completions that take time need some.
      await clock.advance(options.jitterMs ?? 0);
      await closing;
      bus.close();
    },
  };
}

/** A standard request; then `wValue` and `wIndex`. */
export function standard(
  recipient: SetupPacket["recipient"],
  request: number,
  ...[value = 0, index = 0]: readonly number[]
): SetupPacket {
  return { requestType: "standard", recipient, request, value, index };
}

/** A class request to an interface. */
export function classRequest(
  request: number,
  value = 0,
  index = 0,
): SetupPacket {
  return {
    requestType: "class",
    recipient: "interface",
    request,
    value,
    index,
  };
}
