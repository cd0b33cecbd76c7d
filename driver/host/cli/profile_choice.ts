/**
 * Which profile of the sandbox was asked for.
 *
 * @module
 */

import type { CommandCall } from "./command.ts";
import { CliError, EXIT } from "./exit_codes.ts";
import type { RunPlan } from "./run_plan.ts";
import { suggestion } from "./suggest.ts";
import { harmless } from "./text.ts";

const PROFILES = ["default", "jitless"] as const;

/** What `--profile` names; `undefined` leaves it to the driver. @throws {CliError} `usage`. */
export function namedProfile(
  call: CommandCall,
): RunPlan["profile"] | undefined {
  const text = call.value("profile");
  if (text === undefined) return undefined;
  const named = PROFILES.find((profile) => profile === text);
  if (named !== undefined) return named;
  const shown = JSON.stringify(harmless(text, 80));
  throw new CliError(
    EXIT.usage,
    `There is no profile ${shown}.${suggestion(text, PROFILES)}`,
    `Profiles: ${PROFILES.join(", ")}`,
  );
}
