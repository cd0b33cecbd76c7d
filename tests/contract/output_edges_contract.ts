/** The port contract: what standing outputs refuse, and who else ends them. */

import { UsbError } from "../../driver/errors.ts";
import {
  MAX_TIMEOUT_MS,
  MAX_TRANSFER_BYTES,
  MAX_TRANSFERS_IN_FLIGHT,
} from "../../driver/limits.ts";
import type { DevicePort, OutputOptions } from "../../driver/port.ts";
import { pattern } from "../../driver/sim/devices/loopback.ts";
import { assert, assertEquals, assertThrows } from "../../driver/std.ts";
import {
  type ContractTest,
  ECHO_IN,
  eventually,
  FACE,
  INTERRUPT_ECHO_OUT,
  ISOCHRONOUS_FACE,
  ISOCHRONOUS_OUT,
  openLoopback,
  setting,
  SINK,
  within,
} from "./contract_kit.ts";
import { answers, assertOutputLaw, Feeder, sunk } from "./output_kit.ts";

const SOURCE_TESTS: readonly ContractTest[] = [
  {
    name: "what a source may not give ends its output and is not sent",
    run: async (bench) => {
      const opened = await openLoopback(bench);
      let sentBytes = 0;
      for (const value of [-1, 1.5, 1025, NaN, Infinity, "4", null, {}]) {
        const feeder = new Feeder();
        const give = answers(512, value);
        const output = feeder.feed(opened.device, {
          transfersInFlight: 1,
          source: (data) => {
            data.set(pattern(sentBytes, 512));
            return give(data);
          },
        });
        await eventually(bench, () => feeder.ends.length > 0, "the end");
        sentBytes += 512;
        const [{ status, error } = { status: "", error: undefined }] =
          feeder.ends;
        const isNumber = typeof value === "number";
        assert(
          isNumber ? error instanceof RangeError : error instanceof TypeError,
          String(error),
        );
        assertEquals(status, "cancelled");
        assertEquals([output.counters.submitted, output.counters.delivered], [
          1,
          1,
        ]);
        assertOutputLaw(output.counters);
      }
      assertEquals(await sunk(bench, opened), [sentBytes, 0]);
    },
  },
  {
    name: "a source that throws ends its output with that, within no call",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const bug = new Error("a bug of the source");
      const feeder = new Feeder();
      let mayThrow = false;
      const output = feeder.feed(device, {
        source: () => {
          if (mayThrow) throw bug;
          return undefined;
        },
      });
      await within(bench, output.drained());
      mayThrow = true;
      output.resume();
      assertEquals(feeder.ends, []);
      await within(bench, output.drained());
      assertEquals(feeder.ends.map(({ error }) => error), [bug]);
      assertEquals(output.counters.submitted, 0);
    },
  },
  {
    name: "a source that passes its buffer on ends its output",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const feeder = new Feeder();
      feeder.feed(device, {
        transfersInFlight: 1,
        source: (data) => {
          const { buffer } = data as Uint8Array<ArrayBuffer>;
          structuredClone(buffer, { transfer: [buffer] });
          return 0;
        },
      });
      await eventually(bench, () => feeder.ends.length > 0, "the end");
      assert(feeder.ends[0]?.error instanceof TypeError);
    },
  },
];

function refusal(
  device: DevicePort,
  options: Partial<OutputOptions>,
): UsbError {
  const error = assertThrows(
    () => new Feeder().feed(device, options),
    UsbError,
  );
  assert(error instanceof UsbError);
  return error;
}

const LIFETIME_TESTS: readonly ContractTest[] = [
  {
    name: "an output is refused as a transfer is",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const wrong: Partial<OutputOptions>[] = [
        { transfersInFlight: 0 },
        { transfersInFlight: MAX_TRANSFERS_IN_FLIGHT + 1 },
        { transfersInFlight: 1.5 },
        { transferLengthBytes: 0 },
        { transferLengthBytes: 0.5 },
        { transferLengthBytes: MAX_TRANSFER_BYTES + 1 },
        { timeoutMs: -1 },
        { timeoutMs: NaN },
        { timeoutMs: MAX_TIMEOUT_MS + 1 },
      ];
      for (const options of wrong) {
        const { code } = refusal(device, options);
        assertEquals(code, "invalidParameter", JSON.stringify(options));
      }
      assertEquals(refusal(device, { endpoint: ECHO_IN }).code, "notFound");
      assertEquals(
        refusal(device, { endpoint: INTERRUPT_ECHO_OUT }).code,
        "notFound",
      );
      await within(bench, device.releaseInterface(FACE));
      assertEquals(refusal(device, {}).code, "state");
      await within(bench, device.close());
      assertEquals(refusal(device, {}).code, "state");
    },
  },
  {
    name: "an isochronous endpoint has no standing output",
    needs: ["isochronous"],
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      await within(bench, device.claimInterface(ISOCHRONOUS_FACE));
      await within(
        bench,
        device.setAlternateSetting(ISOCHRONOUS_FACE, setting(1)),
      );
      const { code, message } = refusal(device, { endpoint: ISOCHRONOUS_OUT });
      assertEquals(code, "invalidParameter");
      assert(message.includes("isochronous"), message);
    },
  },
  ...[true, false].map((isBusy): ContractTest => ({
    name: `releasing its interface or closing ends an output as cancelled, ${
      isBusy ? "with transfers in flight" : "without"
    }`,
    needs: ["faults"],
    run: async (bench) => {
      const { id, device } = await openLoopback(bench);
      const silence = { endpoint: SINK, times: 100 } as const;
      await bench.bus.fault(id, { ...silence, fault: { kind: "silent" } });
      const leave = [
        () => device.setAlternateSetting(FACE, setting(0)),
        () => device.releaseInterface(FACE),
        () => device.close(),
      ];
      for (const go of leave) {
        if (device.claimed.size === 0) {
          await within(bench, device.claimInterface(FACE));
        }
        const feeder = new Feeder(isBusy ? Infinity : 0);
        const output = feeder.feed(device);
        await bench.advance(10);
        assertEquals(output.counters.inFlight, isBusy ? 4 : 0);
        await within(bench, go());
        await within(bench, output.drained());
        assertEquals(feeder.ends.map(({ status }) => status), ["cancelled"]);
        assertEquals(output.counters.cancelled, isBusy ? 4 : 0);
        assertOutputLaw(output.counters);
        await within(bench, output.stop());
        assertEquals(feeder.ends.length, 1);
      }
    },
  })),
];

/** Standing outputs, at the edges. */
export const OUTPUT_EDGE_TESTS: readonly ContractTest[] = [
  ...SOURCE_TESTS,
  ...LIFETIME_TESTS,
];
