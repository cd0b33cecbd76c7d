/** How flows of an endpoint end: by a close of the device, by a failure, by what is written to them. */

import { assert, assertEquals, assertRejects } from "../driver/std.ts";
import { UsbError } from "../driver/errors.ts";
import { settle } from "../driver/loop/clock.ts";
import { BULK_OUT, failingWriter, rig } from "./endpoint_rig.ts";
import { BULK_IN, INTERRUPT_IN, outcomeOf } from "./loop/fake_device.ts";

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

Deno.test("Endpoint's writable that has failed says why by its next write and by closed, and refuses a close", async () => {
  const { fake, device } = await rig();
  fake.answer = () => outcomeOf("stall");
  const writer = device.endpoint(BULK_OUT).writable.getWriter();
  const closed = assertRejects(() => writer.closed, UsbError, "stalled");
  await writer.write(Uint8Array.of(1));
  await closed;
  await assertRejects(
    () => writer.write(Uint8Array.of(2)),
    UsbError,
    "stalled",
  );
  await assertRejects(() => writer.close(), TypeError);
});

Deno.test("Endpoint's writable is a new one after one that was refused, or given what is no bytes", async () => {
  const { fake, device } = await rig();
  const endpoint = device.endpoint(BULK_OUT);
  fake.isGone = true;
  const refused = endpoint.writable.getWriter();
  refused.closed.catch(() => {});
  await assertRejects(() => refused.write(Uint8Array.of(1)), UsbError, "gone");
  fake.isGone = false;
  const wrong = endpoint.writable.getWriter();
  wrong.closed.catch(() => {});
  await wrong.write(Uint8Array.of(2));
  const text = "text" as unknown as Uint8Array;
  await assertRejects(() => wrong.write(text), TypeError, "a Uint8Array");
  await settle();
  const writer = endpoint.writable.getWriter();
  await writer.write(Uint8Array.of(3));
  await writer.close();
  const sent = fake.requests.map((request) =>
    "data" in request && request.data
  );
  assertEquals(sent, [Uint8Array.of(2), Uint8Array.of(3)]);
});

Deno.test("Endpoint's writable that is given what is no bytes leaves no output behind", async () => {
  const { fake, device } = await rig();
  const { promise: answer, resolve } = Promise.withResolvers<void>();
  fake.answer = async () => {
    await answer;
    return outcomeOf("completed");
  };
  const writer = failingWriter(device);
  await writer.write(Uint8Array.of(1));
  const text = "text" as unknown as Uint8Array;
  await assertRejects(() => writer.write(text), TypeError);
  const [output] = fake.outputs;
  assert(output !== undefined);
  assertEquals([output.counters.inFlight, output.isOver], [1, false]);
  // What was taken before still arrives.
  resolve();
  await settle();
  assertEquals([output.counters.delivered, output.isOver], [1, true]);
});
