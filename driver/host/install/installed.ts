/**
 * What was installed, remembered with the hashes of what was written: only that
 * may be replaced or removed again. It lies beside the configuration, where
 * nobody but root writes: whoever could change it could have root remove files.
 *
 * @module
 */

/** A file of ours. */
export interface InstalledFile {
  readonly path: string;
  /** SHA-256 of what was written, hexadecimal; of an upgrade under way both. */
  readonly hashes: readonly string[];
  /** It was made to be changed. */
  readonly isSample: boolean;
}

/** Everything of ours. */
export interface Installed {
  readonly files: readonly InstalledFile[];
  /** Folders that were made for them. */
  readonly folders: readonly string[];
}

/** Where it is remembered, without the root of a package. */
export const INSTALLED_PATH = "/etc/driverspace/installed.json";

/** Nothing. */
export const NOTHING_INSTALLED: Installed = { files: [], folders: [] };

/** Folders that files of ours lie in. Nothing else is ever removed, whatever stands in the file. */
const OURS = [
  /^\/etc\/udev\/rules\.d\/70-driverspace-[0-9a-f]{4}-[0-9a-f]{4}\.rules$/,
  /^\/etc\/systemd\/system\/driverspace[a-z-]*\.service$/,
  /^\/etc\/(sysusers|tmpfiles)\.d\/driverspace\.conf$/,
  /^\/etc\/driverspace\/[A-Za-z0-9_-][A-Za-z0-9._-]*$/,
];
const OUR_FOLDERS =
  /^\/etc(\/(udev(\/rules\.d)?|systemd(\/system)?|sysusers\.d|tmpfiles\.d|driverspace))?$/;

/** A record that cannot be used. */
export class InstalledError extends Error {
  override readonly name = "InstalledError";
}

/** Version of the record. */
const VERSION = 1;

/** The record as text. */
export function encodeInstalled({ files, folders }: Installed): string {
  const record = {
    version: VERSION,
    files: files.map(({ path, hashes, isSample }) => ({
      path,
      hashes,
      sample: isSample,
    })),
    folders,
  };
  return JSON.stringify(record, undefined, 2) + "\n";
}

/**
 * Reads a record.
 *
 * @throws {InstalledError} When it is none of ours, or names what we never write.
 */
export function decodeInstalled(text: string | undefined): Installed {
  if (text === undefined) return NOTHING_INSTALLED;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InstalledError(`${INSTALLED_PATH} is no JSON`);
  }
  const { version, files, folders } = (value ?? {}) as Record<string, unknown>;
  if (version !== VERSION || !Array.isArray(files) || !Array.isArray(folders)) {
    throw new InstalledError(`${INSTALLED_PATH} is of another version`);
  }
  return { files: files.map(readFile), folders: folders.map(readFolder) };
}

function readFile(value: unknown): InstalledFile {
  const { path, hashes, sample } = (value ?? {}) as Record<string, unknown>;
  const isOurs = typeof path === "string" && OURS.some((one) => one.test(path));
  const isHashed = Array.isArray(hashes) &&
    hashes.every((hash) => /^[0-9a-f]{64}$/.test(String(hash)));
  if (isOurs && isHashed) {
    return { path, hashes: hashes.map(String), isSample: sample === true };
  }
  throw new InstalledError(
    `${INSTALLED_PATH} names ${JSON.stringify(path)}, which is none of ours`,
  );
}

function readFolder(value: unknown): string {
  if (typeof value === "string" && OUR_FOLDERS.test(value)) return value;
  throw new InstalledError(
    `${INSTALLED_PATH} names ${JSON.stringify(value)}, which is none of ours`,
  );
}
