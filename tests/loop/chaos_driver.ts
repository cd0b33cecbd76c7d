/**
 * A driver that does, by chance, everything a handler may do and some things it
 * must not. The simulation judges what comes of it.
 */

import { assert } from "../../driver/assert.ts";
import {
  type AnyDriver,
  defineDriver,
  type DriverCommand,
  type DriverContext,
  type EventMap,
  type Json,
  type OverflowPolicy,
} from "../../driver/driver.ts";
import { UsbError, type UsbErrorCode } from "../../driver/errors.ts";
import type { Chance } from "../../driver/loop/chance.ts";
import {
  LOOPBACK_PRODUCT_ID,
  LOOPBACK_VENDOR_ID,
} from "../../driver/sim/devices/loopback_descriptors.ts";
import { LOOPBACK_REQUEST } from "../../driver/sim/devices/loopback.ts";
import { endpointAddress, type SetupPacket } from "../../driver/usb.ts";

/** What the driver saw, for the simulation to judge. */
export interface ChaosRecord {
  /** Handlers at work now, and the most there ever were. */
  atWork: number;
  atWorkMax: number;
  handled: number;
  /** The number of the last report, and how often the next was not one more. */
  lastReport: number;
  gaps: number;
  disorder: number;
  /** It threw what is no UsbError, on purpose. */
  didBug: boolean;
  /** It went to sleep for good, on purpose. */
  didHang: boolean;
}

type Context = DriverContext<EventMap>;

/** What chance says about this driver. */
interface Temper {
  readonly handlerSleeps: number;
  readonly handlerTransfers: number;
  readonly handlerFails: number;
  readonly bugs: number;
  readonly hangs: number;
}

/** Codes a command answers with, and such as end the driver. */
const CODES: readonly UsbErrorCode[] = [
  "timedOut",
  "stall",
  "protocol",
  "busy",
  "io",
  "access",
  "noDevice",
];

/** Makes the driver of one run, and the record it keeps. */
export function chaosDriver(
  chance: Chance,
): { readonly driver: AnyDriver; readonly record: ChaosRecord } {
  const record: ChaosRecord = {
    atWork: 0,
    atWorkMax: 0,
    handled: 0,
    lastReport: -1,
    gaps: 0,
    disorder: 0,
    didBug: false,
    didHang: false,
  };
  const temper: Temper = {
    handlerSleeps: chance.pick([0, 0.1, 0.5]),
    handlerTransfers: chance.pick([0, 0, 0.2]),
    handlerFails: chance.pick([0, 0, 0, 0.01]),
    bugs: chance.pick([0, 0, 0, 0.05]),
    hangs: chance.pick([0, 0, 0, 0, 0.02]),
  };
  return { driver: build(chance, temper, record), record };
}

function build(
  chance: Chance,
  temper: Temper,
  record: ChaosRecord,
): AnyDriver {
  const work = <T>(run: () => Promise<T>): Promise<T> => atWork(record, run);
  const overflow: OverflowPolicy = chance.pick([
    "pause",
    "pause",
    "keepLatest",
    "dropOldest",
  ]);
  return defineDriver<undefined, EventMap>({
    name: "chaos",
    description: "Does everything by chance",
    match: [{ vendorId: LOOPBACK_VENDOR_ID, productId: LOOPBACK_PRODUCT_ID }],
    interfaces: [{ interfaceNumber: 0 }],
    requests: chance.happens(0.5) ? ["reset"] : [],
    init: () => undefined,
    start: (_state, context) => work(() => start(context, chance)),
    inputs: [
      {
        name: "reports",
        endpoint: endpointAddress(0x82),
        transfersInFlight: chance.integer(1, 4),
        overflow,
        handle: (_state, report, context) => {
          count(record, report.data);
          if (chance.happens(0.5)) return;
          return work(() => handleSlowly(context, { chance, temper, record }));
        },
      },
      {
        name: "echo",
        endpoint: endpointAddress(0x81),
        transferLengthBytes: 512,
        handle: () => {},
      },
    ],
    onTimer: (_state, name, context) => {
      context.emit("tick", { name });
      context.setTimer(name, chance.integer(0, 100));
    },
    commands: commandsOf({ chance, temper, record }),
    safeState: [{
      description: "Clear a word of the memory",
      setup: request(LOOPBACK_REQUEST.memory),
      data: [0, 0, 0, 0],
    }],
    stop: (_state, context) => work(() => context.sleep(chance.integer(0, 50))),
  });
}

/** Commands, each with a little of what commands do. */
function commandsOf(parts: HandlerParts): NonNullable<AnyDriver["commands"]> {
  const { chance, temper, record } = parts;
  const command = (
    description: string,
    run: (context: Context) => Promise<Json>,
    timeoutMs = 1_000,
  ): DriverCommand<undefined, EventMap> => ({
    description,
    timeoutMs,
    run: (_state, _params, context) => atWork(record, () => run(context)),
  });
  return {
    echo: command("Sends, waits for the echo", (c) => echo(c, chance), 200),
    memory: command("Reads the memory", (c) => readMemory(c, chance)),
    late: command("Waits for a late answer", (c) => late(c, chance), 100),
    wait: command("Waits for a report", (c) => awaitReport(c, chance)),
    halt: command("Halts an endpoint", (c) => halt(c, chance)),
    write: command("Writes chunks", (c) => write(c, chance), 300),
    read: command("Reads what there is", (c) => read(c, chance), 300),
    fail: {
      description: "Fails at once",
      run: (_state, _params, context) => fail(context, chance),
    },
    misbehave: {
      description: "Has a bug, or hangs",
      timeoutMs: 100,
      run: () => misbehave(chance, temper, record),
    },
  };
}

async function readMemory(context: Context, chance: Chance): Promise<number> {
  const setup = request(LOOPBACK_REQUEST.memory);
  const timeoutMs = chance.pick([0, 50, 500]);
  return (await context.device.controlIn(setup, 8, { timeoutMs })).length;
}

async function late(context: Context, chance: Chance): Promise<null> {
  const setup = request(LOOPBACK_REQUEST.lateAnswer, chance.integer(0, 200));
  await context.device.controlIn(setup, 1, { timeoutMs: 0 });
  return null;
}

async function awaitReport(context: Context, chance: Chance): Promise<number> {
  const wants = chance.integer(0, 3);
  const options = { timeoutMs: chance.integer(0, 60) };
  const take = (data: Uint8Array): boolean => (data[0] ?? 0) % 4 === wants;
  return (await context.receive("reports", take, options)).length;
}

async function halt(context: Context, chance: Chance): Promise<null> {
  const index = chance.pick([0x81, 0x82]);
  const setup = { ...request(LOOPBACK_REQUEST.halt), index };
  await context.device.controlOut(setup, undefined, { timeoutMs: 100 });
  return null;
}

/** Chunks of any size, by a writer of any depth; it may be left without a close. */
async function write(context: Context, chance: Chance): Promise<number> {
  const writer = context.device.endpoint(0x03).openWritable({
    transfersInFlight: chance.integer(1, 4),
    transferLengthBytes: chance.pick([64, 512, 1024]),
    zeroLengthPacket: chance.happens(0.5),
    timeoutMs: chance.pick([0, 50]),
  }).getWriter();
  writer.closed.catch(() => {});
  let written = 0;
  for (let n = chance.integer(1, 6); n > 0; n--) {
    const chunk = chance.bytes(chance.pick([0, 1, 512, 3_000]));
    await writer.write(chunk);
    written += chunk.length;
    context.emit("written", { written });
  }
  // A stream that has failed refuses a close by a TypeError; `closed` has the reason.
  if (chance.happens(0.8)) await writer.close().catch(() => writer.closed);
  else if (chance.happens(0.5)) await writer.abort();
  return written;
}

/** Reports of an endpoint that always has some, by a reader of any depth; it may be left without an end. */
async function read(context: Context, chance: Chance): Promise<number> {
  const endpoint = context.device.endpoint(0x83);
  const options = {
    transfersInFlight: chance.integer(1, 4),
    transferLengthBytes: chance.pick([64, 512, 1024]),
  };
  let left = chance.integer(1, 12);
  let readBytes = 0;
  const take = async (data: Uint8Array): Promise<boolean> => {
    readBytes += data.length;
    context.emit("read", { readBytes });
    for (let n = chance.integer(0, 6); n > 0; n--) await Promise.resolve();
    return --left > 0;
  };
  if (chance.happens(0.5)) {
    const readAhead = chance.integer(1, 4);
    for await (const { data } of endpoint.reports({ ...options, readAhead })) {
      if (!await take(data)) break;
    }
    return readBytes;
  }
  const reader = endpoint.openReadable(options).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done || !await take(value)) break;
  }
  if (chance.happens(0.8)) await reader.cancel();
  return readBytes;
}

async function start(context: Context, chance: Chance): Promise<void> {
  const periodMs = chance.pick([0, 1, 5, 20]);
  const setup = request(LOOPBACK_REQUEST.periodicReports, periodMs);
  await context.device.controlOut(setup, undefined, { timeoutMs: 500 });
  for (let timer = chance.integer(0, 3); timer > 0; timer--) {
    context.setTimer(`timer ${timer}`, chance.integer(0, 100));
  }
}

interface HandlerParts {
  readonly chance: Chance;
  readonly temper: Temper;
  readonly record: ChaosRecord;
}

async function handleSlowly(
  context: Context,
  { chance, temper, record }: HandlerParts,
): Promise<void> {
  if (chance.happens(temper.handlerSleeps)) {
    await context.sleep(chance.integer(0, 10));
  }
  if (chance.happens(temper.handlerTransfers)) {
    try {
      await context.device.controlIn(request(LOOPBACK_REQUEST.memory), 4, {
        timeoutMs: 50,
      });
    } catch (error) {
      if (!(error instanceof UsbError) || error.code !== "timedOut") {
        throw error;
      }
    }
  }
  if (chance.happens(temper.handlerFails)) fail(context, chance);
  if (chance.happens(temper.bugs / 20)) {
    record.didBug = true;
    throw new TypeError("a bug of the driver");
  }
}

async function echo(context: Context, chance: Chance): Promise<number> {
  const bytes = chance.bytes(chance.integer(1, 600));
  await context.device.transferOut(0x01, bytes);
  const first = await context.receive("echo", () => true, {
    timeoutMs: chance.pick([20, 1_000]),
  });
  return first.length;
}

function fail(context: Context, chance: Chance): never {
  const code = chance.pick(CODES);
  throw context.device.error(code, "do as told", "it failed on purpose");
}

function misbehave(
  chance: Chance,
  temper: Temper,
  record: ChaosRecord,
): Promise<null> {
  if (chance.happens(temper.bugs)) {
    record.didBug = true;
    throw new TypeError("a bug of the driver");
  }
  if (!chance.happens(temper.hangs)) return Promise.resolve(null);
  record.didHang = true;
  return new Promise(() => {});
}

/** A handler that hangs stays at work for good, and no other may begin after it. */
async function atWork<T>(
  record: ChaosRecord,
  run: () => Promise<T>,
): Promise<T> {
  record.atWork++;
  record.atWorkMax = Math.max(record.atWorkMax, record.atWork);
  try {
    return await run();
  } finally {
    record.atWork--;
    assert(record.atWork >= 0, "Handlers end as often as they begin");
  }
}

function count(record: ChaosRecord, data: Uint8Array): void {
  record.handled++;
  // Faults cut reports short; those have no number.
  if (data.length !== 8) return;
  const number = new DataView(data.buffer, data.byteOffset).getUint32(0, true);
  if (number <= record.lastReport) record.disorder++;
  if (number !== record.lastReport + 1) record.gaps++;
  record.lastReport = number;
}

function request(number: number, value = 0): SetupPacket {
  return {
    requestType: "vendor",
    recipient: "device",
    request: number,
    value,
    index: 0,
  };
}
