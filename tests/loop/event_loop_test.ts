import { assert, assertEquals, assertRejects } from "../../driver/std.ts";
import { UsbError } from "../../driver/errors.ts";
import {
  HEARTBEAT_INTERVAL_MS,
  TURN_REPORTS_MAX,
} from "../../driver/limits.ts";
import { settle, VirtualClock } from "../../driver/loop/clock.ts";
import {
  EventLoop,
  HANDLER_GRACE_MS,
  HANDLER_TIMEOUT_MS,
  type LoopHandlers,
  type Work,
  type WorkFailure,
} from "../../driver/loop/event_loop.ts";
import { Mailbox } from "../../driver/loop/mailbox.ts";

interface Rig {
  readonly clock: VirtualClock;
  readonly mailbox: Mailbox;
  readonly loop: EventLoop;
  readonly done: [name: string, failure: WorkFailure | undefined][];
  readonly lags: number[];
  yields: number;
}

function rigWith(handle: LoopHandlers["handle"]): Rig {
  const clock = new VirtualClock();
  const mailbox = new Mailbox([{ name: "in", overflow: "pause" }]);
  const done: Rig["done"] = [];
  const lags: number[] = [];
  const loop = new EventLoop({
    clock,
    mailbox,
    yieldTurn: () => {
      rig.yields++;
      return new Promise((resolve) => void clock.setTimer(0, () => resolve()));
    },
    handlers: {
      handle,
      finished: (work: Work, failure) => {
        if (work.lane === "report") mailbox.reports.release(work);
        done.push([work.name, failure]);
      },
      beat: (lagMs) => void lags.push(lagMs),
    },
  });
  const rig: Rig = { clock, mailbox, loop, done, lags, yields: 0 };
  loop.isServing = true;
  return rig;
}

function post(rig: Rig, count: number): void {
  const data = Uint8Array.of(1);
  for (let sent = 0; sent < count; sent++) {
    assert(rig.mailbox.offerReport(0, { data, timestampMs: 0 }, 0));
  }
  rig.loop.wake();
}

async function runWhile(rig: Rig, body: () => Promise<void>): Promise<void> {
  const run = rig.loop.run();
  await body();
  rig.loop.end();
  await rig.clock.advance(1);
  await run;
  assertEquals(rig.loop.alarms.size, 0);
}

Deno.test("EventLoop handles one message at a time", async () => {
  let atWork = 0;
  let most = 0;
  const rig = rigWith(async () => {
    most = Math.max(most, ++atWork);
    await Promise.resolve();
    atWork--;
  });
  await runWhile(rig, async () => {
    post(rig, 5);
    await rig.clock.advance(1);
    assertEquals([rig.done.length, most], [5, 1]);
  });
});

Deno.test("EventLoop yields when the budget of a turn is spent", async () => {
  const rig = rigWith(() => {});
  await runWhile(rig, async () => {
    post(rig, 3 * TURN_REPORTS_MAX);
    await settle();
    assertEquals([rig.done.length, rig.yields], [TURN_REPORTS_MAX, 1]);
    await rig.clock.advance(1);
    assertEquals(rig.done.length, 3 * TURN_REPORTS_MAX);
  });
});

Deno.test("EventLoop yields when the time of a turn is spent", async () => {
  const rig = rigWith(() => rig.clock.jump(2));
  await runWhile(rig, async () => {
    post(rig, 4);
    await settle();
    assertEquals([rig.done.length, rig.yields], [3, 1]);
    await rig.clock.advance(1);
    assertEquals(rig.done.length, 4);
  });
});

Deno.test("EventLoop yields between asynchronous handlers that are quick, too", async () => {
  const rig = rigWith(() => Promise.resolve());
  await runWhile(rig, async () => {
    post(rig, TURN_REPORTS_MAX + 1);
    for (let round = 0; round < 20; round++) await settle();
    assertEquals([rig.done.length, rig.yields], [TURN_REPORTS_MAX, 1]);
  });
});

Deno.test("EventLoop runs control messages and alarms while a handler waits", async () => {
  const order: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const rig = rigWith(() => promise);
  await runWhile(rig, async () => {
    post(rig, 2);
    await settle();
    assertEquals(rig.loop.busyWith, "in");
    rig.loop.control("stop", () => order.push("stop"));
    rig.loop.alarms.set(5, () => order.push("alarm"));
    await rig.clock.advance(10);
    assertEquals([order, rig.done.length], [["stop", "alarm"], 0]);
    resolve();
    await settle();
    assertEquals(rig.done.length, 2);
  });
});

Deno.test("EventLoop fires the signal at a handler's deadline, and calls it stuck after a grace", async () => {
  const signals: AbortSignal[] = [];
  const never = Promise.withResolvers<void>();
  const rig = rigWith(() => {
    signals.push(rig.loop.signal);
    return never.promise;
  });
  await runWhile(rig, async () => {
    post(rig, 1);
    await rig.clock.advance(HANDLER_TIMEOUT_MS - 1);
    assertEquals(signals.map((signal) => signal.aborted), [false]);
    await rig.clock.advance(1);
    assertEquals(signals.map((signal) => signal.reason.code), ["timedOut"]);
    await rig.clock.advance(HANDLER_GRACE_MS);
    const failure = rig.done[0]?.[1];
    assertEquals([failure?.isStuck, failure?.abortedBy?.code], [
      true,
      "timedOut",
    ]);
    never.resolve();
    await settle();
    assertEquals(rig.loop.lateSettlements, 1);
  });
});

Deno.test("EventLoop tells why a handler's signal had fired when it fails", async () => {
  const rig = rigWith(() => rig.loop.alarms.size > 0 ? wait(rig) : undefined);
  await runWhile(rig, async () => {
    post(rig, 1);
    await settle();
    const reason = new UsbError({
      code: "cancelled",
      operation: "wait",
      reason: "stopped",
    });
    rig.loop.abort(reason);
    await settle();
    assertEquals(rig.done[0]?.[1], {
      error: reason,
      abortedBy: reason,
      isStuck: false,
    });
  });
});

function wait(rig: Rig): Promise<void> {
  const { promise, reject } = Promise.withResolvers<void>();
  const { signal } = rig.loop;
  signal.addEventListener("abort", () => reject(signal.reason));
  return promise;
}

Deno.test("EventLoop gives each message a signal of its own", async () => {
  const signals: AbortSignal[] = [];
  const rig = rigWith(() => void signals.push(rig.loop.signal));
  await runWhile(rig, async () => {
    post(rig, 2);
    await settle();
    assert(signals[0] !== signals[1]);
  });
});

Deno.test("EventLoop reports a handler that throws, and goes on only as its owner says", async () => {
  const rig = rigWith(() => {
    rig.loop.isServing = false;
    throw new TypeError("oops");
  });
  await runWhile(rig, async () => {
    post(rig, 2);
    await settle();
    assertEquals(rig.done.length, 1);
    assertEquals((rig.done[0]?.[1]?.error as Error).message, "oops");
  });
});

Deno.test("EventLoop runs a job when no handler is at work, before everything that waits", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const rig = rigWith(() => promise);
  await runWhile(rig, async () => {
    post(rig, 2);
    await settle();
    const job = rig.loop.exclusive("reset", () => {}, { timeoutMs: 100 });
    await settle();
    assertEquals(rig.done.length, 0);
    resolve();
    await job;
    assertEquals(rig.done.map(([name]) => name).slice(0, 2), ["in", "reset"]);
  });
});

Deno.test("EventLoop fails a job with what it throws, and a stuck one with its deadline", async () => {
  const rig = rigWith(() => {});
  await runWhile(rig, async () => {
    const options = { timeoutMs: 100 };
    await assertRejects(
      () =>
        rig.loop.exclusive(
          "a",
          () => Promise.reject(new TypeError("no")),
          options,
        ),
      TypeError,
      "no",
    );
    const stuck = assertRejects(
      () => rig.loop.exclusive("b", () => new Promise(() => {}), options),
      UsbError,
      "did not end when told to",
    );
    await rig.clock.advance(100 + HANDLER_GRACE_MS);
    await stuck;
  });
});

Deno.test("EventLoop beats when idle and when a handler waits, and says how late", async () => {
  const rig = rigWith(() => new Promise<void>(() => {}));
  await runWhile(rig, async () => {
    await rig.clock.advance(4 * HEARTBEAT_INTERVAL_MS);
    assertEquals(rig.lags, [0, 0, 0, 0]);
    post(rig, 1);
    await rig.clock.advance(HEARTBEAT_INTERVAL_MS);
    assertEquals(rig.lags.length, 5);
    rig.clock.jump(900);
    await rig.clock.advance(0);
    assertEquals(rig.lags.at(-1), 900 - HEARTBEAT_INTERVAL_MS);
    const before = rig.lags.length;
    await rig.clock.advance(HEARTBEAT_INTERVAL_MS);
    assert(rig.lags.length > before);
  });
});

Deno.test("EventLoop does not beat while a handler blocks it", async () => {
  const rig = rigWith(() => rig.clock.jump(2_000));
  await runWhile(rig, async () => {
    post(rig, 1);
    await settle();
    assertEquals(rig.lags, [2_000 - HEARTBEAT_INTERVAL_MS]);
  });
});
