/**
 * How a virtual device is shown to its driver, and in which profile of the
 * sandbox the driver then runs.
 *
 * @module
 */

import { UsbError } from "../../errors.ts";
import type { SandboxProfile } from "../sandbox_policy.ts";
import { CliError, EXIT } from "./exit_codes.ts";
import type { RunPlan } from "./run_plan.ts";
import type { BusTransport, SandboxFacts } from "./toolbox.ts";

/** A bus, and what it means for confinement. */
export interface BusChoice {
  readonly transport: BusTransport;
  readonly profile: SandboxProfile;
  /** Why it is not the bus that the full sandbox needs; empty where it is, or where nobody asked for it. */
  readonly why: string;
}

/**
 * The full sandbox needs a bus that outlives exec, B. Where that cannot be had
 * the driver runs on bus A, confined by the profile `virtual`, which is weaker
 * and never taken in place of a profile that was named.
 *
 * @throws {CliError} `unavailable` when no bus can be had, or not the one that
 *   the profile needs; `permission` when the profile that was named cannot be had.
 */
export function chooseBus(
  plan: Pick<RunPlan, "isDirect" | "profile" | "isProfileNamed">,
  { transports }: Pick<SandboxFacts, "transports">,
): BusChoice {
  const { isDirect, profile } = plan;
  const canNotify = transports.notify === "";
  const canPreload = transports.preload === "";
  if (isDirect && canPreload) return { transport: "preload", profile, why: "" };
  if (profile === "virtual" && !isDirect) {
    if (!canPreload) throw noBus(transports.preload);
    return { transport: "preload", profile, why: "" };
  }
  if (canNotify) return { transport: "notify", profile, why: "" };
  if (!canPreload) throw noBus(`${transports.preload} ${transports.notify}`);
  if (plan.isProfileNamed) {
    throw new CliError(
      EXIT.permission,
      `Cannot run a virtual device in profile ${profile} here: ${transports.notify}`,
      "Leave --profile out for the profile virtual, which is weaker",
    );
  }
  const why = transports.notify.replace(/\.$/, "");
  return { transport: "preload", profile: "virtual", why };
}

/** A bus that cannot be had after all, with its code; any other error as it is. */
export function busError(error: unknown): unknown {
  const isNone = error instanceof UsbError && error.code === "notSupported";
  return isNone ? new CliError(EXIT.unavailable, error.message) : error;
}

/** What to say where no virtual bus can be had, or not the one that is needed. */
export function noBus(reason: string): CliError {
  return new CliError(
    EXIT.unavailable,
    `Cannot show a virtual bus to programs: ${reason}`,
    "driverspace doctor says what this machine has",
  );
}
