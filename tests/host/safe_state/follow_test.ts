/** The process that makes a device safe as its host sees it, and the runner that waits for it. */

import {
  DriverRunner,
  type RunnerState,
} from "../../../driver/host/driver_runner.ts";
import { encodeSafeStateFrame } from "../../../driver/host/safe_state_frame.ts";
import type { SafeStateOutcome } from "../../../driver/host/safe_state_after_end.ts";
import {
  type FollowOptions,
  followSafeState,
  SAFE_STATE_TIMEOUT_MS,
} from "../../../driver/host/safe_state_process.ts";
import { VirtualClock } from "../../../driver/loop/clock.ts";
import type { SafeStateReport } from "../../../driver/loop/safe_state.ts";
import { assertEquals } from "../../../driver/std.ts";
import { fakeDevice } from "../../cli/fake_parts.ts";
import { FakeProcess, READY } from "../fake_process.ts";

const DONE: SafeStateReport = { result: "done", stepsDone: 2, steps: 2 };
const SANDBOX = { mode: "sandboxed", layers: {} } as const;

interface Followed {
  readonly process: FakeProcess;
  readonly clock: VirtualClock;
  readonly report: Promise<SafeStateReport>;
}

function follow(options: Partial<FollowOptions> = {}): Followed {
  const process = new FakeProcess();
  const clock = new VirtualClock();
  const report = followSafeState(process, { clock, steps: 2, ...options });
  return { process, clock, report };
}

function failed(reason: string): SafeStateReport {
  return { result: "failed", stepsDone: 0, steps: 2, reason };
}

Deno.test("What the process tells is the report, when it has ended", async () => {
  const { process, clock, report } = follow();
  let isOver = false;
  void report.then(() => isOver = true);
  process.sayBytes(encodeSafeStateFrame({ ...DONE, sandbox: SANDBOX }));
  await clock.advance(0);
  assertEquals(isOver, false, "It still may hold the device");
  process.end(0);
  assertEquals(await report, DONE);
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("A process that ends without a word has failed, with its last words", async () => {
  const crashed = follow();
  crashed.process.complain("thread panicked\nout of luck\n");
  crashed.process.end(134, "SIGABRT");
  assertEquals(
    await crashed.report,
    failed("its process ended without a word (SIGABRT): out of luck"),
  );
  const refused = follow();
  refused.process.complain("launcher: device-access: Cannot open it: EACCES\n");
  refused.process.end(77);
  assertEquals(await refused.report, failed("Cannot open it: EACCES"));
});

Deno.test("A device that the launcher does not find is gone", async () => {
  for (const refusal of ["device-missing", "device-other"]) {
    const { process, report } = follow();
    process.complain(`launcher: ${refusal}: Cannot open it\n`);
    process.end(77);
    assertEquals(await report, {
      result: "impossible",
      stepsDone: 0,
      steps: 2,
      reason: "device gone",
    });
  }
});

Deno.test("A process that takes too long is killed, and waited for", async () => {
  const { process, clock, report } = follow();
  process.isKillable = false;
  let isOver = false;
  void report.then(() => isOver = true);
  await clock.advance(SAFE_STATE_TIMEOUT_MS);
  assertEquals([process.signals, isOver], [["SIGKILL"], false]);
  process.end(137, "SIGKILL");
  const reason =
    `it did not end within ${SAFE_STATE_TIMEOUT_MS} ms and was killed`;
  assertEquals(await report, failed(reason));
});

Deno.test("What a process that is less confined than demanded says does not count", async () => {
  const { process, report } = follow({ refusal: () => "no filter" });
  process.sayBytes(encodeSafeStateFrame({ ...DONE, sandbox: SANDBOX }));
  process.end(0);
  const { result, reason } = await report;
  assertEquals([result, reason], ["failed", "no filter"]);
});

Deno.test("A process that says no report is killed", async () => {
  const { process, report } = follow();
  process.sayBytes(new TextEncoder().encode("all is well\n"));
  assertEquals(
    await report,
    failed("Cannot read a report: it is no JSON"),
  );
  assertEquals(process.signals, ["SIGKILL"]);
});

/** A runner whose driver was ready and died. */
class RunnerBench {
  readonly clock = new VirtualClock();
  readonly states: RunnerState[] = [];
  readonly outcomes: SafeStateOutcome[] = [];
  readonly processes: FakeProcess[] = [];
  readonly safe = Promise.withResolvers<SafeStateReport>();
  readonly runner = new DriverRunner({
    clock: this.clock,
    random: () => 0.5,
    find: () => Promise.resolve(fakeDevice()),
    spawn: () => {
      const process: FakeProcess = new FakeProcess((frame) => {
        if (frame.type === "stop") process.stop();
      });
      this.processes.push(process);
      return Promise.resolve(process);
    },
    makeSafe: () => this.safe.promise,
    onSafeState: (outcome) => this.outcomes.push(outcome),
    onState: (state) => this.states.push(state),
    process: { missedBeatsMax: 1_000_000 },
  });

  async ready(): Promise<void> {
    await this.clock.advance(0);
    this.processes.at(-1)?.say(READY);
    await this.clock.advance(0);
  }

  async crash(): Promise<void> {
    this.processes.at(-1)?.end(139, "SIGSEGV");
    await this.clock.advance(0);
  }
}

Deno.test("A runner starts no other driver before the device is safe", async () => {
  const bench = new RunnerBench();
  const outcome = bench.runner.run();
  await bench.ready();
  await bench.crash();
  await bench.clock.advance(60_000);
  assertEquals(bench.states, ["starting", "ready", "stopping"]);
  bench.safe.resolve(DONE);
  await bench.ready();
  assertEquals(bench.states.slice(3), ["backoff", "starting", "ready"]);
  bench.runner.stop("done");
  assertEquals((await outcome).kind, "stopped");
  assertEquals(bench.outcomes.map(({ by }) => by), ["process", "driver"]);
});

Deno.test("A runner that is stopped while the device is made safe ends after it, in order", async () => {
  const bench = new RunnerBench();
  const outcome = bench.runner.run();
  await bench.ready();
  await bench.crash();
  bench.runner.stop("Ctrl-C");
  bench.safe.resolve(DONE);
  assertEquals((await outcome).kind, "stopped");
  assertEquals(bench.states, ["starting", "ready", "stopping", "stopped"]);
});

Deno.test("A runner whose driver was killed on demand, or never became ready, makes the device safe before it ends", async () => {
  const killed = new RunnerBench();
  const insisted = killed.runner.run();
  await killed.ready();
  killed.runner.kill();
  await killed.clock.advance(0);
  killed.safe.resolve(DONE);
  assertEquals((await insisted).kind, "failed");
  assertEquals(killed.outcomes.length, 1);

  const hasty = new RunnerBench();
  const outcome = hasty.runner.run();
  await hasty.clock.advance(0);
  await hasty.crash();
  hasty.safe.resolve(DONE);
  assertEquals((await outcome).kind, "failed");
  assertEquals(hasty.outcomes.length, 1);
});
