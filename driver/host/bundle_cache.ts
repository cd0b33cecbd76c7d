/**
 * Keeps the folder of bundles from growing for ever: each change of a driver's
 * source leaves its old bundle behind.
 *
 * @module
 */

/** Files kept, records and bundles together: dozens of drivers, and about 10 MB. */
export const BUNDLE_FILES_MAX = 64;

/** The names this folder's files have; nothing else is ever removed. */
const OURS = /^[0-9a-f]{64}\.(js|json)$/;

/**
 * Removes the files longest not used, beyond `keepMax`. A bundle is used when it
 * is made or found again; a driver that runs has read its own already. What is
 * removed too early is made anew.
 */
export async function evictBundles(
  folder: string,
  keepMax: number = BUNDLE_FILES_MAX,
): Promise<void> {
  const files: { readonly path: string; readonly usedMs: number }[] = [];
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (!isFile || !OURS.test(name)) continue;
    const path = `${folder}/${name}`;
    // Another process may have removed it meanwhile.
    const found = await Deno.stat(path).catch(() => undefined);
    if (found !== undefined) {
      files.push({ path, usedMs: found.atime?.getTime() ?? 0 });
    }
  }
  files.sort((a, b) => b.usedMs - a.usedMs);
  for (const { path } of files.slice(keepMax)) {
    await Deno.remove(path).catch(() => {});
  }
}

/**
 * Notes as access time that files were used now; when they were made stays. A
 * folder that cannot be written keeps its dates.
 */
export async function markUsed(paths: readonly string[]): Promise<void> {
  await Promise.all(
    paths.map(async (path) => {
      try {
        const { mtime } = await Deno.stat(path);
        await Deno.utime(path, new Date(), mtime ?? new Date());
      } catch {
        // Gone, or not ours to date: it counts as it did.
      }
    }),
  );
}
