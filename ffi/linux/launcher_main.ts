/**
 * Entry of the launcher: reads its command line and becomes the driver.
 *
 *     deno run --allow-ffi=LIBRARY launcher_main.ts --libc=LIBRARY OPTIONS -- DRIVER.js ARGUMENTS
 *
 * Start it with an empty environment; `buildLauncherCommand` of
 * `driver/host/sandbox_policy_command.ts` makes the whole command. With
 * `--reattach` it gives interfaces back to their kernel drivers and ends.
 *
 * @module
 */

import type { SandboxPolicy } from "../../driver/host/sandbox_policy.ts";
import { parseLauncherArguments } from "../../driver/host/sandbox_policy_arguments.ts";
import {
  formatRefusal,
  LaunchRefused,
} from "../../driver/host/sandbox_policy_failures.ts";
import { launch, type LaunchExperiment } from "./launcher.ts";
import { openDevice, reattach } from "./launcher_device.ts";
import { Libc, SyscallError } from "./libc.ts";

/** Runs the launcher on a command line; ends the process when it refuses. */
export function launcherMain(
  args: readonly string[],
  experiment: LaunchExperiment = {},
): void {
  try {
    const { libcPath, isReattach, rest } = takeOwnOptions(args);
    const policy = readPolicy(rest);
    const libc = openLibc(libcPath ?? policy.libraryPath);
    if (isReattach) {
      reattach(libc, openDevice(libc, policy, { isStandIn: false }), policy);
    } else launch(libc, policy, experiment);
  } catch (error) {
    const refusal = asRefusal(error);
    console.error(formatRefusal(refusal.refusal, refusal.message));
    Deno.exit(refusal.exitCode);
  }
}

function takeOwnOptions(args: readonly string[]): {
  readonly libcPath: string | undefined;
  readonly isReattach: boolean;
  readonly rest: readonly string[];
} {
  const rest = [...args];
  const [, libcPath] = /^--libc=(.+)$/s.exec(rest[0] ?? "") ?? [];
  if (libcPath !== undefined) rest.shift();
  const isReattach = rest[0] === "--reattach";
  if (isReattach) rest.shift();
  return { libcPath, isReattach, rest };
}

function readPolicy(args: readonly string[]): SandboxPolicy {
  try {
    return parseLauncherArguments(args);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LaunchRefused("configuration", reason);
  }
}

function openLibc(path: string): Libc {
  try {
    return Libc.open(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LaunchRefused("library", `Cannot load ${path}: ${reason}`);
  }
}

/** A call nobody expected to fail is a refusal like any other. */
function asRefusal(error: unknown): LaunchRefused {
  if (error instanceof LaunchRefused) return error;
  const what = error instanceof SyscallError ? error.message : String(error);
  return new LaunchRefused("internal", `Cannot confine the driver: ${what}`);
}

if (import.meta.main) launcherMain(Deno.args);
