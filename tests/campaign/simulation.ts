/**
 * Many lives of a driver in virtual time, each under its own seed: faults,
 * commands, unplugs and jumps of the clock by chance. A seed that breaks a
 * promise is printed and can be lived again alone.
 *
 *     deno run tests/campaign/simulation.ts SEEDS=20000
 *     deno run tests/campaign/simulation.ts FIRST=51 SEEDS=1
 */

import { parseArgs } from "../../driver/std.ts";
import { BrokenInvariant, liveOnce } from "../loop/simulated_life.ts";

/** Every so many lives one is lived twice and compared. */
const TWICE_EVERY = 100;
/** Lives between two lines of progress. */
const TELL_EVERY = 5_000;

interface Tally {
  lives: number;
  faults: number;
  commands: number;
  reports: number;
  readonly classes: Map<string, number>;
  readonly broken: string[];
}

async function main(): Promise<number> {
  const { SEEDS: seeds, FIRST: first } = counts();
  const tally: Tally = {
    lives: 0,
    faults: 0,
    commands: 0,
    reports: 0,
    classes: new Map(),
    broken: [],
  };
  console.log(`simulation: seeds ${first} to ${first + seeds - 1}`);
  const startMs = performance.now();
  let seed = first;
  globalThis.addEventListener("unhandledrejection", (event) => {
    console.error(`SEED ${seed}: nobody handles ${event.reason}`);
  });
  for (; seed < first + seeds; seed++) {
    await live(seed, tally);
    if (tally.lives % TELL_EVERY === 0) tell(tally, startMs);
  }
  tell(tally, startMs);
  for (const message of tally.broken) console.error(message);
  console.log(
    `${
      tally.lives - tally.broken.length
    } passed, ${tally.broken.length} failed`,
  );
  return tally.broken.length === 0 ? 0 : 1;
}

async function live(seed: number, tally: Tally): Promise<void> {
  tally.lives++;
  try {
    const { end, faultsInjected, commands, reports, traceHash } =
      await liveOnce(seed);
    tally.faults += faultsInjected;
    tally.commands += commands;
    tally.reports += reports;
    tally.classes.set(end.class, (tally.classes.get(end.class) ?? 0) + 1);
    if (seed % TWICE_EVERY !== 0) return;
    const again = await liveOnce(seed);
    if (again.traceHash === traceHash) return;
    tally.broken.push(`SEED ${seed}: ${traceHash}, then ${again.traceHash}`);
  } catch (error) {
    if (!(error instanceof BrokenInvariant)) throw error;
    tally.broken.push(error.message);
    console.error(error.message);
  }
}

function tell(tally: Tally, startMs: number): void {
  const seconds = Math.round((performance.now() - startMs) / 1000);
  const classes = [...tally.classes].map(([name, count]) => `${name} ${count}`);
  console.log(
    `${tally.lives} lives, ${tally.faults} faults, ${tally.commands} commands, ` +
      `${tally.reports} reports in ${seconds} s; ends: ${classes.join(", ")}`,
  );
}

/** `SEEDS=n FIRST=n`. */
function counts(): { readonly SEEDS: number; readonly FIRST: number } {
  const given = parseArgs(
    Deno.args.map((argument) => `--${argument.replace(/^--/, "")}`),
    { string: ["SEEDS", "FIRST"], default: { SEEDS: "20000", FIRST: "1" } },
  );
  const read = (name: string): number => {
    const value = Number(given[name]);
    if (Number.isInteger(value) && value > 0) return value;
    console.error(`${name} is a positive integer`);
    Deno.exit(2);
  };
  return { SEEDS: read("SEEDS"), FIRST: read("FIRST") };
}

if (import.meta.main) Deno.exit(await main());
