import { assert, assertEquals, assertRejects } from "../driver/std.ts";
import { UsbError } from "../driver/errors.ts";
import { settle } from "../driver/loop/clock.ts";
import type { ReadableOptions } from "../driver/endpoint_input.ts";
import { rig } from "./endpoint_rig.ts";
import { BULK_IN } from "./loop/fake_device.ts";

Deno.test("Endpoint's readable gives its bytes, empty transfers left out", async () => {
  const { fake, device } = await rig();
  const reader = device.endpoint(BULK_IN).readable.getReader();
  const first = reader.read();
  await settle();
  assertEquals(fake.ring(BULK_IN).options.transferLengthBytes, 16 * 1024);
  fake.ring(BULK_IN).send();
  fake.ring(BULK_IN).send(1, 2);
  fake.ring(BULK_IN).send(3);
  assertEquals((await first).value, Uint8Array.of(1, 2));
  assertEquals((await reader.read()).value, Uint8Array.of(3));
  await reader.cancel();
  assert(fake.ring(BULK_IN).isOver);
});

Deno.test("Endpoint's readable asks for more at once on a SuperSpeed bus, unless told otherwise", async () => {
  for (const speed of ["super", "super+"] as const) {
    const { fake, device } = await rig();
    fake.info = { ...fake.info, speed };
    const endpoint = device.endpoint(BULK_IN);
    const asked = async (options: ReadableOptions): Promise<unknown[]> => {
      const reader = endpoint.openReadable(options).getReader();
      const reading = reader.read();
      await settle();
      const { options: of } = fake.ring(BULK_IN);
      await reader.cancel();
      await reading;
      return [of.transfersInFlight, of.transferLengthBytes];
    };
    assertEquals(await asked({}), [16, 64 * 1024]);
    assertEquals(await asked({ transfersInFlight: 2 }), [2, 64 * 1024]);
    assertEquals(await asked({ transferLengthBytes: 1024 }), [16, 1024]);
    // A report is a transfer: there, its length means something.
    const reports = endpoint.reports()[Symbol.asyncIterator]();
    const next = reports.next();
    await settle();
    const { options } = fake.ring(BULK_IN);
    assertEquals(options.transferLengthBytes, 16 * 1024);
    await reports.return?.();
    await next;
  }
});

Deno.test("Endpoint's readable fills a reader's own buffer and keeps the rest", async () => {
  const { fake, device } = await rig();
  const { readable } = device.endpoint(BULK_IN);
  const reader = readable.getReader({ mode: "byob" });
  const first = reader.read(new Uint8Array(2));
  await settle();
  fake.ring(BULK_IN).send(1, 2, 3);
  assertEquals((await first).value, Uint8Array.of(1, 2));
  assertEquals((await reader.read(new Uint8Array(2))).value, Uint8Array.of(3));
  const last = reader.read(new Uint8Array(2));
  await device.close();
  assertEquals((await last).done, true);
});

Deno.test("Endpoint's readable leaves in its transfers what nobody asked for", async () => {
  const { fake, device } = await rig();
  const options = { transfersInFlight: 2 };
  const reader = device.endpoint(BULK_IN).openReadable(options)
    .getReader({ mode: "byob" });
  const first = reader.read(new Uint8Array(1));
  await settle();
  const ring = fake.ring(BULK_IN);
  const taken = [[1, 2, 3], [4], [5]].map((bytes) => ring.send(...bytes));
  assertEquals(taken, [true, true, false]);
  const seen = [...(await first).value ?? []];
  // Its first byte is taken, so the first report is still held.
  assertEquals([ring.held, ring.counters.inFlight], [2, 0]);
  const second = await reader.read(new Uint8Array(8));
  seen.push(...second.value ?? []);
  assertEquals([ring.held, ring.counters.inFlight], [0, 2]);
  assertEquals(seen, [1, 2, 3, 4]);
  await reader.cancel();
  assert(ring.isOver);
});

Deno.test("Endpoint's readable fills a reader's own buffer with all that waited, and keeps what has no room", async () => {
  const { fake, device } = await rig();
  const reader = device.endpoint(BULK_IN).openReadable()
    .getReader({ mode: "byob" });
  const first = reader.read(new Uint8Array(8));
  await settle();
  const ring = fake.ring(BULK_IN);
  ring.send(1, 2);
  for (const bytes of [[3, 4, 5], [6], [7, 8]]) ring.send(...bytes);
  assertEquals((await first).value, Uint8Array.of(1, 2));
  const second = await reader.read(new Uint8Array(5));
  assertEquals(second.value, Uint8Array.of(3, 4, 5, 6, 7));
  assertEquals(ring.held, 1);
  const third = await reader.read(new Uint8Array(5));
  assertEquals(third.value, Uint8Array.of(8));
  await reader.cancel();
});

Deno.test("Endpoint's readable makes no memory for a reader that brings its own", async () => {
  const { fake, device } = await rig();
  const reader = device.endpoint(BULK_IN).readable.getReader({ mode: "byob" });
  const first = reader.read(new Uint8Array(64));
  await settle();
  // What is lent is written anew right afterwards, as a transfer is.
  const lent = Uint8Array.of(7, 8);
  fake.ring(BULK_IN).options.sink({ data: lent, timestampMs: 0 });
  lent.fill(0);
  const { value } = await first;
  assertEquals(value, Uint8Array.of(7, 8));
  assertEquals(value?.buffer.byteLength, 64);
  await reader.cancel();
});

Deno.test("Endpoint's readable gives what came before an unplug, and then the error", async () => {
  const { fake, device } = await rig();
  const reader = device.endpoint(BULK_IN).readable.getReader();
  const first = reader.read();
  await settle();
  for (const byte of [1, 2, 3]) fake.ring(BULK_IN).send(byte);
  fake.unplug();
  assertEquals((await first).value, Uint8Array.of(1));
  // What had waited comes at once.
  assertEquals((await reader.read()).value, Uint8Array.of(2, 3));
  assertEquals(
    (await assertRejects(() => reader.read(), UsbError)).code,
    "noDevice",
  );
});

Deno.test("Endpoint's readable loses nothing when the last report that waited is the end", async () => {
  const { fake, device } = await rig();
  const reader = device.endpoint(BULK_IN).readable.getReader();
  const first = reader.read();
  await settle();
  const ring = fake.ring(BULK_IN);
  for (const byte of [1, 2, 3]) ring.send(byte);
  assertEquals((await first).value, Uint8Array.of(1));
  // As a real one does: it ends as soon as nothing is held any more.
  const resume = ring.resume.bind(ring);
  ring.resume = (): void => {
    resume();
    ring.end("stall");
  };
  assertEquals((await reader.read()).value, Uint8Array.of(2, 3));
  const error = await assertRejects(() => reader.read(), UsbError);
  assertEquals(error.code, "stall");
});

Deno.test("Endpoint's readable ends with its signal, also while nobody reads", async () => {
  const { fake, device } = await rig();
  const stop = new AbortController();
  const endpoint = device.endpoint(BULK_IN);
  const reader = endpoint.openReadable({ signal: stop.signal }).getReader();
  const first = reader.read();
  await settle();
  fake.ring(BULK_IN).send(1);
  assertEquals((await first).value, Uint8Array.of(1));
  const ring = fake.ring(BULK_IN);
  const stopRing = ring.stop.bind(ring);
  // As a real one does: it is over when its last transfer has come back.
  ring.stop = async (): Promise<void> => {
    await settle();
    await stopRing();
  };
  stop.abort();
  assertEquals((await reader.read()).done, true);
  // The endpoint is free before the end is told.
  await endpoint.reports()[Symbol.asyncIterator]().return?.();
});

Deno.test("Endpoint is busy for a second stream, which fails", async () => {
  const { device } = await rig();
  const endpoint = device.endpoint(BULK_IN);
  const first = endpoint.openReadable().getReader();
  const waiting = first.read();
  await settle();
  const other = endpoint.openReadable().getReader();
  assertEquals(
    (await assertRejects(() => other.read(), UsbError)).code,
    "busy",
  );
  await first.cancel();
  assertEquals((await waiting).done, true);
});

Deno.test("Endpoint's readable piped to a file leaves every byte there, in order", async () => {
  const { fake, device } = await rig();
  const path = await Deno.makeTempFile();
  try {
    const file = await Deno.open(path, { write: true });
    const stop = new AbortController();
    const { signal } = stop;
    const piped = device.endpoint(BULK_IN).openReadable({ signal })
      .pipeTo(file.writable);
    await settle();
    const wanted: number[] = [];
    for (let n = 0; n < 200;) {
      // The device waits while the file is slower than it is.
      if (fake.ring(BULK_IN).send(n, n ^ 0xff)) wanted.push(n, n++ ^ 0xff);
      else await new Promise((resolve) => setTimeout(resolve));
    }
    while (fake.ring(BULK_IN).held > 0) {
      await new Promise((resolve) => setTimeout(resolve));
    }
    stop.abort();
    await piped;
    assertEquals([...await Deno.readFile(path)], wanted);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("Endpoint's readable fails at an unplug; the next one is another stream", async () => {
  const { fake, device } = await rig();
  const endpoint = device.endpoint(BULK_IN);
  const { readable } = endpoint;
  assert(endpoint.readable === readable);
  const reading = assertRejects(() => readable.getReader().read(), UsbError);
  await settle();
  fake.unplug();
  assertEquals((await reading).code, "noDevice");
  assert(endpoint.readable !== readable);
});
