import { assertEquals } from "../../driver/std.ts";
import {
  InputRecovery,
  type RecoveryStep,
} from "../../driver/loop/input_recovery.ts";

function delays(recovery: InputRecovery): (number | string)[] {
  const seen: (number | string)[] = [];
  let nowMs = 0;
  for (let round = 0; round < 30; round++) {
    const step = recovery.next("error", nowMs);
    seen.push(step.kind === "restart" ? step.delayMs : step.kind);
    if (step.kind !== "restart") break;
    nowMs += step.delayMs;
  }
  return seen;
}

Deno.test("InputRecovery tries after 13, 26, 52, 104, 104 ms and gives up after a second", () => {
  const seen = delays(new InputRecovery(false));
  assertEquals(seen.slice(0, 5), [13, 26, 52, 104, 104]);
  assertEquals([seen.length, seen.at(-1)], [13, "giveUp"]);
});

Deno.test("InputRecovery resets where the driver declares it, once", () => {
  const recovery = new InputRecovery(true);
  assertEquals(delays(recovery).at(-1), "reset");
  assertEquals(recovery.next("error", 1_100), {
    kind: "restart",
    delayMs: 13,
    clearHalt: false,
  });
  assertEquals(recovery.next("error", 2_100).kind, "giveUp");
});

Deno.test("InputRecovery clears a halt at once, and the next one with care", () => {
  const recovery = new InputRecovery(false);
  const steps: RecoveryStep[] = [0, 1, 15].map((nowMs) =>
    recovery.next("stall", nowMs)
  );
  assertEquals(
    steps,
    [0, 13, 26].map((delayMs) => ({
      kind: "restart",
      delayMs,
      clearHalt: true,
    })),
  );
});

Deno.test("InputRecovery begins anew when the trouble stayed away", () => {
  const recovery = new InputRecovery(false);
  recovery.next("error", 0);
  recovery.next("error", 13);
  assertEquals(recovery.next("error", 1_501), {
    kind: "restart",
    delayMs: 13,
    clearHalt: false,
  });
});

Deno.test("InputRecovery does not reset for want of memory", () => {
  const recovery = new InputRecovery(true);
  recovery.next("noMemory", 0);
  assertEquals(recovery.next("noMemory", 1_001).kind, "giveUp");
});

Deno.test("InputRecovery knows an unplug from a failure", () => {
  assertEquals(new InputRecovery(true).next("noDevice", 0).kind, "gone");
});

Deno.test("InputRecovery asks for a reset when the halt stays", () => {
  const recovery = new InputRecovery(true);
  recovery.next("stall", 0);
  assertEquals(recovery.haltStays().kind, "reset");
  assertEquals(new InputRecovery(false).haltStays().kind, "giveUp");
});

Deno.test("InputRecovery takes a failure behind a report for a new one, however often", () => {
  const recovery = new InputRecovery(false);
  for (let nowMs = 0; nowMs < 5_000; nowMs += 200) {
    assertEquals(recovery.next("stall", nowMs, true), {
      kind: "restart",
      delayMs: 0,
      clearHalt: true,
    });
  }
  assertEquals(recovery.next("stall", 4_900), {
    kind: "restart",
    delayMs: 13,
    clearHalt: true,
  });
});
