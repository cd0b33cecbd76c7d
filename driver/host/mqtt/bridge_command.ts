/**
 * The command line of the bridge's process, in one place for whoever starts it:
 * `driverspace mqtt` and the unit.
 *
 * @module
 */

import { configFlags, nearestConfig } from "../module_config.ts";
import { bridgeFlags, type BridgeGrants } from "./permissions.ts";

/** How to start a bridge. */
export interface BridgeCommandOptions extends BridgeGrants {
  /** What {@linkcode moduleFlags} gave. */
  readonly moduleFlags: readonly string[];
  /** It ends when its standard input does: whoever started it is gone. */
  readonly untilStdinCloses?: boolean;
}

/** Program and arguments. */
export function bridgeCommand(options: BridgeCommandOptions): string[] {
  const { configuration, socket } = options;
  return [
    Deno.execPath(),
    "run",
    "--quiet",
    "--no-prompt",
    "--cached-only",
    ...options.moduleFlags,
    ...bridgeFlags(options),
    PROGRAM,
    configuration,
    `--socket=${socket}`,
    ...(options.untilStdinCloses === true ? ["--until-stdin-closes"] : []),
  ];
}

/** Program and arguments of what fetches the bridge's modules once, where they are not yet. */
export function fetchCommand(flags: readonly string[]): string[] {
  return [Deno.execPath(), "cache", "--quiet", ...flags, PROGRAM];
}

/** How the bridge's modules are found: by our own `deno.json` and its lock, which is not written. */
export async function moduleFlags(): Promise<string[]> {
  const config = await nearestConfig(PROGRAM_URL);
  if (config === undefined) return configFlags(config);
  const lock = config.replace(/[^/]*$/, "deno.lock");
  return isFile(lock)
    ? [`--config=${config}`, `--lock=${lock}`, "--frozen"]
    : configFlags(config);
}

const PROGRAM_URL = new URL("./bridge_main.ts", import.meta.url).href;
/** A local program by its path, as people write it. */
const PROGRAM = PROGRAM_URL.startsWith("file://")
  ? decodeURIComponent(new URL(PROGRAM_URL).pathname)
  : PROGRAM_URL;

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
