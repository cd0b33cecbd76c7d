/**
 * What was confined, told up the line: the launcher tells the driver on its
 * command line, the driver verifies, adds stage 2 and tells its parent, and the
 * parent refuses less than the policy demands.
 *
 * @module
 */

import {
  SANDBOX_PROFILES,
  type SandboxPolicy,
  type SandboxProfile,
} from "./sandbox_policy.ts";

/** What the launcher did. */
export interface LauncherReport {
  /** The kernel's Landlock version; 0: not applied. */
  readonly landlockAbi: number;
  /** Whether the driver's filter was installed. */
  readonly seccomp: boolean;
  readonly profile: SandboxProfile;
  /** Mask of the interfaces that may be claimed. */
  readonly interfaces: number;
  /** Names of own namespaces, as in `/proc/self/ns`. */
  readonly namespaces: readonly string[];
  /** The user it runs as. */
  readonly userId: number;
}

/** What the driver holds, verified from inside. Plain JSON. */
export interface SandboxReport extends LauncherReport {
  /** Stage 2 is in force on every thread. */
  readonly stage2: boolean;
  /** No executable memory can be made. */
  readonly noNewCode: boolean;
  /** What was tried from inside and refused, or found as it must be. */
  readonly verified: readonly string[];
  /** What was tried and not refused: a policy refuses any. */
  readonly failed: readonly string[];
}

/** The last argument of a driver, as the launcher writes it. */
const ARGUMENT = /^--sandbox=(.*)$/s;

/**
 * Takes the launcher's report off a driver's arguments; `undefined` when there
 * is none: the process was not started by a launcher.
 *
 * @throws {SyntaxError} When there is one that is not a report.
 */
export function takeLauncherReport(
  args: readonly string[],
): { report: LauncherReport | undefined; rest: readonly string[] } {
  const [, text] = ARGUMENT.exec(args.at(-1) ?? "") ?? [];
  if (text === undefined) return { report: undefined, rest: args };
  return { report: readReport(text), rest: args.slice(0, -1) };
}

/** What a report lacks of what a policy demands, as sentences; empty: nothing. */
export function reportShortfall(
  policy: SandboxPolicy,
  report: SandboxReport,
): readonly string[] {
  const demands: readonly (readonly [boolean, string])[] = [
    [
      report.landlockAbi >= policy.landlockAbiMinimum,
      `Landlock ${report.landlockAbi} is in force, ${policy.landlockAbiMinimum} is demanded`,
    ],
    [report.seccomp, "no system call filter is in force"],
    [report.stage2, "stage 2 is not in force"],
    [
      report.profile === policy.profile,
      `profile ${report.profile} is in force, ${policy.profile} is demanded`,
    ],
    [
      report.noNewCode || policy.profile !== "jitless",
      "new code can still be made",
    ],
    [report.failed.length === 0, `not refused: ${report.failed.join(", ")}`],
  ];
  return demands.filter(([isMet]) => !isMet).map(([, what]) => what);
}

function readReport(text: string): LauncherReport {
  const value: unknown = JSON.parse(text);
  const report = value as LauncherReport;
  const isReport = typeof value === "object" && value !== null &&
    Number.isInteger(report.landlockAbi) &&
    typeof report.seccomp === "boolean" &&
    SANDBOX_PROFILES.includes(report.profile) &&
    Number.isInteger(report.interfaces) && Number.isInteger(report.userId) &&
    Array.isArray(report.namespaces);
  if (!isReport) throw new SyntaxError("Cannot read the launcher's report");
  return report;
}
