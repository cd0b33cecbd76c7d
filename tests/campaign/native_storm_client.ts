/**
 * The client half of the native storm. One life is one port, or two: list,
 * watch, open, use and close in no order, until the time is over. Every promise
 * must settle, whatever the bus does.
 *
 * native_storm_client.ts SECONDS SEED
 */

import { UsbError } from "../../driver/errors.ts";
import { Chance } from "../../driver/loop/chance.ts";
import type {
  DeviceInfo,
  DevicePort,
  TransferRequest,
} from "../../driver/port.ts";
import {
  alternateSetting,
  configurationValue,
  endpointAddress,
  interfaceNumber,
  type SetupPacket,
} from "../../driver/usb.ts";
import { LibusbPort } from "../../ffi/libusb_port.ts";

/** Nothing of ours may take longer, on the busiest machine. */
const PATIENCE_MS = 20_000;
const DEVICE_LIFE_MS_MAX = 120;
const IN = [0x81, 0x82, 0x83, 0x85].map((a) => endpointAddress(a));
const OUT = [0x01, 0x03, 0x05].map((a) => endpointAddress(a));
const ISOCHRONOUS = endpointAddress(0x84);

/** Another libusb than the system's, such as one with an address sanitizer. */
const LIBRARY = Deno.env.get("NATIVE_STORM_LIBRARY");

const chance = new Chance(Number(Deno.args[1]));
const until = performance.now() + Number(Deno.args[0]) * 1000;
const tally = {
  ports: 0,
  opened: 0,
  refused: 0,
  transfers: 0,
  inputs: 0,
  calls: 0,
  reports: 0,
  listed: 0,
  hotplugs: 0,
};

const rest = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

/** The world's failures are welcome; that nothing happens is not. */
async function settled(work: Promise<unknown>, what: string): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`${what} does not settle`)),
    PATIENCE_MS,
  );
  try {
    await Promise.race([work, promise]);
  } catch (error) {
    if (!(error instanceof UsbError)) throw error;
  } finally {
    clearTimeout(timer);
  }
}

const setup = (request: number, value = 0, index = 0): SetupPacket => ({
  requestType: "vendor",
  recipient: "device",
  request,
  value,
  index,
});

function anyRequest(): TransferRequest {
  const timeoutMs = chance.pick([0, 0, 1, 5, 30]);
  const lengthBytes = chance.pick([0, 1, 64, 512, 4096, 100_000]);
  switch (chance.integer(0, 4)) {
    case 0: {
      const length = chance.integer(0, 64);
      const what = setup(chance.integer(1, 12), chance.integer(0, 50), 0x81);
      return { type: "controlIn", setup: what, lengthBytes: length, timeoutMs };
    }
    case 1: {
      const data = chance.bytes(lengthBytes);
      return { type: "out", endpoint: chance.pick(OUT), data, timeoutMs };
    }
    case 2: {
      const packetLengthsBytes = new Array<number>(chance.integer(1, 20))
        .fill(64);
      return {
        type: "isochronousIn",
        endpoint: ISOCHRONOUS,
        packetLengthsBytes,
        timeoutMs,
      };
    }
    default:
      return {
        type: "in",
        endpoint: chance.pick(IN),
        lengthBytes: Math.max(lengthBytes, 1),
        timeoutMs,
      };
  }
}

function transfer(device: DevicePort): Promise<void> {
  tally.transfers++;
  const aborter = new AbortController();
  const request = { ...anyRequest(), signal: aborter.signal };
  if (chance.happens(0.4)) {
    setTimeout(() => aborter.abort(), chance.integer(0, 20));
  }
  return settled(device.transfer(request), `a transfer (${request.type})`);
}

async function input(device: DevicePort): Promise<void> {
  try {
    const ring = device.openInput({
      endpoint: chance.happens(0.2) ? ISOCHRONOUS : chance.pick(IN),
      transfersInFlight: chance.integer(1, 8),
      sink: () => {
        tally.reports++;
        return chance.happens(0.95);
      },
      onEnd: () => {},
    });
    tally.inputs++;
    for (let n = chance.integer(0, 10); n > 0; n--) {
      await rest(chance.integer(0, 5));
      ring.resume();
    }
    if (chance.happens(0.5)) await settled(ring.stop(), "a stop");
  } catch (error) {
    if (!(error instanceof UsbError)) throw error;
  }
}

function slowCall(device: DevicePort): Promise<void> {
  tally.calls++;
  const face = interfaceNumber(chance.integer(0, 1));
  const calls: readonly (() => Promise<unknown>)[] = [
    () => device.claimInterface(face),
    () => device.claimInterface(face),
    () => device.releaseInterface(face),
    () =>
      device.setAlternateSetting(face, alternateSetting(chance.integer(0, 2))),
    () =>
      device.setAlternateSetting(face, alternateSetting(chance.integer(0, 2))),
    () => device.clearHalt(chance.pick(IN)),
    () => device.reset(),
    () => device.setConfiguration(configurationValue(chance.integer(0, 2))),
    () => device.kernelDriverActive(face),
    () => device.detachKernelDriver(face),
    () => device.attachKernelDriver(face),
    () => device.readCapabilities(),
  ];
  const at = chance.integer(0, calls.length - 1);
  return settled(calls[at]?.() ?? Promise.resolve(), `call ${at}`);
}

async function live(port: LibusbPort, info: DeviceInfo): Promise<void> {
  let device: DevicePort | undefined;
  const opened = port.open(
    info,
    chance.happens(0.5) ? { kernelDriver: "detach" } : {},
  );
  await settled(opened.then((made) => device = made), "an open");
  if (device === undefined) {
    tally.refused++;
    return;
  }
  tally.opened++;
  const pending: Promise<void>[] = [];
  for (const face of [0, 1]) {
    pending.push(
      settled(device.claimInterface(interfaceNumber(face)), "a claim"),
    );
  }
  if (chance.happens(0.8)) await Promise.all(pending);
  const endMs = performance.now() + chance.integer(0, DEVICE_LIFE_MS_MAX);
  while (performance.now() < endMs) {
    for (let n = chance.integer(0, 6); n > 0; n--) {
      const deed = chance.pick([transfer, transfer, transfer, input]);
      pending.push(deed(device));
    }
    if (chance.happens(0.3)) pending.push(slowCall(device));
    await rest(chance.integer(0, 10));
  }
  // Without a close, reads may wait until the port's.
  const isClosed = chance.happens(0.7);
  if (isClosed) await settled(device.close(), "a close");
  if (isClosed && chance.happens(0.5)) await Promise.all(pending);
  else outstanding.push(...pending);
}

/** What must have settled when the port is closed. */
const outstanding: Promise<void>[] = [];

async function watch(port: LibusbPort): Promise<void> {
  try {
    for await (const _ of port.watch()) tally.hotplugs++;
  } catch (error) {
    if (!(error instanceof UsbError)) throw error;
  }
}

async function portLife(): Promise<void> {
  tally.ports++;
  const port = await LibusbPort.open(
    LIBRARY === undefined ? {} : { libraryPath: LIBRARY },
  );
  if (chance.happens(0.6)) void watch(port);
  const lives: Promise<void>[] = [];
  for (let n = chance.integer(1, 6); n > 0; n--) {
    const devices = await port.devices();
    tally.listed += devices.length;
    if (devices.length > 0) lives.push(live(port, chance.pick(devices)));
    if (chance.happens(0.5)) await rest(chance.integer(0, 30));
  }
  if (chance.happens(0.7)) await Promise.all(lives);
  await settled(port.close(), "the close of a port");
  await Promise.all(lives);
}

function threads(): number {
  return [...Deno.readDirSync("/proc/self/task")].length;
}

/** umockdev keeps some of its connections when a device leaves while it is opened. */
const LEAKS_SOCKETS = Deno.env.get("LD_PRELOAD")?.includes("umockdev") === true;

/** What is open, by what it is. */
function descriptors(): string[] {
  return [...Deno.readDirSync("/proc/self/fd")].flatMap(({ name }) => {
    try {
      const target = Deno.readLinkSync(`/proc/self/fd/${name}`);
      return LEAKS_SOCKETS && target.startsWith("socket:") ? [] : [target];
    } catch (error) {
      // That of the listing itself.
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  });
}

async function main(): Promise<void> {
  // Pools and threads of the runtime are there before we count.
  await portLife();
  const before = descriptors();
  const hasBegun = (): boolean => tally.opened > 0 && tally.transfers > 0;
  while (performance.now() < until || !hasBegun()) {
    const both = chance.happens(0.3) ? [portLife(), portLife()] : [portLife()];
    await Promise.all(both);
    await Promise.all(outstanding.splice(0));
  }
  let after = descriptors();
  // Those of the transport go a moment after their file.
  for (let n = 0; n < 100 && after.length > before.length + 2; n++) {
    await rest(50);
    after = descriptors();
  }
  console.log(JSON.stringify({
    ...tally,
    threads: threads(),
    descriptors: after.length,
  }));
  // The runtime may have come to need another.
  if (after.length > before.length + 2) {
    throw new Error(
      `Descriptors grew from ${before.sort()} to ${after.sort()}`,
    );
  }
}

await main();
