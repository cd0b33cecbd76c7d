/** A device with one claimed interface, for tests of its endpoints. */

import { Device } from "../driver/device.ts";
import type { WriterOptions } from "../driver/endpoint_writer.ts";
import { VirtualClock } from "../driver/loop/clock.ts";
import { endpointAddress, interfaceNumber } from "../driver/usb.ts";
import { FakeDevice } from "./loop/fake_device.ts";

/** The endpoint that is written to. */
export const BULK_OUT = endpointAddress(0x02);

/** A device, and what is behind it. */
export interface Rig {
  readonly fake: FakeDevice;
  readonly device: Device;
}

/** Sets one up. */
export async function rig(): Promise<Rig> {
  const fake = new FakeDevice(new VirtualClock());
  await fake.claimInterface(interfaceNumber(0));
  return { fake, device: new Device(fake) };
}

/** A writer that is expected to fail: a test reads that from its writes, not from `closed`. */
export function failingWriter(
  device: Device,
  options: WriterOptions = {},
): WritableStreamDefaultWriter<Uint8Array> {
  const writer = device.endpoint(BULK_OUT).openWritable(options).getWriter();
  writer.closed.catch(() => {});
  return writer;
}

/** As it, with one byte on its way at a time: a second one waits for room. */
export function narrowWriter(
  device: Device,
): WritableStreamDefaultWriter<Uint8Array> {
  return failingWriter(device, {
    transfersInFlight: 1,
    transferLengthBytes: 1,
  });
}
