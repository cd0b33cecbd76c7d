/** The port contract: isochronous transfers. */

import {
  MAX_ISOCHRONOUS_PACKETS,
  MAX_TRANSFER_BYTES,
} from "../../driver/limits.ts";
import type { TransferStatus } from "../../driver/port.ts";
import { assert, assertEquals } from "../../driver/std.ts";
import type { ContractBench } from "./bench.ts";
import {
  Collector,
  type ContractTest,
  eventually,
  inputRefusal,
  ISOCHRONOUS_FACE,
  ISOCHRONOUS_IN,
  ISOCHRONOUS_OUT,
  type Opened,
  openLoopback,
  rejectsWith,
  setting,
  within,
} from "./contract_kit.ts";

async function openIsochronous(bench: ContractBench): Promise<Opened> {
  const opened = await openLoopback(bench);
  await within(bench, opened.device.claimInterface(ISOCHRONOUS_FACE));
  await within(
    bench,
    opened.device.setAlternateSetting(ISOCHRONOUS_FACE, setting(1)),
  );
  return opened;
}

/** Whether the last `count` transfers began `frames` after one another, modulo 256. */
function hasRun(
  starts: readonly number[],
  count: number,
  frames: number,
): boolean {
  const last = starts.slice(-count);
  return last.length === count &&
    last.every((start, at) =>
      at === 0 || (start - (last[at - 1] ?? 0) + 256) % 256 === frames
    );
}

/** Isochronous transfers. */
export const ISOCHRONOUS_TESTS: readonly ContractTest[] = [
  {
    name: "isochronous packets arrive at their places, each with its status",
    needs: ["isochronous"],
    run: async (bench) => {
      const { transfer } = await openIsochronous(bench);
      const outcome = await transfer({
        type: "isochronousIn",
        endpoint: ISOCHRONOUS_IN,
        packetLengthsBytes: [100, 200, 256, 8],
      });
      assertEquals([outcome.status, outcome.data.length], ["completed", 564]);
      assertEquals(
        outcome.packets?.map(({ status, offsetBytes, actualLengthBytes }) => [
          status,
          offsetBytes,
          actualLengthBytes,
        ]),
        [
          ["completed", 0, 100],
          ["completed", 100, 200],
          ["completed", 300, 256],
          ["completed", 556, 8],
        ],
      );
      const first = outcome.data[0] ?? 0;
      const frames = [0, 100, 300, 556].map((at) =>
        ((outcome.data[at] ?? 0) - first + 256) % 256
      );
      assertEquals(frames, [0, 1, 2, 3], "one packet each frame");
    },
  },
  {
    name: "isochronous packets are sent",
    needs: ["isochronous"],
    run: async (bench) => {
      const { id, transfer } = await openIsochronous(bench);
      const outcome = await transfer({
        type: "isochronousOut",
        endpoint: ISOCHRONOUS_OUT,
        data: new Uint8Array(300),
        packetLengthsBytes: [100, 100, 100],
      });
      assertEquals([outcome.status, outcome.data.length], ["completed", 0]);
      assertEquals(outcome.packets?.length, 3);
      const { isochronousOutPackets } = await bench.bus.observed(id);
      assertEquals(isochronousOutPackets, 3);
    },
  },
  {
    name: "an isochronous input goes on without a gap",
    needs: ["isochronous"],
    run: async (bench) => {
      const { device } = await openIsochronous(bench);
      const starts: number[] = [];
      const statuses: TransferStatus[] = [];
      const input = device.openInput({
        endpoint: ISOCHRONOUS_IN,
        transfersInFlight: 8,
        packetsPerTransfer: 16,
        sink: (report) => {
          starts.push(report.data[0] ?? 0);
          for (const { status } of report.packets ?? []) statuses.push(status);
          return true;
        },
        onEnd: () => {},
      });
      // A machine too busy to keep up makes gaps as hardware does: what counts is
      // that six in a row come without one.
      await eventually(bench, () => hasRun(starts, 6, 16), "a run of six");
      await within(bench, input.stop());
      assert(statuses.length >= 6 * 16);
      assert(statuses.every((status) => status === "completed"));
    },
  },
  {
    name:
      "an isochronous input reads eight packets a transfer when it is told nothing else",
    needs: ["isochronous"],
    run: async (bench) => {
      const { device } = await openIsochronous(bench);
      const shapes: (readonly [number, number | undefined])[] = [];
      const input = device.openInput({
        endpoint: ISOCHRONOUS_IN,
        transfersInFlight: 2,
        sink: ({ data, packets }) => {
          shapes.push([data.length, packets?.length]);
          return true;
        },
        onEnd: () => {},
      });
      await eventually(bench, () => shapes.length > 0, "a transfer");
      await within(bench, input.stop());
      assertEquals(shapes[0], [8 * 256, 8]);
    },
  },
  {
    name:
      "an isochronous input reads packets as its endpoint declares them, whatever length it names",
    needs: ["isochronous"],
    run: async (bench) => {
      const { device } = await openIsochronous(bench);
      // Eighths of the first would be shorter, of the others none at all.
      for (const transferLengthBytes of [800, 3, 0, MAX_TRANSFER_BYTES + 1]) {
        const collector = new Collector();
        const input = device.openInput({
          endpoint: ISOCHRONOUS_IN,
          transfersInFlight: 2,
          transferLengthBytes,
          ...collector,
        });
        const { reports } = collector;
        await eventually(bench, () => reports.length > 0, "a transfer");
        await within(bench, input.stop());
        assertEquals(reports[0]?.length, 8 * 256, `${transferLengthBytes}`);
      }
    },
  },
  {
    name: "an isochronous input is refused without packets, or with too many",
    needs: ["isochronous"],
    run: async (bench) => {
      const { device } = await openIsochronous(bench);
      const counts = [0, -1, 1.5, MAX_ISOCHRONOUS_PACKETS + 1];
      for (const packetsPerTransfer of counts) {
        const { code } = inputRefusal(device, {
          endpoint: ISOCHRONOUS_IN,
          packetsPerTransfer,
        });
        assertEquals(code, "invalidParameter", `${packetsPerTransfer}`);
      }
    },
  },
  {
    name: "an isochronous packet fails by itself",
    needs: ["isochronous", "faults"],
    run: async (bench) => {
      const { id, transfer } = await openIsochronous(bench);
      await bench.bus.fault(id, {
        endpoint: ISOCHRONOUS_IN,
        fault: { kind: "status", errno: "ILSEQ", packet: 1 },
      });
      const outcome = await transfer({
        type: "isochronousIn",
        endpoint: ISOCHRONOUS_IN,
        packetLengthsBytes: [64, 64, 64],
      });
      assertEquals(outcome.status, "completed");
      assertEquals(
        outcome.packets?.map((packet) => [
          packet.status,
          packet.actualLengthBytes,
        ]),
        [["completed", 64], ["error", 0], ["completed", 64]],
      );
    },
  },
  {
    name: "too many isochronous packets are refused with invalidParameter",
    needs: ["isochronous"],
    run: async (bench) => {
      const { device } = await openIsochronous(bench);
      const packetLengthsBytes = Array<number>(MAX_ISOCHRONOUS_PACKETS + 1)
        .fill(8);
      await rejectsWith(
        bench,
        "invalidParameter",
        device.transfer({
          type: "isochronousIn",
          endpoint: ISOCHRONOUS_IN,
          packetLengthsBytes,
        }),
      );
    },
  },
];
