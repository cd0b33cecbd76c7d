import { assert, assertEquals, assertRejects } from "../../driver/std.ts";
import { UsbError } from "../../driver/errors.ts";
import {
  MAILBOX_REPORT_CAPACITY,
  STOP_TIMEOUT_MS,
} from "../../driver/limits.ts";
import { settle } from "../../driver/loop/clock.ts";
import { HANDLER_GRACE_MS } from "../../driver/loop/event_loop.ts";
import { bench, driverWith, readyBench, stopBench } from "./bench_session.ts";
import { INTERRUPT_IN } from "./fake_device.ts";

Deno.test("Session gives the answer of a command that ends within its grace", async () => {
  const made = await readyBench(driverWith({
    commands: {
      slow: {
        description: "Ends when told to, with what it has",
        timeoutMs: 50,
        run: async (_state, _params, context) => {
          await context.sleep(1_000).catch(() => {});
          return "partial";
        },
      },
    },
  }));
  const answer = made.session.command("slow");
  await made.clock.advance(50);
  assertEquals(await answer, "partial");
  await stopBench(made);
});

Deno.test("Session answers a command that misses its deadline with timedOut, and goes on", async () => {
  const made = await readyBench(driverWith({
    commands: {
      read: {
        description: "Reads",
        timeoutMs: 50,
        run: async (_state, _params, context) =>
          (await context.device.transferIn(0x82, 64)).length,
      },
    },
  }));
  const answers = [1, 2].map(() =>
    assertRejects(() => made.session.command("read"), UsbError, "call read")
  );
  await made.clock.advance(50);
  const codes = (await Promise.all(answers)).map((error) => error.code);
  assertEquals(codes, ["timedOut", "timedOut"]);
  assertEquals(
    [made.session.state, made.session.counters().commands.timedOut],
    [
      "ready",
      2,
    ],
  );
  await stopBench(made);
});

Deno.test("Session answers a command with its UsbError, and goes on", async () => {
  const made = await readyBench(driverWith({
    commands: {
      query: {
        description: "Asks",
        run: (_state, _params, context) => {
          throw context.device.error("protocol", "query", "no answer in it");
        },
      },
    },
  }));
  const answer = assertRejects(() => made.session.command("query"), UsbError);
  await made.clock.advance(1);
  assertEquals([(await answer).code, made.session.state], [
    "protocol",
    "ready",
  ]);
  await stopBench(made);
});

Deno.test("Session ends as a fault when a command has a bug", async () => {
  const made = await readyBench(driverWith({
    commands: {
      query: {
        description: "Asks",
        run: () => {
          throw new TypeError("undefined is not a function");
        },
      },
    },
  }));
  const answer = assertRejects(() => made.session.command("query"), TypeError);
  await made.clock.advance(STOP_TIMEOUT_MS);
  await answer;
  const end = await made.session.ended;
  assertEquals([end.class, end.isBug], ["fault", true]);
});

Deno.test("Session refuses commands that are unknown, wrong, or too early", async () => {
  const made = bench(driverWith({
    commands: { query: { description: "Asks", run: () => null } },
  }));
  const early = await assertRejects(
    () => made.session.command("query"),
    UsbError,
    "the driver is idle",
  );
  assertEquals(early.code, "state");
  const started = made.session.start();
  await made.clock.advance(1);
  await started;
  await assertRejects(
    () => made.session.command("toString"),
    TypeError,
    "driver test has query",
  );
  await assertRejects(() => made.session.command("query", { a: 1 }), TypeError);
  await assertRejects(
    () => made.session.command("query", {}, { timeoutMs: 0 }),
    RangeError,
  );
  await stopBench(made);
  await assertRejects(
    () => made.session.command("query"),
    UsbError,
    "the driver is stopped",
  );
});

Deno.test("Session refuses the command for which there is no place", async () => {
  const made = await readyBench(driverWith({
    commands: {
      sleep: {
        description: "Sleeps",
        run: (_state, _params, context) => context.sleep(500).then(() => null),
      },
    },
  }));
  const answers = Array.from(
    { length: 80 },
    () =>
      made.session.command("sleep").then(
        () => "answered",
        (error: UsbError) => error.code,
      ),
  );
  await settle();
  await stopBench(made);
  const codes = await Promise.all(answers);
  const count = (code: string): number =>
    codes.filter((other) => other === code).length;
  assertEquals([count("busy"), count("cancelled")], [16, 64]);
  assertEquals(made.session.counters().commands.refused, 16);
});

Deno.test("Session ends as a fault when a handler does not end when told to", async () => {
  const made = await readyBench(driverWith({
    commands: {
      hang: {
        description: "Hangs",
        timeoutMs: 100,
        run: () => new Promise(() => {}),
      },
    },
  }));
  const answer = assertRejects(() => made.session.command("hang"), UsbError);
  await made.clock.advance(100 + HANDLER_GRACE_MS + STOP_TIMEOUT_MS);
  assertEquals((await answer).code, "timedOut");
  const end = await made.session.ended;
  assertEquals([end.class, end.code], ["fault", "timedOut"]);
});

Deno.test("Session runs the driver's stop though a handler is stuck", async () => {
  let didStop = false;
  const made = await readyBench(driverWith({
    inputs: [{
      endpoint: INTERRUPT_IN,
      handle: () => new Promise<void>(() => {}),
    }],
    stop: () => void (didStop = true),
  }));
  made.device.ring().send(1);
  await made.clock.advance(1);
  await stopBench(made);
  assert(didStop);
});

Deno.test("Session does not start a driver that was stopped meanwhile", async () => {
  let didStart = false;
  const made = bench(
    driverWith({ start: () => void (didStart = true) }),
    {
      stateChanged: (_from, to) => {
        if (to === "starting") void made.session.stop();
      },
    },
  );
  const started = assertRejects(() => made.session.start(), UsbError);
  await made.clock.advance(STOP_TIMEOUT_MS);
  await started;
  assertEquals([didStart, made.session.state], [false, "stopped"]);
});

Deno.test("Session leaves no receive behind a handler that is over", async () => {
  const handled: number[] = [];
  const made = await readyBench(driverWith({
    inputs: [{
      name: "notify",
      endpoint: INTERRUPT_IN,
      handle: (_state, report) => void handled.push(report.data[0] ?? 0),
    }],
    commands: {
      forget: {
        description: "Does not await what it asks for",
        run: (_state, _params, context) => {
          void context.receive("notify", () => true, { timeoutMs: 1_000 })
            .catch(() => {});
          return null;
        },
      },
    },
  }));
  const answer = made.session.command("forget");
  await made.clock.advance(1);
  await answer;
  made.device.ring().send(5);
  await made.clock.advance(1);
  assertEquals(handled, [5]);
  await stopBench(made);
});

Deno.test("Session goes on when a reset ends the handler at work", async () => {
  const made = await readyBench(driverWith({
    requests: ["reset"],
    inputs: [{
      endpoint: INTERRUPT_IN,
      handle: (_state, _report, context) => context.sleep(1_000),
    }],
  }));
  made.device.failures.set(
    "clearHalt",
    () => Promise.reject(made.session.device?.error("io", "clear", "no")),
  );
  made.device.ring().send(1);
  await made.clock.advance(1);
  made.device.ring().end("stall");
  await made.clock.advance(1);
  assertEquals([made.session.state, made.device.calls.at(-1)], [
    "ready",
    "reset",
  ]);
  await stopBench(made);
  assertEquals((await made.session.ended).class, "clean");
});

Deno.test("Session forgets the names of timers that fired", async () => {
  let fired = 0;
  const made = await readyBench(driverWith({
    start: (_state, context) => context.setTimer("0", 1),
    onTimer: (_state, name, context) => {
      fired++;
      context.setTimer(String(Number(name) + 1), 1);
    },
  }));
  await made.clock.advance(200);
  assertEquals([fired, made.session.state], [200, "ready"]);
  await stopBench(made);
});

Deno.test("Session drops and counts what a ring says that was given up", async () => {
  const handled: number[] = [];
  const made = await readyBench(driverWith({
    inputs: [{
      endpoint: INTERRUPT_IN,
      handle: (_state, report) => void handled.push(report.data[0] ?? 0),
    }],
  }));
  made.device.ring().end("stall");
  await made.clock.advance(1);
  const [old] = made.device.rings;
  assertEquals(old?.sendLate(9), true);
  made.device.ring().send(1);
  await made.clock.advance(1);
  assertEquals(handled, [1]);
  const tally = made.session.counters().inputs["0x81"]?.tally;
  assertEquals(tally?.dropped.stale, 1);
  await stopBench(made);
});

Deno.test("Session notices the unplug in a transfer whose handler hides it", async () => {
  const made = await readyBench(driverWith({
    commands: {
      hide: {
        description: "Hides what it meets",
        run: async (_state, _params, context) => {
          await context.device.transferIn(0x82, 64).catch(() => {});
          return null;
        },
      },
    },
  }));
  made.device.isGone = true;
  const answer = made.session.command("hide");
  await made.clock.advance(STOP_TIMEOUT_MS);
  assertEquals(await answer, null);
  assertEquals((await made.session.ended).class, "device-gone");
});

Deno.test("Session finds the report a handler waits for behind a full mailbox", async () => {
  const made = await readyBench(driverWith({
    inputs: [{
      name: "notify",
      endpoint: INTERRUPT_IN,
      handle: () => {},
    }],
    commands: {
      wait: {
        description: "Waits for 2",
        run: async (_state, _params, context) => {
          await context.sleep(10);
          const take = (data: Uint8Array): boolean => data[0] === 2;
          const options = { timeoutMs: 100 };
          return (await context.receive("notify", take, options)).length;
        },
      },
    },
  }));
  const answer = made.session.command("wait");
  await made.clock.advance(1);
  for (let sent = 0; sent < MAILBOX_REPORT_CAPACITY; sent++) {
    assert(made.device.ring().send(1));
  }
  assert(made.device.ring().send(2), "held by the ring");
  assertEquals(made.device.ring().held, 1);
  await made.clock.advance(10);
  assertEquals(await answer, 1);
  await stopBench(made);
});

Deno.test("Session that was stopped before it was started never starts", async () => {
  const made = bench(driverWith({}));
  const ended = made.session.stop();
  await assertRejects(() => made.session.start(), UsbError, "was stopped");
  await made.clock.advance(STOP_TIMEOUT_MS);
  assertEquals([(await ended).class, made.device.calls], ["clean", []]);
});
