/** The port contract: who else ends standing inputs. */

import type { DevicePort, InputOptions, InputRing } from "../../driver/port.ts";
import { pattern } from "../../driver/sim/devices/loopback.ts";
import { assertEquals } from "../../driver/std.ts";
import type { ContractBench } from "./bench.ts";
import {
  Collector,
  type ContractTest,
  eventually,
  FACE,
  openLoopback,
  REPORTS,
  setting,
  SOURCE,
  within,
} from "./contract_kit.ts";
import { assertLaw } from "./input_contract.ts";

/** An input, and what it told. */
interface Reading {
  readonly input: InputRing;
  readonly collector: Collector;
}

function read(
  device: DevicePort,
  options: Partial<InputOptions> & { readonly room?: number } = {},
): Reading {
  const { room = Infinity, ...more } = options;
  const collector = new Collector();
  collector.room = room;
  const input = device.openInput({
    endpoint: SOURCE,
    transfersInFlight: 3,
    transferLengthBytes: 1024,
    ...collector,
    ...more,
  });
  return { input, collector };
}

/** An input all of whose transfers are held. */
async function readHeld(
  bench: ContractBench,
  device: DevicePort,
  room = 0,
): Promise<Reading> {
  const reading = read(device, { room });
  const { input } = reading;
  await eventually(bench, () => input.counters.held === 3, "all are held");
  return reading;
}

/** It ended once, in that way, after all its reports. */
async function assertEnded(
  bench: ContractBench,
  { input, collector }: Reading,
  isClosed: boolean,
): Promise<void> {
  await eventually(bench, () => collector.ends.length > 0, "the end");
  const count = collector.reports.length;
  await bench.advance(20);
  assertEquals(collector.reports.length, count, "the end comes last");
  const all = collector.joined();
  assertEquals(all, pattern(0, all.length), "in order, none lost");
  assertLaw(input.counters);
  const { inFlight, held, failed } = input.counters;
  assertEquals([inFlight, held, failed], [0, 0, 0]);
  await within(bench, input.stop());
  assertEquals(
    collector.ends.map((end) => [end.status, end.isClosed ?? false]),
    [["cancelled", isClosed]],
  );
}

const CLOSE_TESTS: readonly ContractTest[] = [
  ...[true, false].map((isOfPort): ContractTest => ({
    name: `closing the ${
      isOfPort ? "port" : "device"
    } ends inputs once, as cancelled and closed, after the reports before it`,
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const flowing = read(device, { transfersInFlight: 4 });
      const { reports } = flowing.collector;
      const silent = read(device, { endpoint: REPORTS });
      await eventually(bench, () => reports.length > 4, "it flows");
      await within(bench, isOfPort ? bench.port.close() : device.close());
      await assertEnded(bench, flowing, true);
      await assertEnded(bench, silent, true);
      assertEquals(silent.input.counters.cancelled, 3);
    },
  })),
  {
    name: "what an input holds outlives the close, and then its end is told",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const reading = await readHeld(bench, device, 1);
      const { input, collector } = reading;
      await within(bench, device.close());
      await within(bench, bench.port.close());
      await bench.advance(20);
      assertEquals([collector.reports.length, collector.ends.length], [1, 0]);
      assertEquals(input.counters.held, 3);
      collector.room = 1;
      input.resume();
      await bench.advance(5);
      assertEquals([collector.reports.length, collector.ends.length], [2, 0]);
      collector.room = Infinity;
      input.resume();
      await assertEnded(bench, reading, true);
      assertEquals(collector.joined().length, 4 * 1024);
    },
  },
  ...["before", "meanwhile", "afterwards"].map((when): ContractTest => ({
    name: `an input that is stopped is told no end by a close, stopped ${when}`,
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const readings = [
        read(device, { endpoint: REPORTS }),
        await readHeld(bench, device),
      ];
      const stop = (): Promise<unknown> =>
        Promise.all(readings.map(({ input }) => input.stop()));
      if (when === "before") await within(bench, stop());
      if (when === "afterwards") {
        // The end of the one that waits was told, the other's waits for its taker.
        readings.shift();
        await within(bench, device.close());
      }
      await within(bench, Promise.all([stop(), device.close()]));
      for (const { input, collector } of readings) {
        collector.room = Infinity;
        input.resume();
        await bench.advance(5);
        assertEquals([collector.reports, collector.ends], [[], []]);
        assertEquals(input.counters.cancelled, 3);
        assertLaw(input.counters);
      }
    },
  })),
];

const RELEASE_TESTS: readonly ContractTest[] = [
  {
    name: "giving its interface up ends an input once, as cancelled",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const leave = [
        () => device.setAlternateSetting(FACE, setting(0)),
        () => device.releaseInterface(FACE),
      ];
      for (const go of leave) {
        const reading = read(device, { endpoint: REPORTS });
        await bench.advance(5);
        await within(bench, go());
        await assertEnded(bench, reading, false);
        assertEquals(reading.input.counters.cancelled, 3);
      }
    },
  },
  {
    name: "giving its interface up ends an input that holds all it has",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const reading = await readHeld(bench, device);
      await within(bench, device.releaseInterface(FACE));
      await bench.advance(5);
      assertEquals(reading.collector.ends, []);
      reading.collector.room = Infinity;
      reading.input.resume();
      await assertEnded(bench, reading, false);
      assertEquals(reading.collector.reports.length, 3);
    },
  },
];

/** Standing inputs, at the edges. */
export const INPUT_EDGE_TESTS: readonly ContractTest[] = [
  ...CLOSE_TESTS,
  ...RELEASE_TESTS,
];
