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
import type { FaultRule } from "../../driver/sim/faults.ts";
import { endpointAddress, type SetupPacket } from "../../driver/usb.ts";
import { LibusbPort } from "../../ffi/libusb_port.ts";

/** How long a device may take to come back. */
const REPLUG_TIMEOUT_MS = 10_000;
/** A life is this long at most: then the device is told to leave and come back. */
const LIFE_MS = [1_000, 6_000] as const;
/** Report period: fast enough that thousands pass in a life. */
const REPORT_PERIOD_MS = 2;
/** The source hesitates now and then, so that cancels find it waiting. */
const LATE_SOURCE = new TextEncoder().encode(JSON.stringify(
  {
    endpoint: 0x83,
    times: 0,
    probability: 0.2,
    fault: { kind: "late", delayMs: 2 },
  } satisfies FaultRule,
));
/** What is held may breathe by this much: pools that one life filled further than another. */
const HELD_GROWTH_BYTES_MAX = 2 * 1024 * 1024;
/** The collector gives pages back when it likes: a leak of ten minutes is far above this. */
const RESIDENT_GROWTH_BYTES_MAX = 64 * 1024 * 1024;
/** Part of the run after which growth counts: compilers, pools and caches fill up before. */
const WARM_UP_PART = 0.2;

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
    const lengthBytes = 512 * chance.integer(1, 64);
    const isCancelled = chance.happens(0.05);
    const controller = new AbortController();
    const { signal } = controller;
    const reading = device.transferIn(0x83, lengthBytes, { signal });
    // At once, or when the answer may be on its way: both races are wanted.
    if (isCancelled && chance.happens(0.5)) controller.abort();
    else if (isCancelled) setTimeout(() => controller.abort(), 0);
    try {
      check(await reading);
    } catch (error) {
      const wasCancelled = isCancelled && error instanceof UsbError &&
        error.code === "cancelled";
      if (!wasCancelled) throw error;
      check(error.data ?? new Uint8Array());
      tally.cancelled++;
    }
  });
}

/** A request whose answer takes its time is given up, sooner or later than that. */
function controlWorker(
  device: Device,
  { chance, tally }: { readonly chance: Chance; readonly tally: Tally },
): Promise<void> {
  return untilEnd(async () => {
    const setup = vendor(LOOPBACK_REQUEST.lateAnswer, chance.integer(0, 20));
    const signal = AbortSignal.timeout(chance.integer(1, 20));
    try {
      await device.controlIn(setup, 1, { signal });
    } catch (error) {
      const wasCancelled = error instanceof UsbError &&
        error.code === "cancelled" && signal.aborted;
      if (!wasCancelled) throw error;
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
  await device.controlOut(vendor(LOOPBACK_REQUEST.fault), LATE_SOURCE);
  const input = reportInput(device, { chance, tally });
  await device.controlOut(
    vendor(LOOPBACK_REQUEST.periodicReports, REPORT_PERIOD_MS),
  );
  const workers = Promise.all([
    echoWorker(device, { chance, tally }),
    sourceWorker(device, { chance, tally }),
    isochronousWorker(device, tally),
    controlWorker(device, { chance, tally }),
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

/** How often the run says where it is. */
const SAY_MS = 30_000;
/** Array buffers are freed some time after the collection that found them. */
const GC_ROUNDS = 4;
const GC_PAUSE_MS = 25;

interface Footprint {
  /** V8's heap in use and its array buffers, after a collection. */
  readonly heldBytes: number;
  readonly residentBytes: number;
  readonly descriptors: number;
}

async function footprint(): Promise<Footprint> {
  let descriptors = 0;
  for (const _ of Deno.readDirSync("/proc/self/fd")) descriptors++;
  // With --v8-flags=--expose-gc, so that what is measured is what is held.
  for (let round = 0; round < GC_ROUNDS; round++) {
    (globalThis as { gc?: () => void }).gc?.();
    await sleep(GC_PAUSE_MS);
  }
  const { rss, heapUsed, external } = Deno.memoryUsage();
  return { heldBytes: heapUsed + external, residentBytes: rss, descriptors };
}

async function main(): Promise<number> {
  const minutes = Number(Deno.args[0]);
  const chance = new Chance(Number(Deno.args[1]));
  const warmUntil = performance.now() + minutes * 60_000 * WARM_UP_PART;
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
    if (performance.now() > warmUntil) start ??= await footprint();
    if (performance.now() - saidMs > SAY_MS) {
      saidMs = performance.now();
      say(tally, await footprint());
    }
  }
  await report(tally, start ?? await footprint());
  return tally.failures.length === 0 ? 0 : 1;
}

function say(tally: Tally, now: Footprint): void {
  console.log(
    `${tally.lives} lives, ${tally.reports} reports, ` +
      `${tally.sourceWords} words, ${tally.cancelled} cancels, ` +
      `${now.heldBytes >> 10} KiB held, ${now.residentBytes >> 20} MiB, ` +
      `${now.descriptors} descriptors`,
  );
}

async function report(tally: Tally, start: Footprint): Promise<void> {
  const end = await footprint();
  if (end.descriptors > start.descriptors) {
    tally.fail(
      `descriptors grew from ${start.descriptors} to ${end.descriptors}`,
    );
  }
  if (end.heldBytes > start.heldBytes + HELD_GROWTH_BYTES_MAX) {
    tally.fail(
      `held memory grew from ${start.heldBytes} to ${end.heldBytes} bytes`,
    );
  }
  if (end.residentBytes > start.residentBytes + RESIDENT_GROWTH_BYTES_MAX) {
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
