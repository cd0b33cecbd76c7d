/** What readers of an endpoint are told when its device is closed. */

import { assert, assertEquals, assertRejects } from "../driver/std.ts";
import { Device } from "../driver/device.ts";
import { UsbError } from "../driver/errors.ts";
import { settle, VirtualClock } from "../driver/loop/clock.ts";
import { interfaceNumber } from "../driver/usb.ts";
import { BULK_IN, FakeDevice, INTERRUPT_IN } from "./loop/fake_device.ts";

interface Rig {
  readonly fake: FakeDevice;
  readonly device: Device;
}

async function rig(): Promise<Rig> {
  const fake = new FakeDevice(new VirtualClock());
  await fake.claimInterface(interfaceNumber(0));
  return { fake, device: new Device(fake) };
}

Deno.test("Endpoint readers end when the device is closed, also under them", async () => {
  for (const isUnderIt of [false, true]) {
    const { fake, device } = await rig();
    const reports = device.endpoint(INTERRUPT_IN).reports();
    const next = reports[Symbol.asyncIterator]().next();
    await (isUnderIt ? fake : device).close();
    assertEquals(await next, { done: true, value: undefined });
  }
});

Deno.test("Endpoint readers get every report that came before the close", async () => {
  const { fake, device } = await rig();
  const options = { readAhead: 2, transfersInFlight: 2 };
  const reports = device.endpoint(INTERRUPT_IN).reports(options);
  const iterator = reports[Symbol.asyncIterator]();
  const ring = fake.ring();
  // Two are read ahead, two are held.
  for (let n = 1; n <= 4; n++) assert(ring.send(n));
  await fake.close();
  const seen: number[] = [];
  for await (const report of { [Symbol.asyncIterator]: () => iterator }) {
    seen.push(report.data[0] ?? 0);
  }
  assertEquals(seen, [1, 2, 3, 4]);
});

Deno.test("Endpoint readers fail when somebody else cancels what they read", async () => {
  const { fake, device } = await rig();
  const reports = device.endpoint(INTERRUPT_IN).reports();
  const next = reports[Symbol.asyncIterator]().next();
  fake.ring().end("cancelled");
  assertEquals((await assertRejects(() => next, UsbError)).code, "cancelled");
});

Deno.test("Endpoint's readable ends behind what came, when the device is closed under it", async () => {
  const { fake, device } = await rig();
  const reader = device.endpoint(BULK_IN).readable.getReader();
  const first = reader.read();
  await settle();
  const ring = fake.ring(BULK_IN);
  for (let n = 1; n <= 4; n++) ring.send(n);
  assertEquals((await first).value, Uint8Array.of(1));
  await fake.close();
  const seen: number[] = [];
  let result = await reader.read();
  for (; !result.done; result = await reader.read()) seen.push(...result.value);
  assertEquals(seen, [2, 3, 4]);
  assertEquals([ring.held, ring.counters.inFlight], [0, 0]);
  await reader.closed;
});

Deno.test("Endpoint's readable that waits ends when the device is closed under it", async () => {
  const { fake, device } = await rig();
  const reader = device.endpoint(BULK_IN).readable.getReader();
  const first = reader.read();
  await settle();
  await fake.close();
  assert((await first).done);
});
