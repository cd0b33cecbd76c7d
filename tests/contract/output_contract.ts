/** The port contract: what standing outputs send, and how they end. */

import type { OutputRing } from "../../driver/port.ts";
import { pattern } from "../../driver/sim/devices/loopback.ts";
import {
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
} from "../../driver/std.ts";
import {
  bytes,
  type ContractTest,
  ECHO_IN,
  ECHO_OUT,
  eventually,
  FACE,
  INTERRUPT_ECHO_IN,
  INTERRUPT_ECHO_OUT,
  openLoopback,
  setting,
  SINK,
  within,
} from "./contract_kit.ts";
import { answers, assertOutputLaw, Feeder, sunk } from "./output_kit.ts";

const FLOW_TESTS: readonly ContractTest[] = [
  {
    name: "an output sends what its source gives, in order, and all is counted",
    run: async (bench) => {
      const opened = await openLoopback(bench);
      const feeder = new Feeder(50);
      const output = feeder.feed(opened.device);
      assertEquals(output.endpoint, SINK);
      assertEquals(feeder.asked, 0, "not before it is in hand");
      await within(bench, output.drained());
      assertEquals(await sunk(bench, opened), [50 * 1024, 0]);
      assertEquals(output.counters, {
        submitted: 50,
        completed: 50,
        delivered: 50,
        failed: 0,
        cancelled: 0,
        inFlight: 0,
        transferredBytes: 50 * 1024,
      });
      assertEquals(feeder.asked, 51);
      await within(bench, output.stop());
      assertEquals(feeder.ends, []);
    },
  },
  {
    name: "an output lends one packet a transfer when it is told nothing else",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const feeder = new Feeder(3);
      const { source, onEnd } = feeder;
      const output = device.openOutput({
        endpoint: SINK,
        transfersInFlight: 2,
        source,
        onEnd,
      });
      await within(bench, output.drained());
      assertEquals(new Set(feeder.lengths), new Set([512]));
      await within(bench, output.stop());
    },
  },
  {
    name: "an output sends transfers of any length from nothing to all",
    run: async (bench) => {
      const { device, read } = await openLoopback(bench);
      const lengths = [0, 1, 512, 0, 511, 512];
      let at = 0;
      const output = device.openOutput({
        endpoint: ECHO_OUT,
        transfersInFlight: 3,
        transferLengthBytes: 512,
        source: (data) => {
          const lengthBytes = lengths[at++];
          data.set(bytes(lengthBytes ?? 0, at));
          return lengthBytes;
        },
        onEnd: () => {},
      });
      for (const [n, lengthBytes] of lengths.entries()) {
        const { status, data } = await read(ECHO_IN, 512);
        assertEquals([status, data], ["completed", bytes(lengthBytes, n + 1)]);
      }
      await within(bench, output.drained());
      assertEquals(output.counters.transferredBytes, 1536);
      await within(bench, output.stop());
    },
  },
  {
    name: "an output writes to interrupt endpoints, too",
    run: async (bench) => {
      const { device, read } = await openLoopback(bench);
      await within(bench, device.setAlternateSetting(FACE, setting(1)));
      const output = device.openOutput({
        endpoint: INTERRUPT_ECHO_OUT,
        transfersInFlight: 1,
        source: answers(8, undefined),
        onEnd: () => {},
      });
      const { data } = await read(INTERRUPT_ECHO_IN, 64);
      assertEquals(data, new Uint8Array(8));
      await within(bench, output.stop());
    },
  },
  {
    name: "a source without data is asked again after resume, and within it",
    run: async (bench) => {
      const opened = await openLoopback(bench);
      const feeder = new Feeder(0);
      const output = feeder.feed(opened.device);
      await within(bench, output.drained());
      await bench.advance(30);
      assertEquals([feeder.asked, output.counters.submitted], [1, 0]);
      feeder.left = 2;
      output.resume();
      assertEquals([feeder.asked, output.counters.submitted], [4, 2]);
      await within(bench, output.drained());
      await bench.advance(30);
      assertEquals(feeder.asked, 4);
      assertEquals(await sunk(bench, opened), [2048, 0]);
      feeder.left = 20;
      output.resume();
      output.resume();
      await within(bench, output.drained());
      assertEquals(await sunk(bench, opened), [22 * 1024, 0]);
      await within(bench, output.stop());
    },
  },
  {
    name: "while the device takes nothing, an output asks for no more",
    needs: ["faults"],
    run: async (bench) => {
      const opened = await openLoopback(bench);
      await bench.bus.fault(opened.id, {
        endpoint: SINK,
        after: 2,
        fault: { kind: "late", delayMs: 200 },
      });
      const feeder = new Feeder(9);
      const output = feeder.feed(opened.device, { transfersInFlight: 3 });
      await eventually(
        bench,
        () => output.counters.delivered === 2,
        "two are through",
      );
      await bench.advance(50);
      assertEquals([feeder.asked, output.counters.inFlight], [5, 3]);
      await within(bench, output.drained());
      assertEquals(await sunk(bench, opened), [9 * 1024, 0]);
      await within(bench, output.stop());
    },
  },
  {
    name: "an output lends its buffers again with what they held",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const firsts: number[] = [];
      let left = 3;
      const output = device.openOutput({
        endpoint: ECHO_OUT,
        transfersInFlight: 1,
        transferLengthBytes: 64,
        source: (data) => {
          firsts.push(data[0] ?? NaN);
          data[0] = 40 + left;
          return left-- > 0 ? 1 : undefined;
        },
        onEnd: () => {},
      });
      await within(bench, output.drained());
      assertEquals(firsts, [0, 43, 42, 41]);
      await within(bench, output.stop());
    },
  },
  {
    name: "a source may resume its output or stop it",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      let asked = 0;
      const output: OutputRing = device.openOutput({
        endpoint: SINK,
        transfersInFlight: 4,
        source: (data) => {
          output.resume();
          if (++asked < 3) return data.length;
          void output.stop();
          return data.length;
        },
        onEnd: () => {
          throw new Error("It was stopped");
        },
      });
      await within(bench, output.drained());
      await within(bench, output.stop());
      await bench.advance(20);
      assertEquals([asked, output.counters.submitted], [3, 2]);
      assertOutputLaw(output.counters);
    },
  },
  {
    name: "an output goes on with fewer transfers when memory is short",
    needs: ["memoryLimit", "faults"],
    run: async (bench) => {
      const opened = await openLoopback(bench);
      const { id, device } = opened;
      // Long enough that none is back while they are submitted, on any machine.
      await bench.bus.fault(id, {
        endpoint: SINK,
        fault: { kind: "late", delayMs: 500 },
      });
      const stop = new AbortController();
      // Of 16 MiB, most is taken by reads that wait.
      const reads = Array.from({ length: 15 }, () =>
        device.transfer({
          type: "in",
          endpoint: ECHO_IN,
          lengthBytes: 1024 * 1024 - 4096,
          signal: stop.signal,
        }));
      const feeder = new Feeder(12);
      const output = feeder.feed(device, {
        transfersInFlight: 6,
        transferLengthBytes: 256 * 1024,
      });
      output.resume();
      assertLess(output.counters.inFlight, 6);
      await within(bench, output.drained());
      assertEquals(await sunk(bench, opened), [12 * 256 * 1024, 0]);
      assertEquals(output.counters.delivered, 12);
      stop.abort();
      await within(bench, Promise.all(reads));
      await within(bench, output.stop());
    },
  },
];

const END_TESTS: readonly ContractTest[] = [
  {
    name: "a stall ends an output once, and nothing behind it arrives",
    needs: ["faults"],
    run: async (bench) => {
      const opened = await openLoopback(bench);
      const { device, write } = opened;
      await bench.bus.fault(opened.id, {
        endpoint: SINK,
        after: 5,
        fault: { kind: "stall" },
      });
      const feeder = new Feeder();
      const output = feeder.feed(device);
      await eventually(bench, () => feeder.ends.length > 0, "the end");
      await within(bench, output.drained());
      output.resume();
      await bench.advance(30);
      assertEquals(feeder.ends.map(({ status }) => status), ["stall"]);
      assertEquals(await sunk(bench, opened), [5 * 1024, 0]);
      const { delivered, submitted, inFlight, transferredBytes } =
        output.counters;
      assertEquals([delivered, inFlight, transferredBytes], [5, 0, 5 * 1024]);
      assertGreaterOrEqual(submitted, 6);
      assertOutputLaw(output.counters);
      await within(bench, output.stop());
      await within(bench, device.clearHalt(SINK));
      const next = await write(SINK, pattern(5 * 1024, 512));
      assertEquals(next.status, "completed");
      assertEquals(await sunk(bench, opened), [5 * 1024 + 512, 0]);
    },
  },
  {
    name: "a wire error ends an output with error",
    needs: ["faults"],
    run: async (bench) => {
      const opened = await openLoopback(bench);
      await bench.bus.fault(opened.id, {
        endpoint: SINK,
        after: 3,
        fault: { kind: "status", errno: "PROTO" },
      });
      const feeder = new Feeder();
      const output = feeder.feed(opened.device, { transfersInFlight: 1 });
      await eventually(bench, () => feeder.ends.length > 0, "the end");
      assertEquals(feeder.ends.map(({ status }) => status), ["error"]);
      assertEquals(await sunk(bench, opened), [3 * 1024, 0]);
      assertEquals([output.counters.delivered, output.counters.failed], [3, 1]);
      assertOutputLaw(output.counters);
    },
  },
  {
    name: "the time limit of a transfer ends an output, the rest is cancelled",
    needs: ["faults"],
    run: async (bench) => {
      const { id, device } = await openLoopback(bench);
      await bench.bus.fault(id, {
        endpoint: SINK,
        after: 2,
        times: 100,
        fault: { kind: "silent" },
      });
      const feeder = new Feeder();
      const startedMs = device.nowMs();
      const output = feeder.feed(device, { timeoutMs: 100 });
      await eventually(bench, () => feeder.ends.length > 0, "the end");
      assertGreaterOrEqual(device.nowMs() - startedMs, 90);
      assertEquals(feeder.ends.map(({ status }) => status), ["timedOut"]);
      const { delivered, submitted, inFlight, failed } = output.counters;
      assertEquals([delivered, submitted, inFlight], [2, 6, 0]);
      assertGreater(failed, 0);
      assertOutputLaw(output.counters);
    },
  },
  {
    name: "an unplug ends an output once, with noDevice",
    needs: ["hotplug", "faults"],
    run: async (bench) => {
      const { id, device } = await openLoopback(bench);
      await bench.bus.fault(id, {
        endpoint: SINK,
        after: 3,
        times: 100,
        fault: { kind: "silent" },
      });
      const feeder = new Feeder();
      const output = feeder.feed(device);
      await eventually(bench, () => output.counters.delivered === 3, "three");
      await bench.bus.unplug(id);
      await eventually(bench, () => feeder.ends.length > 0, "the end");
      await bench.advance(20);
      assertEquals(feeder.ends.map(({ status }) => status), ["noDevice"]);
      assertEquals([output.counters.delivered, output.counters.inFlight], [
        3,
        0,
      ]);
      assertOutputLaw(output.counters);
      await within(bench, output.drained());
    },
  },
  {
    name:
      "a stopped output has nothing in flight, asks no more and tells no end",
    needs: ["faults"],
    run: async (bench) => {
      const opened = await openLoopback(bench);
      const { id, device, write } = opened;
      await bench.bus.fault(id, {
        endpoint: SINK,
        after: 2,
        times: 3,
        fault: { kind: "silent" },
      });
      const feeder = new Feeder();
      const output = feeder.feed(device, { transfersInFlight: 3 });
      await eventually(bench, () => output.counters.delivered === 2, "two");
      const drained = output.drained();
      await within(bench, Promise.all([output.stop(), output.stop()]));
      await within(bench, drained);
      const { asked } = feeder;
      output.resume();
      await bench.advance(20);
      await within(bench, output.stop());
      assertEquals([feeder.asked, feeder.ends], [asked, []]);
      assertEquals(output.counters, {
        submitted: 5,
        completed: 5,
        delivered: 2,
        failed: 0,
        cancelled: 3,
        inFlight: 0,
        transferredBytes: 2048,
      });
      await bench.bus.clearFaults(id);
      assertEquals((await write(SINK, pattern(2048, 64))).status, "completed");
      assertEquals(await sunk(bench, opened), [2112, 0]);
    },
  },
  {
    name: "an output that is stopped at once never asks",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const feeder = new Feeder();
      const output = feeder.feed(device);
      await within(bench, output.stop());
      await bench.advance(10);
      assertEquals([feeder.asked, output.counters.submitted], [0, 0]);
    },
  },
];

/** Standing outputs. */
export const OUTPUT_TESTS: readonly ContractTest[] = [
  ...FLOW_TESTS,
  ...END_TESTS,
];
