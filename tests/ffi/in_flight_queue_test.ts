/** The queue of an endpoint, over transfers that finish when the test says so. */

import { Chance } from "../../driver/loop/chance.ts";
import { assertEquals } from "../../driver/std.ts";
import { MAX_TRANSFERS_IN_FLIGHT } from "../../driver/limits.ts";
import { InFlightQueue } from "../../ffi/in_flight_queue.ts";
import type { Transfer } from "../../ffi/transfer.ts";

/** What a queue uses of a transfer. */
class FakeTransfer {
  readonly number: number;
  queue: InFlightQueue | undefined;
  hasTimeout = false;
  result = 0;
  isDone = false;
  looks = 0;
  onTell: () => void = () => {};

  constructor(number: number) {
    this.number = number;
  }

  submit(): number {
    this.isDone = false;
    return this.result;
  }

  isFinished(): boolean {
    this.looks++;
    return this.isDone;
  }

  tell(): void {
    this.onTell();
  }
}

interface Made {
  readonly queue: InFlightQueue;
  readonly transfers: FakeTransfer[];
  readonly told: number[];
}

/** A queue with `count` transfers in flight. */
function makeQueue(count: number): Made {
  const told: number[] = [];
  const queue = new InFlightQueue({ isAwake: false, submitted: () => {} });
  const transfers = Array.from(
    { length: count },
    (_, n) => new FakeTransfer(n),
  );
  for (const transfer of transfers) {
    transfer.onTell = () => told.push(transfer.number);
    submit(queue, transfer);
  }
  return { queue, transfers, told };
}

function submit(queue: InFlightQueue, transfer: FakeTransfer): number {
  return queue.submit(transfer as unknown as Transfer);
}

function finish(made: Made, ...numbers: number[]): void {
  for (const n of numbers) {
    const transfer = made.transfers[n];
    if (transfer !== undefined) transfer.isDone = true;
  }
}

const numbersOf = (transfers: readonly unknown[]): number[] =>
  (transfers as FakeTransfer[]).map((transfer) => transfer.number);

Deno.test("Queue hands finished transfers back oldest first and stops at the first that is pending", () => {
  const made = makeQueue(4);
  finish(made, 0, 1, 3);
  assertEquals(made.queue.scan(), 2);
  assertEquals(made.told, [0, 1]);
  assertEquals(made.queue.length, 2);
  assertEquals(made.transfers[3]?.looks, 0);
});

Deno.test("Queue does not look at what is submitted while it hands back", () => {
  const made = makeQueue(2);
  for (const transfer of made.transfers) {
    transfer.onTell = () => {
      made.told.push(transfer.number);
      submit(made.queue, transfer);
    };
  }
  finish(made, 0, 1);
  assertEquals(made.queue.scan(), 2);
  assertEquals(made.transfers.map((t) => t.looks), [1, 1]);
  assertEquals(made.queue.length, 2);
});

Deno.test("Queue keeps its order over any number of rounds and beyond its first places", () => {
  const count = MAX_TRANSFERS_IN_FLIGHT + 10;
  const made = makeQueue(count);
  const all = made.transfers.map(({ number }) => number);
  assertEquals(numbersOf(made.queue.newestFirst()), [...all].reverse());
  for (let round = 0; round < 5; round++) {
    made.told.length = 0;
    finish(made, ...all);
    assertEquals(made.queue.scan(), count);
    assertEquals(made.told, all);
    for (const transfer of made.transfers) submit(made.queue, transfer);
  }
});

Deno.test("Queue finds what finished before older ones once something was cancelled", () => {
  const made = makeQueue(4);
  finish(made, 2);
  assertEquals(made.queue.scan(), 0);
  made.queue.mayReorder = true;
  assertEquals(made.queue.scan(), 1);
  assertEquals(made.told, [2]);
  assertEquals(numbersOf(made.queue.newestFirst()), [3, 1, 0]);
  finish(made, 0, 1, 3);
  assertEquals(made.queue.scan(), 3);
  assertEquals(made.told, [2, 0, 1, 3]);
  assertEquals(made.queue.mayReorder, false, "Nothing is in flight");
});

Deno.test("Queue counts a transfer that was not submitted as not in flight", () => {
  const made = makeQueue(1);
  const refused = new FakeTransfer(9);
  refused.result = -4;
  assertEquals(submit(made.queue, refused), -4);
  assertEquals(made.queue.length, 1);
  assertEquals(refused.queue, undefined);
});

Deno.test("Queue gives up all that is in flight, oldest first, and says how many", async () => {
  const made = makeQueue(3);
  const empty = made.queue.whenEmpty();
  assertEquals(numbersOf(made.queue.abandon()), [0, 1, 2]);
  assertEquals(made.queue.length, 0);
  assertEquals(made.transfers.map((t) => t.queue), [
    undefined,
    undefined,
    undefined,
  ]);
  await empty;
  finish(made, 0, 1, 2);
  assertEquals(made.queue.scan(), 0);
  assertEquals(made.told, []);
});

for (const seed of [1, 2, 3]) {
  Deno.test(`Queue loses nothing and doubles nothing in any order of submits, ends and cancels (seed ${seed})`, () => {
    const chance = new Chance(seed);
    const made = makeQueue(0);
    const inFlight = new Set<FakeTransfer>();
    const idle = Array.from({ length: 150 }, (_, n) => new FakeTransfer(n));
    for (const transfer of idle) {
      transfer.onTell = () => {
        inFlight.delete(transfer);
        idle.push(transfer);
      };
    }
    for (let step = 0; step < 1_000; step++) {
      const what = chance.next();
      const next = what < 0.6 ? idle.shift() : undefined;
      if (next !== undefined) {
        submit(made.queue, next);
        inFlight.add(next);
      } else if (what < 0.9) {
        const [oldest] = inFlight;
        if (oldest !== undefined) oldest.isDone = true;
      } else {
        // Somewhere in the middle: only a cancelled one may.
        made.queue.mayReorder = inFlight.size > 0;
        const some = [...inFlight][Math.floor(chance.next() * inFlight.size)];
        if (some !== undefined) some.isDone = true;
      }
      if (chance.next() < 0.5) {
        made.queue.scan();
        assertEquals(made.queue.length, inFlight.size, `step ${step}`);
        assertEquals(
          numbersOf(made.queue.newestFirst()).sort(),
          numbersOf([...inFlight]).sort(),
        );
      }
    }
  });
}
