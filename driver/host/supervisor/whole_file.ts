/**
 * Files that are there whole or not at all, and a lock that ends with its
 * process.
 *
 * @module
 */

/** Reads and writes one file. An argument of what keeps state, so that tests break disks. */
export interface WholeFile {
  /** Its text; `undefined` where there is none. @throws {Error} As the system says. */
  read(): string | undefined;
  /** Replaces it: after a power cut it is the old or the new one. @throws {Error} As the system says. */
  write(text: string): void;
}

/** A file on this machine. */
export function wholeFile(path: string): WholeFile {
  return {
    read(): string | undefined {
      try {
        return Deno.readTextFileSync(path);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw error;
      }
    },
    write(text: string): void {
      const part = `${path}.part`;
      writeThrough(part, text);
      Deno.renameSync(part, path);
      syncFolder(path.slice(0, path.lastIndexOf("/")) || "/");
    },
  };
}

/** Somebody else has the lock. */
export class LockedError extends Error {
  override readonly name = "LockedError";
}

/** A lock that is held until it is disposed of, or its process ends, however it ends. */
export class FileLock implements Disposable {
  readonly #file: Deno.FsFile;

  /**
   * Takes the lock.
   *
   * @throws {LockedError} When another process has it; says which.
   */
  constructor(path: string) {
    const file = Deno.openSync(path, {
      read: true,
      write: true,
      create: true,
      mode: 0o600,
    });
    if (!file.tryLockSync(true)) {
      const holder = readStart(file);
      file.close();
      const who = /^\d+$/.test(holder) ? ` (process ${holder})` : "";
      throw new LockedError(
        `Another supervisor is running${who}: it holds ${path}`,
      );
    }
    file.truncateSync(0);
    file.writeSync(new TextEncoder().encode(String(Deno.pid)));
    this.#file = file;
  }

  /** Gives it back. The file stays: removing it would let two hold it. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}

function writeThrough(path: string, text: string): void {
  using file = Deno.openSync(path, {
    write: true,
    create: true,
    truncate: true,
    mode: 0o600,
  });
  const bytes = new TextEncoder().encode(text);
  for (let done = 0; done < bytes.length;) {
    done += file.writeSync(bytes.subarray(done));
  }
  file.syncSync();
}

/** The new name itself must survive; a file system that cannot do it has no such names. */
function syncFolder(path: string): void {
  try {
    using folder = Deno.openSync(path, { read: true });
    folder.syncSync();
  } catch {
    // The file itself is safe.
  }
}

function readStart(file: Deno.FsFile): string {
  const bytes = new Uint8Array(16);
  const length = file.readSync(bytes) ?? 0;
  return new TextDecoder().decode(bytes.subarray(0, length)).trim();
}
