/**
 * What can stand where on a command line of `driverspace`, made from the
 * commands' own data: what shells are told.
 *
 * @module
 */

import { LOG_LEVELS } from "../log_level.ts";
import { SANDBOX_PROFILES } from "../sandbox_policy.ts";
import type { Command, FlagSpec } from "./command.ts";
import type { Toolbox } from "./toolbox.ts";

/** What may follow: some words, files, or folders. */
export interface Following {
  readonly words: readonly string[];
  readonly paths: "none" | "files" | "folders";
}

/** A flag of a command. */
export interface CompletedFlag {
  readonly name: string;
  readonly short: string | undefined;
  readonly description: string;
  /** Its value; absent: it has none. */
  readonly value: Following | undefined;
}

/** A command. */
export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly CompletedFlag[];
  /** What stands there without a flag. */
  readonly argument: Following;
}

/** Shells that are known. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** Every command, with what may follow it. */
export function completedCommands(
  commands: readonly Command[],
  toolbox: Pick<Toolbox, "drivers" | "virtualDevices">,
): CompletedCommand[] {
  const names = {
    drivers: toolbox.drivers.map(({ driver }) => driver.name),
    devices: toolbox.virtualDevices.map(({ name }) => name),
  };
  const help: CompletedFlag = {
    name: "help",
    short: undefined,
    description: "Arguments, flags and examples",
    value: undefined,
  };
  return [
    ...commands.map((command) => ({
      name: command.name,
      summary: command.summary,
      flags: [
        ...Object.entries(command.flags).map(([name, spec]) =>
          completedFlag(name, spec, names)
        ),
        help,
      ],
      argument: argumentOf(command, names),
    })),
    {
      name: "help",
      summary: "Show the help of a command, or exit-codes",
      flags: [],
      argument: words([...commands.map(({ name }) => name), "exit-codes"]),
    },
  ];
}

interface Names {
  readonly drivers: readonly string[];
  readonly devices: readonly string[];
}

function completedFlag(
  name: string,
  { short, description, value }: FlagSpec,
  names: Names,
): CompletedFlag {
  return {
    name,
    short,
    description,
    value: value === undefined ? undefined : valueOf(name, value, names),
  };
}

/** By the flag's name, or what its value is called in its help. */
function valueOf(name: string, value: string, names: Names): Following {
  switch (name) {
    case "virtual":
      return words(names.devices);
    case "transport":
      return words(["preload", "notify"]);
    case "profile":
      return words(SANDBOX_PROFILES);
    case "level":
    case "log-level":
      return words(LOG_LEVELS);
  }
  if (value === "PATH" || value === "CONFIG") {
    return { ...NOTHING, paths: "files" };
  }
  return value === "DIR" ? { ...NOTHING, paths: "folders" } : NOTHING;
}

/** By the first word of the usage. */
function argumentOf({ name, usage }: Command, names: Names): Following {
  if (name === "completions") return words(SHELLS);
  if (usage.startsWith("DRIVER")) {
    return { words: names.drivers, paths: "files" };
  }
  if (usage.startsWith("DEVICE")) return words(names.devices);
  const isFile = /^\[?(CONFIG|NAME\|FILE|FILE|BUNDLE)/.test(usage);
  return isFile ? { ...NOTHING, paths: "files" } : NOTHING;
}

const NOTHING: Following = { words: [], paths: "none" };

function words(list: readonly string[]): Following {
  return { words: list, paths: "none" };
}
