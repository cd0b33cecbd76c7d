/**
 * The bus of a supervisor that has no native code of its own: a process watches
 * it, and everything else that asks for devices or libusb is answered from what
 * that process tells.
 *
 * @module
 */

import { UsbError } from "../../errors.ts";
import type { Clock } from "../../loop/clock.ts";
import type { UsbPort } from "../../port.ts";
import { BundleError, bundleModule } from "../bundle.ts";
import { spawnClient } from "../client_process.ts";
import { DeviceWatcher } from "../device_watcher.ts";
import { cacheFolder } from "../own_folders.ts";
import { watchCommand } from "../watch_command.ts";
import type { WatchHello } from "../watch_frames.ts";
import { directEnvironment } from "./run_ways.ts";
import type { Toolbox } from "./toolbox.ts";

/** A bus that is being watched. */
export interface WatchedBus extends AsyncDisposable {
  readonly watcher: DeviceWatcher;
  /** The library and the boot, as the process told. */
  readonly hello: WatchHello;
  /** The tools of this program, without native code for a real bus. */
  readonly toolbox: Toolbox;
}

/**
 * Begins to watch.
 *
 * @throws {UsbError} `library` where there is no libusb; what else keeps the process from listing.
 */
export async function watchBusFor(
  toolbox: Toolbox,
  options: { readonly clock: Clock; readonly random: () => number },
): Promise<WatchedBus> {
  const line = watchCommand({
    denoPath: Deno.execPath(),
    program: await watchProgram(toolbox),
    libraries: toolbox.libraryCandidates,
  });
  const env = directEnvironment();
  const watcher = new DeviceWatcher({
    ...options,
    spawn: () => spawnClient(line, { stdio: "piped", env }),
  });
  try {
    const hello = await watcher.start();
    return {
      watcher,
      hello,
      toolbox: withoutNative(toolbox, watcher, hello),
      [Symbol.asyncDispose]: () => watcher.close(),
    };
  } catch (error) {
    await watcher.close();
    throw error;
  }
}

/** The program that watches: one file where it can be made; from its sources where not. */
export async function watchProgram(
  { bundles, watchUrl }: Toolbox,
): Promise<string> {
  if (bundles !== undefined) return bundles.watchPath;
  try {
    const made = await bundleModule(watchUrl, { cacheFolder: cacheFolder() });
    return made.path;
  } catch (error) {
    if (error instanceof BundleError) return watchUrl;
    throw error;
  }
}

function withoutNative(
  toolbox: Toolbox,
  watcher: DeviceWatcher,
  hello: WatchHello,
): Toolbox {
  return {
    ...toolbox,
    findLibrary: (path) =>
      path === undefined
        ? { path: hello.libraryPath, version: hello.libraryVersion }
        : toolbox.findLibrary(path),
    openPort: () => Promise.resolve(portOf(watcher)),
  };
}

/** Lists what is watched; whoever wants more has to be another process. */
function portOf(watcher: DeviceWatcher): UsbPort {
  const refuse = (operation: string): UsbError =>
    new UsbError({
      code: "notSupported",
      operation,
      reason: "this process holds no device and no native code",
    });
  const close = (): Promise<void> => Promise.resolve();
  return {
    devices: () => watcher.devices(),
    watch: () => {
      throw refuse("watch for devices");
    },
    open: () => Promise.reject(refuse("open a device")),
    close,
    [Symbol.asyncDispose]: close,
  };
}
