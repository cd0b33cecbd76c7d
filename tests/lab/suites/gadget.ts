/**
 * The real libusb on the kernel's own gadget behind dummy_hcd: Gadget Zero's
 * source, sink and loopback, and a HID interface that the kernel's usbhid holds.
 */

import type {
  DeviceInfo,
  DevicePort,
  HotplugEvent,
  OpenOptions,
  TransferOutcome,
} from "../../../driver/port.ts";
import { UsbError } from "../../../driver/errors.ts";
import { assert, assertEquals, assertRejects } from "../../../driver/std.ts";
import {
  type Direction,
  type EndpointAddress,
  interfaceNumber,
} from "../../../driver/usb.ts";
import { LibusbPort } from "../../../ffi/libusb_port.ts";
import {
  driverOf,
  findDevice,
  run,
  until,
  waitForDevice,
} from "./sysfs_devices.ts";

const IDS = "1d6b:0104";
const UDC = "/sys/kernel/config/usb_gadget/lab/UDC";
const SOURCE_SINK = interfaceNumber(0);
const LOOPBACK = interfaceNumber(1);
const HID = interfaceNumber(2);
/** For what must come; a guest on a busy machine is slow. */
const PATIENCE_MS = 20_000;

await run("bash", new URL("./gadget.sh", import.meta.url).pathname);
const place = await waitForDevice(IDS);
await until("usbhid", () => driverOf(place.name, HID) === "usbhid");

function isGadget(info: DeviceInfo): boolean {
  return info.descriptor.vendorId === 0x1d6b &&
    info.descriptor.productId === 0x0104;
}

async function gadgetOf(port: LibusbPort): Promise<DeviceInfo> {
  const found = (await port.devices()).find(isGadget);
  assert(found !== undefined, "the gadget is listed");
  return found;
}

async function open(
  port: LibusbPort,
  options: OpenOptions = {},
): Promise<DevicePort> {
  return await port.open(await gadgetOf(port), options);
}

/** dummy_hcd chooses the addresses. */
function endpoint(
  device: DevicePort,
  number: number,
  direction: Direction,
): EndpointAddress {
  const found = device.configuration?.interfaces
    .find((i) => i.interfaceNumber === number)?.alternates[0]?.endpoints
    .find((e) => e.direction === direction);
  assert(found !== undefined, `interface ${number} has an ${direction}`);
  return found.endpointAddress;
}

function read(
  device: DevicePort,
  number: number,
  lengthBytes: number,
): Promise<TransferOutcome> {
  return device.transfer({
    type: "in",
    endpoint: endpoint(device, number, "in"),
    lengthBytes,
    timeoutMs: PATIENCE_MS,
  });
}

function write(
  device: DevicePort,
  number: number,
  data: Uint8Array,
): Promise<TransferOutcome> {
  return device.transfer({
    type: "out",
    endpoint: endpoint(device, number, "out"),
    data,
    timeoutMs: PATIENCE_MS,
  });
}

async function bind(): Promise<void> {
  const [udc] = Deno.readDirSync("/sys/class/udc");
  await Deno.writeTextFile(UDC, udc?.name ?? "");
  await waitForDevice(IDS);
  await until("usbhid", () => driverOf(place.name, HID) === "usbhid");
}

async function unbind(): Promise<void> {
  await Deno.writeTextFile(UDC, "\n");
}

Deno.test("Gadget: is listed with its strings, its port and its interfaces", async () => {
  await using port = await LibusbPort.open();
  const info = await gadgetOf(port);
  assertEquals(info.product, "Kernel gadget");
  assertEquals(info.serialNumber, "0001");
  assertEquals(info.portPath, place.name);
  assertEquals(info.nodePath, place.nodePath);
  assertEquals(info.configurations[0]?.interfaces.length, 3);
});

Deno.test("Gadget: the source gives what it should at several depths", async () => {
  await using port = await LibusbPort.open();
  const device = await open(port);
  await device.claimInterface(SOURCE_SINK);
  for (const depth of [1, 4, 16]) {
    const reads = Array.from(
      { length: depth },
      () => read(device, SOURCE_SINK, 16_384),
    );
    for (const outcome of await Promise.all(reads)) {
      assertEquals([outcome.status, outcome.data.length], [
        "completed",
        16_384,
      ]);
      assert(outcome.data.every((byte) => byte === 0));
    }
  }
});

Deno.test("Gadget: the sink takes what it is sent", async () => {
  await using port = await LibusbPort.open();
  const device = await open(port);
  await device.claimInterface(SOURCE_SINK);
  for (const lengthBytes of [1, 512, 65_536]) {
    const data = new Uint8Array(lengthBytes);
    const outcome = await write(device, SOURCE_SINK, data);
    assertEquals([outcome.status, outcome.actualLengthBytes], [
      "completed",
      lengthBytes,
    ]);
  }
});

Deno.test("Gadget: the loopback gives back what it was sent", async () => {
  await using port = await LibusbPort.open();
  const device = await open(port);
  await device.claimInterface(LOOPBACK);
  for (let round = 0; round < 20; round++) {
    const data = Uint8Array.from(
      { length: 300 + round },
      (_, at) => at + round,
    );
    assertEquals((await write(device, LOOPBACK, data)).status, "completed");
    const echoed = await read(device, LOOPBACK, 4096);
    assertEquals(echoed.data, data);
  }
});

Deno.test("Gadget: a read without an answer ends in time, and by its signal", async () => {
  await using port = await LibusbPort.open();
  const device = await open(port);
  await device.claimInterface(LOOPBACK);
  const request = {
    type: "in",
    endpoint: endpoint(device, LOOPBACK, "in"),
    lengthBytes: 512,
  } as const;
  const late = await device.transfer({ ...request, timeoutMs: 50 });
  assertEquals(late.status, "timedOut");
  const abort = new AbortController();
  const pending = device.transfer({ ...request, signal: abort.signal });
  abort.abort();
  assertEquals((await pending).status, "cancelled");
});

Deno.test("Gadget: GET_STATUS and a request nobody knows", async () => {
  await using port = await LibusbPort.open();
  const device = await open(port);
  const setup = { recipient: "device", value: 0, index: 0 } as const;
  const status = await device.transfer({
    type: "controlIn",
    setup: { ...setup, requestType: "standard", request: 0 },
    lengthBytes: 2,
    timeoutMs: PATIENCE_MS,
  });
  assertEquals([status.status, status.data.length], ["completed", 2]);
  const unknown = await device.transfer({
    type: "controlIn",
    setup: { ...setup, requestType: "vendor", request: 0x77 },
    lengthBytes: 2,
    timeoutMs: PATIENCE_MS,
  });
  assertEquals(unknown.status, "stall");
});

Deno.test("Gadget: an interface that usbhid holds is refused with busy", async () => {
  await using port = await LibusbPort.open();
  const device = await open(port, { kernelDriver: "refuse" });
  assertEquals(await device.kernelDriverActive(HID), true);
  const error = await assertRejects(
    () => device.claimInterface(HID),
    UsbError,
  );
  assertEquals(error.code, "busy");
  assertEquals(driverOf(place.name, HID), "usbhid");
});

Deno.test("Gadget: HID is taken from usbhid, gives 200 reports, and goes back", async () => {
  await using port = await LibusbPort.open();
  const device = await open(port, { kernelDriver: "detach" });
  await device.claimInterface(HID);
  assertEquals(driverOf(place.name, HID), "usbfs");
  const first: number[] = [];
  const input = device.openInput({
    endpoint: endpoint(device, HID, "in"),
    transfersInFlight: 4,
    sink: ({ data }) => {
      if (data.length > 0) first.push(data[0] ?? -1);
      return true;
    },
    onEnd: ({ status }) => first.push(-2, status.length),
  });
  using reports = await Deno.open("/dev/hidg0", { write: true });
  for (let number = 0; number < 200; number++) {
    // A report as long as a packet would be followed by an empty one.
    await reports.write(new Uint8Array(7).fill(number));
  }
  await until("200 reports", () => first.length >= 200);
  await input.stop();
  assertEquals(first, Array.from({ length: 200 }, (_, at) => at));
  await device.releaseInterface(HID);
  await until("usbhid is back", () => driverOf(place.name, HID) === "usbhid");
});

Deno.test("Gadget: the close gives the interface back to usbhid, too", async () => {
  await using port = await LibusbPort.open();
  const device = await open(port, { kernelDriver: "detach" });
  await device.claimInterface(HID);
  assertEquals(driverOf(place.name, HID), "usbfs");
  await device.close();
  await until("usbhid is back", () => driverOf(place.name, HID) === "usbhid");
});

Deno.test("Gadget: a reset keeps our claim and leaves usbhid its interface", async () => {
  await using port = await LibusbPort.open();
  const device = await open(port);
  await device.claimInterface(LOOPBACK);
  await device.reset();
  assertEquals([...device.claimed.keys()], [LOOPBACK]);
  await write(device, LOOPBACK, Uint8Array.of(1, 2, 3));
  const echoed = await read(device, LOOPBACK, 512);
  assertEquals([...echoed.data], [1, 2, 3]);
  await until("usbhid is back", () => driverOf(place.name, HID) === "usbhid");
});

Deno.test("Gadget: an unplug ends every transfer in flight, then there is no device", async () => {
  await using port = await LibusbPort.open();
  const device = await open(port);
  await device.claimInterface(LOOPBACK);
  const pending = Array.from(
    { length: 8 },
    () => read(device, LOOPBACK, 512),
  );
  await unbind();
  try {
    for (const { status } of await Promise.all(pending)) {
      // A device that is gone does not answer, which is a bus error until the
      // hub has noticed.
      assert(status === "noDevice" || status === "error", status);
    }
    let last = "";
    await until("departure", () => findDevice(IDS) === undefined);
    for (let tries = 0; last !== "noDevice" && tries < 100; tries++) {
      last = (await read(device, LOOPBACK, 512)).status;
    }
    assertEquals(last, "noDevice");
    await device.close();
  } finally {
    await bind();
  }
});

Deno.test("Gadget: leaving and coming back are events, in order", async () => {
  await using port = await LibusbPort.open();
  const events: HotplugEvent["type"][] = [];
  const abort = new AbortController();
  const watching = (async (): Promise<void> => {
    for await (const { type, device } of port.watch({ signal: abort.signal })) {
      if (isGadget(device)) events.push(type);
    }
  })();
  await until("first arrival", () => events.length === 1);
  for (let round = 0; round < 3; round++) {
    await unbind();
    await until("departure", () => events.length === 2 + 2 * round);
    await bind();
    await until("arrival", () => events.length === 3 + 2 * round);
  }
  abort.abort();
  await watching;
  // deno-fmt-ignore
  assertEquals(events, ["arrived", "left", "arrived", "left", "arrived", "left", "arrived"]);
});
