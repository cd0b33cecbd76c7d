/**
 * Files with a secret in their first line, which nobody but their owner may
 * read.
 *
 * @module
 */

/** A secret is a line; a wrong path must not make us read a disk. */
const FILE_BYTES_MAX = 64 * 1024;

/**
 * Reads the first line.
 *
 * @throws {Error} With the reason: others may read it, it is not there.
 */
export function readSecretLine(path: string): string {
  const { mode, size, isFile } = Deno.statSync(path);
  if (!isFile) throw new Error("it is no file");
  if (mode !== null && (mode & 0o077) !== 0) {
    throw new Error("others may read it; chmod 600 it");
  }
  if (size > FILE_BYTES_MAX) throw new Error("it is too long");
  return Deno.readTextFileSync(path).split("\n")[0]?.trim() ?? "";
}
