/**
 * What a reload has to touch: what is equal in both configurations is left
 * alone.
 *
 * @module
 */

import type { DriverEntry, SupervisorConfiguration } from "./configuration.ts";

/** The difference of two configurations. */
export interface ConfigurationDiff {
  /** To be started. */
  readonly added: readonly DriverEntry[];
  /** To be stopped in order, then started anew. */
  readonly changed: readonly DriverEntry[];
  /** To be stopped in order. */
  readonly removed: readonly string[];
  /** Untouched. */
  readonly unchanged: readonly string[];
  /** What takes effect only with a new supervisor. */
  readonly needsRestart: readonly RestartPart[];
  /** The bridge to a broker has another table now. It is a process of its own and must be told. */
  readonly isBridgeStale: boolean;
}

/** A part of a configuration that a supervisor takes once. */
export type RestartPart = "server" | "state_file" | "crash_bundles";

/** Compares. */
export function diffConfigurations(
  before: SupervisorConfiguration,
  after: SupervisorConfiguration,
): ConfigurationDiff {
  const entries = [...after.drivers.values()];
  const isNew = (entry: DriverEntry): boolean =>
    !before.drivers.has(entry.name);
  const isSame = (entry: DriverEntry): boolean =>
    canonical(before.drivers.get(entry.name)) === canonical(entry);
  const needsRestart: RestartPart[] = [];
  if (canonical(before.server) !== canonical(after.server)) {
    needsRestart.push("server");
  }
  if (before.stateFile !== after.stateFile) needsRestart.push("state_file");
  if (canonical(before.crashBundles) !== canonical(after.crashBundles)) {
    needsRestart.push("crash_bundles");
  }
  return {
    added: entries.filter(isNew),
    changed: entries.filter((entry) => !isNew(entry) && !isSame(entry)),
    removed: [...before.drivers.keys()].filter((name) =>
      !after.drivers.has(name)
    ),
    unchanged: entries.filter(isSame).map(({ name }) => name),
    needsRestart,
    isBridgeStale: canonical(before.mqtt) !== canonical(after.mqtt),
  };
}

/** Text that is equal for equal values, whatever the order of their members. */
export function canonical(value: unknown): string {
  return JSON.stringify(
    value,
    (_, member: unknown) =>
      typeof member === "object" && member !== null && !Array.isArray(member)
        ? Object.fromEntries(
          Object.entries(member).sort(([a], [b]) => a < b ? -1 : 1),
        )
        : member,
  ) ?? "undefined";
}
