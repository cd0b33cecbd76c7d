/**
 * Help texts, made from the commands' own data.
 *
 * @module
 */

import type { Command, FlagSpec } from "./command.ts";
import { EXIT_MEANINGS } from "./exit_codes.ts";
import { columns } from "./text.ts";

/** `driverspace --help`. */
export function generalHelp(commands: readonly Command[]): string {
  return [
    "driverspace: USB drivers in user space, each in a sandbox of its own",
    "",
    "Usage: driverspace COMMAND [arguments]",
    "",
    ...columns(
      commands.map((command) => [`  ${command.name}`, command.summary]),
    ),
    "",
    "driverspace COMMAND --help   arguments, flags and examples of a command",
    "driverspace help exit-codes  what each exit code means",
    "driverspace --version        versions of Driver Space, Deno and V8",
    "",
    "Try it without hardware:",
    "  driverspace run usbtmc --virtual multimeter --for 10s",
    "",
  ].join("\n");
}

/** `driverspace COMMAND --help`. */
export function commandHelp(command: Command): string {
  const flags = Object.entries(command.flags).map(([name, spec]) => [
    `  ${flagText(name, spec)}`,
    spec.description + (spec.many === true ? " (may be repeated)" : ""),
  ]);
  return [
    command.summary,
    "",
    `Usage: driverspace ${command.name} ${command.usage}`.trimEnd(),
    "",
    ...(command.details === undefined ? [] : [wrap(command.details), ""]),
    ...columns([...flags, ["  --help", "This text"]]),
    "",
    "Examples:",
    ...command.examples.map((example) => `  ${example}`),
    "",
  ].join("\n");
}

function flagText(name: string, { short, value }: FlagSpec): string {
  const letter = short === undefined ? "" : `-${short}, `;
  return `${letter}--${name}${value === undefined ? "" : ` ${value}`}`;
}

/** `driverspace help exit-codes`. */
export function exitCodesHelp(): string {
  const rows = Object.entries(EXIT_MEANINGS)
    .map(([code, meaning]) => [code.padStart(5), meaning]);
  return [...columns(rows), ""].join("\n");
}

const WIDTH = 78;

function wrap(text: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join("\n");
}
