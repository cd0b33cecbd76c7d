/** A full journal: what a driver was given, and what it did about it, in order. */

import type { DriverInput, EventMap } from "../../driver/driver.ts";
import { UsbError } from "../../driver/errors.ts";
import { errorData, errorOf, errorText } from "../../driver/loop/error_data.ts";
import type { JournalEvent } from "../../driver/loop/journal.ts";
import { decodePlain, encodePlain } from "../../driver/loop/plain_data.ts";
import { recordedDriver } from "../../driver/loop/recorded_driver.ts";
import { boundedDetail, Recorder } from "../../driver/loop/recorder.ts";
import type { AnyDriver, Json } from "../../driver/driver.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "../../driver/std.ts";
import {
  type Bench,
  driverWith,
  readyBench,
  stopBench,
} from "./bench_session.ts";
import { BULK_IN, INTERRUPT_IN, outcomeOf } from "./fake_device.ts";

/** Runs a driver and gives its full journal as it grows. */
async function recorded(
  driver: AnyDriver,
): Promise<Omit<Bench, "events"> & { readonly events: JournalEvent[] }> {
  const events: JournalEvent[] = [];
  let nowMs = (): number => 0;
  const recorder = new Recorder({
    nowMs: () => nowMs(),
    tell: (event) => void events.push(event),
  });
  const made = await readyBench(recordedDriver(driver, recorder));
  nowMs = () => made.clock.nowMs();
  return { ...made, events };
}

function told(events: readonly JournalEvent[]): string[] {
  return events.filter(({ kind }) => kind !== "device")
    .map(({ kind, name }) => `${kind} ${name}`);
}

function input(
  handle: DriverInput<unknown, EventMap>["handle"],
): DriverInput<unknown, EventMap> {
  return { name: "reports", endpoint: INTERRUPT_IN, handle };
}

Deno.test("A full journal has each report with its bytes, and what the handler did", async () => {
  const made = await recorded(driverWith({
    inputs: [input((_state, { data }, context) => {
      context.emit("moved", { x: data[0] ?? 0 });
      context.setTimer("idle", 50);
    })],
    onTimer: (_state, _name, context) => context.clearTimer("idle"),
  }));
  made.device.ring().send(7, 8);
  await made.clock.advance(100);
  assertEquals(told(made.events), [
    "report reports",
    "emit moved",
    "set idle",
    "end reports",
    "timer idle",
    "clear idle",
    "end idle",
  ]);
  const [device, report, emit, set] = made.events;
  assertEquals([device?.kind, device?.name], ["device", "0957:1755@1-4"]);
  assertEquals(report?.payload, Uint8Array.of(7, 8));
  assertEquals([emit?.detail, set?.detail], [{ x: 7 }, 50]);
  assertEquals(made.events.map(({ sequence }) => sequence), [
    ...made.events.keys(),
  ]);
  await stopBench(made);
});

Deno.test("A full journal ties what came of a transfer to the transfer, failures included", async () => {
  const made = await recorded(driverWith({
    commands: {
      read: {
        description: "Reads",
        run: async (_state, _params, context) =>
          (await context.device.transferIn(0x82, 64)).length,
      },
    },
  }));
  made.device.answer = () => outcomeOf("completed", Uint8Array.of(1, 2, 3));
  assertEquals(await made.session.command("read"), 3);
  made.device.answer = () => outcomeOf("stall");
  await assertRejects(() => made.session.command("read"), UsbError);
  const of = (kind: string): JournalEvent[] =>
    made.events.filter((event) => event.kind === kind);
  assertEquals(of("call").map(({ id }) => id), of("done").map(({ id }) => id));
  assertEquals(of("done").map(({ payload, detail }) => [payload, detail]), [
    [Uint8Array.of(1, 2, 3), {
      status: "completed",
      actualLengthBytes: 3,
      together: 2,
    }],
    [new Uint8Array(), {
      status: "stall",
      actualLengthBytes: 0,
      together: 2,
    }],
  ]);
  assertEquals([of("end").length, of("failure").length], [1, 1]);
  await stopBench(made);
});

Deno.test("A full journal has time, chance, sleeps and what receive looked at", async () => {
  const made = await recorded(driverWith({
    inputs: [input(() => {})],
    commands: {
      ask: {
        description: "Waits for a 2",
        run: async (_state, _params, context) => {
          const now = context.nowMs();
          const chance = context.random();
          await context.sleep(5);
          const take = (data: Uint8Array): boolean => data[0] === 2;
          const got = await context.receive("reports", take, { timeoutMs: 50 });
          return [now, chance, got[0] ?? 0];
        },
      },
    },
  }));
  const answer = made.session.command("ask");
  await made.clock.advance(10);
  made.device.ring().send(1);
  made.device.ring().send(2);
  await made.clock.advance(10);
  const [now, chance] = await answer as number[];
  assertEquals(told(made.events), [
    "command ask",
    "now loop",
    "chance loop",
    "call sleep",
    "done sleep",
    "call receive reports",
    "look reports",
    "looked reports",
    "look reports",
    "looked reports",
    "done receive reports",
    "end ask",
    "report reports",
    "end reports",
  ]);
  const detailOf = (kind: string): Json | undefined =>
    made.events.find((event) => event.kind === kind)?.detail;
  assertEquals([detailOf("now"), detailOf("chance")], [now, chance]);
  await stopBench(made);
});

Deno.test("A recorded driver fails as the driver does, and the failure is recorded", async () => {
  const made = await recorded(driverWith({
    inputs: [input(() => {
      throw new RangeError("out of bounds");
    })],
  }));
  made.device.ring().send(1);
  await made.clock.advance(3_000);
  const end = await made.session.ended;
  assertEquals([end.class, end.message], [
    "fault",
    "RangeError: out of bounds",
  ]);
  const failure = made.events.find(({ kind }) => kind === "failure");
  assertEquals(errorText(failure?.detail), "RangeError: out of bounds");
});

Deno.test("A full journal has the driver's state now and then, while it is nothing but data", async () => {
  const state = { seen: 0, last: new Map([["a", Uint8Array.of(1)]]) };
  const made = await recorded({
    ...driverWith({
      inputs: [input(() => void state.seen++)],
    }),
    init: () => state,
  });
  for (let n = 0; n < 1_500; n++) {
    made.device.ring().send(n & 0xff);
    if (n % 100 === 0) await made.clock.advance(1);
    else await made.clock.advance(0);
  }
  const checkpoints = made.events.filter(({ kind }) => kind === "checkpoint");
  assert(checkpoints.length >= 2, `${checkpoints.length} checkpoints`);
  const { state: text } = checkpoints.at(-1)?.detail as { state: string };
  const kept = decodePlain(JSON.parse(text)) as typeof state;
  assert(kept.seen > 0 && kept.seen <= state.seen);
  assertEquals(kept.last, state.last);
  await stopBench(made);
});

Deno.test("A full journal has no state while an input of the driver's own is open, and has it again when that ended", async () => {
  const made = await recorded(driverWith({
    inputs: [input(() => {})],
    start: (_state, { device }) => {
      const next = device.endpoint(BULK_IN).reports()[Symbol.asyncIterator]()
        .next();
      next.catch(() => {});
    },
  }));
  const checkpoints = async (): Promise<number> => {
    for (let n = 0; n < 1_500; n++) {
      made.device.ring().send(n & 0xff);
      await made.clock.advance(n % 100 === 0 ? 1 : 0);
    }
    return made.events.filter(({ kind }) => kind === "checkpoint").length;
  };
  assertEquals(await checkpoints(), 0);
  made.device.ring(BULK_IN).end("stall");
  assert(await checkpoints() > 0);
  await stopBench(made);
});

Deno.test("Plain data comes back as it was, what is more is refused with its place", () => {
  const plain = {
    a: [1, -0, NaN, Infinity, "x", null, undefined, true, 12n],
    bytes: Uint8Array.of(1, 255),
    floats: Float64Array.of(0.5),
    map: new Map<unknown, unknown>([[1, { $: 1 }], ["k", new Set([1])]]),
    at: new Date(5),
  };
  const encoded = encodePlain(plain);
  assert("data" in encoded);
  assertEquals(decodePlain(JSON.parse(JSON.stringify(encoded.data))), plain);
  class Decoder {}
  const shared = {};
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  const more: [unknown, string][] = [
    [{ a: { link: new Decoder() } }, "state.a.link is of a class"],
    [{ f: () => 1 }, "state.f is a function"],
    [{ a: shared, b: shared }, "state.b is referred to twice"],
    [cycle, "state.self is referred to twice"],
    [{
      get a() {
        throw new Error("called");
      },
    }, "state.a is computed"],
    [{ text: "x".repeat(100_000) }, "longer than"],
  ];
  for (const [value, reason] of more) {
    const refused = encodePlain(value);
    assert("reason" in refused && refused.reason.includes(reason), reason);
  }
  for (
    const bad of [{ $: "Uint8Array", hex: "0g" }, { $: "magic" }, { $: "map" }]
  ) {
    assertThrows(() => decodePlain(bad), SyntaxError);
  }
});

Deno.test("An error comes back with its words, its code and its bytes", () => {
  const usb = new UsbError({
    code: "stall",
    operation: "read from endpoint 0x82",
    device: "0957:1755@1-4",
    reason: "stalled",
    state: "ready",
    advice: "Clear the halt",
    native: { source: "libusb", number: -9 },
    data: Uint8Array.of(1, 2),
  });
  const back = errorOf(JSON.parse(JSON.stringify(errorData(usb))));
  assertInstanceOf(back, UsbError);
  assertEquals(
    [back.message, back.code, back.data, back.native],
    [usb.message, usb.code, usb.data, usb.native],
  );
  const range = errorOf(errorData(new RangeError("too far")));
  assertInstanceOf(range, RangeError);
  assertEquals(range.message, "too far");
  assertEquals(errorOf(errorData("just text")), "just text");
  assertEquals(
    errorOf({ name: "__proto__", message: 7 }) instanceof Error,
    true,
  );
});

Deno.test("A detail that is too long is known by its length and a hash", () => {
  const long = { data: "x".repeat(20_000) };
  const [one, same] = [boundedDetail(long), boundedDetail({ ...long })];
  assertEquals(one, same);
  assertEquals(Object.keys(one as object), ["characters", "hash"]);
  assertEquals(boundedDetail({ big: 1n }), { unreadable: true });
});
