import { assert, assertEquals, assertRejects } from "../../driver/std.ts";
import { BrokenInvariant, liveOnce } from "./simulated_life.ts";

/** Lives in the suite; `tests/campaign/simulation.ts` lives as many as one likes. */
const SEEDS = 500;
/** Lives lived twice, to compare. */
const SEEDS_TWICE = 40;

Deno.test(`Session keeps its promises through ${SEEDS} lives of faults, unplugs and jumps of time`, async () => {
  const classes = new Set<string>();
  let faults = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const report = await liveOnce(seed);
    classes.add(report.end.class);
    faults += report.faultsInjected;
  }
  // A simulation that never hurts proves nothing.
  assert(faults > SEEDS / 2, `only ${faults} faults had an effect`);
  assertEquals([...classes].sort(), [
    "clean",
    "device-gone",
    "fault",
    "permission",
  ]);
});

Deno.test("Session lives the same life twice under the same seed", async () => {
  const hashes = new Set<string>();
  for (let seed = 1; seed <= SEEDS_TWICE; seed++) {
    const [first, second] = [await liveOnce(seed), await liveOnce(seed)];
    assertEquals(first.traceHash, second.traceHash, `SEED ${seed}`);
    hashes.add(first.traceHash);
  }
  // Lives that end before they begin, for want of permission, are alike.
  assert(hashes.size > 0.8 * SEEDS_TWICE, "seeds give different lives");
});

Deno.test("A broken promise is reported with the seed that repeats it", async () => {
  await assertRejects(() => liveOnce(-1), BrokenInvariant, "SEED -1");
});
