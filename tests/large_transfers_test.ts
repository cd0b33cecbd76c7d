import { assert, assertEquals, assertRejects } from "../driver/std.ts";
import { Device } from "../driver/device.ts";
import { UsbError } from "../driver/errors.ts";
import { PIECE_BYTES_MAX, PIECE_BYTES_MIN } from "../driver/large_transfers.ts";
import { settle, VirtualClock } from "../driver/loop/clock.ts";
import type { TransferOutcome, TransferRequest } from "../driver/port.ts";
import { interfaceNumber } from "../driver/usb.ts";
import { BULK_IN, FakeDevice, outcomeOf } from "./loop/fake_device.ts";

const BULK_OUT = 0x02;
const MIB = 1024 * 1024;

type DataRequest = Extract<TransferRequest, { type: "in" | "out" }>;

interface Rig {
  readonly device: Device;
  readonly clock: VirtualClock;
  /** What the port was asked for, and how the test answers it. */
  readonly asked: DataRequest[];
  readonly answers: ((outcome: TransferOutcome) => void)[];
}

/** Data transfers end when the test says so, or with their signal. */
async function rig(): Promise<Rig> {
  const clock = new VirtualClock();
  const fake = new FakeDevice(clock);
  await fake.claimInterface(interfaceNumber(0));
  const asked: DataRequest[] = [];
  const answers: ((outcome: TransferOutcome) => void)[] = [];
  fake.answer = (request) => {
    if (request.type !== "in" && request.type !== "out") return undefined;
    asked.push(request);
    const { promise, resolve } = Promise.withResolvers<TransferOutcome>();
    if (request.signal?.aborted) return outcomeOf("cancelled");
    request.signal?.addEventListener(
      "abort",
      () => resolve(outcomeOf("cancelled")),
    );
    answers.push(resolve);
    return promise;
  };
  return { device: new Device(fake), clock, asked, answers };
}

function lengthOf(request: DataRequest | undefined): number {
  if (request === undefined) return NaN;
  return request.type === "in" ? request.lengthBytes : request.data.length;
}

function received(lengthBytes: number, value: number): TransferOutcome {
  return outcomeOf("completed", new Uint8Array(lengthBytes).fill(value));
}

function written(lengthBytes: number): TransferOutcome {
  return { ...outcomeOf("completed"), actualLengthBytes: lengthBytes };
}

/** Answers the newest request, and lets what follows happen. */
async function answer(at: Rig, outcome: TransferOutcome): Promise<void> {
  at.answers.at(-1)?.(outcome);
  await settle();
}

Deno.test("Large read is made of pieces, one after the other, and gives all bytes", async () => {
  const at = await rig();
  const read = at.device.transferIn(BULK_IN, 2 * MIB + 100);
  for (const value of [1, 2]) {
    assertEquals(at.asked.length, value);
    await answer(at, received(PIECE_BYTES_MAX, value));
  }
  await answer(at, received(100, 3));
  const data = await read;
  assertEquals(at.asked.map(lengthOf), [MIB, MIB, 100]);
  assertEquals(data.length, 2 * MIB + 100);
  assertEquals([data[0], data[MIB], data[2 * MIB]], [1, 2, 3]);
});

Deno.test("Large read ends at a short packet in the middle: the rest is not asked for", async () => {
  const at = await rig();
  const read = at.device.transferIn(BULK_IN, 4 * MIB);
  await answer(at, received(MIB, 1));
  await answer(at, received(7, 2));
  assertEquals((await read).length, MIB + 7);
  assertEquals(at.asked.length, 2);
});

Deno.test("Large read that stalls in the middle keeps what came before", async () => {
  const at = await rig();
  const read = assertRejects(
    () => at.device.transferIn(BULK_IN, 4 * MIB),
    UsbError,
    "stalled",
  );
  await answer(at, received(MIB, 1));
  await answer(at, outcomeOf("stall", Uint8Array.of(9)));
  const error = await read;
  assertEquals([error.data?.length, error.transferredBytes], [
    MIB + 1,
    MIB + 1,
  ]);
});

Deno.test("Large write is cut without a gap; only its end gets the packet of no bytes", async () => {
  const at = await rig();
  const data = new Uint8Array(MIB + 512).map((_, n) => n >> 12);
  const write = at.device.transferOut(BULK_OUT, data, {
    zeroLengthPacket: true,
  });
  // As by the port, what is written afterwards does not count.
  const wanted = data.slice();
  data.fill(0xff);
  await answer(at, written(MIB));
  await answer(at, written(512));
  assertEquals(await write, MIB + 512);
  const sent = at.asked.flatMap((request) =>
    request.type === "out" ? [request] : []
  );
  assertEquals(sent.map((r) => r.zeroLengthPacket), [false, true]);
  assertEquals(sent.flatMap((r) => [...r.data]), [...wanted]);
});

Deno.test("Memory that runs out in the middle makes the pieces smaller", async () => {
  const at = await rig();
  const read = at.device.transferIn(BULK_IN, 2 * MIB);
  await answer(at, received(MIB, 1));
  await answer(at, outcomeOf("noMemory"));
  await answer(at, outcomeOf("noMemory"));
  await answer(at, received(MIB / 4, 2));
  await answer(at, received(MIB / 4, 3));
  await answer(at, received(MIB / 4, 4));
  await answer(at, received(MIB / 4, 5));
  assertEquals(
    at.asked.map(lengthOf),
    [1, 1, 1 / 2, 1 / 4, 1 / 4, 1 / 4, 1 / 4].map((part) => part * MIB),
  );
  const data = await read;
  assertEquals(data.length, 2 * MIB);
  assertEquals(data[2 * MIB - 1], 5);
});

Deno.test("Smallest piece waits for another large transfer to end", async () => {
  const at = await rig();
  const write = at.device.transferOut(BULK_OUT, new Uint8Array(MIB));
  const endWrite = at.answers[0];
  const read = at.device.transferIn(BULK_IN, 2 * PIECE_BYTES_MIN);
  await answer(at, outcomeOf("noMemory"));
  await answer(at, outcomeOf("noMemory"));
  assertEquals(at.asked.map(lengthOf), [
    MIB,
    2 * PIECE_BYTES_MIN,
    PIECE_BYTES_MIN,
  ]);
  endWrite?.(written(MIB));
  await settle();
  assertEquals(await write, MIB);
  assertEquals(at.asked.length, 4);
  await answer(at, received(PIECE_BYTES_MIN, 1));
  await answer(at, received(PIECE_BYTES_MIN, 2));
  assertEquals((await read).length, 2 * PIECE_BYTES_MIN);
});

Deno.test("Smallest piece without memory ends the transfer when nothing of ours can end", async () => {
  const at = await rig();
  const read = assertRejects(
    () => at.device.transferIn(BULK_IN, 3 * PIECE_BYTES_MIN),
    UsbError,
  );
  await answer(at, outcomeOf("noMemory"));
  await answer(at, received(lengthOf(at.asked.at(-1)), 1));
  const moved = lengthOf(at.asked[1]);
  for (let n = 0; n < 2; n++) await answer(at, outcomeOf("noMemory"));
  const error = await read;
  assertEquals([error.code, error.transferredBytes], ["noMemory", moved]);
});

Deno.test("Signal in the middle of a large read ends it with what had arrived", async () => {
  const at = await rig();
  const stop = new AbortController();
  const read = assertRejects(
    () => at.device.transferIn(BULK_IN, 4 * MIB, { signal: stop.signal }),
    UsbError,
  );
  await answer(at, received(MIB, 1));
  stop.abort();
  const error = await read;
  assertEquals([error.code, error.data?.length], ["cancelled", MIB]);
  assertEquals(at.asked.length, 2);
});

Deno.test("Signal ends the waiting for memory, too", async () => {
  const at = await rig();
  const stop = new AbortController();
  const write = at.device.transferOut(BULK_OUT, new Uint8Array(MIB));
  const endWrite = at.answers[0];
  const read = assertRejects(
    () =>
      at.device.transferIn(BULK_IN, PIECE_BYTES_MIN + 512, {
        signal: stop.signal,
      }),
    UsbError,
  );
  await answer(at, outcomeOf("noMemory"));
  await answer(at, outcomeOf("noMemory"));
  stop.abort();
  assertEquals((await read).code, "cancelled");
  endWrite?.(written(MIB));
  await write;
});

Deno.test("Time limit is for all pieces together", async () => {
  const at = await rig();
  const read = assertRejects(
    () => at.device.transferIn(BULK_IN, 4 * MIB, { timeoutMs: 100 }),
    UsbError,
  );
  await at.clock.advance(30);
  await answer(at, received(MIB, 1));
  assertEquals(at.asked.map((request) => request.timeoutMs), [100, 70]);
  await at.clock.advance(80);
  await answer(at, received(MIB, 2));
  const error = await read;
  assertEquals([error.code, error.data?.length], ["timedOut", 2 * MIB]);
  assertEquals(at.asked.length, 2);
});

Deno.test("Next transfer of the endpoint does not get between the pieces", async () => {
  const at = await rig();
  const first = at.device.transferIn(BULK_IN, 2 * MIB);
  const second = at.device.transferIn(BULK_IN, 64);
  await answer(at, received(MIB, 1));
  assertEquals(at.asked.map(lengthOf), [MIB, MIB]);
  await answer(at, received(MIB, 2));
  await first;
  assertEquals(lengthOf(at.asked[2]), 64);
  await answer(at, received(64, 3));
  assertEquals((await second)[0], 3);
  // Afterwards nothing stands in line, and small ones go at once.
  const third = at.device.transferIn(BULK_IN, 64);
  const fourth = at.device.transferIn(BULK_IN, 64);
  assertEquals(at.asked.length, 5);
  at.answers.slice(3).forEach((end) => end(received(64, 4)));
  assert((await third).length === 64 && (await fourth).length === 64);
});
