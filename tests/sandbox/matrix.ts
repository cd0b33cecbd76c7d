/**
 * What `deno task probes` runs: every hostile attempt in every mode, on two
 * kinds of thread, the calls that kill, and the refusals to start. Prints the
 * matrix, drops each granted entry in turn, and ends with `N passed, N failed`.
 */

import { isNotifyAvailable } from "../../ffi/linux/virtual_bus_available.ts";
import { canSandbox, isRoot } from "./harness.ts";
import { type Cell, runKill, runProbe } from "./matrix_run.ts";
import { dropEach } from "./minimality.ts";
import { runBusRefusals, runRefusals } from "./refusals.ts";
import {
  killingCalls,
  PROBE_MODES,
  PROBE_ROWS,
  type ProbeMode,
} from "./probe_rows.ts";
import { withReachableDeno } from "./unprivileged.ts";

const TITLES: Readonly<Record<ProbeMode, string>> = {
  none: "none",
  landlock: "Landlock",
  seccomp: "seccomp",
  both: "both",
  stage2: "stage 2",
};
const NAME_WIDTH = 52;
const CELL_WIDTH = 16;
/** What the claims promise: refused attempts on two kinds of thread. */
const DENIED_MIN = 60;

let passed = 0;
let failed = 0;

function count(isRight: boolean, what: string): void {
  if (isRight) passed++;
  else {
    failed++;
    console.log(`FAILED  ${what}`);
  }
}

async function matrix(): Promise<void> {
  const runs = new Map<ProbeMode, readonly Cell[]>();
  for (const mode of PROBE_MODES) runs.set(mode, await runProbe(mode));
  console.log("Cells: main thread / pool thread. `yes` means it succeeded.\n");
  const head = PROBE_MODES.map((mode) => TITLES[mode].padEnd(CELL_WIDTH));
  console.log(`${"attempt".padEnd(NAME_WIDTH)}${head.join("")}`);
  PROBE_ROWS.forEach(({ name }) => {
    const cells = PROBE_MODES.map((mode) =>
      text(runs.get(mode) ?? [], name).padEnd(CELL_WIDTH)
    );
    console.log(`${name.padEnd(NAME_WIDTH)}${cells.join("")}`.trimEnd());
  });
  console.log();
  for (const [mode, cells] of runs) summarize(TITLES[mode], cells);
  const denied = (runs.get("both") ?? []).filter((cell) => cell.isRefused);
  count(
    denied.length >= DENIED_MIN,
    `${denied.length} attempts denied, ${DENIED_MIN} are promised`,
  );
}

function text(cells: readonly Cell[], name: string): string {
  const found = cells.filter(({ row }) => row.name === name);
  return found.map((cell) => cell.isRight ? cell.text : `${cell.text}!`).join(
    " / ",
  );
}

function summarize(title: string, cells: readonly Cell[]): void {
  const refused = cells.filter(({ isRefused }) => isRefused).length;
  console.log(`${title}: ${refused} of ${cells.length} attempts refused`);
  for (const cell of cells) {
    count(
      cell.isRight,
      `${title}, ${cell.thread} thread: ${cell.row.name}: ${cell.text}`,
    );
  }
}

async function kills(): Promise<void> {
  let dead = 0;
  for (const call of killingCalls()) {
    const { isKilled, text: how } = await runKill(call);
    if (isKilled) dead++;
    count(isKilled, `${call} must kill: ${how}`);
  }
  console.log(`${dead} of ${killingCalls().length} calls killed the process`);
}

/** Older kernels, a tighter profile, and a start without root: nothing may open. */
async function variants(): Promise<void> {
  for (const pretendAbi of [1, 2, 3, 4, 5]) {
    const cells = await runProbe("both", { pretendAbi });
    summarize(`Landlock cut to version ${pretendAbi}, with seccomp`, cells);
  }
  summarize(
    "jitless, stage 2",
    await runProbe("stage2", { profile: "jitless" }),
  );
  if (!isRoot) return;
  await withReachableDeno(async ({ denoPath, driver, user }) => {
    const options = { denoPath, driver, user };
    summarize("another user, stage 2", await runProbe("stage2", options));
  });
}

async function refusals(): Promise<void> {
  const bus = await isNotifyAvailable();
  if (!bus.isAvailable) {
    console.log(`Not tried: starts refused for their device. ${bus.reason}`);
  }
  const results = [
    ...await runRefusals(),
    ...bus.isAvailable ? await runBusRefusals() : [],
  ];
  for (const { name, isRight, text: how } of results) {
    count(isRight, `must not start: ${name}: ${how}`);
  }
  console.log(`${results.length} starts refused, each with its reason`);
}

async function minimality(): Promise<void> {
  const bus = await isNotifyAvailable();
  if (!bus.isAvailable) {
    console.log(`Not tried: each entry dropped in turn. ${bus.reason}`);
    return;
  }
  const dropped = await dropEach();
  for (const { what, isNeeded } of dropped) {
    count(isNeeded, `a driver works without ${what}, which is granted`);
  }
  const needed = dropped.filter(({ isNeeded }) => isNeeded).length;
  console.log(
    `${needed} of ${dropped.length} entries, dropped in turn, were missed`,
  );
}

if (!canSandbox) {
  console.log("The sandbox is for Linux with libusb: nothing to probe here");
  console.log("0 passed, 1 failed");
  Deno.exit(1);
}
await matrix();
await variants();
await kills();
await refusals();
await minimality();
console.log(`${passed} passed, ${failed} failed`);
Deno.exit(failed === 0 ? 0 : 1);
