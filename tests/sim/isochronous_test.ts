/** The frame clock and the transfers on it. */

import { VirtualClock } from "../../driver/loop/clock.ts";
import { ERRNO } from "../../driver/sim/errno.ts";
import { FrameClock, IsochronousQueue } from "../../driver/sim/isochronous.ts";
import { ISOCHRONOUS_SLACK_FRAMES } from "../../driver/sim/sim_limits.ts";
import { TransferUnit } from "../../driver/sim/transfer_unit.ts";
import { assertEquals } from "../../driver/std.ts";
import { endpointAddress, type Speed } from "../../driver/usb.ts";

interface Bench {
  readonly clock: VirtualClock;
  readonly queue: IsochronousQueue;
  /** Frames the device was asked in. */
  readonly frames: number[];
  submit(packets: number, startFrame?: number): TransferUnit;
}

function makeBench(
  options: { speed?: Speed; interval?: number; sends?: number } = {},
): Bench {
  const clock = new VirtualClock();
  const frames: number[] = [];
  const address = endpointAddress(0x84);
  const queue = new IsochronousQueue(
    {
      endpointAddress: address,
      direction: "in",
      transferType: "isochronous",
      attributes: 1,
      maxPacketSize: 64,
      transactionsPerMicroframe: 1,
      interval: options.interval ?? 1,
      extra: [],
    },
    { later: () => {}, disconnect: () => {} },
    {
      frames: new FrameClock(clock, options.speed ?? "high"),
      device: {
        packetIn: (_lengthBytes, frame) => {
          frames.push(frame);
          return new Uint8Array(options.sends ?? 16);
        },
        packetOut: () => {},
      },
    },
  );
  return {
    clock,
    queue,
    frames,
    submit: (packets, startFrame) => {
      const unit = new TransferUnit({
        type: "isochronous",
        endpoint: address,
        data: new Uint8Array(32 * packets),
        packetLengthsBytes: Array<number>(packets).fill(32),
        ...(startFrame === undefined ? {} : { startFrame }),
        onComplete: () => {},
      });
      queue.submit(unit);
      return unit;
    },
  };
}

Deno.test("Isochronous transfers lie one behind the other on the frame clock", async () => {
  const { clock, frames, submit } = makeBench();
  const units = [submit(4), submit(4), submit(4)];
  assertEquals(
    units.map((unit) => unit.startFrame),
    [0, 4, 8].map((frame) => frame + ISOCHRONOUS_SLACK_FRAMES),
  );
  await clock.advance((ISOCHRONOUS_SLACK_FRAMES + 12) / 8);
  assertEquals(frames, Array.from({ length: 12 }, (_, at) => at + 8));
  assertEquals(units.map((unit) => unit.isDone), [true, true, true]);
});

Deno.test("Isochronous transfers end when their last frame does, by speed and interval", async () => {
  for (
    const [speed, interval, endMs] of [
      ["high", 1, (8 + 4) / 8],
      ["high", 4, (8 + 3 * 8 + 1) / 8],
      ["full", 1, 8 + 4],
      ["full", 2, 8 + 3 * 2 + 1],
    ] as const
  ) {
    const { clock, submit } = makeBench({ speed, interval });
    const unit = submit(4);
    await clock.advance(endMs - 0.01);
    assertEquals(unit.isDone, false, `${speed} ${interval}`);
    await clock.advance(0.02);
    assertEquals(unit.isDone, true, `${speed} ${interval}`);
  }
});

Deno.test("An isochronous stream that ran dry starts again ahead of now", async () => {
  const { clock, submit } = makeBench();
  submit(2);
  await clock.advance(100);
  assertEquals(submit(2).startFrame, 800 + ISOCHRONOUS_SLACK_FRAMES);
});

Deno.test("Isochronous packets whose frame has passed are lost, the others are not", async () => {
  const { clock, submit, frames } = makeBench();
  await clock.advance(10);
  const unit = submit(4, 78);
  await clock.advance(1);
  assertEquals(unit.packets.map((packet) => packet.status), [
    -ERRNO.XDEV,
    -ERRNO.XDEV,
    0,
    0,
  ]);
  assertEquals([frames, unit.errorCount, unit.actualLengthBytes], [
    [80, 81],
    2,
    32,
  ]);
});

Deno.test("An isochronous packet that is too long is cut and told", async () => {
  const { clock, submit } = makeBench({ sends: 40 });
  const unit = submit(1);
  await clock.advance(5);
  assertEquals(unit.packets[0]?.status, -ERRNO.OVERFLOW);
  assertEquals(unit.packets[0]?.actualLengthBytes, 32);
});

Deno.test("A cancelled isochronous transfer leaves the others their frames", async () => {
  const { clock, queue, submit } = makeBench();
  const [first, second] = [submit(4), submit(4)];
  first.complete(-ERRNO.NOENT);
  queue.pump();
  await clock.advance(3);
  assertEquals([second.isDone, second.startFrame], [true, 12]);
  queue.endAll(-ERRNO.SHUTDOWN);
  assertEquals(clock.pendingTimers, 0);
});
