/**
 * A program that knows WebUSB's types from `@types/w3c-web-usb` alone compiles
 * against `./webusb`. That it compiles is the test; that it runs comes with it.
 */

/// <reference types="npm:@types/w3c-web-usb@1.0.14" />

import { assertEquals } from "../../driver/std.ts";
import { createWebUsb } from "../../driver/web/webusb.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { SimulatedPort } from "../../driver/sim/simulated_port.ts";
import { seededRandom, VirtualBus } from "../../driver/sim/virtual_bus.ts";

/** Written for a browser: every type here is of `@types/w3c-web-usb`. */
async function browserProgram(usb: USB): Promise<readonly string[]> {
  const seen: string[] = [];
  const hear = (event: USBConnectionEvent): void => {
    seen.push(`${event.type} ${event.device.vendorId}`);
  };
  usb.addEventListener("connect", hear);
  usb.onconnect = (event) => seen.push(event.device.productName ?? "");
  usb.ondisconnect = null;
  usb.removeEventListener("connect", hear);
  usb.onconnect = null;
  const options: USBDeviceRequestOptions = {
    filters: [{ vendorId: 0x1209 }],
    exclusionFilters: [{ classCode: 3 }],
  };
  const device: USBDevice = await usb.requestDevice(options);
  const all: USBDevice[] = await usb.getDevices();
  seen.push(String(all.includes(device)));
  await device.open();
  const configuration: USBConfiguration | null = device.configuration;
  const interfaces: USBInterface[] = configuration?.interfaces ?? [];
  const [first] = interfaces;
  const alternate: USBAlternateInterface | undefined = first?.alternate;
  const endpoints: USBEndpoint[] = alternate?.endpoints ?? [];
  await device.claimInterface(first?.interfaceNumber ?? 0);
  seen.push(await transfer(device, endpoints));
  await device.close();
  return seen;
}

async function transfer(
  device: USBDevice,
  endpoints: readonly USBEndpoint[],
): Promise<string> {
  const setup: USBControlTransferParameters = {
    requestType: "vendor",
    recipient: "device",
    request: 7,
    value: 0,
    index: 0,
  };
  const counters: USBInTransferResult = await device.controlTransferIn(
    setup,
    32,
  );
  const written: USBOutTransferResult = await device.transferOut(
    1,
    new Uint8Array(8),
  );
  const read: USBInTransferResult = await device.transferIn(1, 512);
  const status: USBTransferStatus = read.status;
  const data: DataView | undefined = read.data;
  const iso: (n: number) => Promise<USBIsochronousInTransferResult> = (n) =>
    device.isochronousTransferIn(n, [1]);
  const isoOut: (n: number) => Promise<USBIsochronousOutTransferResult> = (n) =>
    device.isochronousTransferOut(n, new Uint8Array(1), [1]);
  const packets: (
    result: USBIsochronousInTransferResult,
  ) => USBIsochronousInTransferPacket[] = (result) => result.packets;
  const refused = await iso(1).then(packets, () => [])
    .then((none) => isoOut(1).catch(() => none));
  return [
    counters.data?.byteLength,
    written.bytesWritten,
    status,
    data?.byteLength,
    endpoints.length,
    Array.isArray(refused),
  ].join(" ");
}

Deno.test("A program with the types of @types/w3c-web-usb alone compiles and runs", async () => {
  const bus = new VirtualBus({
    clock: new VirtualClock(),
    random: seededRandom(1),
  });
  bus.plug(new Loopback());
  await using port = new SimulatedPort(bus);
  await using ours = createWebUsb({ port });
  // What this file is about: our object is one of theirs.
  const usb: USB = ours;
  assertEquals(await browserProgram(usb), ["true", "32 8 ok 8 5 true"]);
  bus.close();
});
