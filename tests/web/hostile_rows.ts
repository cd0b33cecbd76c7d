/** Devices that lie in their descriptors, through the whole API: section 4, by seed. */

import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { LOOPBACK_VENDOR_ID } from "../../driver/sim/devices/loopback_descriptors.ts";
import { MALFORMATIONS } from "../../driver/sim/malformed.ts";
import { seededRandom } from "../../driver/sim/virtual_bus.ts";
import { assert, assertEquals } from "../../driver/std.ts";
import {
  type USBConfiguration,
  type USBDevice,
  USBEndpoint,
} from "../../driver/web/webusb.ts";
import { type Row, sample, WebBench } from "./bench.ts";

/** Devices of each kind of lie. */
const SEEDS = 24;

export const HOSTILE_ROWS: readonly Row[] = MALFORMATIONS.map((kind) => ({
  section: "4",
  item:
    `malformed descriptors, ${kind}: ${SEEDS} devices through the whole API`,
  run: async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      try {
        await exercise(new Loopback({ malformation: { kind, seed } }), seed);
      } catch (error) {
        throw new Error(`With seed ${seed}: ${error}`, { cause: error });
      }
    }
  },
}));

/** Errors a lying device may cause; anything else is a bug of ours. */
const ALLOWED = new Set([
  ...["ok", "InvalidAccessError", "InvalidStateError", "NetworkError"],
  ...["NotFoundError", "TimeoutError"],
]);

async function exercise(virtual: Loopback, seed: number): Promise<void> {
  await using bench = new WebBench();
  bench.bus.plug(virtual);
  for (const device of await bench.usb.getDevices()) {
    read(device);
    const filters = [{ vendorId: LOOPBACK_VENDOR_ID, classCode: 0xff }];
    await bench.ending(bench.usb.requestDevice({ filters }));
    for (const call of callsOf(device, seededRandom(seed))) {
      const ending = await bench.ending(call());
      assert(ALLOWED.has(ending), `${call} ended with ${ending}`);
      read(device);
    }
    assertEquals(await bench.ending(device.close()), "ok");
    assertEquals(device.opened, false);
  }
}

type Call = () => Promise<unknown>;

/** Everything a program can do with what the device says it has, and some it has not. */
function* callsOf(
  device: USBDevice,
  random: () => number,
): Generator<Call> {
  yield () => device.open();
  for (const configuration of [...device.configurations, undefined]) {
    const value = configuration?.configurationValue ??
      Math.floor(random() * 256);
    yield () => device.selectConfiguration(value);
    for (const one of device.configuration?.interfaces ?? []) {
      const { interfaceNumber } = one;
      yield () => device.claimInterface(interfaceNumber);
      for (const { alternateSetting, endpoints } of one.alternates) {
        yield () =>
          device.selectAlternateInterface(interfaceNumber, alternateSetting);
        for (const endpoint of endpoints) {
          if (endpoint.endpointNumber > 0) yield* transfersOf(device, endpoint);
        }
      }
    }
    yield () => device.claimInterface(Math.floor(random() * 256));
    const endpoint = 1 + Math.floor(random() * 15);
    yield () => device.transferIn(endpoint, 64, { timeoutMs: 5 });
  }
  yield () => device.reset();
}

function* transfersOf(
  device: USBDevice,
  { endpointNumber: number, direction, type }: USBEndpoint,
): Generator<Call> {
  const limit = { timeoutMs: 5 };
  const lengths = [8, 8];
  const isIsochronous = type === "isochronous";
  yield () => device.clearHalt(direction, number);
  if (direction === "in") {
    yield () =>
      isIsochronous
        ? device.isochronousTransferIn(number, lengths, limit)
        : device.transferIn(number, 512, limit);
    return;
  }
  yield () =>
    isIsochronous
      ? device.isochronousTransferOut(number, sample(16), lengths, limit)
      : device.transferOut(number, sample(16), limit);
}

/** Reads every attribute; what they give keeps to the interface. */
function read(device: USBDevice): void {
  assert(Object.isFrozen(device.configurations));
  const { configuration } = device;
  assert(
    configuration === null || device.configurations.includes(configuration),
  );
  const values = device.configurations.map((c) => c.configurationValue);
  assertEquals(new Set(values).size, values.length);
  for (const one of device.configurations) readConfiguration(one);
}

function readConfiguration(configuration: USBConfiguration): void {
  assertEquals(typeof (configuration.configurationName ?? ""), "string");
  const numbers = configuration.interfaces.map((i) => i.interfaceNumber);
  assertEquals(new Set(numbers).size, numbers.length);
  for (const { alternates, alternate, claimed } of configuration.interfaces) {
    assert(alternates.includes(alternate) && typeof claimed === "boolean");
    for (const setting of alternates) {
      assertEquals(typeof (setting.interfaceName ?? ""), "string");
      const addresses = setting.endpoints.map((e) =>
        `${e.direction}${e.endpointNumber}`
      );
      assertEquals(new Set(addresses).size, addresses.length);
      for (
        const { direction, endpointNumber, packetSize } of setting.endpoints
      ) {
        const again = new USBEndpoint(setting, endpointNumber, direction);
        assertEquals(again.packetSize, packetSize);
      }
    }
  }
}
