/**
 * The log, opened with the launcher's authority: a regular file with one name,
 * in a folder nobody else may write, apart from code. Log and folder are looked
 * at through their descriptors, and the folders above from there upwards, so
 * nothing can be swapped in between.
 *
 * @module
 */

import { assert } from "../../driver/assert.ts";
import type { SandboxPolicy } from "../../driver/host/sandbox_policy.ts";
import {
  type LauncherRefusal,
  LaunchRefused,
} from "../../driver/host/sandbox_policy_failures.ts";
import { ERRNO, errnoName } from "./errno.ts";
import {
  AT_FDCWD,
  type FileStatus,
  fileStatus,
  openFlags,
  statusOf,
} from "./file_status.ts";
import { cstring, type Libc } from "./libc.ts";

const OTHERS_MAY_WRITE = 0o002;
const STICKY = 0o1000;
const LOG_MODE = 0o640;
/** So many `../` fit into a path: PATH_MAX / 3. include/uapi/linux/limits.h. */
const FOLDER_DEPTH_MAX = 1365;
const F_SETFL = 4;

const OPEN_REFUSALS: ReadonlyMap<number, LauncherRefusal> = new Map([
  [ERRNO.ELOOP, "log-symlink"],
  [ERRNO.EISDIR, "log-not-file"],
  [ERRNO.ENXIO, "log-not-file"], // a FIFO that nobody reads, or a socket
  [ERRNO.ENOENT, "log-missing"],
  [ERRNO.ENOTDIR, "log-missing"],
]);

/**
 * Opens the log for appending.
 *
 * @throws {LaunchRefused} `log-…`.
 */
export function openLog(
  libc: Libc,
  policy: SandboxPolicy,
  options: { readonly denoPath: string },
): number {
  const path = policy.logPath;
  const flags = openFlags(libc);
  const folder = libc.call("openat", [
    AT_FDCWD,
    cstring(parentOf(path)),
    flags.PATH | flags.DIRECTORY | flags.CLOEXEC,
    0,
  ]);
  if (folder < 0) throw refused(path, -folder);
  const owners = [0, libc.call("geteuid"), policy.user?.userId ?? 0];
  checkFolder(libc, folder, { path, owners });
  const log = libc.call("openat", [
    folder,
    cstring(path.slice(path.lastIndexOf("/") + 1)),
    // Without O_NONBLOCK a FIFO would keep us waiting for its reader.
    flags.WRONLY | flags.APPEND | flags.CREAT | flags.NOFOLLOW |
    flags.NOCTTY | flags.NONBLOCK | flags.CLOEXEC,
    LOG_MODE,
  ]);
  if (log < 0) throw refused(path, -log);
  checkLog(libc, log, path);
  checkOverlap(libc, { log, folder }, {
    path,
    code: [policy.libraryPath, policy.driverPath, options.denoPath],
  });
  libc.check("fcntl", [log, F_SETFL, flags.APPEND]);
  libc.check("close", [folder]);
  return log;
}

/** The folder itself, then every folder above it: who may put another in its place? */
function checkFolder(
  libc: Libc,
  folder: number,
  log: { readonly path: string; readonly owners: readonly number[] },
): void {
  const { path, owners } = log;
  const status = fileStatus(libc, folder);
  const isOurs = owners.includes(status.userId);
  if ((status.mode & OTHERS_MAY_WRITE) !== 0 || !isOurs) {
    throw new LaunchRefused(
      "log-folder-shared",
      `Cannot write ${path}: others may write, or own, its folder`,
    );
  }
  let below = status;
  let up = "..";
  for (let depth = 0; depth < FOLDER_DEPTH_MAX; depth++, up += "/..") {
    const above = statusOf(libc, { from: folder, path: up });
    if (typeof above === "number") throw refused(path, above);
    if (above.identity === below.identity) break;
    if (isOpenToAll(above)) {
      throw new LaunchRefused(
        "log-folder-shared",
        `Cannot write ${path}: others may replace a folder on the way to it`,
      );
    }
    below = above;
  }
}

/** Others may rename what is in it: writable, and not sticky as /tmp is. */
function isOpenToAll(status: FileStatus): boolean {
  return (status.mode & OTHERS_MAY_WRITE) !== 0 && (status.mode & STICKY) === 0;
}

function checkLog(libc: Libc, log: number, path: string): void {
  const status = fileStatus(libc, log);
  if (status.type !== "file") {
    throw new LaunchRefused(
      "log-not-file",
      `Cannot write ${path}: it is not a regular file`,
    );
  }
  if (status.links !== 1) {
    throw new LaunchRefused(
      "log-hard-link",
      `Cannot write ${path}: the file has ${status.links} names`,
    );
  }
}

/** A folder that holds code holds no log, and a log is no code. */
function checkOverlap(
  libc: Libc,
  opened: { readonly log: number; readonly folder: number },
  paths: { readonly path: string; readonly code: readonly string[] },
): void {
  const log = fileStatus(libc, opened.log).identity;
  const folder = fileStatus(libc, opened.folder).identity;
  for (const code of paths.code) {
    const isSame = identityOf(libc, code) === log ||
      identityOf(libc, parentOf(code)) === folder;
    if (isSame) {
      throw new LaunchRefused(
        "log-overlap",
        `Cannot write ${paths.path}: ${code} is in the same folder`,
      );
    }
  }
}

/** Which file a path leads to now; `undefined` for none. */
function identityOf(libc: Libc, path: string): string | undefined {
  const status = statusOf(libc, { path });
  return typeof status === "number" ? undefined : status.identity;
}

function parentOf(path: string): string {
  assert(path.startsWith("/"), "Policies hold absolute paths");
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function refused(path: string, errno: number): LaunchRefused {
  return new LaunchRefused(
    OPEN_REFUSALS.get(errno) ?? "log-access",
    `Cannot open ${path}: ${errnoName(errno)}`,
  );
}
