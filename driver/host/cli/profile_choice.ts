/**
 * Which profile of the sandbox was asked for.
 *
 * @module
 */

import { SANDBOX_PROFILES } from "../sandbox_policy.ts";
import type { CommandCall } from "./command.ts";
import { CliError, EXIT } from "./exit_codes.ts";
import type { RunPlan } from "./run_plan.ts";
import { suggestion } from "./suggest.ts";
import { harmless } from "./text.ts";

/** What `--profile` names; `undefined` leaves it to the driver. @throws {CliError} `usage`. */
export function namedProfile(
  call: CommandCall,
): RunPlan["profile"] | undefined {
  const text = call.value("profile");
  if (text === undefined) return undefined;
  const named = SANDBOX_PROFILES.find((profile) => profile === text);
  if (named === "virtual" && call.value("device") !== undefined) {
    throw new CliError(
      EXIT.usage,
      "Profile virtual is weaker, for virtual devices: never for a real one",
      "Give --virtual NAME, or another profile",
    );
  }
  if (named !== undefined) return named;
  const shown = JSON.stringify(harmless(text, 80));
  throw new CliError(
    EXIT.usage,
    `There is no profile ${shown}.${suggestion(text, SANDBOX_PROFILES)}`,
    `Profiles: ${SANDBOX_PROFILES.join(", ")}`,
  );
}
