import { assert, assertEquals } from "../../driver/std.ts";
import type { SafeStateStep } from "../../driver/driver.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import {
  NO_SAFE_STATE,
  performSafeState,
  type SafeStateReport,
} from "../../driver/loop/safe_state.ts";
import { within } from "../../driver/loop/within.ts";
import type { TransferRequest, TransferStatus } from "../../driver/port.ts";
import { interfaceNumber } from "../../driver/usb.ts";
import { FakeDevice, outcomeOf } from "./fake_device.ts";

function step(
  request: number,
  more: Partial<SafeStateStep> = {},
): SafeStateStep {
  return {
    description: `Step ${request}`,
    setup: {
      requestType: "class",
      recipient: "interface",
      request,
      value: 0,
      index: 0x0100,
    },
    ...more,
  };
}

interface Rig {
  readonly clock: VirtualClock;
  readonly device: FakeDevice;
}

function rig(): Rig {
  const clock = new VirtualClock();
  return { clock, device: new FakeDevice(clock) };
}

function requestOf(request: TransferRequest): number {
  assert(request.type === "controlOut" || request.type === "controlIn");
  return request.setup.request;
}

async function perform(
  { clock, device }: Rig,
  steps: readonly SafeStateStep[],
): Promise<SafeStateReport> {
  const report = performSafeState(device, steps, { clock, timeoutMs: 500 });
  await clock.advance(1_000);
  return await report;
}

Deno.test("performSafeState performs its steps in order, as data says", async () => {
  const made = rig();
  await made.device.claimInterface(interfaceNumber(0));
  const report = await perform(made, [
    step(1, { data: [1, 2] }),
    step(2, { lengthBytes: 1 }),
    step(3, { indexFrom: { interfaceClass: 0xff } }),
  ]);
  assertEquals(report, { result: "done", stepsDone: 3, steps: 3 });
  const [first, second, third] = made.device.requests;
  assert(first?.type === "controlOut" && third?.type === "controlOut");
  assertEquals([...first.data], [1, 2]);
  assertEquals(second?.type, "controlIn");
  assertEquals(third.setup.index, 0x0100, "interface 0 in the low byte");
});

Deno.test("performSafeState tries the later steps when one fails", async () => {
  const made = rig();
  made.device.answer = (request) =>
    outcomeOf(requestOf(request) === 1 ? "stall" : "completed");
  assertEquals(await perform(made, [step(1), step(2)]), {
    result: "failed",
    stepsDone: 1,
    steps: 2,
    reason: "Step 1: stall",
  });
});

Deno.test("performSafeState says that it is impossible when the device is gone", async () => {
  const made = rig();
  made.device.isGone = true;
  const report = await perform(made, [step(1), step(2)]);
  assertEquals([report.result, made.device.requests.length], ["impossible", 1]);
});

Deno.test("performSafeState ends in time though the device and the port hang", async () => {
  const made = rig();
  made.device.answer = () => new Promise(() => {});
  const startMs = made.clock.nowMs();
  let tookMs = Infinity;
  const report = performSafeState(made.device, [step(1), step(2)], {
    clock: made.clock,
    timeoutMs: 500,
  }).then((ended) => {
    tookMs = made.clock.nowMs() - startMs;
    return ended;
  });
  await made.clock.advance(1_000);
  assertEquals((await report).reason, "Step 1: timedOut");
  assertEquals(tookMs, 500);
});

Deno.test("performSafeState reports an interface that is not there as a failure", async () => {
  const report = await perform(rig(), [
    step(1, { indexFrom: { interfaceClass: 3 } }),
  ]);
  assertEquals([report.result, report.reason], ["failed", "Step 1: notFound"]);
});

Deno.test("performSafeState without steps does nothing", async () => {
  assertEquals(await perform(rig(), []), NO_SAFE_STATE);
});

Deno.test("performSafeState reports every status that is no success", async () => {
  const statuses: TransferStatus[] = [
    "timedOut",
    "cancelled",
    "stall",
    "overflow",
    "error",
    "noMemory",
  ];
  for (const status of statuses) {
    const made = rig();
    made.device.answer = () => outcomeOf(status);
    assertEquals((await perform(made, [step(1)])).reason, `Step 1: ${status}`);
  }
});

Deno.test("within leaves no timer and no unhandled rejection behind", async () => {
  const clock = new VirtualClock();
  const wait = (promise: Promise<number>): Promise<number | undefined> =>
    within(clock, { timeoutMs: 10, promise });
  assertEquals(await wait(Promise.resolve(1)), 1);
  assertEquals(clock.pendingTimers, 0);
  const late = Promise.withResolvers<number>();
  const waited = wait(late.promise);
  await clock.advance(10);
  assertEquals(await waited, undefined);
  late.reject(new TypeError("too late to matter"));
  await clock.advance(1);
});
