/** The port contract: transfers that are refused, and transfers that fail. */

import { Device } from "../../driver/device.ts";
import type { UsbError } from "../../driver/errors.ts";
import { assertEquals, assertGreaterOrEqual } from "../../driver/std.ts";
import { endpointAddress } from "../../driver/usb.ts";
import {
  bytes,
  type ContractTest,
  ECHO_IN,
  ECHO_OUT,
  ISOCHRONOUS_FACE,
  openLoopback,
  plugLoopback,
  rejectsWith,
  vendor,
  within,
} from "./contract_kit.ts";

const REFUSAL_TESTS: readonly ContractTest[] = [
  {
    name:
      "a transfer to an interface that is not claimed is refused with state",
    run: async (bench) => {
      const { info } = await plugLoopback(bench);
      const device = await within(bench, bench.port.open(info));
      await rejectsWith(
        bench,
        "state",
        device.transfer({ type: "in", endpoint: ECHO_IN, lengthBytes: 64 }),
      );
    },
  },
  {
    name:
      "a transfer to an endpoint that is not there is refused with notFound",
    run: async (bench) => {
      const { read, write, device } = await openLoopback(bench);
      await within(bench, device.claimInterface(ISOCHRONOUS_FACE));
      await rejectsWith(bench, "notFound", read(endpointAddress(0x8f), 64));
      await rejectsWith(bench, "notFound", read(endpointAddress(0x84), 64));
      await rejectsWith(
        bench,
        "notFound",
        write(endpointAddress(0x02), bytes(1)),
      );
    },
  },
];

const FAULT_TESTS: readonly ContractTest[] = [
  {
    name: "a halted endpoint is a stall until the halt is cleared",
    run: async (bench) => {
      const { device, read, write, command } = await openLoopback(bench);
      await command("halt", 0, ECHO_IN);
      assertEquals((await read(ECHO_IN, 64)).status, "stall");
      assertEquals((await read(ECHO_IN, 64)).status, "stall");
      await within(bench, device.clearHalt(ECHO_IN));
      await write(ECHO_OUT, bytes(8));
      assertEquals((await read(ECHO_IN, 64)).data, bytes(8));
    },
  },
  {
    name: "a halt ends what waits on the endpoint, and on no other",
    run: async (bench) => {
      const { device, write, command } = await openLoopback(bench);
      const waiting = device.transfer({
        type: "in",
        endpoint: ECHO_IN,
        lengthBytes: 64,
      });
      await command("halt", 0, ECHO_IN);
      assertEquals((await within(bench, waiting)).status, "stall");
      assertEquals((await write(ECHO_OUT, bytes(1))).status, "completed");
    },
  },
  {
    name: "errors on the wire are a value, and the next transfer works",
    needs: ["faults"],
    run: async (bench) => {
      const { id, read, write } = await openLoopback(bench);
      for (const errno of ["PROTO", "ILSEQ", "TIME"] as const) {
        await bench.bus.fault(id, {
          endpoint: ECHO_OUT,
          fault: { kind: "status", errno },
        });
        assertEquals((await write(ECHO_OUT, bytes(5))).status, "error");
        await write(ECHO_OUT, bytes(6));
        assertEquals((await read(ECHO_IN, 64)).data, bytes(6));
      }
    },
  },
  {
    name:
      "a stall, babble and a wire error of a control transfer are told apart",
    needs: ["faults"],
    run: async (bench) => {
      const { id, transfer } = await openLoopback(bench);
      const faults = [
        { kind: "stall" },
        { kind: "babble" },
        { kind: "status", errno: "PROTO" },
      ] as const;
      const seen: string[] = [];
      for (const fault of faults) {
        await bench.bus.fault(id, { endpoint: 0, request: 1, fault });
        const outcome = await transfer({
          type: "controlIn",
          setup: vendor(1),
          lengthBytes: 4,
          timeoutMs: 1_000,
        });
        seen.push(outcome.status);
      }
      assertEquals(seen, ["stall", "overflow", "error"]);
    },
  },
  {
    name: "a packet cut short ends a reading with what there is",
    needs: ["faults"],
    run: async (bench) => {
      const { id, read, write } = await openLoopback(bench);
      await bench.bus.fault(id, {
        endpoint: ECHO_IN,
        fault: { kind: "short", lengthBytes: 10 },
      });
      await write(ECHO_OUT, bytes(700));
      const outcome = await read(ECHO_IN, 1024);
      assertEquals(outcome.status, "completed");
      assertEquals(outcome.data, bytes(700).subarray(0, 10));
    },
  },
  {
    name: "a late device is waited for, a silent one times out",
    needs: ["faults"],
    run: async (bench) => {
      const { id, read, write } = await openLoopback(bench);
      await bench.bus.fault(id, {
        endpoint: ECHO_IN,
        fault: { kind: "late", delayMs: 80 },
      });
      await write(ECHO_OUT, bytes(3));
      assertEquals((await read(ECHO_IN, 64)).data, bytes(3));
      await bench.bus.fault(id, {
        endpoint: ECHO_IN,
        fault: { kind: "silent" },
      });
      await write(ECHO_OUT, bytes(4));
      const silent = await read(ECHO_IN, 64, { timeoutMs: 100 });
      assertEquals([silent.status, silent.data.length], ["timedOut", 0]);
      assertEquals((await read(ECHO_IN, 64)).data, bytes(4));
      const { faultsInjected = 0 } = await bench.bus.observed(id);
      assertGreaterOrEqual(faultsInjected, 2);
    },
  },
];

const MEMORY_TESTS: readonly ContractTest[] = [
  {
    name:
      "when the kernel's memory is used up, a transfer ends as noMemory and later ones work",
    needs: ["memoryLimit"],
    run: async (bench) => {
      const { device, read, write } = await openLoopback(bench);
      const abort = new AbortController();
      const waiting = Array.from({ length: 6 }, () =>
        device.transfer({
          type: "in",
          endpoint: ECHO_IN,
          lengthBytes: 4 * 1024 * 1024,
          signal: abort.signal,
        }));
      const first = await within(bench, Promise.race(waiting), "a refusal");
      assertEquals(first.status, "noMemory");
      abort.abort();
      const outcomes = await within(bench, Promise.all(waiting));
      assertEquals(
        outcomes.map((outcome) => outcome.status),
        [
          "cancelled",
          "cancelled",
          "cancelled",
          "noMemory",
          "noMemory",
          "noMemory",
        ],
      );
      await write(ECHO_OUT, bytes(4));
      assertEquals((await read(ECHO_IN, 64)).data, bytes(4));
    },
  },
  {
    name:
      "a read larger than the kernel's memory is made in pieces, and waits for the device",
    needs: ["memoryLimit"],
    run: async (bench) => {
      const { device, read, write } = await openLoopback(bench);
      const large = new Device(device).transferIn(ECHO_IN, 20 * 1024 * 1024, {
        timeoutMs: 200,
      });
      const error = await within(
        bench,
        large.then(() => undefined, (error) => error as UsbError),
        "the time limit",
      );
      assertEquals(error?.code, "timedOut");
      await write(ECHO_OUT, bytes(4));
      assertEquals((await read(ECHO_IN, 64)).data, bytes(4));
    },
  },
];

/** Refusals and failures. */
export const FAILURE_TESTS: readonly ContractTest[] = [
  ...REFUSAL_TESTS,
  ...FAULT_TESTS,
  ...MEMORY_TESTS,
];
