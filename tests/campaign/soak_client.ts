/**
 * The client half of the soak. One life is one plug of the device: open, run
 * all workers until an unplug, close. What each worker saw is checked against
 * what the device says it sent; what the process holds is looked at between lives.
 */

import { Device } from "../../driver/device.ts";
import { UsbError } from "../../driver/errors.ts";
import { Chance } from "../../driver/loop/chance.ts";
import type { DeviceInfo, InputRing, UsbPort } from "../../driver/port.ts";
import { LOOPBACK_REQUEST } from "../../driver/sim/devices/loopback.ts";
import { endpointAddress, type SetupPacket } from "../../driver/usb.ts";
import { LibusbPort } from "../../ffi/libusb_port.ts";

/** How long a device may take to come back. */
const REPLUG_TIMEOUT_MS = 10_000;
/** A life is this long at most: then the device is told to leave and come back. */
const LIFE_MS = [1_000, 6_000] as const;
/** Report period: fast enough that thousands pass in a life. */
const REPORT_PERIOD_MS = 2;
const MEMORY_GROWTH_BYTES_MAX = 16 * 1024 * 1024;
const WARM_UP_LIVES = 5;

/** What the whole run counted. */
class Tally {
  lives = 0;
  echoedBytes = 0;
  sourceWords = 0;
  reports = 0;
  isochronousPackets = 0;
  cancelled = 0;
  readonly failures: string[] = [];

  fail(text: string): void {
    this.failures.push(text);
    console.log(`FAILED: ${text}`);
  }
}

const vendor = (request: number, value = 0, index = 0): SetupPacket => ({
  requestType: "vendor",
  recipient: "device",
  request,
  value,
  index,
});

const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

/** What ends a life is not a failure: the device left, or we are closing. */
function isEnd(error: unknown): boolean {
  return error instanceof UsbError &&
    ["noDevice", "cancelled", "io", "state"].includes(error.code);
}

async function untilEnd(work: () => Promise<void>): Promise<void> {
  try {
    for (;;) await work();
  } catch (error) {
    if (!isEnd(error)) throw error;
  }
}

/** Random bytes out on 0x01 come back on 0x81, whole and in order. */
function echoWorker(
  device: Device,
  { chance, tally }: { readonly chance: Chance; readonly tally: Tally },
): Promise<void> {
  return untilEnd(async () => {
    const data = chance.bytes(chance.integer(1, 8_192));
    const [echoed] = await Promise.all([
      readExactly(device, data.length),
      device.transferOut(0x01, data),
    ]);
    if (echoed.some((byte, at) => byte !== data[at])) {
      tally.fail(`echo of ${data.length} bytes came back changed`);
    }
    tally.echoedBytes += data.length;
  });
}

async function readExactly(
  device: Device,
  lengthBytes: number,
): Promise<Uint8Array> {
  const all = new Uint8Array(lengthBytes);
  for (let at = 0; at < lengthBytes;) {
    const part = await device.transferIn(0x81, 8_192);
    all.set(part.subarray(0, lengthBytes - at), at);
    at += part.length;
  }
  return all;
}

/**
 * The source counts words from 0. Some reads are cancelled; the bytes that
 * arrived before count, so the count never has a gap.
 */
function sourceWorker(
  device: Device,
  { chance, tally }: { readonly chance: Chance; readonly tally: Tally },
): Promise<void> {
  let next = 0;
  const check = (data: Uint8Array): void => {
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    for (let at = 0; at + 4 <= data.length; at += 4) {
      if (view.getUint32(at, true) !== next >>> 0) {
        throw new Error(`source gave ${view.getUint32(at, true)}, not ${next}`);
      }
      next++;
    }
    tally.sourceWords += data.length >> 2;
  };
  return untilEnd(async () => {
    const isCancelled = chance.happens(0.05);
    const options = isCancelled
      ? { signal: AbortSignal.timeout(chance.integer(0, 3)) }
      : {};
    try {
      check(
        await device.transferIn(0x83, 512 * chance.integer(1, 64), options),
      );
    } catch (error) {
      const wasCancelled = isCancelled && error instanceof UsbError &&
        error.code === "cancelled";
      if (!wasCancelled) throw error;
      check(error.data ?? new Uint8Array());
      tally.cancelled++;
    }
  });
}

/** Reports are numbered; the sink refuses now and then, and none may be missing. */
function reportInput(
  device: Device,
  { chance, tally }: { readonly chance: Chance; readonly tally: Tally },
): InputRing {
  let next: number | undefined;
  const input: InputRing = device.port.openInput({
    endpoint: endpointAddress(0x82),
    transfersInFlight: 4,
    sink: ({ data }) => {
      if (chance.happens(0.02)) {
        setTimeout(() => input.resume(), chance.integer(0, 5));
        return false;
      }
      const number = new DataView(data.buffer, data.byteOffset).getUint32(
        0,
        true,
      );
      if (next !== undefined && number !== next) {
        tally.fail(`report ${number} came in place of ${next}`);
      }
      next = number + 1;
      tally.reports++;
      return true;
    },
    onEnd: () => {},
  });
  return input;
}

function isochronousWorker(device: Device, tally: Tally): Promise<void> {
  return untilEnd(async () => {
    const lengths = new Array<number>(8).fill(64);
    const { packets } = await device.isochronousIn(0x84, lengths);
    tally.isochronousPackets += packets.filter((packet) =>
      packet.status === "completed"
    ).length;
    await device.isochronousOut(0x04, new Uint8Array(512), lengths);
  });
}

function checkCounters(input: InputRing, tally: Tally): void {
  const { submitted, completed, inFlight, delivered, failed, cancelled, held } =
    input.counters;
  if (submitted !== completed + inFlight || inFlight !== 0) {
    tally.fail(
      `submitted ${submitted}, completed ${completed}, in flight ${inFlight}`,
    );
  }
  if (completed !== delivered + failed + cancelled + held) {
    tally.fail(
      `completed ${completed}: delivered ${delivered}, failed ${failed}, cancelled ${cancelled}, held ${held}`,
    );
  }
}

/** One plug of the device. */
async function live(
  port: UsbPort,
  info: DeviceInfo,
  { chance, tally }: { readonly chance: Chance; readonly tally: Tally },
): Promise<void> {
  await using device = new Device(await port.open(info));
  await device.claimInterface(0);
  await device.claimInterface(1);
  await device.setAlternateSetting(1, 1);
  await device.controlOut(vendor(LOOPBACK_REQUEST.restart));
  const input = reportInput(device, { chance, tally });
  await device.controlOut(
    vendor(LOOPBACK_REQUEST.periodicReports, REPORT_PERIOD_MS),
  );
  const workers = Promise.all([
    echoWorker(device, { chance, tally }),
    sourceWorker(device, { chance, tally }),
    isochronousWorker(device, tally),
  ]);
  // Half the lives end by an unplug in the middle of all, half by an orderly close.
  const isUnplugged = chance.happens(0.5);
  await Promise.race([sleep(chance.integer(...LIFE_MS)), workers]);
  if (isUnplugged) {
    await device.controlOut(vendor(LOOPBACK_REQUEST.leave, 2)).catch(() => 0);
    await workers;
    await input.stop();
  } else {
    await input.stop();
    await device.close();
    await workers;
  }
  checkCounters(input, tally);
  tally.lives++;
}

async function waitForDevice(port: UsbPort): Promise<DeviceInfo> {
  const until = performance.now() + REPLUG_TIMEOUT_MS;
  while (performance.now() < until) {
    const [info] = await port.devices();
    if (info !== undefined) return info;
    await sleep(20);
  }
  throw new Error(
    `The device did not come back within ${REPLUG_TIMEOUT_MS} ms`,
  );
}

interface Footprint {
  readonly residentBytes: number;
  readonly descriptors: number;
}

function footprint(): Footprint {
  let descriptors = 0;
  for (const _ of Deno.readDirSync("/proc/self/fd")) descriptors++;
  return { residentBytes: Deno.memoryUsage().rss, descriptors };
}

async function main(): Promise<number> {
  const minutes = Number(Deno.args[0]);
  const chance = new Chance(Number(Deno.args[1]));
  const until = performance.now() + minutes * 60_000;
  const tally = new Tally();
  await using port = await LibusbPort.open();
  let start: Footprint | undefined;
  let saidMs = performance.now();
  while (performance.now() < until && tally.failures.length === 0) {
    const info = await waitForDevice(port);
    try {
      await live(port, info, { chance, tally });
    } catch (error) {
      // It may leave between being seen and being opened.
      if (!isEnd(error)) throw error;
    }
    if (tally.lives === WARM_UP_LIVES) start ??= footprint();
    if (performance.now() - saidMs > 30_000) {
      saidMs = performance.now();
      const { residentBytes, descriptors } = footprint();
      console.log(
        `${tally.lives} lives, ${tally.reports} reports, ${tally.sourceWords} words, ` +
          `${tally.cancelled} cancels, ${
            residentBytes >> 20
          } MiB, ${descriptors} descriptors`,
      );
    }
  }
  report(tally, start ?? footprint());
  return tally.failures.length === 0 ? 0 : 1;
}

function report(tally: Tally, start: Footprint): void {
  const end = footprint();
  if (end.descriptors > start.descriptors) {
    tally.fail(
      `descriptors grew from ${start.descriptors} to ${end.descriptors}`,
    );
  }
  if (end.residentBytes > start.residentBytes + MEMORY_GROWTH_BYTES_MAX) {
    tally.fail(
      `memory grew from ${start.residentBytes >> 20} to ${
        end.residentBytes >> 20
      } MiB`,
    );
  }
  for (
    const kind of [
      "echoedBytes",
      "sourceWords",
      "reports",
      "isochronousPackets",
    ] as const
  ) {
    if (tally[kind] === 0) tally.fail(`${kind} is 0: that worker did nothing`);
  }
  const { failures, ...counts } = tally;
  console.log(JSON.stringify({ ...counts, start, end }));
  console.log(
    `${failures.length === 0 ? 1 : 0} passed, ${failures.length} failed`,
  );
}

Deno.exit(await main());
