/**
 * The plan of an installation against the files that are there: what is new,
 * what is ours and may be replaced, what somebody changed and is left alone.
 * Files are written whole or not at all; nothing is written when one of them is
 * in the way.
 *
 * @module
 */

import type { InstallPlan, PlannedFile } from "./install_plan.ts";
import {
  decodeInstalled,
  encodeInstalled,
  type Installed,
  INSTALLED_PATH,
  type InstalledFile,
} from "./installed.ts";

/**
 * `new`: not there. `same`: as planned. `ours`: as we wrote it, and older.
 * `kept`: a sample that is somebody's now. `changed`: ours, and changed by hand.
 * `foreign`: not ours, or no regular file.
 */
export type FileState =
  | "new"
  | "same"
  | "ours"
  | "kept"
  | "changed"
  | "foreign";

/** A planned file and what is in its place. */
export interface FileOnDisk {
  readonly file: PlannedFile;
  readonly state: FileState;
}

/** A file that was installed, and whether it is still what was written. */
export interface InstalledOnDisk extends InstalledFile {
  readonly state: "same" | "changed" | "gone";
}

/** What is in the way of an installation. */
export class InTheWayError extends Error {
  override readonly name = "InTheWayError";
  /** Their paths. */
  readonly paths: readonly string[];

  /** Makes an error from the files in the way. */
  constructor(files: readonly FileOnDisk[]) {
    const lines = files.map(({ file: { path }, state }) =>
      `${path} ${state === "changed" ? "was changed since" : "is not ours"}`
    );
    super(`Cannot install, and nothing was written: ${lines.join("; ")}`);
    this.paths = files.map(({ file }) => file.path);
  }
}

/** Files below a root: `""` for this machine, a folder for a package. */
export class InstallDisk {
  readonly #root: string;

  /** Touches nothing yet. */
  constructor(root: string) {
    this.#root = root.replace(/\/+$/, "");
  }

  /** What was installed before. @throws {InstalledError} */
  async installed(): Promise<Installed> {
    return decodeInstalled(await readText(this.#at(INSTALLED_PATH)));
  }

  /** The text of a file; `undefined` where there is none. */
  text(path: string): Promise<string | undefined> {
    return readText(this.#at(path));
  }

  /** What is in the place of each planned file. */
  async look(plan: InstallPlan): Promise<FileOnDisk[]> {
    const { files: ours } = await this.installed();
    return await Promise.all(plan.files.map(async (file) => {
      const found = await this.#find(file.path);
      const known = ours.find(({ path }) => path === file.path);
      const planned = await sha256(file.text);
      return { file, state: stateOf(file, { found, planned, known }) };
    }));
  }

  /** What is left of what was installed. */
  async lookInstalled(): Promise<InstalledOnDisk[]> {
    const { files } = await this.installed();
    return await Promise.all(files.map(async (file) => {
      const found = await this.#find(file.path);
      if (found === undefined) return { ...file, state: "gone" as const };
      const isSame = file.hashes.includes(found.hash);
      return { ...file, state: isSame ? "same" as const : "changed" as const };
    }));
  }

  /** Ours, as we wrote it, and of no use to this plan: the rule of a device that is no longer named. */
  async lookObsolete(plan: InstallPlan): Promise<string[]> {
    const planned = plan.files.map(({ path }) => path);
    const installed = await this.lookInstalled();
    return installed.filter(({ path, state, isSample }) =>
      state === "same" && !isSample && !planned.includes(path)
    ).map(({ path }) => path);
  }

  /**
   * Writes what is not there yet, and removes what is of no use any more. Gives
   * the paths of both.
   *
   * @throws {InTheWayError} Without `isForced`, when a file is somebody else's. Nothing was written.
   * @throws {Error} As the system says. Nothing was written, unless it failed in the middle of renaming.
   */
  async write(
    plan: InstallPlan,
    options: { readonly isForced: boolean },
  ): Promise<{
    readonly written: readonly string[];
    readonly removed: readonly string[];
  }> {
    const files = await this.look(plan);
    const inTheWay = files.filter(({ state }) =>
      state === "changed" || state === "foreign"
    );
    if (inTheWay.length > 0 && !options.isForced) {
      throw new InTheWayError(inTheWay);
    }
    const wanted = files
      .filter(({ state }) => state !== "same" && state !== "kept")
      .map(({ file }) => file);
    const removed = await this.lookObsolete(plan);
    if (wanted.length + removed.length === 0) return { written: [], removed };
    const before = await this.installed();
    const after = await remembered(before, { files, removed });
    await this.#putAll(wanted, { before, after, removed });
    return { written: wanted.map(({ path }) => path), removed };
  }

  /**
   * Removes what was installed and is still what was written; with `isForced`
   * also what was changed, but for samples. Gives the paths removed.
   */
  async remove(options: { readonly isForced: boolean }): Promise<string[]> {
    const { folders } = await this.installed();
    const files = await this.lookInstalled();
    const going = files.filter(({ state, isSample }) =>
      state === "same" ||
      (state === "changed" && options.isForced && !isSample)
    );
    for (const { path } of going) await Deno.remove(this.#at(path));
    const left = files.filter((file) =>
      file.state === "changed" && !file.isSample && !going.includes(file)
    );
    if (left.length > 0) await this.#putRecord({ files: left, folders });
    else {
      await removeIfThere(this.#at(INSTALLED_PATH));
      await this.#removeFolders(folders);
    }
    return going.map(({ path }) => path);
  }

  /** Drafts first, then the record of what is ours, then the names. */
  async #putAll(
    files: readonly PlannedFile[],
    change: {
      readonly before: Installed;
      readonly after: Installed;
      readonly removed: readonly string[];
    },
  ): Promise<void> {
    const { before, after, removed } = change;
    const paths = [...files.map(({ path }) => path), INSTALLED_PATH];
    const made: string[] = [];
    const drafts: string[] = [];
    try {
      for (const path of paths) made.push(...await this.#makeFolders(path));
      for (const { path, text, mode } of files) {
        drafts.push(await writeDraft(this.#at(path), { text, mode }));
      }
      const folders = [...new Set([...before.folders, ...made])];
      await this.#putRecord({ files: union(before, after), folders });
      for (const [at, { path }] of files.entries()) {
        await Deno.rename(drafts[at] ?? "", this.#at(path));
      }
      for (const path of removed) await removeIfThere(this.#at(path));
      await this.#putRecord({ ...after, folders });
    } catch (error) {
      for (const draft of drafts) await removeIfThere(draft);
      await this.#removeFolders(made);
      throw error;
    }
  }

  async #putRecord(record: Installed): Promise<void> {
    const path = this.#at(INSTALLED_PATH);
    const text = encodeInstalled(record);
    await Deno.rename(await writeDraft(path, { text, mode: 0o644 }), path);
  }

  /** Gives the folders that were not there, without the root. */
  async #makeFolders(path: string): Promise<string[]> {
    const parts = path.split("/").slice(1, -1);
    const made: string[] = [];
    await Deno.mkdir(this.#root || "/", { recursive: true });
    for (let length = 1; length <= parts.length; length++) {
      const folder = `/${parts.slice(0, length).join("/")}`;
      try {
        await Deno.mkdir(this.#at(folder));
        // Whatever the umask: everybody reads below /etc.
        await Deno.chmod(this.#at(folder), 0o755);
        made.push(folder);
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      }
    }
    return made;
  }

  /** The innermost first, and only those that are empty. */
  async #removeFolders(folders: readonly string[]): Promise<void> {
    const inner = [...folders].sort((a, b) => b.length - a.length);
    for (const folder of inner) {
      await Deno.remove(this.#at(folder)).catch(() => {});
    }
  }

  /** A symbolic link is somebody's decision: it is never followed, and never ours. */
  async #find(path: string): Promise<Found | undefined> {
    try {
      const { isFile, mode } = await Deno.lstat(this.#at(path));
      const text = isFile ? await readText(this.#at(path)) : undefined;
      return {
        hash: text === undefined ? "" : await sha256(text),
        mode: (mode ?? 0) & 0o7777,
      };
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }

  #at(path: string): string {
    return `${this.#root}${path}`;
  }
}

interface Found {
  /** Empty for what is no regular file. */
  readonly hash: string;
  readonly mode: number;
}

function stateOf(
  file: PlannedFile,
  facts: {
    readonly found: Found | undefined;
    readonly planned: string;
    readonly known: InstalledFile | undefined;
  },
): FileState {
  const { found, planned, known } = facts;
  if (found === undefined) return "new";
  const { hash, mode } = found;
  const isSame = hash === planned;
  // Ours with another mode is set right; what was there before us is let be.
  if (isSame && (mode === file.mode || known === undefined)) return "same";
  if (file.isSample) return "kept";
  if (isSame) return "ours";
  if (known === undefined || hash === "") return "foreign";
  return known.hashes.includes(hash) ? "ours" : "changed";
}

/** What is ours from now on. A file that was there as planned before we came is not. */
async function remembered(
  before: Installed,
  change: {
    readonly files: readonly FileOnDisk[];
    readonly removed: readonly string[];
  },
): Promise<Installed> {
  const { files, removed } = change;
  const now = await Promise.all(files.map(async ({ file, state }) => {
    const { path, text, isSample } = file;
    const isUntouched = state === "kept" || state === "same";
    if (isUntouched) return before.files.find((one) => one.path === path);
    return { path, isSample, hashes: [await sha256(text)] };
  }));
  const known = new Set([...files.map(({ file }) => file.path), ...removed]);
  const others = before.files.filter(({ path }) => !known.has(path));
  const ours = now.filter((one) => one !== undefined);
  return { files: [...ours, ...others], folders: before.folders };
}

/** While names are exchanged, what was there and what will be are both ours. */
function union(before: Installed, after: Installed): InstalledFile[] {
  const both = after.files.map((file) => {
    const old = before.files.find(({ path }) => path === file.path);
    return { ...file, hashes: [...file.hashes, ...old?.hashes ?? []] };
  });
  const gone = before.files.filter(({ path }) =>
    !after.files.some((one) => one.path === path)
  );
  return [...both, ...gone];
}

/** Beside its place, so that renaming it is one step. Survives a power cut. */
async function writeDraft(
  path: string,
  content: { readonly text: string; readonly mode: number },
): Promise<string> {
  const at = path.lastIndexOf("/") + 1;
  const draft = `${path.slice(0, at)}.${path.slice(at)}.driverspace-new`;
  await removeIfThere(draft);
  using file = await Deno.open(draft, { write: true, createNew: true });
  const bytes = new TextEncoder().encode(content.text);
  for (let done = 0; done < bytes.length;) {
    done += await file.write(bytes.subarray(done));
  }
  await Deno.chmod(draft, content.mode);
  await file.sync();
  return draft;
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function sha256(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return new Uint8Array(digest).toHex();
}
