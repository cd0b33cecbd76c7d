/** The order in which libusb is called when things end: what would be a crash is an order here. */

import type { InputRing, TransferOutcome } from "../../driver/port.ts";
import { assert, assertEquals, assertRejects } from "../../driver/std.ts";
import { endpointAddress } from "../../driver/usb.ts";
import { until } from "../until.ts";
import type { LibusbDevice } from "../../ffi/device.ts";
import { LIBUSB_TRANSFER } from "../../ffi/libusb_constants.ts";
import { FakeLibusb } from "./fake_libusb.ts";

const ECHO_IN = endpointAddress(0x81);
const REPORTS = endpointAddress(0x82);

const rest = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

function read(
  device: LibusbDevice,
  signal?: AbortSignal,
): Promise<TransferOutcome> {
  return device.transfer({
    type: "in",
    endpoint: ECHO_IN,
    lengthBytes: 64,
    ...(signal === undefined ? {} : { signal }),
  });
}

function readReports(device: LibusbDevice, count: number): InputRing {
  return device.openInput({
    endpoint: REPORTS,
    transfersInFlight: count,
    sink: () => true,
    onEnd: () => {},
  });
}

Deno.test("A close waits for a cancelling call that an ended input left behind", async () => {
  const fake = new FakeLibusb();
  const { device, pump } = await fake.open();
  const gate = Promise.withResolvers<void>();
  fake.cancelGate = gate.promise;
  readReports(device, 4);
  // The input fails, cancels the first of the others, and all of them come back.
  fake.finishAll(LIBUSB_TRANSFER.NO_DEVICE);
  await rest(5);
  const closing = device.close();
  await rest(20);
  assert(!fake.log.includes("close"), fake.log.join(" "));
  gate.resolve();
  await closing;
  await pump.close();
  await rest(5);
  const end = fake.log.indexOf("close");
  assert(fake.log.lastIndexOf("cancelled") < end, fake.log.join(" "));
  assertEquals(fake.log.filter((call) => call === "free").length, 4);
  assert(fake.log.lastIndexOf("free") < end, fake.log.join(" "));
});

Deno.test("What the kernel keeps is told lost after the close, freed then, and never cancelled meanwhile", async () => {
  const fake = new FakeLibusb();
  fake.givesBack = false;
  const { device, pump } = await fake.open();
  const aborter = new AbortController();
  const reads = [read(device), read(device, aborter.signal)];
  const ring = readReports(device, 2);
  let isTold = false;
  reads[0]?.then(() => isTold = true);
  const { promise: closed, resolve: onClosed } = Promise.withResolvers<void>();
  const symbols = fake.library.symbols as unknown as Record<string, unknown>;
  symbols["libusb_close"] = (): Promise<void> => {
    fake.log.push("close");
    // libusb has forgotten the handle: a cancel would follow a null pointer.
    aborter.abort();
    assert(!isTold);
    return closed;
  };
  const closing = device.close();
  while (!fake.log.includes("close")) await rest(5);
  await rest(5);
  const calls = fake.log.slice(fake.log.indexOf("close"));
  assertEquals(calls, ["close"]);
  onClosed();
  await closing;
  const statuses = (await Promise.all(reads)).map(({ status }) => status);
  assertEquals(statuses, ["cancelled", "cancelled"]);
  assertEquals(ring.counters.inFlight, 0);
  await pump.close();
  assertEquals(fake.log.filter((call) => call === "free").length, 4);
});

Deno.test("What an input holds is freed before the close, and taken after it", async () => {
  const fake = new FakeLibusb();
  const { device, pump } = await fake.open();
  let room = 0;
  const told: string[] = [];
  const ring = device.openInput({
    endpoint: REPORTS,
    transfersInFlight: 3,
    sink: () => room-- > 0 && told.push("report") > 0,
    onEnd: ({ status }) => told.push(status),
  });
  fake.finishAll(LIBUSB_TRANSFER.COMPLETED);
  await until("three are held", () => ring.counters.held === 3);
  await device.close();
  await pump.close();
  const end = fake.log.indexOf("close");
  assert(fake.log.lastIndexOf("free") < end, fake.log.join(" "));
  assertEquals(fake.log.filter((call) => call === "free").length, 3);
  assertEquals(told, []);
  room = 3;
  ring.resume();
  assertEquals(told, ["report", "report", "report", "cancelled"]);
  assertEquals(fake.log.filter((call) => call === "free").length, 3);
});

Deno.test("A drain cancels nothing after its bound", async () => {
  const fake = new FakeLibusb();
  fake.givesBack = false;
  const gate = Promise.withResolvers<void>();
  fake.cancelGate = gate.promise;
  const { device, pump } = await fake.open();
  const reads = [read(device), read(device)];
  const [face] = device.claimed.keys();
  assert(face !== undefined);
  // The first cancel sleeps for longer than the drain may take.
  await device.releaseInterface(face);
  gate.resolve();
  await rest(5);
  assertEquals(fake.log.filter((call) => call === "cancel").length, 1);
  fake.finishAll();
  await Promise.all(reads);
  await device.close();
  await pump.close();
});

Deno.test("A pump that is closed during its pause does not touch the context again", async () => {
  const fake = new FakeLibusb();
  const { device, pump } = await fake.open();
  const reading = read(device);
  fake.isBarren = true;
  fake.finishAll(LIBUSB_TRANSFER.COMPLETED);
  await reading;
  const ignored = (): void => {};
  pump.addWakeListener(ignored);
  // Sixteen wakes for nothing, then it slows down.
  await rest(30);
  await device.close();
  pump.removeWakeListener(ignored);
  await pump.close();
  const calls = fake.log.length;
  await rest(30);
  assertEquals(fake.log.slice(calls), []);
});

Deno.test("What libusb left for the next look is looked for at once", async () => {
  const fake = new FakeLibusb();
  fake.nowMs = () => 1;
  const { device, pump } = await fake.open();
  const looks: boolean[] = [];
  // So many libusb reaps at a time; six of 32 are left each time.
  fake.completeByLook(26, (isNap) => looks.push(isNap));
  const done = Promise.withResolvers<void>();
  let reports = 0;
  const ring = device.openInput({
    endpoint: REPORTS,
    transfersInFlight: 32,
    sink: () => {
      if (++reports === 320) done.resolve(ring.stop());
      return true;
    },
    onEnd: () => {},
  });
  await done.promise;
  assertEquals(looks.slice(0, 20), new Array<boolean>(20).fill(false));
  await device.close();
  await pump.close();
});

Deno.test("A report's memory that was transferred away is not read into again", async () => {
  const fake = new FakeLibusb();
  const { device, pump } = await fake.open();
  const errors: unknown[] = [];
  const onError = (event: ErrorEvent): void => {
    event.preventDefault();
    errors.push(event.error);
  };
  globalThis.addEventListener("error", onError);
  device.openInput({
    endpoint: REPORTS,
    transfersInFlight: 1,
    sink: ({ data }) => {
      structuredClone(data, { transfer: [data.buffer as ArrayBuffer] });
      return true;
    },
    onEnd: () => {},
  });
  fake.finishAll(LIBUSB_TRANSFER.COMPLETED);
  await until("the error", () => errors.length > 0);
  await rest(20);
  globalThis.removeEventListener("error", onError);
  assertEquals(fake.log.filter((call) => call === "submit").length, 1);
  assertEquals(errors.length, 1);
  await device.close();
  await assertRejects(() => read(device));
  await pump.close();
});
