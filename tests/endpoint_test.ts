import {
  assert,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../driver/std.ts";
import { UsbError } from "../driver/errors.ts";
import { settle } from "../driver/loop/clock.ts";
import type { TransferOutcome, TransferRequest } from "../driver/port.ts";
import { BULK_OUT, failingWriter, narrowWriter, rig } from "./endpoint_rig.ts";
import {
  BULK_IN,
  type FakeDevice,
  INTERRUPT_IN,
  outcomeOf,
} from "./loop/fake_device.ts";

Deno.test("Endpoint gives reports in order, each the reader's own, until the signal", async () => {
  const { fake, device } = await rig();
  const stop = new AbortController();
  const seen: Uint8Array[] = [];
  const read = (async (): Promise<void> => {
    const options = { signal: stop.signal };
    for await (const report of device.endpoint(INTERRUPT_IN).reports(options)) {
      seen.push(report.data);
    }
  })();
  for (const byte of [1, 2, 3]) {
    assert(fake.ring().send(byte));
    await settle();
  }
  const ring = fake.ring();
  const stopRing = ring.stop.bind(ring);
  // As a real one does: it is over when its last transfer has come back.
  ring.stop = async (): Promise<void> => {
    await settle();
    await stopRing();
  };
  stop.abort();
  await read;
  // The endpoint is free before the end is told.
  await device.endpoint(INTERRUPT_IN).reports()[Symbol.asyncIterator]()
    .return?.();
  assertEquals(seen.map((data) => [...data]), [[1], [2], [3]]);
  assertEquals([ring.isOver, ring.counters.inFlight], [true, 0]);
});

Deno.test("Endpoint leaves reports in the device when the reader is slow", async () => {
  const { fake, device } = await rig();
  const reports = device.endpoint(INTERRUPT_IN).reports({
    transfersInFlight: 2,
    readAhead: 4,
  })[Symbol.asyncIterator]();
  const taken = [1, 2, 3, 4, 5, 6, 7].map((byte) => fake.ring().send(byte));
  assertEquals(taken, [true, true, true, true, true, true, false]);
  const seen: (number | undefined)[] = [];
  for (let count = 0; count < 6; count++) {
    const next = await reports.next();
    if (next.done !== true) seen.push(next.value.data[0]);
  }
  assertEquals(seen, [1, 2, 3, 4, 5, 6]);
  assertEquals(fake.ring().send(7), true);
  await reports.return?.();
});

Deno.test("Endpoint fails the reader after the reports that came before", async () => {
  const { fake, device } = await rig();
  const seen: number[] = [];
  const read = assertRejects(
    async () => {
      for await (const report of device.endpoint(INTERRUPT_IN).reports()) {
        seen.push(report.data[0] ?? 0);
      }
    },
    UsbError,
    "Cannot read from endpoint 0x81 on 0957:1755@1-4: the device is gone",
  );
  fake.ring().send(1);
  fake.ring().send(2);
  fake.unplug();
  assertEquals((await read).code, "noDevice");
  assertEquals(seen, [1, 2]);
});

Deno.test("Endpoint can be read again after it stalled", async () => {
  const { fake, device } = await rig();
  const endpoint = device.endpoint(INTERRUPT_IN);
  const first = endpoint.reports()[Symbol.asyncIterator]();
  fake.ring().end("stall");
  await assertRejects(() => first.next(), UsbError, "stalled");
  assertEquals((await first.next()).done, true);
  const second = endpoint.reports()[Symbol.asyncIterator]();
  fake.ring().send(9);
  assertEquals((await second.next()).value?.data, Uint8Array.of(9));
  await second.return?.();
});

Deno.test("Endpoint has one reader at a time", async () => {
  const { device } = await rig();
  const endpoint = device.endpoint(INTERRUPT_IN);
  const first = endpoint.reports()[Symbol.asyncIterator]();
  assertThrows(
    () => endpoint.reports()[Symbol.asyncIterator](),
    UsbError,
    "being read already",
  );
  await first.return?.();
  await endpoint.reports()[Symbol.asyncIterator]().return?.();
});

Deno.test("Endpoint with a signal that has fired reads nothing", async () => {
  const { fake, device } = await rig();
  const options = { signal: AbortSignal.abort() };
  for await (const _ of device.endpoint(INTERRUPT_IN).reports(options)) {
    assert(false, "there is nothing to read");
  }
  assertEquals(fake.rings.length, 0);
});

Deno.test("Endpoint refuses the wrong direction and options out of bounds", async () => {
  const { device } = await rig();
  assertThrows(
    () => device.endpoint(BULK_OUT).reports(),
    TypeError,
    "Cannot read from endpoint 0x02: it is an OUT endpoint",
  );
  assertThrows(
    () => device.endpoint(BULK_IN).writable,
    TypeError,
    "IN endpoint",
  );
  for (
    const options of [
      { readAhead: 0 },
      { transfersInFlight: 65 },
      { readAhead: 1e6 },
    ]
  ) {
    const reports = device.endpoint(BULK_IN).reports(options);
    assertThrows(() => reports[Symbol.asyncIterator](), RangeError);
  }
  for (
    const options of [
      { transfersInFlight: 0 },
      { transferLengthBytes: 1.5 },
      { timeoutMs: -1 },
    ]
  ) {
    assertThrows(
      () => device.endpoint(BULK_OUT).openWritable(options),
      RangeError,
    );
  }
});

/** OUT transfers that end when the test says so. */
function heldAnswers(fake: FakeDevice): {
  readonly requests: (TransferRequest & { readonly type: "out" })[];
  readonly ends: ((outcome: TransferOutcome) => void)[];
} {
  const requests: (TransferRequest & { readonly type: "out" })[] = [];
  const ends: ((outcome: TransferOutcome) => void)[] = [];
  fake.answer = (request) => {
    if (request.type !== "out") return undefined;
    requests.push({ ...request, data: request.data.slice() });
    const { promise, resolve } = Promise.withResolvers<TransferOutcome>();
    request.signal?.addEventListener(
      "abort",
      () => resolve(outcomeOf("cancelled")),
    );
    ends.push(resolve);
    return promise;
  };
  return { requests, ends };
}

Deno.test("Endpoint's writable writes chunks in order and in pieces", async () => {
  const { fake, device } = await rig();
  const written: number[][] = [];
  fake.answer = (request) => {
    if (request.type === "out") written.push([...request.data]);
    return outcomeOf("completed");
  };
  const writer = device.endpoint(BULK_OUT).openWritable({
    transferLengthBytes: 2,
  }).getWriter();
  await writer.write(Uint8Array.of(1, 2, 3));
  await writer.write(Uint8Array.of());
  await writer.write(Uint8Array.of(4));
  await writer.close();
  assertEquals(written, [[1, 2], [3], [], [4]]);
});

Deno.test("Endpoint's writable keeps so many transfers in flight and no more", async () => {
  const { fake, device } = await rig();
  const { requests, ends } = heldAnswers(fake);
  const writer = device.endpoint(BULK_OUT).openWritable({
    transfersInFlight: 2,
  }).getWriter();
  const writes = [1, 2, 3].map((byte) => writer.write(Uint8Array.of(byte)));
  await settle();
  assertEquals(requests.map((request) => request.data[0]), [1, 2]);
  ends[0]?.(outcomeOf("completed"));
  await Promise.all(writes);
  assertEquals(requests.length, 3);
  const closed = writer.close();
  for (const end of ends) end(outcomeOf("completed"));
  await closed;
});

Deno.test("Endpoint's writable fails when a transfer does, and cancels what is behind it", async () => {
  const { fake, device } = await rig();
  const { requests, ends } = heldAnswers(fake);
  const endpoint = device.endpoint(BULK_OUT);
  const { writable } = endpoint;
  const writer = writable.getWriter();
  for (const byte of [1, 2]) await writer.write(Uint8Array.of(byte));
  const closed = assertRejects(() => writer.closed, UsbError, "stalled");
  ends[0]?.(outcomeOf("stall"));
  assertEquals((await closed).code, "stall");
  assertEquals(requests[1]?.signal?.aborted, true);
  await assertRejects(() => writer.write(Uint8Array.of(3)), UsbError);
  assert(endpoint.writable !== writable, "the next one is another stream");
});

Deno.test("Endpoint's writable cancels what is in flight when it is aborted", async () => {
  const { fake, device } = await rig();
  const { requests } = heldAnswers(fake);
  const writer = failingWriter(device);
  await writer.write(Uint8Array.of(1));
  await writer.abort(new TypeError("enough"));
  assertEquals(requests[0]?.signal?.aborted, true);
});

Deno.test("Endpoint's writable ends a chunk that fills its last packet with one without data", async () => {
  const written = async (zeroLengthPacket: boolean): Promise<number[]> => {
    const { fake, device } = await rig();
    const lengths: number[] = [];
    fake.answer = (request) => {
      if (request.type === "out") lengths.push(request.data.length);
      return outcomeOf("completed");
    };
    const writer = device.endpoint(BULK_OUT).openWritable({
      transferLengthBytes: 1024,
      zeroLengthPacket,
    }).getWriter();
    for (const lengthBytes of [512, 100, 1024, 0, 1536, 1030]) {
      await writer.write(new Uint8Array(lengthBytes));
    }
    await writer.close();
    return lengths;
  };
  assertEquals(await written(false), [512, 100, 1024, 0, 1024, 512, 1024, 6]);
  assertEquals(
    await written(true),
    [512, 0, 100, 1024, 0, 0, 1024, 512, 0, 1024, 6],
  );
});

Deno.test("Endpoint's writable takes a chunk over before it resolves, and makes no transfer without one", async () => {
  const { fake, device } = await rig();
  const { requests, ends } = heldAnswers(fake);
  const writer = device.endpoint(BULK_OUT).openWritable({
    transfersInFlight: 2,
    transferLengthBytes: 2,
  }).getWriter();
  await settle();
  assertEquals(fake.outputs.length, 0, "nothing is opened for nothing");
  const chunk = Uint8Array.of(1, 2, 3, 4, 5);
  const written = writer.write(chunk);
  await settle();
  assertEquals(requests.map(({ data }) => [...data]), [[1, 2], [3, 4]]);
  ends[0]?.(outcomeOf("completed"));
  await written;
  chunk.fill(9);
  assertEquals([...requests[2]?.data ?? []], [5]);
  for (const end of ends) end(outcomeOf("completed"));
  await writer.close();
  assertEquals(requests.length, 3);
  assertEquals(fake.outputs.map(({ counters }) => counters.inFlight), [0]);
});

Deno.test("Endpoint's writable fails a write that waits for room, and says what", async () => {
  const { fake, device } = await rig();
  const { requests, ends } = heldAnswers(fake);
  const writer = failingWriter(device, {
    transfersInFlight: 1,
    transferLengthBytes: 2,
  });
  const waiting = assertRejects(
    () => writer.write(Uint8Array.of(1, 2, 3, 4)),
    UsbError,
    "Cannot write to endpoint 0x02 on 0957:1755@1-4: the time limit passed",
  );
  await settle();
  ends[0]?.(outcomeOf("timedOut"));
  assertEquals((await waiting).code, "timedOut");
  assertEquals(requests.length, 1, "the rest is not sent");
});

Deno.test("Endpoint's writable gives up a write that waits when it is aborted", async () => {
  const { fake, device } = await rig();
  const { requests } = heldAnswers(fake);
  const writer = narrowWriter(device);
  const waiting = assertRejects(
    () => writer.write(Uint8Array.of(1, 2)),
    TypeError,
    "enough",
  );
  await settle();
  await writer.abort(new TypeError("enough"));
  await waiting;
  assertEquals([requests.length, requests[0]?.signal?.aborted], [1, true]);
});

Deno.test("Endpoint's writable fails when its close finds that not all arrived", async () => {
  const { fake, device } = await rig();
  const { ends } = heldAnswers(fake);
  const writer = failingWriter(device);
  await writer.write(Uint8Array.of(1));
  const closed = assertRejects(() => writer.close(), UsbError, "stalled");
  await settle();
  ends[0]?.(outcomeOf("stall"));
  assertEquals((await closed).code, "stall");
});

Deno.test("Endpoint's writable fails a write that waits when the device is closed", async () => {
  const { fake, device } = await rig();
  heldAnswers(fake);
  const writer = narrowWriter(device);
  const waiting = assertRejects(
    () => writer.write(Uint8Array.of(1, 2)),
    UsbError,
  );
  await settle();
  await device.close();
  assertEquals((await waiting).code, "cancelled");
});

Deno.test("Endpoint's writable says why its device takes nothing at all", async () => {
  const { fake, device } = await rig();
  fake.unplug();
  const writer = failingWriter(device);
  const refused = await assertRejects(
    () => writer.write(Uint8Array.of(1)),
    UsbError,
  );
  assertEquals(refused.code, "noDevice");
});

Deno.test("Endpoint's writable takes bytes only", async () => {
  const { device } = await rig();
  const writer = failingWriter(device);
  await assertRejects(
    () => writer.write("text" as unknown as Uint8Array),
    TypeError,
    "a chunk is a Uint8Array",
  );
});
