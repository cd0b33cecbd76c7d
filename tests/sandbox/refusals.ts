/**
 * Starts that must not happen: each ends with its exit code and a named reason,
 * and no driver has run.
 */

import {
  LAUNCHER_REFUSALS,
  type LauncherRefusal,
  parseRefusal,
} from "../../driver/host/sandbox_policy_failures.ts";
import { runOnBus } from "./bus_run.ts";
import { BUS_REFUSAL_ROWS, type BusRefusal } from "./refusal_bus_rows.ts";
import { type Refusal, REFUSAL_ROWS, STAND_IN } from "./refusal_rows.ts";
import { bundleOf, finish, LIBUSB, runLaunch, Scratch } from "./harness.ts";

/** What came of it. */
export interface RefusalResult {
  readonly name: string;
  readonly isRight: boolean;
  readonly text: string;
}

/** Tries them all. */
export async function runRefusals(): Promise<readonly RefusalResult[]> {
  const results: RefusalResult[] = [];
  for (const refusal of REFUSAL_ROWS) results.push(await tryRefusal(refusal));
  results.push(await withoutLauncher(), await wrongCommandLine());
  return results;
}

/** Tries those of a virtual bus's device, on a bus B. */
export async function runBusRefusals(): Promise<readonly RefusalResult[]> {
  const results: RefusalResult[] = [];
  for (const row of BUS_REFUSAL_ROWS) results.push(await tryOnBus(row));
  return results;
}

/** Tries one of them. */
export async function tryOnBus(row: BusRefusal): Promise<RefusalResult> {
  const { code, stderr, results } = await runOnBus(row.run);
  const found = parseRefusal(stderr);
  return {
    name: row.name,
    isRight: code === 77 && results === undefined &&
      found?.refusal === row.wanted && isTold(found.message, row.wanted) &&
      found.message.includes(row.words),
    text: `${code}, ${stderr.trim()}`,
  };
}

/** Whether a sentence ends with its remedy. */
function isTold(message: string, refusal: LauncherRefusal): boolean {
  return message.endsWith(LAUNCHER_REFUSALS[refusal]);
}

/** Refusals that no start here ends with. */
export function refusalsUntried(): readonly LauncherRefusal[] {
  const tried = new Set<LauncherRefusal>([
    ...[...REFUSAL_ROWS, ...BUS_REFUSAL_ROWS].map(({ wanted }) => wanted),
    ...[WITHOUT_LAUNCHER, WRONG_COMMAND_LINE],
  ]);
  const all = Object.keys(LAUNCHER_REFUSALS) as LauncherRefusal[];
  return all.filter((refusal) => !tried.has(refusal));
}

async function tryRefusal(refusal: Refusal): Promise<RefusalResult> {
  await using scratch = await Scratch.make();
  const scene = await refusal.scene(scratch);
  using _opened = scene.opened;
  const { policy = {}, experiment = STAND_IN } = scene;
  const { libcPath, kernelRefuses } = scene;
  const driver = await bundleOf("echo_driver");
  const { code, stdout, stderr } = await runLaunch({
    scratch,
    driver,
    driverArguments: [LIBUSB],
    policy,
    experiment,
    ...(libcPath === undefined ? {} : { libcPath }),
    ...(kernelRefuses === undefined ? {} : { kernelRefuses }),
  });
  const found = parseRefusal(stderr);
  return {
    name: refusal.name,
    isRight: code === 77 && found?.refusal === refusal.wanted &&
      isTold(found.message, refusal.wanted) && stdout === "",
    text: `${code}, ${stderr.trim()}`,
  };
}

const WITHOUT_LAUNCHER: LauncherRefusal = "not-confined";
const WRONG_COMMAND_LINE: LauncherRefusal = "configuration";

/** A driver that is simply run. */
async function withoutLauncher(): Promise<RefusalResult> {
  const driver = await bundleOf("echo_driver");
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      `--allow-ffi=${LIBUSB}`,
      driver,
      LIBUSB,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const { code, stdout, stderr } = await finish(child);
  return {
    name: "the driver is started without a launcher",
    isRight: code === 77 && stdout === "" &&
      parseRefusal(stderr)?.refusal === WITHOUT_LAUNCHER,
    text: `${code}, ${stderr.trim()}`,
  };
}

/** The real entry, which has no option that weakens. */
async function wrongCommandLine(): Promise<RefusalResult> {
  const launcher = await bundleOf("launcher");
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      `--allow-ffi=${LIBUSB}`,
      launcher,
      "--no-landlock",
      "--",
      "/driver.js",
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const { code, stderr } = await finish(child);
  return {
    name: "the launcher is asked to leave a layer out",
    isRight: code === 78 &&
      parseRefusal(stderr)?.refusal === WRONG_COMMAND_LINE,
    text: `${code}, ${stderr.trim()}`,
  };
}
