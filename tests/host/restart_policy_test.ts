import type { ExitClass } from "../../driver/host/exit_class.ts";
import {
  decideRestart,
  DEFAULT_RESTART_POLICY,
  NO_FAILURES,
  type RestartDecision,
  type RestartHistory,
} from "../../driver/host/restart_policy.ts";
import { assertEquals, assertLessOrEqual } from "../../driver/std.ts";

const policy = DEFAULT_RESTART_POLICY;

function end(
  exitClass: ExitClass,
  history: RestartHistory,
  options: { nowMs?: number; healthyMs?: number; random?: number } = {},
): { decision: RestartDecision; history: RestartHistory } {
  const { nowMs = 0, healthyMs = 0, random = 0.5 } = options;
  return decideRestart(policy, history, {
    end: { exitClass, nowMs, healthyMs },
    random: () => random,
  });
}

Deno.test("The first failure restarts at once", () => {
  const { decision } = end("fault", NO_FAILURES);
  assertEquals(decision, { next: "start", delayMs: 0 });
});

Deno.test("Further failures restart after a delay drawn from a doubling range", () => {
  let history = NO_FAILURES;
  const delays: number[] = [];
  for (let time = 0; time < 10; time++) {
    const after = end("fault", history, { random: 1 });
    history = after.history;
    if (after.decision.next === "start") delays.push(after.decision.delayMs);
  }
  assertEquals(
    delays,
    [0, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000],
  );
  const least = end("fault", { failures: 5, failedAtMs: [] }, { random: 0 });
  assertEquals(least.decision, { next: "start", delayMs: 0 });
});

Deno.test("More than ten failures within ten minutes go to quarantine", () => {
  let history = NO_FAILURES;
  let decision: RestartDecision | undefined;
  for (let time = 0; time < 11; time++) {
    ({ decision, history } = end("native-crash", history, { nowMs: time }));
  }
  assertEquals(decision, { next: "quarantine", delayMs: 300_000 });
});

Deno.test("Failures outside the window are forgotten", () => {
  let history = NO_FAILURES;
  let decision: RestartDecision | undefined;
  for (let time = 0; time < 30; time++) {
    ({ decision, history } = end("fault", history, { nowMs: time * 61_000 }));
    assertLessOrEqual(history.failedAtMs.length, policy.failuresMax + 1);
  }
  assertEquals(decision?.next, "start");
});

Deno.test("A healthy minute makes the next failure a first one", () => {
  const history = { failures: 7, failedAtMs: [0] };
  const after = end("fault", history, { nowMs: 70_000, healthyMs: 60_000 });
  assertEquals(after.decision, { next: "start", delayMs: 0 });
});

Deno.test("A device that left is waited for, and costs nothing", () => {
  const after = end("device-gone", NO_FAILURES);
  assertEquals(after.decision, { next: "wait-for-device" });
  assertEquals(after.history, NO_FAILURES);
});

Deno.test("Wrong configuration and refused access are never retried", () => {
  for (const exitClass of ["config", "permission", "clean"] as const) {
    assertEquals(end(exitClass, NO_FAILURES).decision, { next: "give-up" });
  }
});
