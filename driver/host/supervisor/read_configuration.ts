/**
 * Reads a configuration from its file.
 *
 * @module
 */

import { readProblem } from "../read_problem.ts";
import {
  CONFIGURATION_BYTES_MAX,
  ConfigurationError,
  parseConfiguration,
  type SupervisorConfiguration,
} from "./configuration.ts";

/**
 * Reads a configuration's file.
 *
 * @throws {ConfigurationError} When it cannot be read or used.
 */
export function readConfiguration(path: string): SupervisorConfiguration {
  let source: string;
  try {
    if (Deno.statSync(path).size > CONFIGURATION_BYTES_MAX) {
      throw new Error("it is too long");
    }
    source = Deno.readTextFileSync(path);
  } catch (error) {
    throw new ConfigurationError(path, [
      { line: 1, column: 1, message: `Cannot read it: ${readProblem(error)}` },
    ]);
  }
  return parseConfiguration(source, path);
}
