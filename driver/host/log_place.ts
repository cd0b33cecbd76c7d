/**
 * Whether the launcher would take a log: a regular file with one name, in a
 * folder that nobody else may write, apart from code. The launcher looks again,
 * through descriptors, so that nothing can be swapped in between; this look
 * comes first, so that a person hears of it before anything is started.
 *
 * @module
 */

import { LogFileError } from "./log_rotation.ts";
import type { LauncherRefusal } from "./sandbox_policy_failures.ts";
import { LAUNCHER_REFUSALS } from "./sandbox_policy_failures.ts";

const OTHERS_MAY_WRITE = 0o002;
const STICKY = 0o1000;

/** What a log's place is held against. */
export interface LogPlaceOptions {
  /** Files the driver starts from. */
  readonly code: readonly string[];
  /** Somebody else will write it: who owns its folder is not asked. */
  readonly isForAnother?: boolean;
}

/**
 * Looks at a log's place.
 *
 * @throws {LogFileError} With the reason and what to do.
 */
export function checkLogPlace(path: string, options: LogPlaceOptions): void {
  const { code, isForAnother = false } = options;
  const folder = parentOf(path);
  const found = look(folder);
  // What is missing altogether has its own sentence when the file is made.
  if (found === undefined) return;
  checkFile(path);
  checkFolders(path, found, { isForAnother });
  const other = code.find((file) => isSame(look(parentOf(file)), found));
  if (other !== undefined) {
    throw refused("log-overlap", path, `${parentOf(other)} is for code`);
  }
}

function checkFolders(
  path: string,
  folder: Deno.FileInfo,
  options: { readonly isForAnother: boolean },
): void {
  const { mode, uid } = folder;
  const isOurs = options.isForAnother || uid === 0 || uid === Deno.uid();
  if (((mode ?? 0) & OTHERS_MAY_WRITE) !== 0 || !isOurs) {
    throw refused(
      "log-folder-shared",
      path,
      "others may write, or own, its folder",
    );
  }
  let current = realFolder(parentOf(path));
  while (current !== "/") {
    current = parentOf(current);
    const above = look(current)?.mode ?? 0;
    // A sticky folder, as /tmp is, lets nobody rename what is another's.
    if ((above & OTHERS_MAY_WRITE) === 0 || (above & STICKY) !== 0) continue;
    throw refused(
      "log-folder-shared",
      path,
      `others may replace a folder on the way to it, in ${current}`,
    );
  }
}

function checkFile(path: string): void {
  const file = look(path, Deno.lstatSync);
  if (file === undefined) return;
  if (file.isDirectory) {
    throw refused("log-not-file", path, "it is a directory");
  }
  if (file.isSymlink) {
    throw refused("log-symlink", path, "it is a symbolic link");
  }
  if (!file.isFile) {
    const what = file.isFifo ? "it is a FIFO" : "it is not a regular file";
    throw refused("log-not-file", path, what);
  }
  if ((file.nlink ?? 1) !== 1) {
    throw refused("log-hard-link", path, `the file has ${file.nlink} names`);
  }
}

/** Where a folder really is; itself where that cannot be told. */
function realFolder(folder: string): string {
  try {
    return Deno.realPathSync(folder);
  } catch {
    return folder;
  }
}

function look(
  path: string,
  stat: (path: string) => Deno.FileInfo = Deno.statSync,
): Deno.FileInfo | undefined {
  try {
    return stat(path);
  } catch {
    return undefined;
  }
}

function isSame(one: Deno.FileInfo | undefined, two: Deno.FileInfo): boolean {
  return one !== undefined && one.dev === two.dev && one.ino === two.ino;
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function refused(
  refusal: LauncherRefusal,
  path: string,
  reason: string,
): LogFileError {
  return new LogFileError(
    `Cannot write the log ${path}: ${reason}. ${LAUNCHER_REFUSALS[refusal]}`,
  );
}
