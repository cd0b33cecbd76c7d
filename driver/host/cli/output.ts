/**
 * What commands print alike: errors with their next step, JSON for machines.
 *
 * @module
 */

import { UsbError } from "../../errors.ts";
import type { CliIo } from "./command.ts";
import {
  CliError,
  EXIT,
  type ExitCode,
  exitCodeOfUsbError,
} from "./exit_codes.ts";
import { harmlessLines } from "./text.ts";

/** Prints one JSON document for machines: names in snake_case, stable. */
export function printJson(io: CliIo, value: unknown): void {
  io.out(JSON.stringify(value, undefined, 2) + "\n");
}

/**
 * Prints an error of the world or of usage as a sentence and the next step, and
 * gives the code to end with. Anything else is a bug of ours and is thrown on.
 */
export function printError(io: CliIo, error: unknown): ExitCode {
  if (error instanceof CliError) {
    io.err(`driverspace: ${harmlessLines(error.message)}\n`);
    if (error.advice !== undefined) io.err(`${harmlessLines(error.advice)}\n`);
    return error.code;
  }
  if (error instanceof UsbError) {
    io.err(`driverspace: ${harmlessLines(error.message)}\n`);
    return exitCodeOfUsbError(error.code);
  }
  throw error;
}

/** Reads a choice among names. @throws {CliError} `config`, with a suggestion. */
export function missingName(
  kind: string,
  text: string,
  hint: string,
): CliError {
  return new CliError(
    EXIT.config,
    `There is no ${kind} ${JSON.stringify(text)}.${hint}`,
  );
}
