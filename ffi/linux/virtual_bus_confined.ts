/**
 * Drivers that a launcher confines on a bus of the preload library: the profile
 * `virtual`. Nothing is preloaded into the launcher; it is told by its command
 * line what its driver needs.
 *
 * @module
 */

import { findShared } from "../../driver/host/sandbox_policy_paths.ts";
import type { VirtualBusAccess } from "../../driver/host/sandbox_policy.ts";
import { statSync } from "node:fs";
import { runningArchitecture } from "./syscalls.ts";
import { PreloadTransport } from "./virtual_bus_preload.ts";
import { PRELOAD_LIBRARY } from "./virtual_bus_preload_client.ts";
import type {
  BusTransport,
  ClientCommand,
  ClientProcess,
} from "./virtual_bus_process.ts";

/** Starts launchers on a bus. */
export interface ConfinedClients {
  /** What a driver needs, but for its root, which each has to itself. */
  readonly access: VirtualBusAccess;
  /** Starts the launcher of one driver. */
  spawn(
    commandFor: (access: VirtualBusAccess) => ClientCommand,
  ): Promise<ClientProcess>;
}

/**
 * The way to start launchers on a bus; `undefined` on one that needs none, and
 * where the preload library is in no folder that a driver's loader looks into.
 */
export function confinedClients(
  bus: BusTransport,
): ConfinedClients | undefined {
  if (!(bus instanceof PreloadTransport)) return undefined;
  const architecture = runningArchitecture();
  const preloadPath = findShared(PRELOAD_LIBRARY, architecture, isThere);
  if (preloadPath === undefined) return undefined;
  const common = { preloadPath, folderPath: bus.folder };
  return {
    access: { ...common, rootPath: `${bus.folder}/1` },
    spawn: (commandFor) =>
      bus.spawnLater(({ root }) => commandFor({ ...common, rootPath: root })),
  };
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
