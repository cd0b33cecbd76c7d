/**
 * What a command of `driverspace` is: data for parsing and help, and a function.
 *
 * @module
 */

import type { Clock } from "../../loop/clock.ts";
import { parseArgs } from "../../std.ts";
import { CliError, EXIT, type ExitCode } from "./exit_codes.ts";
import { suggestion } from "./suggest.ts";
import { harmless } from "./text.ts";
import type { Toolbox } from "./toolbox.ts";

/** A flag of a command. */
export interface FlagSpec {
  readonly description: string;
  /** Name of its value in help: `PATH`. Absent: it is on or off. */
  readonly value?: string;
  /** One letter that stands for it: `f` for `-f`. */
  readonly short?: string;
  /** May be given more than once. */
  readonly many?: boolean;
}

/** A command of `driverspace`. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  /** What comes behind `driverspace NAME` on the usage line, arguments that must be given first. */
  readonly usage: string;
  /** Further paragraphs of its help. */
  readonly details?: string;
  readonly flags: Readonly<Record<string, FlagSpec>>;
  readonly examples: readonly string[];
  /** Positional arguments it takes, at least and at most. */
  readonly positionals: readonly [atLeast: number, atMost: number];
  /** Takes everything behind `--` as a command line. */
  readonly takesCommand?: boolean;
  readonly run: (call: CommandCall) => Promise<ExitCode>;
}

/** Where a command writes and what it knows of its surroundings. */
export interface CliIo {
  /** Text without a trailing newline gets none. */
  out(text: string): void;
  err(text: string): void;
  /** Whether the reader of standard output went away; absent: it never does. */
  readonly isOutputClosed?: () => boolean;
  /** Whether standard output is a terminal. */
  readonly isTerminal: boolean;
  /** Whether colours are wanted: a terminal, and no NO_COLOR. */
  readonly hasColor: boolean;
  /** Width of the terminal, asked anew each time. */
  columns(): number;
  /** Calls `handler` at each Ctrl-C, SIGTERM or SIGHUP until the result is called. */
  onInterrupt(handler: () => void): () => void;
  readonly clock: Clock;
  /** From 0 up to 1. */
  random(): number;
}

/** One call of a command: what was typed, checked, and what it may use. */
export interface CommandCall {
  readonly positionals: readonly string[];
  /** What stood behind `--`. */
  readonly command: readonly string[];
  readonly toolbox: Toolbox;
  readonly io: CliIo;
  /** Whether an on-or-off flag was given. */
  has(flag: string): boolean;
  /** Value of a flag, if it was given. */
  value(flag: string): string | undefined;
  /** Values of a flag that may be given more than once. */
  values(flag: string): readonly string[];
}

/** What was typed, taken apart and checked against a command's flags. */
export interface ParsedArguments {
  readonly positionals: readonly string[];
  readonly command: readonly string[];
  readonly flags: Readonly<Record<string, readonly string[] | true>>;
}

/**
 * Takes the arguments behind a command's name apart.
 *
 * @throws {CliError} `usage`, with a suggestion, when something does not fit.
 */
export function parseArguments(
  command: Command,
  args: readonly string[],
): ParsedArguments {
  const names = Object.keys(command.flags);
  const withValue = names.filter((name) => takesValue(command, name));
  const parsed = parseArgs(args, {
    boolean: names.filter((name) => !takesValue(command, name)),
    string: ["_", ...withValue],
    collect: withValue,
    alias: shortNames(command),
    "--": true,
    unknown: (argument, key) => {
      if (key === undefined) return true;
      throw unknownFlag(command, argument);
    },
  });
  const flags: Record<string, readonly string[] | true> = {};
  for (const name of names) {
    const given = parsed[name];
    if (given === true) flags[name] = true;
    if (Array.isArray(given) && given.length > 0) {
      flags[name] = checkValues(command, name, given.map(String));
    }
  }
  const positionals = parsed._.map(String);
  checkPositionals(command, positionals);
  const behind = parsed["--"] ?? [];
  if (behind.length > 0 && command.takesCommand !== true) {
    throw usageError(command, `Cannot use ${quote("--")} here`);
  }
  return { positionals, command: behind, flags };
}

/** An error of usage, with the line that says how it goes. */
export function usageError(command: Command, message: string): CliError {
  return new CliError(
    EXIT.usage,
    message,
    `Usage: driverspace ${command.name} ${command.usage}`.trimEnd(),
  );
}

function shortNames(command: Command): Record<string, string> {
  return Object.fromEntries(
    Object.entries(command.flags).flatMap(([name, { short }]) =>
      short === undefined ? [] : [[name, short]]
    ),
  );
}

function takesValue(command: Command, name: string): boolean {
  return command.flags[name]?.value !== undefined;
}

function unknownFlag(command: Command, argument: string): CliError {
  const flag = argument.replace(/=.*$/s, "");
  const known = [...Object.keys(command.flags), "help"].map((name) =>
    `--${name}`
  );
  return usageError(
    command,
    `Unknown flag ${quote(flag)} of ${command.name}.${suggestion(flag, known)}`,
  );
}

function checkValues(
  command: Command,
  name: string,
  values: readonly string[],
): readonly string[] {
  const { many, value } = command.flags[name] ?? {};
  if (values.some((text) => text === "")) {
    throw usageError(command, `Flag --${name} needs a value: ${value}`);
  }
  if (many !== true && values.length > 1) {
    throw usageError(command, `Flag --${name} was given more than once`);
  }
  return values;
}

function checkPositionals(
  command: Command,
  positionals: readonly string[],
): void {
  const [atLeast, atMost] = command.positionals;
  if (positionals.length < atLeast) {
    const missing = command.usage.split(" ")
      .slice(positionals.length, atLeast)
      .map((word) => word.replace(/\[.*$/, ""));
    throw usageError(
      command,
      `Command ${command.name} needs ${missing.join(" and ")}`,
    );
  }
  const surplus = positionals[atMost];
  if (surplus !== undefined) {
    throw usageError(
      command,
      `Command ${command.name} takes no argument ${quote(surplus)}`,
    );
  }
}

function quote(text: string): string {
  return JSON.stringify(harmless(text, 80));
}
