import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../../driver/std.ts";
import { UsbError } from "../../driver/errors.ts";
import { bench, driverWith, readyBench, stopBench } from "./bench_session.ts";
import { INTERRUPT_IN } from "./fake_device.ts";

Deno.test("Session opens, claims, arms, starts, serves and stops in order", async () => {
  const order: string[] = [];
  const made = await readyBench(driverWith({
    inputs: [{
      endpoint: INTERRUPT_IN,
      handle: (_s, report) => void order.push(`report ${report.data[0]}`),
    }],
    start: (_s, context) =>
      void order.push(`start with ${context.device.claimed.size} claimed`),
    stop: () => void order.push("stop"),
  }));
  assertEquals(made.session.state, "ready");
  made.device.ring().send(7);
  await made.clock.advance(1);
  await stopBench(made);
  assertEquals(order, ["start with 1 claimed", "report 7", "stop"]);
  assertEquals(made.states, [
    "opening",
    "claiming",
    "starting",
    "ready",
    "stopping",
    "stopped",
  ]);
  assert(made.device.isClosed);
  const end = await made.session.ended;
  assertEquals([end.class, end.isDrained, end.safeState.result], [
    "clean",
    true,
    "none",
  ]);
  assertEquals(made.clock.pendingTimers, 0);
});

Deno.test("Session ends as a fault when a handler throws, and makes the device safe", async () => {
  const made = await readyBench(driverWith({
    inputs: [{
      endpoint: INTERRUPT_IN,
      handle: () => {
        throw new TypeError("oops");
      },
    }],
    safeState: [{
      description: "Output off",
      setup: {
        requestType: "vendor",
        recipient: "device",
        request: 1,
        value: 0,
        index: 0,
      },
    }],
  }));
  made.device.ring().send(1);
  await made.clock.advance(2_000);
  const end = await made.session.ended;
  assertEquals([end.class, end.isBug, end.safeState.result, end.state], [
    "fault",
    true,
    "done",
    "ready",
  ]);
  assertStringIncludes(end.message, "oops");
});

Deno.test("Session refuses a start when the device lacks the interface", async () => {
  const made = bench(driverWith({ interfaces: [{ interfaceClass: 3 }] }));
  const started = assertRejects(
    () => made.session.start(),
    UsbError,
    "no such interface",
  );
  await made.clock.advance(2_000);
  await started;
  assertEquals((await made.session.ended).class, "config");
});
