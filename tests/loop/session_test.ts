import { assert, assertEquals, assertRejects } from "../../driver/std.ts";
import { UsbError } from "../../driver/errors.ts";
import {
  MAILBOX_REPORT_CAPACITY,
  STOP_TIMEOUT_MS,
} from "../../driver/limits.ts";
import { bench, driverWith, readyBench, stopBench } from "./bench_session.ts";
import { INTERRUPT_IN } from "./fake_device.ts";

Deno.test("Session leaves reports in the device when its mailbox is full, and loses none", async () => {
  const seen: number[] = [];
  const made = await readyBench(driverWith({
    inputs: [{
      endpoint: INTERRUPT_IN,
      handle: async (_state, report, context) => {
        await context.sleep(1);
        seen.push((report.data[0] ?? 0) + 256 * (report.data[1] ?? 0));
      },
    }],
  }));
  let sent = 0;
  let refusals = 0;
  while (sent < MAILBOX_REPORT_CAPACITY + 500) {
    if (made.device.ring().send(sent & 0xff, sent >> 8)) sent++;
    else {
      refusals++;
      await made.clock.advance(10);
    }
  }
  await made.clock.advance(3_000);
  assertEquals(seen, Array.from({ length: sent }, (_, at) => at));
  assert(refusals > 0, "the device had to wait");
  assert((made.session.counters().inputs["0x81"]?.tally.refused ?? 0) > 0);
  await stopBench(made);
  assertEquals((await made.session.ended).class, "clean");
});

Deno.test("Session gives a waiting handler its report first, and the others their turn", async () => {
  const order: string[] = [];
  const made = await readyBench(driverWith({
    inputs: [{
      name: "notify",
      endpoint: INTERRUPT_IN,
      handle: (_state, report) => void order.push(`handled ${report.data[0]}`),
    }],
    commands: {
      status: {
        description: "Reads the status byte",
        run: async (_state, _params, context) => {
          const answer = await context.receive(
            "notify",
            (data) => data[0] === 0x82,
            { timeoutMs: 100 },
          );
          order.push(`received ${answer[0]}`);
          return answer[1] ?? 0;
        },
      },
    },
  }));
  const answer = made.session.command("status");
  await made.clock.advance(1);
  made.device.ring().send(0x81, 0x40);
  made.device.ring().send(0x82, 0x10);
  await made.clock.advance(1);
  assertEquals(await answer, 0x10);
  assertEquals(order, ["received 130", "handled 129"]);
  const { tally } = made.session.counters().inputs["notify"] ?? {};
  assertEquals([tally?.handled, tally?.received], [1, 1]);
  await stopBench(made);
});

Deno.test("Session arms inputs before start, which may receive from them", async () => {
  const made = bench(driverWith({
    inputs: [{ name: "notify", endpoint: INTERRUPT_IN, handle: () => {} }],
    start: async (_state, context) => {
      await context.sleep(5);
      const take = (data: Uint8Array): boolean => data[0] === 2;
      const options = { timeoutMs: 1 };
      const report = await context.receive("notify", take, options);
      context.emit("seen", { byte: report[0] ?? 0 });
    },
  }));
  const started = made.session.start();
  await made.clock.advance(1);
  made.device.ring().send(1);
  made.device.ring().send(2);
  await made.clock.advance(5);
  await started;
  assertEquals(made.events, [{ event: "seen", data: { byte: 2 } }]);
  await stopBench(made);
});

Deno.test("Session fails a receive in time, and one of an input that is not there", async () => {
  const errors: unknown[] = [];
  const made = await readyBench(driverWith({
    inputs: [{ name: "notify", endpoint: INTERRUPT_IN, handle: () => {} }],
    commands: {
      wait: {
        description: "Waits in vain",
        run: async (_state, _params, context) => {
          for (const input of ["notify", "missing"]) {
            try {
              await context.receive(input, () => true, { timeoutMs: 10 });
            } catch (error) {
              errors.push((error as UsbError).code);
            }
          }
          return null;
        },
      },
    },
  }));
  const answer = made.session.command("wait");
  await made.clock.advance(10);
  await answer;
  assertEquals(errors, ["timedOut", "notFound"]);
  await stopBench(made);
});

Deno.test("Session clears a halt and reads on", async () => {
  const seen: number[] = [];
  const made = await readyBench(driverWith({
    inputs: [{
      endpoint: INTERRUPT_IN,
      handle: (_state, report) => void seen.push(report.data[0] ?? 0),
    }],
  }));
  made.device.ring().send(1);
  made.device.ring().end("stall");
  await made.clock.advance(1);
  assertEquals(made.device.calls, ["claimInterface", "clearHalt"]);
  made.device.ring().send(2);
  await made.clock.advance(1);
  assertEquals(seen, [1, 2]);
  assertEquals(made.session.counters().inputs["0x81"]?.restarts, 1);
  await stopBench(made);
  assertEquals((await made.session.ended).class, "clean");
});

Deno.test("Session reads on for as long as reports come between the stalls", async () => {
  let seen = 0;
  const made = await readyBench(driverWith({
    inputs: [{ endpoint: INTERRUPT_IN, handle: () => void seen++ }],
  }));
  const STALLS = 50;
  for (let stall = 0; stall < STALLS; stall++) {
    made.device.ring().send(stall);
    made.device.ring().end("stall");
    await made.clock.advance(100);
  }
  assertEquals(made.session.state, "ready");
  assertEquals(seen, STALLS);
  assertEquals(made.session.counters().inputs["0x81"]?.restarts, STALLS);
  await stopBench(made);
});

Deno.test("Session bears bus errors for a second, then ends as a fault", async () => {
  const made = await readyBench(driverWith({
    inputs: [{ endpoint: INTERRUPT_IN, handle: () => {} }],
  }));
  for (let waitedMs = 0; waitedMs < 2_000; waitedMs += 10) {
    made.device.ring().end("error");
    await made.clock.advance(10);
  }
  await made.clock.advance(STOP_TIMEOUT_MS);
  const end = await made.session.ended;
  assertEquals([end.class, end.code], ["fault", "io"]);
  assert(made.device.rings.length > 8, "it tried");
  assert(made.device.rings.length < 20, "with care");
});

Deno.test("Session resets a device that declares it, starts again, and drops what is stale", async () => {
  const order: string[] = [];
  const made = await readyBench(driverWith({
    requests: ["reset"],
    inputs: [{
      endpoint: INTERRUPT_IN,
      handle: (_state, report) => void order.push(`report ${report.data[0]}`),
    }],
    start: (_state, context) => {
      order.push("start");
      context.setTimer("poll", 10_000);
    },
  }));
  made.device.failures.set(
    "clearHalt",
    () => Promise.reject(made.session.device?.error("io", "clear", "no")),
  );
  made.device.ring().end("stall");
  await made.clock.advance(1);
  assertEquals(made.device.calls.slice(-2), ["clearHalt", "reset"]);
  assertEquals([made.session.state, made.session.counters().epoch], [
    "ready",
    1,
  ]);
  made.device.ring().send(2);
  await made.clock.advance(1);
  assertEquals(order, ["start", "start", "report 2"]);
  assertEquals(made.states.slice(3, 6), ["ready", "resetting", "starting"]);
  await stopBench(made);
  assertEquals((await made.session.ended).class, "clean");
});

Deno.test("Session refuses requests that the driver does not declare", async () => {
  const made = await readyBench(driverWith({
    commands: {
      reset: {
        description: "Resets",
        run: async (_state, _params, context) => {
          await context.device.reset();
          return null;
        },
      },
      close: {
        description: "Closes",
        run: async (_state, _params, context) => {
          await context.device.close();
          return null;
        },
      },
    },
  }));
  for (const [name, code] of [["reset", "notSupported"], ["close", "state"]]) {
    const refused = assertRejects(
      () => made.session.command(name ?? ""),
      UsbError,
    );
    await made.clock.advance(1);
    assertEquals((await refused).code, code);
  }
  assertEquals(made.session.state, "ready");
  await stopBench(made);
});

Deno.test("Session fires named timers, moves and forgets them", async () => {
  const fired: [string, number][] = [];
  const made = await readyBench(driverWith({
    start: (_state, context) => {
      context.setTimer("a", 10);
      context.setTimer("b", 20);
      context.setTimer("c", 30);
      context.clearTimer("b");
      context.setTimer("a", 40);
    },
    onTimer: (_state, name, context) => {
      fired.push([name, context.nowMs()]);
      if (name === "c") context.setTimer("c", 100);
    },
  }));
  await made.clock.advance(60);
  assertEquals(fired, [["c", 30], ["a", 40]]);
  await stopBench(made);
  await made.clock.advance(500);
  assertEquals(fired.length, 2);
});

Deno.test("Session beats with what it knows of itself", async () => {
  const made = await readyBench(driverWith({
    inputs: [{
      endpoint: INTERRUPT_IN,
      transfersInFlight: 3,
      handle: (_state, _report, context) => context.sleep(400),
    }],
  }));
  made.device.ring().send(1);
  made.device.ring().send(2);
  await made.clock.advance(250);
  assertEquals(made.beats, [{
    sequence: 0,
    state: "ready",
    epoch: 0,
    lagMs: 0,
    depths: { control: 0, timers: 0, commands: 0, reports: 1 },
    transfersInFlight: 3,
    lastTransferAgeMs: 250,
    busyWith: "0x81",
  }]);
  await stopBench(made);
});

Deno.test("Session counts events that the outside has no room for", async () => {
  const made = await readyBench(
    driverWith({
      start: (_state, context) => {
        context.emit("one", {});
        context.emit("two", {});
      },
    }),
    { emit: (event) => event === "one" },
  );
  assertEquals(made.session.counters().events, { emitted: 1, dropped: 1 });
  await stopBench(made);
});
