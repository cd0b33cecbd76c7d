/**
 * Where a driver's log goes, and whether the launcher would take it there. What
 * it would refuse is refused before a file is made.
 *
 * @module
 */

import { UsbError } from "../../errors.ts";
import { checkLogPlace } from "../log_place.ts";
import { LogFileError, prepareLogFile } from "../log_rotation.ts";
import { cacheFolder, logFolder } from "../own_folders.ts";
import type { CommandCall } from "./command.ts";
import { CliError, EXIT } from "./exit_codes.ts";
import type { Toolbox } from "./toolbox.ts";

/**
 * The log that was named, or the driver's own; it exists when this returns.
 *
 * @throws {CliError} `cannotCreateLog`.
 */
export function prepareLog(
  { value, has, toolbox }: CommandCall,
  driver: { readonly name: string; readonly libraryPath: string | undefined },
): string {
  try {
    const absolute = absolutePath(value("log") ?? ownLog(driver.name));
    if (!has("direct")) {
      checkLogPlace(absolute, { code: codeFiles(toolbox, driver.libraryPath) });
    }
    prepareLogFile(absolute);
    return absolute;
  } catch (error) {
    if (!(error instanceof LogFileError)) throw error;
    throw new CliError(
      EXIT.cannotCreateLog,
      error.message,
      "Name a file in a folder that you may write: --log ./driverspace.log",
    );
  }
}

/** Files that a sandboxed driver starts from: where they lie no log may. */
export function codeFiles(
  toolbox: Pick<Toolbox, "findLibrary">,
  libraryPath?: string,
): readonly string[] {
  const own = [Deno.execPath(), `${cacheFolder()}/driver`];
  try {
    return [...own, toolbox.findLibrary(libraryPath).path];
  } catch (error) {
    if (!(error instanceof UsbError)) throw error;
    // It is missing, which the start itself says with a code of its own.
    return own;
  }
}

/** Without `.` and `..`: the launcher takes no others. */
export function absolutePath(path: string): string {
  const base = new URL(`file://${encodeURI(Deno.cwd())}/`);
  return decodeURIComponent(
    new URL(path.split("/").map(encodeURIComponent).join("/"), base).pathname,
  );
}

/** Every driver has a log; without a place of its own it goes to ours. */
function ownLog(name: string): string {
  const folder = logFolder();
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new LogFileError(`Cannot make the folder ${folder}: ${error}`);
  }
  return `${folder}/${name}.log`;
}
