import { assertEquals, assertLess } from "../../driver/std.ts";
import {
  DURATION_BOUNDS_MS,
  Histogram,
  type HistogramCounts,
} from "../../driver/loop/histogram.ts";
import { MAX_TIMEOUT_MS } from "../../driver/limits.ts";
import type { EndpointSums } from "../../driver/loop/endpoint_counters.ts";
import type {
  OutputRing,
  TransferOutcome,
  TransferStatus,
} from "../../driver/port.ts";
import { endpointAddress } from "../../driver/usb.ts";
import {
  type Bench,
  driverWith,
  readyBench,
  stopBench,
} from "./bench_session.ts";
import {
  BULK_IN,
  INTERRUPT_IN,
  ISOCHRONOUS_IN,
  outcomeOf,
} from "./fake_device.ts";

const BULK_OUT = endpointAddress(0x02);

const READ_INTERRUPTS = {
  endpoint: { type: "interrupt", direction: "in" },
  handle: (): void => {},
} as const;

const SETUP = {
  requestType: "vendor",
  recipient: "device",
  request: 1,
  value: 0,
  index: 0,
} as const;

function endpointOf(
  { session }: Bench,
  address: number,
): EndpointSums | undefined {
  return session.telemetry().endpoints.find(({ endpoint }) =>
    endpoint === address
  );
}

/** What is not 0. */
function endedOf(
  made: Bench,
  address: number,
): Partial<Record<TransferStatus, number>> {
  return Object.fromEntries(
    Object.entries(endpointOf(made, address)?.ended ?? {})
      .filter(([, count]) => count > 0),
  );
}

function total({ counts }: HistogramCounts): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

Deno.test("Telemetry counts what a standing input reads, and what is with the device", async () => {
  const made = await readyBench(driverWith({ inputs: [READ_INTERRUPTS] }));
  const ring = made.device.ring();
  ring.send(1, 2, 3);
  ring.send(4);
  await made.clock.advance(0);
  const sums = endpointOf(made, INTERRUPT_IN);
  assertEquals(endedOf(made, INTERRUPT_IN), { completed: 2 });
  assertEquals(
    [sums?.type, sums?.bytesIn, sums?.bytesOut, sums?.inFlight, sums?.isPaused],
    ["interrupt", 4, 0, 2, false],
  );
  assertEquals(made.session.telemetry().durations.interrupt?.sumMs, 0);
  await stopBench(made);
  assertEquals(
    endedOf(made, INTERRUPT_IN),
    { completed: 2, cancelled: 2 },
    "What its end cancelled stays counted",
  );
  assertEquals(endpointOf(made, INTERRUPT_IN)?.inFlight, 0);
});

Deno.test("Telemetry counts how an input ended, and that it is tried again", async () => {
  const made = await readyBench(driverWith({ inputs: [READ_INTERRUPTS] }));
  made.device.ring().send(1);
  made.device.ring().end("stall");
  await made.clock.advance(20);
  made.device.ring().send(2);
  await made.clock.advance(0);
  assertEquals(
    endedOf(made, INTERRUPT_IN),
    { completed: 2, cancelled: 1, stall: 1 },
  );
  assertEquals(made.session.telemetry().retries, { stall: 1 });
  await stopBench(made);
});

Deno.test("Telemetry counts a reset of the device as one that was tried", async () => {
  const made = await readyBench(
    driverWith({ inputs: [READ_INTERRUPTS], requests: ["reset"] }),
  );
  for (let round = 0; round < 40 && made.session.state === "ready"; round++) {
    made.device.ring().end("error");
    await made.clock.advance(105);
  }
  await made.clock.advance(500);
  const { retries } = made.session.telemetry();
  assertEquals(retries.reset, 1);
  assertLess(1, retries.error ?? 0);
  await stopBench(made);
});

Deno.test("Telemetry counts the driver's own transfers by endpoint, status and time taken", async () => {
  const driver = driverWith({
    commands: {
      move: {
        description: "Moves",
        run: async (_state, _params, { device }) => {
          await device.controlIn(SETUP, 8);
          await device.controlOut(SETUP, new Uint8Array(3));
          await device.transferOut(0x02, new Uint8Array(5));
          await device.transferIn(BULK_IN, 512, { timeoutMs: 30 })
            .catch(() => {});
          await device.transferIn(0x8f, 512).catch(() => {});
          return null;
        },
      },
    },
  });
  const made = await readyBench(driver);
  made.device.answer = (request) => {
    if (request.type === "controlIn") {
      return outcomeOf("completed", new Uint8Array(8));
    }
    if (request.type === "controlOut") return outcomeOf("stall");
    if (request.type !== "out") return undefined;
    const lengthBytes = request.data.length;
    return { ...outcomeOf("completed"), actualLengthBytes: lengthBytes };
  };
  const first = made.session.command("move");
  await made.clock.advance(50);
  // A stall is thrown: what comes after it in the command is not done.
  await first.catch(() => {});
  assertEquals(endedOf(made, 0), { completed: 1, stall: 1 });
  made.device.answer = (request) =>
    request.type === "out"
      ? { ...outcomeOf("completed"), actualLengthBytes: request.data.length }
      : request.type === "in"
      ? undefined
      : outcomeOf("completed", new Uint8Array(8));
  const second = made.session.command("move");
  await made.clock.advance(50);
  await made.session.stop();
  await second.catch(() => {});
  assertEquals(endedOf(made, 0), { completed: 3, stall: 1 });
  assertEquals(endedOf(made, 0x02), { completed: 1 });
  assertEquals(endpointOf(made, 0x02)?.bytesOut, 5);
  assertEquals(endedOf(made, BULK_IN), { timedOut: 1 });
  assertEquals(endpointOf(made, 0x8f), undefined, "It has no such endpoint");
  const { control, bulk } = made.session.telemetry().durations;
  assertEquals([control, bulk].map((one) => one && total(one)), [4, 2]);
  assertEquals([control?.sumMs, bulk?.sumMs], [0, 30]);
});

Deno.test("Telemetry counts an input of the driver's own, opened in a handler", async () => {
  const driver = driverWith({
    commands: {
      read: {
        description: "Reads two reports",
        run: async (_state, _params, { device }) => {
          let read = 0;
          for await (const _ of device.endpoint(BULK_IN).reports()) {
            if (++read === 2) break;
          }
          return read;
        },
      },
    },
  });
  const made = await readyBench(driver);
  const answer = made.session.command("read");
  await made.clock.advance(0);
  const ring = made.device.ring(BULK_IN);
  ring.send(1, 2);
  ring.send(3, 4);
  await made.clock.advance(10);
  assertEquals(await answer, 2);
  const sums = endpointOf(made, BULK_IN);
  assertEquals([sums?.type, sums?.ended.completed, sums?.bytesIn], [
    "bulk",
    2,
    4,
  ]);
  assertEquals(sums?.inFlight, 0);
  await stopBench(made);
});

Deno.test("Telemetry counts what a standing output writes, while it is open and when it is over", async () => {
  const opened = Promise.withResolvers<OutputRing>();
  let left = 3;
  const made = await readyBench(driverWith({
    commands: {
      write: {
        description: "Writes until it is told not to",
        run: async (_state, _params, { device }) => {
          const output = device.port.openOutput({
            endpoint: BULK_OUT,
            transfersInFlight: 2,
            transferLengthBytes: 64,
            source: () => left-- > 0 ? 40 : undefined,
            onEnd: () => {},
          });
          await output.drained();
          opened.resolve(output);
          return null;
        },
      },
    },
  }));
  const answer = made.session.command("write");
  await made.clock.advance(0);
  await answer;
  const sums = (): unknown[] => {
    const { ended, bytesOut, bytesIn, inFlight } = endpointOf(made, BULK_OUT) ??
      {};
    return [ended?.completed, ended?.stall, bytesOut, bytesIn, inFlight];
  };
  assertEquals(sums(), [3, 0, 120, 0, 0]);
  assertEquals(made.session.telemetry().durations.bulk?.sumMs, 0);
  const held = Promise.withResolvers<TransferOutcome>();
  made.device.answer = () => held.promise;
  left = 1;
  (await opened.promise).resume();
  assertEquals(sums(), [3, 0, 120, 0, 1]);
  await made.clock.advance(300);
  assertEquals(made.beats.at(-1)?.transfersInFlight, 1);
  held.resolve(outcomeOf("stall"));
  await made.clock.advance(300);
  assertEquals(sums(), [3, 1, 120, 0, 0]);
  assertLess(made.beats.at(-1)?.lastTransferAgeMs ?? NaN, 301);
  await stopBench(made);
  assertEquals(sums(), [3, 1, 120, 0, 0]);
});

Deno.test("Telemetry counts isochronous data by its packets", async () => {
  const made = await readyBench(driverWith({
    inputs: [{
      endpoint: { type: "isochronous", direction: "in" },
      handle: () => {},
    }],
  }));
  made.device.ring(ISOCHRONOUS_IN).options.sink({
    data: new Uint8Array(384),
    timestampMs: 0,
    packets: [
      { status: "completed", offsetBytes: 0, actualLengthBytes: 100 },
      { status: "error", offsetBytes: 192, actualLengthBytes: 0 },
    ],
  });
  await made.clock.advance(0);
  assertEquals(endpointOf(made, ISOCHRONOUS_IN)?.bytesIn, 100);
  await stopBench(made);
});

Deno.test("Telemetry tells how long a report waited for its handler", async () => {
  let release = (): void => {};
  const made = await readyBench(driverWith({
    inputs: [READ_INTERRUPTS],
    commands: {
      hold: {
        description: "Keeps the loop busy",
        run: () =>
          new Promise<null>((resolve) => release = () => resolve(null)),
      },
    },
  }));
  made.device.ring().send(1);
  await made.clock.advance(0);
  const held = made.session.command("hold");
  await made.clock.advance(0);
  made.device.ring().send(2);
  await made.clock.advance(40);
  release();
  await made.clock.advance(0);
  await held;
  const { latency } = made.session.telemetry();
  assertEquals(latency.sumMs, 40);
  assertEquals(latency.counts[0], 1);
  assertEquals(latency.counts[DURATION_BOUNDS_MS.indexOf(50)], 1);
  await stopBench(made);
});

Deno.test("Telemetry tells drops by the rule of their input, and a paused endpoint", async () => {
  let release = (): void => {};
  const hold = {
    description: "Keeps the loop busy",
    run: () => new Promise<null>((resolve) => release = () => resolve(null)),
  };
  const made = await readyBench(driverWith({
    inputs: [
      { ...READ_INTERRUPTS, overflow: "keepLatest" },
      { endpoint: { type: "bulk", direction: "in" }, handle: () => {} },
    ],
    commands: { hold },
  }));
  const held = made.session.command("hold");
  await made.clock.advance(0);
  for (let sent = 0; sent < 5; sent++) made.device.ring().send(sent);
  for (let sent = 0; sent < 1_100; sent++) made.device.ring(BULK_IN).send(sent);
  assertEquals(endpointOf(made, BULK_IN)?.isPaused, true);
  assertEquals(endpointOf(made, INTERRUPT_IN)?.isPaused, false);
  assertEquals(made.session.telemetry().drops, [
    {
      endpoint: INTERRUPT_IN,
      dropped: { keepLatest: 4, dropOldest: 0, stale: 0 },
    },
    { endpoint: BULK_IN, dropped: { keepLatest: 0, dropOldest: 0, stale: 0 } },
  ]);
  release();
  await made.clock.advance(100);
  await held;
  assertEquals(endpointOf(made, BULK_IN)?.isPaused, false);
  await stopBench(made);
});

Deno.test("A histogram has every duration in the first bucket that holds it", () => {
  const histogram = new Histogram();
  for (const ms of [-1, NaN, 0, 0.05, 0.06, 5_000, 5_001, Infinity]) {
    histogram.observe(ms);
  }
  const { counts, sumMs } = histogram.counts;
  assertEquals(counts.length, DURATION_BOUNDS_MS.length + 1);
  assertEquals([counts[0], counts[1], counts.at(-2), counts.at(-1)], [
    4,
    1,
    1,
    2,
  ]);
  assertEquals(
    sumMs,
    0.05 + 0.06 + 10_001 + MAX_TIMEOUT_MS,
    "It stays a number",
  );
});
