import { defineDriver } from "../../driver/driver.ts";
import { outlineTeller } from "../../driver/host/journal_teller.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import { Journal } from "../../driver/loop/journal.ts";
import { decodeEvent } from "../../driver/loop/recording.ts";
import { assert, assertEquals, assertLess } from "../../driver/std.ts";

const DRIVER = defineDriver({
  name: "probe",
  description: "Does nothing",
  match: [{ vendorId: 1 }],
  interfaces: [{ interfaceNumber: 0 }],
  init: () => ({}),
});

/** A driver's journal, and what its host was told of it. */
class Bench {
  readonly clock = new VirtualClock();
  readonly frames: string[][] = [];
  readonly journal: Journal;
  readonly teller = outlineTeller(DRIVER, {
    clock: this.clock,
    send: ({ lines }) => this.frames.push(lines.split("\n")) > 0,
  });

  constructor() {
    this.journal = new Journal(this.clock, this.teller.options);
    this.teller.journal = this.journal;
  }

  /** Name of the last event the host knows of. */
  get lastTold(): string | undefined {
    const line = this.frames.at(-1)?.at(-1);
    return line && decodeEvent(line).name;
  }
}

Deno.test("A slow device's every report is told before it is handled", async () => {
  const bench = new Bench();
  for (let n = 0; n < 10; n++) {
    bench.journal.record("report", `report ${n % 2}`, 8);
    assertEquals(bench.lastTold, `report ${n % 2}`);
    bench.journal.record("emit", "value");
    await bench.clock.advance(10);
  }
  assertEquals(bench.frames.length, 10);
  assertEquals(bench.frames.at(-1)?.length, 2, "with what was done meanwhile");
});

Deno.test("The routine of a fast device costs a hundred frames a second, whatever its rate", async () => {
  for (const perMs of [1, 8, 100]) {
    const bench = new Bench();
    for (let ms = 0; ms < 1_000; ms++) {
      for (let n = 0; n < perMs; n++) bench.journal.record("report", "0x81", 8);
      await bench.clock.advance(1);
    }
    assertEquals(bench.frames.length, 100);
    for (const frame of bench.frames) assertLess(frame.length, 33);
  }
});

Deno.test("What does not come all the time is told at once, between the routine too", async () => {
  const bench = new Bench();
  for (let n = 0; n < 100; n++) {
    bench.journal.record("report", "0x81", 8);
    await bench.clock.advance(1);
  }
  const before = bench.frames.length;
  bench.journal.record("report", "0x81", 7);
  assertEquals(bench.frames.length, before + 1);
  bench.journal.record("command", "calibrate");
  assertEquals(bench.lastTold, "calibrate");
  bench.journal.record("command", "calibrate");
  assertEquals(bench.frames.length, before + 2, "The second one is routine");
});

Deno.test("A driver in which nothing is routine is bounded as well", async () => {
  const bench = new Bench();
  for (let n = 0; n < 10_000; n++) {
    bench.journal.record("report", "0x81", n);
    await bench.clock.advance(0.1);
  }
  assertLess(bench.frames.length, 250);
});

Deno.test("What was not told yet is told with the next heartbeat, once", () => {
  const bench = new Bench();
  bench.journal.record("state", "ready");
  bench.journal.record("emit", "a");
  bench.teller.flush();
  assertEquals(bench.lastTold, "a");
  bench.teller.flush();
  assertEquals(bench.frames.length, 2);
});

Deno.test("An outline has no byte of the device", () => {
  const bench = new Bench();
  bench.journal.record("report", "0x81", Uint8Array.of(0xde, 0xad));
  const [[line = ""] = []] = bench.frames;
  assertEquals(decodeEvent(line).payload, undefined);
  assert(!line.includes("dead"));
});
