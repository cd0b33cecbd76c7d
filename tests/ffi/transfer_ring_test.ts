/** The ring's bookkeeping, over transfers that finish when the test says so. */

import type { InputEnd, Report, TransferOutcome } from "../../driver/port.ts";
import { assert, assertEquals } from "../../driver/std.ts";
import { endpointAddress } from "../../driver/usb.ts";
import type { InFlightQueue } from "../../ffi/in_flight_queue.ts";
import { LIBUSB_ERROR } from "../../ffi/libusb_constants.ts";
import type { Transfer, TransferOwner } from "../../ffi/transfer.ts";
import { TransferRing } from "../../ffi/transfer_ring.ts";

/** What a ring uses of a transfer. */
class FakeTransfer {
  readonly buffer = new Uint8Array(64);
  status: TransferOutcome["status"] = "completed";
  actualLengthBytes = 0;
  queue: FakeQueue | undefined;
  isCancelled = false;
  isLost = false;
  frees = 0;
  owner: TransferOwner | undefined;

  cancelParked(): Promise<void> {
    this.isCancelled = this.queue !== undefined;
    return Promise.resolve();
  }

  free(): void {
    assert(this.queue === undefined, "In flight");
    this.frees++;
  }

  lendPackets(): [] {
    return [];
  }
}

/** The kernel: takes transfers, and gives them back on command. */
class FakeQueue {
  readonly inFlight: FakeTransfer[] = [];
  /** What the next submits give; 0 when it is empty. */
  results: number[] = [];

  submit(transfer: FakeTransfer): number {
    const result = this.results.shift() ?? 0;
    if (result !== 0) return result;
    transfer.queue = this;
    transfer.isCancelled = false;
    this.inFlight.push(transfer);
    return 0;
  }

  finish(
    transfer: FakeTransfer | undefined,
    status: TransferOutcome["status"] = "completed",
    data: readonly number[] = [],
  ): void {
    assert(transfer !== undefined);
    this.inFlight.splice(this.inFlight.indexOf(transfer), 1);
    transfer.queue = undefined;
    transfer.status = status;
    transfer.buffer.set(data);
    transfer.actualLengthBytes = data.length;
    transfer.owner?.finished();
  }

  /** The oldest completes with these bytes. */
  complete(...data: number[]): void {
    this.finish(this.inFlight[0], "completed", data);
  }
}

/** A ring of `count` with all that it told. */
function makeRing(count: number, results: number[] = []): {
  readonly ring: TransferRing;
  readonly queue: FakeQueue;
  readonly transfers: readonly FakeTransfer[];
  readonly reports: number[][];
  readonly ends: InputEnd[];
  readonly released: { count: number };
  room: number;
} {
  const queue = new FakeQueue();
  queue.results = results;
  const transfers = Array.from({ length: count }, () => new FakeTransfer());
  const reports: number[][] = [];
  const ends: InputEnd[] = [];
  const released = { count: 0 };
  const made = { room: Infinity };
  const ring = new TransferRing({
    endpoint: endpointAddress(0x81),
    queue: queue as unknown as InFlightQueue,
    transfers: transfers as unknown as Transfer[],
    lengthBytes: 64,
    isIsochronous: false,
    sink: (report: Report): boolean => {
      if (made.room <= 0) return false;
      made.room--;
      reports.push([...report.data]);
      return true;
    },
    onEnd: (end) => ends.push(end),
    finder: { foundAtMs: 7 },
    release: () => released.count++,
  });
  return Object.assign(made, {
    ring,
    queue,
    transfers,
    reports,
    ends,
    released,
  });
}

function assertLaw(ring: TransferRing): void {
  const c = ring.counters;
  assertEquals(c.submitted, c.completed + c.inFlight);
  assertEquals(c.completed, c.delivered + c.failed + c.cancelled + c.held);
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

Deno.test("Ring keeps every transfer in flight and delivers in order", () => {
  const made = makeRing(3);
  for (let n = 0; n < 10; n++) made.queue.complete(n, n);
  assertEquals(made.reports.map((report) => report[0]), [
    ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  ]);
  assertEquals(made.queue.inFlight.length, 3);
  assertEquals(made.ring.counters.delivered, 10);
  assertLaw(made.ring);
});

Deno.test("Ring holds what the sink refuses, resubmits nothing, and offers it again in order", () => {
  const made = makeRing(3);
  made.room = 1;
  for (let n = 0; n < 4; n++) made.queue.complete(n);
  assertEquals(made.reports, [[0]]);
  assertEquals(made.queue.inFlight.length, 0);
  assertEquals(made.ring.counters.held, 3);
  assertLaw(made.ring);
  made.room = 2;
  made.ring.resume();
  assertEquals(made.reports, [[0], [1], [2]]);
  assertEquals(made.ring.counters.held, 1);
  assertEquals(made.queue.inFlight.length, 2);
  made.room = Infinity;
  made.ring.resume();
  assertEquals(made.reports, [[0], [1], [2], [3]]);
  assertEquals(made.queue.inFlight.length, 3);
  assertLaw(made.ring);
});

Deno.test("Ring gives the kernel half of its transfers at a time while reports are held", () => {
  const made = makeRing(8);
  made.room = 0;
  for (let n = 0; n < 8; n++) made.queue.complete(n);
  const inFlight: number[] = [];
  for (let n = 0; n < 8; n++) {
    made.room = 1;
    made.ring.resume();
    inFlight.push(made.queue.inFlight.length);
    assertLaw(made.ring);
  }
  // With the last one taken nothing is held back.
  assertEquals(inFlight, [0, 0, 0, 4, 4, 4, 4, 8]);
});

Deno.test("Ring stopped with transfers it did not give back submits none of them", async () => {
  const made = makeRing(8);
  made.room = 0;
  for (let n = 0; n < 8; n++) made.queue.complete(n);
  made.room = 2;
  made.ring.resume();
  await made.ring.stop();
  made.ring.resume();
  assertEquals(made.queue.inFlight.length, 0);
  assertEquals(made.released.count, 1);
  assertLaw(made.ring);
});

Deno.test("Ring ends with a failure only after everything that completed was taken", async () => {
  const made = makeRing(3);
  made.room = 0;
  made.queue.complete(1);
  made.queue.finish(made.queue.inFlight[0], "stall", [9]);
  assertEquals(made.ends, []);
  await turn();
  const [last] = made.queue.inFlight;
  assert(last?.isCancelled, "What is in flight behind a failure is cancelled");
  made.queue.finish(last, "cancelled");
  assertEquals(made.ends, [], "One report is still held");
  made.room = 1;
  made.ring.resume();
  assertEquals(made.reports, [[1]]);
  assertEquals(
    made.ends.map(({ status, data }) => [status, ...data]),
    [["stall", 9]],
  );
  assertEquals(made.released.count, 1);
  assertEquals(made.ring.counters.failed, 1);
  assertEquals(made.ring.counters.cancelled, 1);
  assertLaw(made.ring);
});

Deno.test("Ring stopped offers nothing more and tells no end", async () => {
  const made = makeRing(2);
  made.room = 0;
  made.queue.complete(1);
  const stopped = made.ring.stop();
  assertEquals(made.ring.stop(), stopped, "Twice is the same");
  await turn();
  made.room = Infinity;
  made.ring.resume();
  made.queue.finish(made.queue.inFlight[0], "completed", [2]);
  await stopped;
  assertEquals([made.reports, made.ends], [[], []]);
  assertEquals(made.ring.counters.held, 0);
  assertEquals(made.ring.counters.cancelled, 2);
  assertEquals(made.released.count, 1);
  assertLaw(made.ring);
});

Deno.test("Ring whose device is closed keeps what it holds, without its transfers, and ends when that was taken", async () => {
  const made = makeRing(3);
  made.room = 0;
  made.queue.complete(1);
  made.ring.end("cancelled", { isClosed: true });
  for (const transfer of [...made.queue.inFlight]) {
    made.queue.finish(transfer, "cancelled");
  }
  made.ring.detach();
  await turn();
  assertEquals(made.transfers.map(({ frees }) => frees), [1, 1, 1]);
  assertEquals([made.reports, made.ends], [[], []]);
  assertEquals(made.ring.counters.held, 1);
  made.room = 1;
  made.ring.resume();
  assertEquals(made.reports, [[1]]);
  assertEquals(
    made.ends.map(({ status, isClosed }) => [status, isClosed]),
    [["cancelled", true]],
  );
  assertEquals([made.queue.inFlight.length, made.released.count], [0, 1]);
  assertLaw(made.ring);
});

Deno.test("Ring that has nothing in flight is told no end within the call that ends it", async () => {
  const { NO_MEM } = LIBUSB_ERROR;
  const made = makeRing(1, [NO_MEM]);
  made.ring.end("cancelled");
  assertEquals(made.ends, []);
  await turn();
  assertEquals(made.ends.map(({ status }) => status), ["cancelled"]);
});

Deno.test("Ring frees no transfer that is lost before it is told so", () => {
  for (const isStopped of [true, false]) {
    const made = makeRing(2);
    if (isStopped) void made.ring.stop();
    else made.ring.end("cancelled", { isClosed: true });
    // As the queue abandons it: the handle is still open.
    const lost = made.queue.inFlight.splice(0);
    for (const transfer of lost) {
      transfer.queue = undefined;
      transfer.isLost = true;
    }
    made.ring.detach();
    assertEquals(lost.map(({ frees }) => frees), [0, 0]);
    for (const transfer of lost) {
      transfer.status = "cancelled";
      transfer.owner?.finished();
      assert(transfer.frees > 0);
    }
    assertEquals(made.ends.length, isStopped ? 0 : 1);
    assertLaw(made.ring);
  }
});

Deno.test("Ring that lacks kernel memory goes on with what it has", async () => {
  const { NO_MEM } = LIBUSB_ERROR;
  // Refused at the start, and at once again.
  const made = makeRing(3, [0, NO_MEM, NO_MEM, NO_MEM, NO_MEM]);
  await turn();
  assertEquals(made.queue.inFlight.length, 1);
  assertEquals(made.ends, []);
  made.queue.complete(1);
  await turn();
  assertEquals(made.queue.inFlight.length, 3, "There was memory again");
  assertLaw(made.ring);
});

Deno.test("Ring without any kernel memory ends with noMemory", async () => {
  const { NO_MEM } = LIBUSB_ERROR;
  const made = makeRing(2, [NO_MEM, NO_MEM, NO_MEM, NO_MEM]);
  await turn();
  assertEquals(made.ends.map(({ status }) => status), ["noMemory"]);
  assertEquals(made.ring.counters.submitted, 0);
  assertLaw(made.ring);
});

Deno.test("Ring on a device that is gone ends with noDevice, not with an exception", async () => {
  const made = makeRing(2, [LIBUSB_ERROR.NO_DEVICE, LIBUSB_ERROR.NO_DEVICE]);
  assertEquals(made.ends, [], "Nobody is told before the ring is theirs");
  await turn();
  assertEquals(made.ends.map(({ status }) => status), ["noDevice"]);
});

Deno.test("Ring keeps its law whatever happens in whatever order", async () => {
  const seed = Number(Deno.env.get("DRIVERSPACE_SEED") ?? 4242);
  let state = seed;
  const random = (max: number): number => {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0;
    return state % max;
  };
  for (let round = 0; round < 300; round++) {
    const made = makeRing(1 + random(6));
    for (let step = 0; step < 40; step++) {
      const { inFlight } = made.queue;
      const any = inFlight[random(Math.max(inFlight.length, 1))];
      const what = random(20);
      if (what < 11 && inFlight.length > 0) made.queue.complete(step);
      else if (what < 14) made.room = random(4);
      else if (what < 17) made.ring.resume();
      else if (what === 17 && any) made.queue.finish(any, "stall");
      else if (what === 18 && any) made.queue.finish(any, "cancelled");
      else if (what === 19 && random(4) === 0) void made.ring.stop();
      assertLaw(made.ring);
    }
    const stopped = made.ring.stop();
    await Promise.resolve();
    for (const transfer of [...made.queue.inFlight]) {
      made.queue.finish(transfer, "cancelled");
    }
    await stopped;
    assertLaw(made.ring);
    const { inFlight, held } = made.ring.counters;
    assertEquals([inFlight, held], [0, 0], `Seed ${seed}, round ${round}`);
    assert(made.ends.length <= 1 && made.released.count === 1);
  }
});
