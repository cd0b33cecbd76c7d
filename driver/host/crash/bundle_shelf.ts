/**
 * Where crash bundles lie: a folder for each driver, a file for each failure,
 * the oldest making way. A file is there whole or not at all.
 *
 * @module
 */

import type { ExitClass } from "../exit_class.ts";

/** Bundles kept of each driver, if nothing else is said: a crash loop until its quarantine. */
export const BUNDLES_KEPT = 10;

/** A bundle to be kept. */
export interface BundleToKeep {
  /** Of the driver. */
  readonly instance: string;
  readonly exitClass: ExitClass;
  readonly pid: number | undefined;
  /** Wall clock of the failure. */
  readonly atMs: number;
  readonly text: string;
}

/** Writes a file whole. @throws {Error} As the system says; then nothing is left of it. */
export type WriteWhole = (path: string, text: string) => Promise<void>;

/** Keeps bundles. */
export class BundleShelf {
  readonly folder: string;
  readonly #keep: number;
  readonly #write: WriteWhole;

  /** `folder` is made when it is needed. `write` is for tests of broken disks. */
  constructor(
    folder: string,
    options: { readonly keep?: number; readonly write?: WriteWhole } = {},
  ) {
    this.folder = folder;
    this.#keep = options.keep ?? BUNDLES_KEPT;
    this.#write = options.write ?? writeWhole;
  }

  /**
   * Keeps a bundle and gives its path.
   *
   * @throws {Error} As the system says; then the older ones are all still there.
   */
  async keep(bundle: BundleToKeep): Promise<string> {
    const folder = `${this.folder}/${bundle.instance}`;
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    const name = nameOf(bundle);
    const path = `${folder}/${name}`;
    await this.#write(path, bundle.text);
    await this.#makeRoom(folder, name);
    return path;
  }

  /** What cannot be removed is tried again the next time. */
  async #makeRoom(folder: string, newest: string): Promise<void> {
    const names: string[] = [];
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (isFile && BUNDLE_NAME.test(name) && name !== newest) names.push(name);
    }
    // The newest stays, whatever a clock that was set back calls it.
    const surplus = names.length + 1 - this.#keep;
    for (const name of names.sort().slice(0, Math.max(0, surplus))) {
      await Deno.remove(`${folder}/${name}`).catch(() => {});
    }
  }
}

/** `20260101T120000.123Z-hang-4711.json`, and what a dying host left of one. */
const BUNDLE_NAME = /^\d{8}T\d{6}\.\d{3}Z-[a-z-]+-\d+\.json(\.part)?$/;

function nameOf({ atMs, exitClass, pid }: BundleToKeep): string {
  const time = new Date(atMs).toISOString().replaceAll(/[-:]/g, "");
  return `${time}-${exitClass}-${pid ?? 0}.json`;
}

async function writeWhole(path: string, text: string): Promise<void> {
  const part = `${path}.part`;
  try {
    await writeThrough(part, text);
    await Deno.rename(part, path);
  } catch (error) {
    await Deno.remove(part).catch(() => {});
    throw error;
  }
}

async function writeThrough(path: string, text: string): Promise<void> {
  using file = await Deno.open(path, {
    write: true,
    create: true,
    truncate: true,
    mode: 0o600,
  });
  const bytes = new TextEncoder().encode(text);
  for (let done = 0; done < bytes.length;) {
    done += await file.write(bytes.subarray(done));
  }
  await file.sync();
}
