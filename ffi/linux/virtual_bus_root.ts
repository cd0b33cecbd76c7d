/**
 * The temporary directory a virtual bus keeps its files in. It goes with the
 * bus; what a killed process left behind goes when the next bus starts.
 *
 * @module
 */

import { UsbError } from "../../driver/errors.ts";

/** Begins the name of every root, so that stale ones are recognised. */
const PREFIX = "vbus.";
/** Held locked for as long as the owner lives; the kernel drops it with the process. */
const LOCK = "lock";
/**
 * Longest root: `/1000/ioctl//dev/bus/usb/001/002` and a zero byte are appended
 * to it and have to fit into the 108 bytes of `struct sockaddr_un`.
 */
const ROOT_LENGTH_MAX = 64;
/** A root without a lock belongs to a process that died while making it, if it is older than this. */
const UNLOCKED_AGE_MS_MAX = 3_600_000;

/** A temporary directory of ours, for this user only. Closing twice is a no-op. */
export class TemporaryRoot implements Disposable {
  /** Absolute and short. */
  readonly path: string;
  readonly #lock: Deno.FsFile;
  #isOpen = true;

  private constructor(path: string, lock: Deno.FsFile) {
    this.path = path;
    this.#lock = lock;
  }

  /**
   * Makes one, after removing those whose owners are dead.
   *
   * @throws {UsbError} `access` when there is no place for it.
   */
  static create(): TemporaryRoot {
    const path = makeShortDirectory();
    removeStaleRoots(path.slice(0, path.lastIndexOf("/")));
    const lock = Deno.openSync(`${path}/${LOCK}.new`, {
      write: true,
      create: true,
    });
    lock.lockSync(true);
    // Only now it gets its name: a root with a lock that is free is stale.
    Deno.renameSync(`${path}/${LOCK}.new`, `${path}/${LOCK}`);
    return new TemporaryRoot(path, lock);
  }

  /** Removes the directory with all it contains. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    removeIfThere(this.path);
    this.#lock.close();
  }

  /** Removes the directory at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Removes the roots of dead processes from a directory and gives their number.
 * Roots of other users and of living processes stay.
 */
export function removeStaleRoots(directory: string): number {
  let removed = 0;
  for (const entry of Deno.readDirSync(directory)) {
    if (!entry.isDirectory || !entry.name.startsWith(PREFIX)) continue;
    const path = `${directory}/${entry.name}`;
    try {
      if (!isStale(path)) continue;
      Deno.removeSync(path, { recursive: true });
      removed++;
    } catch {
      // Another user's, or another process removes it at this moment.
    }
  }
  return removed;
}

function isStale(path: string): boolean {
  if (Deno.lstatSync(path).uid !== Deno.uid()) return false;
  let lock;
  try {
    lock = Deno.openSync(`${path}/${LOCK}`, { write: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const changedMs = Deno.lstatSync(path).mtime?.getTime() ?? Date.now();
    return Date.now() - changedMs > UNLOCKED_AGE_MS_MAX;
  }
  const isFree = lock.tryLockSync(true);
  lock.close();
  return isFree;
}

function makeShortDirectory(): string {
  // A long TMPDIR does not leave enough room in a socket's address.
  const failures: unknown[] = [];
  for (const options of [{ prefix: PREFIX }, { prefix: PREFIX, dir: "/tmp" }]) {
    try {
      const path = Deno.makeTempDirSync(options);
      if (new TextEncoder().encode(path).length <= ROOT_LENGTH_MAX) return path;
      Deno.removeSync(path);
      failures.push(new RangeError(`${path} is too long`));
    } catch (error) {
      failures.push(error);
    }
  }
  throw new UsbError({
    code: "access",
    operation: "make a temporary directory for the virtual bus",
    reason: failures.map(String).join("; "),
    advice: "Set TMPDIR to a writable directory with a short name",
    cause: failures,
  });
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
