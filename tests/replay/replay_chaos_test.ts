/** Any life that was recorded can be lived again: many of them, by chance. */

import { Chance } from "../../driver/loop/chance.ts";
import type { Fault } from "../../driver/sim/faults.ts";
import { assertEquals } from "../../driver/std.ts";
import { chaosDriver } from "../loop/chaos_driver.ts";
import { RecordedLife } from "./recorded_life.ts";

const LIVES = 150;
const STEPS_MAX = 25;
const COMMANDS = [
  "echo",
  "memory",
  "late",
  "wait",
  "halt",
  "write",
  "read",
  "fail",
  "misbehave",
] as const;

async function live(seed: number): Promise<RecordedLife> {
  const life = new RecordedLife(chaosDriver(new Chance(seed + 1)).driver, {
    seed,
  });
  const { chance } = life;
  await life.start();
  for (let n = chance.integer(2, STEPS_MAX); n > 0; n--) {
    if (chance.happens(0.6)) {
      life.command(chance.pick(COMMANDS), {}, chance.pick([1, 50, 1_000]));
    }
    if (chance.happens(0.2)) addFault(life);
    if (chance.happens(0.02)) life.bus.unplug(life.device);
    await life.clock.advance(chance.integer(0, 40));
    if (life.end !== undefined) break;
  }
  await life.finish();
  return life;
}

function addFault({ bus, device, chance }: RecordedLife): void {
  const faults: readonly Fault[] = [
    { kind: "stall" },
    { kind: "babble" },
    { kind: "short", lengthBytes: chance.integer(0, 7) },
    { kind: "late", delayMs: chance.integer(0, 300) },
    { kind: "silent" },
    { kind: "status", errno: "PROTO" },
  ];
  const plugged = bus.find(device);
  if (plugged === undefined) return;
  plugged.device.faults.clear();
  plugged.device.faults.add({
    endpoint: chance.pick([0, 0x81, 0x82, 0x83, 0x01, 0x03]),
    after: chance.integer(0, 3),
    times: chance.pick([1, 3]),
    fault: chance.pick(faults),
  });
}

Deno.test(`${LIVES} lives of faults, time-outs and unplugs are lived again to the last step`, async () => {
  let steps = 0;
  for (let seed = 0; seed < LIVES; seed++) {
    const life = await live(seed);
    const result = await life.again(chaosDriver(new Chance(seed + 1)).driver);
    const { divergence, problem, isLoose } = result;
    assertEquals({ divergence, problem, isLoose }, {
      divergence: undefined,
      problem: undefined,
      isLoose: false,
    }, `SEED ${seed}`);
    steps += result.steps;
  }
  if (steps < LIVES * 20) throw new Error(`Only ${steps} steps`);
});
