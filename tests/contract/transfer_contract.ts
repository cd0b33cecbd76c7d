/** The port contract: transfers made once. */

import { MAX_CONTROL_BYTES, MAX_TRANSFER_BYTES } from "../../driver/limits.ts";
import { pattern } from "../../driver/sim/devices/loopback.ts";
import { assert, assertEquals } from "../../driver/std.ts";
import {
  bytes,
  type ContractTest,
  ECHO_IN,
  ECHO_OUT,
  openLoopback,
  rejectsWith,
  SINK,
  SOURCE,
  vendor,
  within,
} from "./contract_kit.ts";

const CONTROL_TESTS: readonly ContractTest[] = [
  {
    name: "a control transfer writes and reads",
    run: async (bench) => {
      const { transfer } = await openLoopback(bench);
      const written = await transfer({
        type: "controlOut",
        setup: vendor(1, 100),
        data: bytes(300),
      });
      assertEquals([written.status, written.actualLengthBytes], [
        "completed",
        300,
      ]);
      assertEquals(written.data.length, 0);
      const read = await transfer({
        type: "controlIn",
        setup: vendor(1, 100),
        lengthBytes: 300,
      });
      assertEquals(read.data, bytes(300));
    },
  },
  {
    name: "a control transfer that gets less than it asked for says how much",
    run: async (bench) => {
      const { transfer } = await openLoopback(bench);
      const device = await transfer({
        type: "controlIn",
        setup: {
          requestType: "standard",
          recipient: "device",
          request: 6,
          value: 0x0100,
          index: 0,
        },
        lengthBytes: 255,
      });
      assertEquals([device.status, device.actualLengthBytes], [
        "completed",
        18,
      ]);
      assertEquals(device.data.length, 18);
    },
  },
  {
    name: "a control transfer without data completes",
    run: async (bench) => {
      const { command } = await openLoopback(bench);
      const outcome = await command("restart");
      assertEquals([outcome.status, outcome.actualLengthBytes], [
        "completed",
        0,
      ]);
    },
  },
  {
    name: "a stalled control transfer is a value, and the next one works",
    run: async (bench) => {
      const { transfer } = await openLoopback(bench);
      const stalled = await transfer({
        type: "controlIn",
        setup: vendor(0x7f),
        lengthBytes: 8,
      });
      assertEquals(stalled.status, "stall");
      const next = await transfer({
        type: "controlIn",
        setup: vendor(1),
        lengthBytes: 8,
      });
      assertEquals(next.status, "completed");
    },
  },
  {
    name: "a control transfer takes as long as the device does",
    run: async (bench) => {
      const { transfer } = await openLoopback(bench);
      const late = await transfer({
        type: "controlIn",
        setup: vendor(2, 60),
        lengthBytes: 1,
        timeoutMs: 5_000,
      });
      assertEquals([late.status, ...late.data], ["completed", 7]);
    },
  },
  {
    name: "a control transfer times out, and the next one works",
    run: async (bench) => {
      const { transfer } = await openLoopback(bench);
      const late = await transfer({
        type: "controlIn",
        setup: vendor(2, 4_000),
        lengthBytes: 1,
        timeoutMs: 50,
      });
      assertEquals(late.status, "timedOut");
      const next = await transfer({
        type: "controlIn",
        setup: vendor(1),
        lengthBytes: 8,
      });
      assertEquals(next.status, "completed");
    },
  },
  {
    name: "transfers over a limit are refused with invalidParameter",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      await rejectsWith(
        bench,
        "invalidParameter",
        device.transfer({
          type: "controlIn",
          setup: vendor(1),
          lengthBytes: MAX_CONTROL_BYTES + 1,
        }),
      );
      await rejectsWith(
        bench,
        "invalidParameter",
        device.transfer({
          type: "in",
          endpoint: ECHO_IN,
          lengthBytes: MAX_TRANSFER_BYTES + 1,
        }),
      );
    },
  },
];

const DATA_TESTS: readonly ContractTest[] = [
  {
    name: "bytes written come back",
    run: async (bench) => {
      const { read, write } = await openLoopback(bench);
      for (const lengthBytes of [1, 511, 513, 1500, 20_001]) {
        const written = await write(ECHO_OUT, bytes(lengthBytes));
        assertEquals(written.actualLengthBytes, lengthBytes);
        const echoed = await read(ECHO_IN, 32_768);
        assertEquals(echoed.status, "completed");
        assertEquals(echoed.data, bytes(lengthBytes));
      }
    },
  },
  {
    name:
      "a full last packet leaves a reading open, and a zero-length packet ends it",
    run: async (bench) => {
      const { device, write } = await openLoopback(bench);
      const reading = device.transfer({
        type: "in",
        endpoint: ECHO_IN,
        lengthBytes: 4096,
      });
      await write(ECHO_OUT, bytes(1024));
      let isDone = false;
      void reading.then(() => isDone = true);
      await bench.advance(50);
      assert(!isDone, "1024 bytes end nothing");
      await write(ECHO_OUT, bytes(512), { zeroLengthPacket: true });
      const outcome = await within(bench, reading);
      assertEquals([outcome.status, outcome.actualLengthBytes], [
        "completed",
        1536,
      ]);
    },
  },
  {
    name: "a transfer of no bytes moves a packet of no bytes",
    run: async (bench) => {
      const { read, write } = await openLoopback(bench);
      await write(ECHO_OUT, new Uint8Array());
      const outcome = await read(ECHO_IN, 512);
      assertEquals([outcome.status, outcome.actualLengthBytes], [
        "completed",
        0,
      ]);
    },
  },
  {
    name: "more bytes than were asked for are an overflow",
    run: async (bench) => {
      const { read, write } = await openLoopback(bench);
      await write(ECHO_OUT, bytes(300));
      assertEquals((await read(ECHO_IN, 100)).status, "overflow");
      await write(ECHO_OUT, bytes(10));
      assertEquals((await read(ECHO_IN, 512)).data, bytes(10));
    },
  },
  {
    name: "bytes that arrived before a time-out are kept",
    run: async (bench) => {
      const { read, write } = await openLoopback(bench);
      await write(ECHO_OUT, bytes(512));
      // They have to arrive before it, on a busy machine as well.
      const outcome = await read(ECHO_IN, 4096, { timeoutMs: 1_000 });
      assertEquals(outcome.status, "timedOut");
      assertEquals(outcome.data, bytes(512));
    },
  },
  {
    name: "without a time limit a transfer waits",
    run: async (bench) => {
      const { device, write } = await openLoopback(bench);
      const reading = device.transfer({
        type: "in",
        endpoint: ECHO_IN,
        lengthBytes: 64,
        timeoutMs: 0,
      });
      await bench.advance(300);
      await write(ECHO_OUT, bytes(3));
      assertEquals((await within(bench, reading)).data, bytes(3));
    },
  },
  {
    name: "OUT data are copied when the transfer is made",
    run: async (bench) => {
      const { device, read } = await openLoopback(bench);
      const data = bytes(200);
      const writing = device.transfer({
        type: "out",
        endpoint: ECHO_OUT,
        data,
      });
      data.fill(0);
      await within(bench, writing);
      assertEquals((await read(ECHO_IN, 512)).data, bytes(200));
    },
  },
  {
    name: "a signal cancels a transfer, and what had arrived is kept",
    run: async (bench) => {
      const { device, read, write } = await openLoopback(bench);
      const abort = new AbortController();
      const reading = device.transfer({
        type: "in",
        endpoint: ECHO_IN,
        lengthBytes: 4096,
        signal: abort.signal,
      });
      await write(ECHO_OUT, bytes(512));
      await bench.advance(30);
      abort.abort();
      const outcome = await within(bench, reading);
      assertEquals(outcome.status, "cancelled");
      assertEquals(outcome.data, bytes(512));
      await write(ECHO_OUT, bytes(4));
      assertEquals((await read(ECHO_IN, 64)).data, bytes(4));
    },
  },
  {
    name: "a signal that has fired cancels at once",
    run: async (bench) => {
      const { read } = await openLoopback(bench);
      const signal = AbortSignal.abort();
      assertEquals((await read(ECHO_IN, 64, { signal })).status, "cancelled");
    },
  },
  {
    name:
      "many outstanding reads of one endpoint end in the order they were made",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const order: number[] = [];
      const reads = Array.from({ length: 48 }, async (_, at) => {
        const outcome = await device.transfer({
          type: "in",
          endpoint: SOURCE,
          lengthBytes: 1024,
        });
        order.push(at);
        return outcome;
      });
      const outcomes = await within(bench, Promise.all(reads));
      assertEquals(order, Array.from({ length: 48 }, (_, at) => at));
      outcomes.forEach((outcome, at) =>
        assertEquals(outcome.data, pattern(1024 * at, 1024))
      );
    },
  },
  {
    name:
      "many outstanding writes of one endpoint arrive in the order they were made",
    run: async (bench) => {
      const { device, id } = await openLoopback(bench);
      const writes = Array.from({ length: 48 }, (_, at) =>
        device.transfer({
          type: "out",
          endpoint: SINK,
          data: pattern(1000 * at, 1000),
        }));
      const outcomes = await within(bench, Promise.all(writes));
      assertEquals(
        new Set(outcomes.map((outcome) => outcome.status)),
        new Set(["completed"]),
      );
      const observed = await bench.bus.observed(id);
      assertEquals([observed.sinkBytes, observed.sinkErrors], [48_000, 0]);
    },
  },
  {
    name: "both directions move at once",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const jobs: Promise<unknown>[] = [];
      for (let at = 0; at < 16; at++) {
        jobs.push(
          device.transfer({
            type: "out",
            endpoint: SINK,
            data: pattern(512 * at, 512),
          }),
          device.transfer({
            type: "in",
            endpoint: SOURCE,
            lengthBytes: 512,
          }),
          device.transfer({
            type: "controlIn",
            setup: vendor(1),
            lengthBytes: 16,
          }),
        );
      }
      assertEquals((await within(bench, Promise.all(jobs))).length, 48);
    },
  },
];

/** Transfers made once. */
export const TRANSFER_TESTS: readonly ContractTest[] = [
  ...CONTROL_TESTS,
  ...DATA_TESTS,
];
