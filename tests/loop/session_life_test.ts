import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "../../driver/std.ts";
import { UsbError } from "../../driver/errors.ts";
import { STOP_TIMEOUT_MS } from "../../driver/limits.ts";
import { deviceLabel } from "../../driver/match.ts";
import type { DevicePort, UsbPort } from "../../driver/port.ts";
import { settle } from "../../driver/loop/clock.ts";
import { Session } from "../../driver/loop/session.ts";
import { bench, driverWith, readyBench, stopBench } from "./bench_session.ts";
import { BULK_IN, INTERRUPT_IN, ISOCHRONOUS_IN } from "./fake_device.ts";

const SAFE = {
  description: "Output off",
  setup: {
    requestType: "vendor",
    recipient: "device",
    request: 1,
    value: 0,
    index: 0,
  },
} as const;

Deno.test("Session opens, claims, arms, starts, serves and stops in order", async () => {
  const order: string[] = [];
  const made = await readyBench(driverWith({
    inputs: [{
      endpoint: INTERRUPT_IN,
      handle: (_state, report) => void order.push(`report ${report.data[0]}`),
    }],
    start: (_state, context) =>
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
    safeState: [SAFE],
  }));
  made.device.ring().send(1);
  await made.clock.advance(STOP_TIMEOUT_MS);
  const end = await made.session.ended;
  assertEquals([end.class, end.isBug, end.safeState.result, end.state], [
    "fault",
    true,
    "done",
    "ready",
  ]);
  assertStringIncludes(end.message, "oops");
  assertEquals(made.session.state, "failed");
});

Deno.test("Session classifies what ends it by the error's code", async () => {
  const cases = [
    ["noDevice", "device-gone"],
    ["access", "permission"],
    ["notSupported", "config"],
    ["library", "config"],
    ["protocol", "fault"],
    ["io", "fault"],
    ["stall", "fault"],
    ["timedOut", "fault"],
  ] as const;
  for (const [code, expected] of cases) {
    const made = await readyBench(driverWith({
      inputs: [{
        endpoint: INTERRUPT_IN,
        handle: (_state, _report, context) => {
          throw context.device.error(code, "read", "it failed");
        },
      }],
    }));
    made.device.ring().send(1);
    await made.clock.advance(STOP_TIMEOUT_MS);
    const end = await made.session.ended;
    assertEquals([end.class, end.code, end.isBug], [expected, code, false]);
    assertStringIncludes(end.message, "while ready");
  }
});

Deno.test("Session ends as device-gone when the device leaves, and cannot make it safe", async () => {
  const made = await readyBench(driverWith({
    inputs: [{ endpoint: INTERRUPT_IN, handle: () => {} }],
    commands: {
      wait: {
        description: "Waits",
        run: async (_state, _params, context) => {
          await context.device.transferIn(BULK_IN, 64);
          return null;
        },
      },
    },
    safeState: [SAFE],
    stop: () => assert(false, "there is no device to stop"),
  }));
  const answer = assertRejects(() => made.session.command("wait"), UsbError);
  await made.clock.advance(1);
  made.device.unplug();
  await made.clock.advance(STOP_TIMEOUT_MS);
  assertEquals((await answer).code, "noDevice");
  const end = await made.session.ended;
  assertEquals([end.class, end.safeState.result, made.session.state], [
    "device-gone",
    "impossible",
    "gone",
  ]);
});

Deno.test("Session takes a bus error that an unplug follows for the unplug", async () => {
  const made = await readyBench(driverWith({
    inputs: [{
      endpoint: INTERRUPT_IN,
      handle: (_state, _report, context) => {
        made.device.isGone = true;
        throw context.device.error("io", "read", "bus error");
      },
    }],
    safeState: [SAFE],
  }));
  made.device.ring().send(1);
  await made.clock.advance(1);
  made.device.unplug();
  await made.clock.advance(STOP_TIMEOUT_MS);
  const end = await made.session.ended;
  assertEquals([end.class, end.safeState.result], [
    "device-gone",
    "impossible",
  ]);
});

Deno.test("Session stops a handler that waits for the device, and in time", async () => {
  const made = await readyBench(driverWith({
    commands: {
      read: {
        description: "Reads",
        run: async (_state, _params, context) =>
          (await context.device.transferIn(BULK_IN, 64)).length,
      },
    },
    safeState: [SAFE],
  }));
  const answer = assertRejects(() => made.session.command("read"), UsbError);
  await made.clock.advance(5);
  const ended = made.session.stop();
  await made.clock.advance(1);
  assertEquals((await answer).code, "cancelled");
  const end = await ended;
  assertEquals([end.class, end.safeState.result], ["clean", "done"]);
});

Deno.test("Session ends in time though everything hangs", async () => {
  const never = (): Promise<void> => new Promise(() => {});
  const made = await readyBench(driverWith({
    inputs: [{ endpoint: INTERRUPT_IN, handle: never }],
    stop: never,
    safeState: [SAFE],
  }));
  made.device.answer = () => new Promise(() => {});
  made.device.failures.set("close", never);
  made.device.ring().send(1);
  await made.clock.advance(5);
  const stoppedMs = made.clock.nowMs();
  const ended = made.session.stop().then((end) => {
    assert(made.clock.nowMs() - stoppedMs <= STOP_TIMEOUT_MS);
    return end;
  });
  await made.clock.advance(STOP_TIMEOUT_MS);
  const end = await ended;
  assertEquals([end.class, end.isDrained, end.safeState.result], [
    "fault",
    false,
    "failed",
  ]);
});

Deno.test("Session whose device is closed under it fails at once, and says why", async () => {
  const made = await readyBench(driverWith({
    inputs: [{ endpoint: INTERRUPT_IN, handle: () => {} }],
  }));
  await made.device.close();
  await made.clock.advance(1);
  const end = await made.session.ended;
  assertEquals([end.class, end.code, end.isBug], ["fault", "state", false]);
  assertStringIncludes(end.message, "the device was closed under its driver");
  assertEquals(made.device.rings.length, 1, "It is not tried again");
});

Deno.test("Session that is stopped has its inputs told no end, and a driver's own reader only at the end", async () => {
  const ends: string[] = [];
  const made = await readyBench(driverWith({
    inputs: [{ endpoint: INTERRUPT_IN, handle: () => {} }],
    start: (_state, { device }) => {
      void (async (): Promise<void> => {
        for await (const { data } of device.endpoint(BULK_IN).reports()) {
          ends.push(`report ${data[0]}`);
        }
        ends.push("the reader is at its end");
      })();
    },
    stop: () => void ends.push("stop"),
  }));
  made.device.ring(BULK_IN).send(7);
  await made.clock.advance(1);
  await stopBench(made);
  await settle();
  const end = await made.session.ended;
  assertEquals(ends, ["report 7", "stop", "the reader is at its end"]);
  assertEquals([end.class, end.isDrained], ["clean", true]);
});

Deno.test("Session closes a device that opens after it gave up waiting", async () => {
  const opening = Promise.withResolvers<DevicePort>();
  const { clock, device } = bench(driverWith({}));
  const port = {
    devices: () => Promise.resolve([device.info]),
    open: () => opening.promise,
  } as unknown as UsbPort;
  const session = new Session({
    driver: driverWith({}),
    port,
    clock,
    random: () => 0,
    log: () => {},
    emit: () => true,
    yieldTurn: () => Promise.resolve(),
  });
  const started = assertRejects(() => session.start(), UsbError, "stopped");
  await clock.advance(1);
  const ended = session.stop();
  await clock.advance(STOP_TIMEOUT_MS);
  await started;
  assertEquals((await ended).class, "clean");
  opening.resolve(device);
  await settle();
  assert(device.isClosed);
});

Deno.test("Session names the devices between which it does not guess", async () => {
  const { clock, device } = bench(driverWith({}));
  for (const count of [0, 2]) {
    const devices = Array.from({ length: count }, () => device.info);
    const session = new Session({
      driver: driverWith({}),
      port: { devices: () => Promise.resolve(devices) } as unknown as UsbPort,
      clock,
      random: () => 0,
      log: () => {},
      emit: () => true,
      yieldTurn: () => Promise.resolve(),
    });
    const started = assertRejects(() => session.start(), UsbError);
    await clock.advance(STOP_TIMEOUT_MS);
    const error = await started;
    const { class: endClass } = await session.ended;
    if (count === 0) {
      assertEquals([error.code, endClass], ["noDevice", "device-gone"]);
    } else {
      assertEquals([error.code, endClass], ["notFound", "config"]);
      assertStringIncludes(error.message, deviceLabel(device.info));
    }
  }
});

Deno.test("Session refuses a start when the device lacks an interface or an input", async () => {
  const drivers = [
    driverWith({ interfaces: [{ interfaceClass: 3 }] }),
    driverWith({
      inputs: [{
        endpoint: { type: "bulk", direction: "in", interfaceNumber: 4 },
        handle: () => {},
      }],
    }),
    driverWith({ options: { channel: { type: "boolean", description: "x" } } }),
  ];
  const classes = [];
  for (const driver of drivers) {
    const made = bench(driver);
    const started = assertRejects(() => made.session.start());
    await made.clock.advance(STOP_TIMEOUT_MS);
    await started;
    classes.push((await made.session.ended).class);
  }
  assertEquals(classes, ["config", "config", "config"]);
});

Deno.test("Session goes on without an input that is optional", async () => {
  const made = await readyBench(driverWith({
    inputs: [{
      endpoint: { type: "interrupt", direction: "in", interfaceNumber: 9 },
      optional: true,
      handle: () => {},
    }],
  }));
  assertEquals(Object.keys(made.session.counters().inputs), []);
  await stopBench(made);
});

Deno.test("Session lets no isochronous input pause", async () => {
  const made = bench(driverWith({
    inputs: [{
      endpoint: ISOCHRONOUS_IN,
      overflow: "pause",
      handle: () => {},
    }],
  }));
  const started = assertRejects(
    () => made.session.start(),
    TypeError,
    "does not wait",
  );
  await made.clock.advance(STOP_TIMEOUT_MS);
  await started;
});

Deno.test("Session stopped before it was started is over", async () => {
  const made = bench(driverWith({ safeState: [SAFE] }));
  await stopBench(made);
  const end = await made.session.ended;
  assertEquals([end.class, end.safeState.result], ["clean", "none"]);
  assertEquals(await made.session.stop(), end);
});

Deno.test("Session rejects its start with what went wrong in it", async () => {
  const made = bench(driverWith({
    start: () => Promise.reject(new TypeError("no calibration")),
  }));
  const started = assertRejects(() => made.session.start());
  await made.clock.advance(STOP_TIMEOUT_MS);
  assertInstanceOf(await started, TypeError);
  const end = await made.session.ended;
  assertEquals([end.class, end.state, end.isBug], ["fault", "starting", true]);
});
