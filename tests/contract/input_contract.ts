/** The port contract: standing inputs. */

import {
  MAX_TRANSFER_BYTES,
  MAX_TRANSFERS_IN_FLIGHT,
} from "../../driver/limits.ts";
import type { InputCounters, InputOptions } from "../../driver/port.ts";
import { pattern } from "../../driver/sim/devices/loopback.ts";
import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLessOrEqual,
} from "../../driver/std.ts";
import {
  Collector,
  type ContractTest,
  ECHO_OUT,
  eventually,
  FACE,
  inputRefusal,
  openLoopback,
  REPORTS,
  SOURCE,
  within,
} from "./contract_kit.ts";

/** `submitted = completed + inFlight`, `completed = delivered + failed + cancelled + held`. */
export function assertLaw(counters: InputCounters): void {
  const { completed, delivered, failed, cancelled, held } = counters;
  const shown = JSON.stringify(counters);
  assertEquals(counters.submitted, completed + counters.inFlight, shown);
  assertEquals(completed, delivered + failed + cancelled + held, shown);
}

/** Words of a report: its number and its time. */
function numberOf(report: Uint8Array): number {
  return new DataView(report.buffer, report.byteOffset).getUint32(0, true);
}

const FLOW_TESTS: readonly ContractTest[] = [
  {
    name: "an input delivers reports in order with their time",
    run: async (bench) => {
      const { device, command } = await openLoopback(bench);
      const collector = new Collector();
      const input = device.openInput({
        endpoint: REPORTS,
        transfersInFlight: 2,
        ...collector,
      });
      await command("periodicReports", 4);
      await eventually(
        bench,
        () => collector.reports.length >= 10,
        "10 reports",
      );
      await command("periodicReports", 0);
      collector.reports.slice(0, 10).forEach((report, at) =>
        assertEquals([report.length, numberOf(report)], [8, at])
      );
      const times = collector.timestampsMs;
      assert(times.every((ms, at) => at === 0 || ms >= (times[at - 1] ?? 0)));
      assertGreaterOrEqual(device.nowMs(), times.at(-1) ?? 0);
      assertLaw(input.counters);
      await within(bench, input.stop());
      assertEquals(collector.ends, []);
    },
  },
  {
    name: "an input keeps as many transfers in flight as it was told",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const collector = new Collector();
      const input = device.openInput({
        endpoint: REPORTS,
        transfersInFlight: 5,
        ...collector,
      });
      assertEquals(input.endpoint, REPORTS);
      await bench.advance(30);
      assertEquals(input.counters, {
        submitted: 5,
        completed: 0,
        delivered: 0,
        failed: 0,
        cancelled: 0,
        inFlight: 5,
        held: 0,
      });
      await within(bench, input.stop());
      assertEquals(input.counters.cancelled, 5);
      assertLaw(input.counters);
    },
  },
  {
    name: "an input reads one packet a transfer when it is told nothing else",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const collector = new Collector();
      const input = device.openInput({
        endpoint: SOURCE,
        transfersInFlight: 2,
        ...collector,
      });
      await eventually(bench, () => collector.reports.length > 4, "it flows");
      await within(bench, input.stop());
      assertEquals(
        new Set(collector.reports.map((r) => r.length)),
        new Set([512]),
      );
    },
  },
  {
    name: "every transfer of an input is accounted for at any time",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const collector = new Collector();
      let checks = 0;
      const input = device.openInput({
        endpoint: SOURCE,
        transfersInFlight: 8,
        transferLengthBytes: 2048,
        sink: (report) => {
          const isTaken = checks % 7 !== 6 && collector.sink(report);
          // Inside the sink the report is still the input's.
          if (checks++ > 0) {
            const { completed, inFlight, submitted } = input.counters;
            assertEquals(submitted, completed + inFlight);
          }
          return isTaken;
        },
        onEnd: collector.onEnd,
      });
      await eventually(bench, () => {
        assertLaw(input.counters);
        input.resume();
        assertLaw(input.counters);
        return collector.reports.length > 100;
      }, "100 reports");
      await within(bench, input.stop());
      assertLaw(input.counters);
      const all = collector.joined();
      assertEquals(all, pattern(0, all.length), "in order, none lost");
    },
  },
  {
    name:
      "a refused report is held, nothing is read on, and resume loses nothing",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const collector = new Collector();
      collector.room = 5;
      const input = device.openInput({
        endpoint: SOURCE,
        transfersInFlight: 4,
        transferLengthBytes: 1024,
        ...collector,
      });
      await eventually(bench, () => input.counters.held === 4, "all are held");
      await bench.advance(50);
      assertEquals(input.counters, {
        submitted: 9,
        completed: 9,
        delivered: 5,
        failed: 0,
        cancelled: 0,
        inFlight: 0,
        held: 4,
      });
      collector.room = 2;
      input.resume();
      await eventually(
        bench,
        () => collector.reports.length === 7 && input.counters.held === 4,
        "two more are taken",
      );
      collector.room = Infinity;
      input.resume();
      await eventually(bench, () => collector.reports.length > 60, "it flows");
      await within(bench, input.stop());
      const all = collector.joined();
      assertEquals(all, pattern(0, all.length), "in order, none lost");
    },
  },
  {
    name: "while an input is paused, reports wait in the device",
    run: async (bench) => {
      const { id, device, command } = await openLoopback(bench);
      const collector = new Collector();
      collector.room = 1;
      const input = device.openInput({
        endpoint: REPORTS,
        transfersInFlight: 2,
        ...collector,
      });
      await command("periodicReports", 3);
      await eventually(bench, () => input.counters.held === 2, "two are held");
      const sent = async (): Promise<number> =>
        (await bench.bus.observed(id))["reportsSent"] ?? 0;
      await eventually(bench, async () => await sent() >= 18, "they wait");
      assertEquals(collector.reports.length, 1);
      await command("periodicReports", 0);
      collector.room = Infinity;
      input.resume();
      await eventually(bench, () => collector.reports.length >= 15, "the rest");
      const numbers = collector.reports.map(numberOf);
      assertEquals(numbers, numbers.map((_, at) => at), "none lost");
      await within(bench, input.stop());
    },
  },
];

const END_TESTS: readonly ContractTest[] = [
  {
    name: "a stopped input offers nothing more, and stopping twice is a no-op",
    run: async (bench) => {
      const { device, read } = await openLoopback(bench);
      const collector = new Collector();
      const input = device.openInput({
        endpoint: SOURCE,
        transfersInFlight: 3,
        ...collector,
      });
      await eventually(bench, () => collector.reports.length > 10, "it flows");
      const stopping = input.stop();
      const count = collector.reports.length;
      await within(bench, Promise.all([stopping, input.stop()]));
      await within(bench, input.stop());
      input.resume();
      await bench.advance(20);
      assertEquals(collector.reports.length, count);
      assertEquals([input.counters.inFlight, collector.ends.length], [0, 0]);
      assertLaw(input.counters);
      assertEquals((await read(SOURCE, 64)).status, "completed");
    },
  },
  {
    name: "a halt ends an input once, after the reports before it",
    run: async (bench) => {
      const { device, command } = await openLoopback(bench);
      const collector = new Collector();
      const input = device.openInput({
        endpoint: REPORTS,
        transfersInFlight: 4,
        ...collector,
      });
      await command("report");
      await command("report");
      await command("halt", 0, REPORTS);
      await eventually(bench, () => collector.ends.length > 0, "the end");
      await bench.advance(20);
      assertEquals(collector.reports.map(numberOf), [0, 1]);
      assertEquals(collector.ends.map((end) => end.status), ["stall"]);
      assertEquals(input.counters.inFlight, 0);
      assertLaw(input.counters);
      await within(bench, input.stop());
      assertEquals(collector.ends.length, 1);
    },
  },
  {
    name: "an unplug ends an input once, after the reports before it",
    needs: ["hotplug"],
    run: async (bench) => {
      const { id, device, command } = await openLoopback(bench);
      const collector = new Collector();
      const input = device.openInput({
        endpoint: REPORTS,
        transfersInFlight: 4,
        ...collector,
      });
      for (let at = 0; at < 3; at++) await command("report");
      await eventually(
        bench,
        () => collector.reports.length === 3,
        "3 reports",
      );
      await bench.bus.unplug(id);
      await eventually(bench, () => collector.ends.length > 0, "the end");
      await bench.advance(20);
      assertEquals(collector.ends.map((end) => end.status), ["noDevice"]);
      assertEquals(collector.reports.map(numberOf), [0, 1, 2]);
      assertLaw(input.counters);
    },
  },
  {
    name: "a held report is delivered before the end is told",
    needs: ["hotplug"],
    run: async (bench) => {
      const { id, device, command } = await openLoopback(bench);
      const collector = new Collector();
      collector.room = 0;
      const input = device.openInput({
        endpoint: REPORTS,
        transfersInFlight: 2,
        ...collector,
      });
      await command("report");
      await eventually(bench, () => input.counters.held === 1, "it is held");
      await bench.bus.unplug(id);
      await eventually(
        bench,
        () => input.counters.inFlight === 0,
        "it is over",
      );
      assertEquals(collector.ends.length, 0);
      collector.room = Infinity;
      input.resume();
      await eventually(bench, () => collector.ends.length > 0, "the end");
      assertEquals(collector.reports.length, 1);
      assertLaw(input.counters);
    },
  },
  {
    name: "a wire error ends an input with error",
    needs: ["faults"],
    run: async (bench) => {
      const { id, device } = await openLoopback(bench);
      await bench.bus.fault(id, {
        endpoint: SOURCE,
        after: 6,
        fault: { kind: "status", errno: "PROTO" },
      });
      const collector = new Collector();
      const input = device.openInput({
        endpoint: SOURCE,
        transfersInFlight: 2,
        ...collector,
      });
      await eventually(bench, () => collector.ends.length > 0, "the end");
      assertEquals(collector.ends.map((end) => end.status), ["error"]);
      // What was in flight behind the failure may still bring data.
      assertGreaterOrEqual(collector.reports.length, 6);
      assertLessOrEqual(collector.reports.length, 7);
      const all = collector.joined();
      assertEquals(all, pattern(0, all.length));
      assertLaw(input.counters);
    },
  },
  {
    name: "an input is refused as a transfer is",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const wrong: Partial<InputOptions>[] = [
        { transfersInFlight: 0 },
        { transfersInFlight: MAX_TRANSFERS_IN_FLIGHT + 1 },
        { transfersInFlight: 1.5 },
        { transferLengthBytes: 0 },
        { transferLengthBytes: 0.5 },
        { transferLengthBytes: MAX_TRANSFER_BYTES + 1 },
      ];
      for (const options of wrong) {
        const { code } = inputRefusal(device, options);
        assertEquals(code, "invalidParameter", JSON.stringify(options));
      }
      assertEquals(
        inputRefusal(device, { endpoint: ECHO_OUT }).code,
        "notFound",
      );
      await within(bench, device.releaseInterface(FACE));
      assertEquals(inputRefusal(device, {}).code, "state");
      await within(bench, device.close());
      assertEquals(inputRefusal(device, {}).code, "state");
    },
  },
];

/** Standing inputs. */
export const INPUT_TESTS: readonly ContractTest[] = [
  ...FLOW_TESTS,
  ...END_TESTS,
];
