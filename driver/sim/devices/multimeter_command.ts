/**
 * What a command of the instrument is.
 *
 * @module
 */

import type {
  MultimeterInstrument,
  WhenIdle,
} from "./multimeter_instrument.ts";
import { type HeaderPattern, headerPattern } from "./multimeter_scpi.ts";

/** What a command does; a function it returns is called when nothing is pending any more. */
export type RunCommand = (
  instrument: MultimeterInstrument,
  parameters: readonly string[],
) => WhenIdle | void;

/** A command of the instrument. */
export interface ScpiCommand {
  readonly header: HeaderPattern;
  /** Least and most parameters. */
  readonly parameters: readonly [minimum: number, maximum: number];
  readonly run: RunCommand;
}

/** A command from its pattern; by default it takes no parameters. */
export function scpi(
  pattern: string,
  run: RunCommand,
  parameters: readonly [number, number] = [0, 0],
): ScpiCommand {
  return { header: headerPattern(pattern), parameters, run };
}
