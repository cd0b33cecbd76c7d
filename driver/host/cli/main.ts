/**
 * `driverspace`: finds the command, checks what was typed, runs it, and turns
 * what went wrong into one sentence and an exit code.
 *
 * @module
 */

import {
  type CliIo,
  type Command,
  type CommandCall,
  parseArguments,
  type ParsedArguments,
} from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { CliError, EXIT, type ExitCode } from "./exit_codes.ts";
import { commandHelp, exitCodesHelp, generalHelp } from "./help.ts";
import { printError } from "./output.ts";
import { suggestion } from "./suggest.ts";
import { harmless } from "./text.ts";
import type { Toolbox } from "./toolbox.ts";

/** What the program is put together from. */
export interface CliParts {
  readonly toolbox: Toolbox;
  readonly io: CliIo;
}

/** Runs one call of `driverspace`; `args` are those behind its name. */
export async function runCli(
  args: readonly string[],
  parts: CliParts,
): Promise<ExitCode> {
  try {
    return await dispatch(args, parts);
  } catch (error) {
    return printError(parts.io, error);
  }
}

async function dispatch(
  args: readonly string[],
  parts: CliParts,
): Promise<ExitCode> {
  const [first = "", ...rest] = args;
  if (first === "" || first === "--help" || first === "-h") {
    parts.io.out(generalHelp(COMMANDS));
    return first === "" ? EXIT.usage : EXIT.done;
  }
  if (first === "--version" || first === "-V") return version(parts);
  if (first === "help") return help(rest, parts);
  const command = findCommand(first);
  if (asksForHelp(rest)) {
    parts.io.out(commandHelp(command));
    return EXIT.done;
  }
  return await command.run(makeCall(parseArguments(command, rest), parts));
}

function help(args: readonly string[], { io }: CliParts): ExitCode {
  const [topic = ""] = args;
  if (topic === "") io.out(generalHelp(COMMANDS));
  else if (topic === "exit-codes") io.out(exitCodesHelp());
  else io.out(commandHelp(findCommand(topic)));
  return EXIT.done;
}

function version({ io, toolbox }: CliParts): ExitCode {
  const { deno, v8 } = Deno.version;
  io.out(`driverspace ${toolbox.version} (deno ${deno}, v8 ${v8})\n`);
  return EXIT.done;
}

function findCommand(name: string): Command {
  const found = COMMANDS.find((command) => command.name === name);
  if (found !== undefined) return found;
  const kind = name.startsWith("-") ? "flag" : "command";
  const known = [...COMMANDS.map((command) => command.name), "help"];
  const words = kind === "flag" ? ["--help", "--version"] : known;
  throw new CliError(
    EXIT.usage,
    `Unknown ${kind} ${JSON.stringify(harmless(name, 80))}.${
      suggestion(name, words)
    }`,
    "driverspace --help shows all commands",
  );
}

/** Whether `--help` stands before `--`. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  const before = end < 0 ? args : args.slice(0, end);
  return before.includes("--help") || before.includes("-h");
}

function makeCall(parsed: ParsedArguments, parts: CliParts): CommandCall {
  const values = (flag: string): readonly string[] => {
    const given = parsed.flags[flag];
    return given === undefined || given === true ? [] : given;
  };
  return {
    ...parts,
    positionals: parsed.positionals,
    command: parsed.command,
    has: (flag) => parsed.flags[flag] !== undefined,
    value: (flag) => values(flag)[0],
    values,
  };
}
