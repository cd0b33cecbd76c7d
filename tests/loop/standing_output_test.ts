/** Standing outputs, where a port has to be made to misbehave: the rest is in the port contract. */

import { settle } from "../../driver/loop/clock.ts";
import {
  OutputSlot,
  StandingOutput,
} from "../../driver/loop/standing_output.ts";
import type {
  OutputEnd,
  OutputSource,
  TransferStatus,
} from "../../driver/port.ts";
import { assert, assertEquals, assertMatch } from "../../driver/std.ts";
import { endpointAddress } from "../../driver/usb.ts";
import { assertOutputLaw } from "../contract/output_kit.ts";

class FakeSlot extends OutputSlot {
  readonly data = new Uint8Array(8);
  readonly #refuse: () => TransferStatus | undefined;
  submits = 0;
  cancels = 0;
  frees = 0;

  constructor(refuse: () => TransferStatus | undefined) {
    super();
    this.#refuse = refuse;
  }

  submit(): TransferStatus | undefined {
    const refusal = this.#refuse();
    if (refusal === undefined) this.submits++;
    return refusal;
  }

  cancel(): void {
    this.cancels++;
  }

  free(): void {
    this.frees++;
  }

  back(status: TransferStatus, movedBytes: number): void {
    this.ended(status, movedBytes);
  }
}

interface Rig {
  readonly output: StandingOutput;
  readonly slots: FakeSlot[];
  readonly ends: OutputEnd[];
  readonly sent: number[];
  isOver: boolean;
  refusal: TransferStatus | undefined;
  /** Ends the wait of `stop`, as its bound does. */
  readonly late: PromiseWithResolvers<void>;
}

/** Feeds 1, 2, 3, … as one byte each unless told otherwise. */
function rig(count: number, source?: OutputSource): Rig {
  const ends: OutputEnd[] = [];
  const sent: number[] = [];
  const late = Promise.withResolvers<void>();
  const slots = Array.from(
    { length: count },
    () => new FakeSlot(() => made.refusal),
  );
  const output = new StandingOutput({
    options: {
      endpoint: endpointAddress(0x02),
      source: source ?? ((data) => {
        sent.push(data[0] = sent.length + 1);
        return 1;
      }),
      onEnd: (end) => ends.push(end),
    },
    slots,
    settles: (back) => Promise.race([back, late.promise]),
    onOver: () => made.isOver = true,
  });
  const made: Rig = {
    output,
    slots,
    ends,
    sent,
    isOver: false,
    refusal: undefined,
    late,
  };
  return made;
}

/** Slots in flight, oldest first. */
function flying({ slots }: Rig): FakeSlot[] {
  return slots.filter(({ order }) => order > 0)
    .sort((one, other) => one.order - other.order);
}

Deno.test("Output without memory for a single transfer ends with noMemory, resumed at once or not", async () => {
  for (const isResumed of [true, false]) {
    const made = rig(0);
    if (isResumed) made.output.resume();
    const drained = made.output.drained();
    assertEquals(made.ends, [], "not within the call");
    await settle();
    assertEquals(made.ends.map(({ status }) => status), ["noMemory"]);
    await drained;
    assertEquals([made.isOver, made.sent], [true, []]);
  }
});

Deno.test("Output ends with error when fewer bytes moved than were given", async () => {
  const made = rig(2, (data) => data.length);
  await settle();
  const [first, second] = flying(made);
  first?.back("completed", 5);
  assertEquals([first?.cancels, second?.cancels], [0, 1]);
  assertEquals(made.ends, [], "not before all are back");
  second?.back("cancelled", 3);
  assertEquals(
    made.ends.map((end) => [end.status, end.actualLengthBytes]),
    [["error", 5]],
  );
  assertEquals(made.output.counters, {
    submitted: 2,
    completed: 2,
    delivered: 0,
    failed: 1,
    cancelled: 1,
    inFlight: 0,
    transferredBytes: 8,
  });
});

Deno.test("Output counts what a cancelled transfer still moved, whole or in part", async () => {
  const made = rig(3, (data) => data.length);
  await settle();
  const [first, second, third] = flying(made);
  first?.back("stall", 0);
  // Killed on its way: libusb calls it completed.
  second?.back("completed", 4);
  // It was through before the cancel came.
  third?.back("completed", 8);
  const { delivered, failed, cancelled, transferredBytes } =
    made.output.counters;
  assertEquals([delivered, failed, cancelled, transferredBytes], [1, 1, 1, 12]);
  assertEquals(made.ends.map(({ status }) => status), ["stall"]);
});

Deno.test("Output never counts more bytes than it gave, whatever the layers below say", async () => {
  const made = rig(1);
  await settle();
  made.slots[0]?.back("completed", 99);
  assertEquals(made.output.counters.transferredBytes, 1);
  assertEquals(made.output.counters.delivered, 1);
});

Deno.test("Output cancels the newest first", async () => {
  const made = rig(3);
  await settle();
  // So that the newest is not the last of the slots.
  flying(made)[0]?.back("completed", 1);
  flying(made)[0]?.back("completed", 1);
  const order: number[] = [];
  for (const slot of made.slots) {
    slot.cancel = () => void order.push(slot.order);
  }
  flying(made)[0]?.back("stall", 0);
  await settle();
  assertEquals(order, [5, 4]);
});

Deno.test("Output without kernel memory for a transfer sends it first when there is some", async () => {
  const made = rig(3);
  await settle();
  made.refusal = "noMemory";
  flying(made)[0]?.back("completed", 1);
  flying(made)[0]?.back("completed", 1);
  assertEquals([made.sent, made.output.counters.inFlight], [[1, 2, 3, 4], 1]);
  made.refusal = undefined;
  flying(made)[0]?.back("completed", 1);
  assertEquals(made.sent, [1, 2, 3, 4, 5, 6]);
  assertEquals(flying(made).map(({ data }) => data[0]), [4, 5, 6]);
  assertOutputLaw(made.output.counters);
});

Deno.test("Output without any kernel memory ends with noMemory, and so does one without transfers", async () => {
  for (const count of [0, 2]) {
    const made = rig(count);
    made.refusal = "noMemory";
    await settle();
    assertEquals(made.ends.map(({ status }) => status), ["noMemory"]);
    assertEquals([made.isOver, made.output.counters.submitted], [true, 0]);
    await made.output.drained();
  }
});

Deno.test("Output that cannot submit ends with the reason, and cancels what is before", async () => {
  const made = rig(2);
  await settle();
  made.refusal = "noDevice";
  const [first, second] = flying(made);
  first?.back("completed", 1);
  assertEquals(second?.cancels, 1);
  second?.back("noDevice", 0);
  assertEquals(made.ends.map(({ status }) => status), ["noDevice"]);
  assertOutputLaw(made.output.counters);
});

Deno.test("Output that somebody else cancelled ends with cancelled", async () => {
  const made = rig(1);
  await settle();
  made.slots[0]?.back("cancelled", 0);
  assertEquals(made.ends.map(({ status }) => status), ["cancelled"]);
  assertEquals(made.output.counters.cancelled, 1);
});

Deno.test("Output frees a transfer only when it is back, however late", async () => {
  const made = rig(2);
  await settle();
  const [first, second] = flying(made);
  const stopped = made.output.stop();
  first?.back("cancelled", 0);
  await settle();
  assertEquals(made.isOver, false);
  made.late.resolve();
  await stopped;
  assertEquals([made.isOver, first?.frees, second?.frees], [true, 1, 0]);
  second?.back("cancelled", 0);
  assertEquals([first?.frees, second?.frees], [1, 1]);
  assertEquals(made.ends, []);
  assertOutputLaw(made.output.counters);
});

Deno.test("Output that ends while it is drained resolves the wait, and tells its end once", async () => {
  const made = rig(1, () => undefined);
  await settle();
  const drained = made.output.drained();
  await drained;
  made.output.end("cancelled");
  made.output.end("noDevice");
  assertEquals(made.ends, []);
  await settle();
  assertEquals(made.ends.map(({ status }) => status), ["cancelled"]);
  assertEquals(made.slots[0]?.frees, 1);
  await made.output.stop();
  await made.output.drained();
});

Deno.test("Output that is stopped while it ends tells no end", async () => {
  const made = rig(2);
  await settle();
  const [first, second] = flying(made);
  first?.back("stall", 0);
  const stopped = made.output.stop();
  second?.back("cancelled", 0);
  await stopped;
  assertEquals([made.ends, made.isOver], [[], true]);
});

Deno.test("Output says what its source gave that it cannot send", async () => {
  for (
    const [value, message] of [
      [
        9,
        /^Cannot send 9 bytes of the source of an output on endpoint 0x02: expected 0 to 8$/,
      ],
      ["x", /a length is a number, or undefined/],
    ] as const
  ) {
    const made = rig(1, () => value as number);
    await settle();
    const [end] = made.ends;
    assert(end?.error instanceof Error);
    assertMatch(end.error.message, message);
    assertEquals(made.slots[0]?.submits, 0);
  }
});

Deno.test("Output asks for the first time when it is in hand, unless resume does before", async () => {
  let asked = 0;
  const made = rig(2, () => {
    asked++;
    return undefined;
  });
  assertEquals(asked, 0);
  made.output.resume();
  assertEquals(asked, 1);
  await settle();
  assertEquals(asked, 1);
});
