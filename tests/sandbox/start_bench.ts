/**
 * What the sandbox costs, as ratios of the same minute on this machine: a start
 * beside a plain `deno run` of one line, and a transfer with all layers beside
 * one with none.
 *
 * In a start is all from the exec of the launcher to the READY frame of a real
 * driver process: two starts of the runtime, opening and checking the device,
 * Landlock, seccomp, libusb, the claim, stage 2 and its probes, the session. Not
 * in it: making the bundles, which are kept, and the namespaces of the virtual
 * bus. Both run on that bus, where each file that is opened asks the bus first,
 * and both begin when the bus lets a program start: its launching half is
 * replaced, and `env` sets the variables. A program that does nothing takes
 * that long; the ratio without it is printed, too.
 *
 *     deno run --allow-all tests/sandbox/start_bench.ts
 */

import { LoopbackBus } from "./bus_run.ts";
import { bundleDriver } from "../../driver/host/bundle.ts";
import { cacheFolder, exists, LIBUSB } from "./harness.ts";

/** Rounds; the median of their ratios counts. */
const STARTS = 21;
const TRANSFER_RUNS = 9;
const TRANSFERS = 1500;
/** The most that the sandbox may cost. */
const START_RATIO_MAX = 3;
const TRANSFER_COST_MAX = 0.05;

const NO_LAYERS = { omitLandlock: true, omitSeccomp: true } as const;

/** The least disturbed run: what others do on the machine only ever adds. */
function best(values: readonly number[]): number {
  return Math.min(...values);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

/** Alternated, so that what else the machine does meets both. */
async function startRatio(bus: LoopbackBus, script: string): Promise<number> {
  const { path: driver } = await bundleDriver({
    driverUrl: new URL("./start_driver.ts", import.meta.url).href,
    processUrl: new URL("../../ffi/confined_process.ts", import.meta.url).href,
  }, { cacheFolder: cacheFolder() });
  const nothing: number[] = [];
  const plain: number[] = [];
  const sandboxed: number[] = [];
  const hello = ["run", "--quiet", "--no-config", "--no-lock", script];
  await bus.timeToReady(driver);
  for (let round = 0; round < STARTS; round++) {
    nothing.push(await bus.timeProgram("true"));
    plain.push(await bus.timeProgram(Deno.execPath(), hello));
    sandboxed.push(await bus.timeToReady(driver));
  }
  console.log(
    `plain deno run: ${describe(plain)}; launcher to READY: ${
      describe(sandboxed)
    }`,
  );
  const without = sandboxed.map((ms, round) => {
    const bus = nothing[round] ?? NaN;
    return (ms - bus) / ((plain[round] ?? NaN) - bus);
  });
  console.log(
    `a program that does nothing: ${describe(nothing)}; without that a start ` +
      `is ${median(without).toFixed(2)} times a plain one`,
  );
  return median(sandboxed.map((ms, round) => ms / (plain[round] ?? NaN)));
}

function describe(values: readonly number[]): string {
  return `median ${median(values).toFixed(0)} ms, best ${
    best(values).toFixed(0)
  } ms`;
}

async function transferCost(bus: LoopbackBus): Promise<number> {
  const none: number[] = [];
  const all: number[] = [];
  const extra = [String(TRANSFERS)];
  const driver = "bench_driver" as const;
  for (let round = 0; round < TRANSFER_RUNS; round++) {
    none.push(await bus.transferUs({ driver, extra, experiment: NO_LAYERS }));
    all.push(await bus.transferUs({ driver, extra }));
  }
  console.log(
    `a transfer: ${best(none).toFixed(1)} us without layers, ${
      best(all).toFixed(1)
    } us with all`,
  );
  return best(all) / best(none) - 1;
}

/** Prints both ratios; whether both promises are kept. */
export async function benchStart(): Promise<boolean> {
  if (LIBUSB === "" || !exists(LIBUSB)) throw new Error("libusb is missing");
  await using bus = new LoopbackBus();
  const script = await Deno.makeTempFile({ suffix: ".js" });
  try {
    await Deno.writeTextFile(script, 'console.log("hello");\n');
    const ratio = await startRatio(bus, script);
    const cost = await transferCost(bus);
    console.log(
      `start: ${
        ratio.toFixed(2)
      } times a plain one (at most ${START_RATIO_MAX})`,
    );
    console.log(
      `transfer: ${(cost * 100).toFixed(1)} % more (at most ${
        TRANSFER_COST_MAX * 100
      } %)`,
    );
    return ratio <= START_RATIO_MAX && cost <= TRANSFER_COST_MAX;
  } finally {
    await Deno.remove(script);
  }
}

if (import.meta.main) Deno.exit(await benchStart() ? 0 : 1);
