/** The port contract: unplug and close at any moment. */

import type { DevicePort, TransferOutcome } from "../../driver/port.ts";
import { UsbError } from "../../driver/errors.ts";
import { assertEquals, assertThrows } from "../../driver/std.ts";
import type { ContractBench } from "./bench.ts";
import {
  bytes,
  Collector,
  configuration,
  type ContractTest,
  ECHO_IN,
  ECHO_OUT,
  eventually,
  FACE,
  openLoopback,
  rejectsWith,
  REPORTS,
  setting,
  SOURCE,
  vendor,
  within,
} from "./contract_kit.ts";

/** Transfers that all wait, and how often each of them ended. */
function waitingTransfers(
  device: DevicePort,
): { outcomes: Promise<TransferOutcome[]>; ends: number[] } {
  const ends: number[] = [];
  const waiting = Array.from({ length: 12 }, async (_, at) => {
    ends[at] = 0;
    const outcome = await device.transfer(
      at % 3 === 0
        ? {
          type: "controlIn",
          setup: vendor(2, 9_000),
          lengthBytes: 1,
        }
        : {
          type: "in",
          endpoint: at % 3 === 1 ? ECHO_IN : REPORTS,
          lengthBytes: 64,
        },
    );
    ends[at] = (ends[at] ?? 0) + 1;
    return outcome;
  });
  return { outcomes: Promise.all(waiting), ends };
}

const UNPLUG_TESTS: readonly ContractTest[] = [
  {
    name: "an unplug ends every transfer once, as noDevice",
    needs: ["hotplug"],
    run: async (bench) => {
      const { id, device } = await openLoopback(bench);
      const { outcomes, ends } = waitingTransfers(device);
      await bench.advance(10);
      await bench.bus.unplug(id);
      const statuses = (await within(bench, outcomes)).map((o) => o.status);
      assertEquals(statuses, statuses.map(() => "noDevice"));
      await bench.advance(50);
      assertEquals(ends, ends.map(() => 1));
    },
  },
  {
    name:
      "after an unplug transfers end as noDevice, everything else is refused with it",
    needs: ["hotplug"],
    run: async (bench) => {
      const { id, device, read } = await openLoopback(bench);
      const waiting = read(ECHO_IN, 64);
      await bench.bus.unplug(id);
      await waiting;
      assertEquals((await read(ECHO_IN, 64)).status, "noDevice");
      await rejectsWith(
        bench,
        "noDevice",
        device.setAlternateSetting(FACE, setting(1)),
      );
      await rejectsWith(bench, "noDevice", device.clearHalt(ECHO_IN));
      await rejectsWith(bench, "noDevice", device.reset());
      await within(bench, device.releaseInterface(FACE));
      await within(bench, device.close());
    },
  },
  {
    name:
      "a device that vanishes in the middle of a transfer ends it as noDevice",
    needs: ["hotplug", "faults"],
    run: async (bench) => {
      const { id, read, write } = await openLoopback(bench);
      await bench.bus.fault(id, {
        endpoint: ECHO_IN,
        fault: { kind: "disconnect", when: "during", atBytes: 100 },
      });
      await write(ECHO_OUT, bytes(400));
      assertEquals((await read(ECHO_IN, 1024)).status, "noDevice");
    },
  },
  {
    name:
      "a device that leaves as an answer to its last request has answered it",
    needs: ["hotplug"],
    run: async (bench) => {
      const { command, read } = await openLoopback(bench);
      assertEquals((await command("leave", 1, 30)).status, "completed");
      assertEquals((await read(ECHO_IN, 64)).status, "noDevice");
      await eventually(
        bench,
        async () => (await bench.port.devices()).length === 0,
        "it is gone from the list",
      );
    },
  },
  {
    name: "a device that came back is opened anew, the old one stays gone",
    needs: ["hotplug"],
    run: async (bench) => {
      const { id, info, device, read } = await openLoopback(bench);
      const waiting = read(ECHO_IN, 64);
      await bench.bus.replug(id, 20);
      assertEquals((await waiting).status, "noDevice");
      let again = info;
      await eventually(bench, async () => {
        again = (await bench.port.devices())[0] ?? info;
        return again.id !== info.id;
      }, "it is back");
      assertEquals((await read(ECHO_IN, 64)).status, "noDevice");
      const fresh = await within(bench, bench.port.open(again));
      await within(bench, fresh.claimInterface(FACE));
      const outcome = await within(
        bench,
        fresh.transfer({ type: "in", endpoint: SOURCE, lengthBytes: 64 }),
      );
      assertEquals(outcome.status, "completed");
      await within(bench, device.close());
    },
  },
];

async function assertClosed(
  bench: ContractBench,
  device: DevicePort,
): Promise<void> {
  const refused: Promise<unknown>[] = [
    device.transfer({ type: "in", endpoint: ECHO_IN, lengthBytes: 64 }),
    device.transfer({ type: "controlIn", setup: vendor(1), lengthBytes: 1 }),
    device.claimInterface(FACE),
    device.setAlternateSetting(FACE, setting(1)),
    device.setConfiguration(configuration(1)),
    device.clearHalt(ECHO_IN),
    device.reset(),
  ];
  // Taken hold of before the first wait: none may go unhandled.
  for (const promise of refused) promise.catch(() => {});
  for (const promise of refused) await rejectsWith(bench, "state", promise);
  const error = assertThrows(() =>
    device.openInput({
      endpoint: ECHO_IN,
      transfersInFlight: 1,
      ...new Collector(),
    }), UsbError);
  assertEquals(error.code, "state");
}

const CLOSE_TESTS: readonly ContractTest[] = [
  {
    name: "closing ends every transfer once, as cancelled",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const { outcomes, ends } = waitingTransfers(device);
      await bench.advance(10);
      await within(bench, device.close());
      const statuses = (await within(bench, outcomes)).map((o) => o.status);
      assertEquals(statuses, statuses.map(() => "cancelled"));
      await bench.advance(20);
      assertEquals(ends, ends.map(() => 1));
    },
  },
  {
    name: "closing gives interfaces back, and closing twice is a no-op",
    run: async (bench) => {
      const { info, device } = await openLoopback(bench);
      await within(bench, Promise.all([device.close(), device.close()]));
      await within(bench, device.close());
      const other = await within(bench, bench.port.open(info));
      await within(bench, other.claimInterface(FACE));
    },
  },
  {
    name: "a closed device refuses everything with state",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      await within(bench, device.close());
      await assertClosed(bench, device);
    },
  },
  {
    name: "closing the port closes its devices, and closing twice is a no-op",
    run: async (bench) => {
      const { info, device } = await openLoopback(bench);
      const { outcomes } = waitingTransfers(device);
      await within(bench, bench.port.close());
      const statuses = (await within(bench, outcomes)).map((o) => o.status);
      assertEquals(statuses, statuses.map(() => "cancelled"));
      await within(bench, bench.port.close());
      await assertClosed(bench, device);
      await rejectsWith(bench, "state", bench.port.devices());
      await rejectsWith(bench, "state", bench.port.open(info));
    },
  },
  {
    name: "an `await using` block closes the device",
    run: async (bench) => {
      const { info, device } = await openLoopback(bench);
      await within(bench, device.close());
      let inner: DevicePort | undefined;
      {
        await using device = await within(bench, bench.port.open(info));
        inner = device;
        await within(bench, device.claimInterface(FACE));
      }
      await assertClosed(bench, inner);
    },
  },
];

/** Unplug and close at any moment. */
export const LIFETIME_TESTS: readonly ContractTest[] = [
  ...UNPLUG_TESTS,
  ...CLOSE_TESTS,
];
