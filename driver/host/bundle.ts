/**
 * Makes one JavaScript file of a driver and all it imports, ahead of the
 * sandbox, and keeps it by content: a start reads no source tree and transpiles
 * nothing, and npm and JSR imports work because they are inside.
 *
 * `deno bundle` fetches its bundler once, on the first use on a machine.
 *
 * @module
 */

import { evictBundles, markUsed } from "./bundle_cache.ts";
import { nameClasses } from "./bundle_names.ts";
import { findLateImports } from "./bundle_scan.ts";
import { bodyOf, wrapBody } from "./bundle_wrap.ts";
import { configFlags, nearestConfig } from "./module_config.ts";

/** A program in one file. */
export interface Bundle {
  /** Absolute; its name is the hash of what it holds. */
  readonly path: string;
  /** SHA-256 of the file, hexadecimal. */
  readonly hash: string;
  /** Whether it was made just now, or found. */
  readonly isNew: boolean;
}

/** A program cannot be made into one file. */
export class BundleError extends Error {
  override readonly name: string = "BundleError";
}

/** A program would load more at run time, which a sandboxed process cannot. */
export class LateImportError extends BundleError {
  override readonly name = "LateImportError";
}

/** Where bundles are made and kept. */
export interface BundleOptions {
  /** Folder for bundles, ours alone; made when it is not there. */
  readonly cacheFolder: string;
}

/** From spawn to the file: the first time, the bundler itself is fetched. */
const BUNDLE_TIMEOUT_MS = 120_000;
/** A driver is thousands of lines, not a hundred megabytes. */
const BUNDLE_BYTES_MAX = 32 * 1024 * 1024;
/** Version of the records; others are made anew. */
const RECORD_VERSION = 3;
/** How much of the bundler's words is passed on. */
const MESSAGE_LINES = 6;

/**
 * Bundles a module as the main one, a launcher for instance.
 *
 * @throws {BundleError} As {@linkcode bundleDriver}.
 */
export function bundleModule(
  moduleUrl: string,
  options: BundleOptions,
): Promise<Bundle> {
  return bundleSource({ nearUrl: moduleUrl }, options);
}

/**
 * Bundles a driver module with the body of a driver process, whose function
 * `serveDriver` gets the driver.
 *
 * @throws {BundleError} With one sentence: a module is missing, or imports would be left for run time.
 */
export function bundleDriver(
  modules: { readonly driverUrl: string; readonly processUrl: string },
  options: BundleOptions,
): Promise<Bundle> {
  const entry = `import driver from ${JSON.stringify(modules.driverUrl)};\n` +
    `import { serveDriver } from ${JSON.stringify(modules.processUrl)};\n` +
    "await serveDriver(driver);\n";
  return bundleSource({ entry, nearUrl: modules.driverUrl }, options);
}

/** The text of a program's first module, and whose configuration it goes by. */
export interface BundleSource {
  readonly entry?: string;
  /** Without a text, this is the first module. The nearest `deno.json` of this module resolves bare imports. */
  readonly nearUrl: string;
}

/** Bundles a program given as text. @throws {BundleError} */
export async function bundleSource(
  source: BundleSource,
  options: BundleOptions,
): Promise<Bundle> {
  const { cacheFolder } = options;
  await prepareFolder(cacheFolder);
  const config = await nearestConfig(source.nearUrl);
  const key = await keyOf(source, config);
  const recordPath = `${cacheFolder}/${key}.json`;
  const known = await findBundle(recordPath, cacheFolder);
  if (known !== undefined) return known;
  const work = await Deno.makeTempDir({ dir: cacheFolder, prefix: "work-" });
  try {
    const main = await mainModule(source, work);
    const [inputs, bundled] = await Promise.all([
      inputsOf(main, { config, work }),
      runBundler(main, `${work}/bundle.js`, configFlags(config)),
    ]);
    checkStandsAlone(bundled);
    const code = await quickToStart(bundled, work);
    const hash = await sha256(code);
    const path = `${cacheFolder}/${hash}.js`;
    await keepBundle(path, { code, hash, work });
    const record: Record = { version: RECORD_VERSION, hash, inputs };
    await writeWhole(
      recordPath,
      new TextEncoder().encode(JSON.stringify(record)),
      work,
    );
    await evictBundles(cacheFolder);
    return { path, hash, isNew: true };
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** What a bundle was made from: it is used again while none of it has changed. */
interface Record {
  readonly version: number;
  readonly hash: string;
  readonly inputs: readonly { readonly path: string; readonly hash: string }[];
}

async function prepareFolder(folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true, mode: 0o755 });
  const { mode, isDirectory } = await Deno.stat(folder);
  const OTHERS_MAY_WRITE = 0o022;
  if (!isDirectory || ((mode ?? 0) & OTHERS_MAY_WRITE) !== 0) {
    throw new BundleError(
      `Cannot keep bundles in ${folder}: others may write there`,
    );
  }
}

async function keyOf(
  source: BundleSource,
  config: string | undefined,
): Promise<string> {
  const { entry = "", nearUrl } = source;
  const parts = [Deno.version.deno, entry, nearUrl, config ?? ""];
  if (config !== undefined) parts.push(await Deno.readTextFile(config));
  return await sha256(new TextEncoder().encode(parts.join("\0")));
}

async function findBundle(
  recordPath: string,
  cacheFolder: string,
): Promise<Bundle | undefined> {
  try {
    const record = JSON.parse(await Deno.readTextFile(recordPath)) as Record;
    if (record.version !== RECORD_VERSION) return undefined;
    const path = `${cacheFolder}/${record.hash}.js`;
    const files = [{ path, hash: record.hash }, ...record.inputs];
    const isSame = await Promise.all(
      files.map(async (file) =>
        await sha256(await Deno.readFile(file.path)) === file.hash
      ),
    );
    if (!isSame.every((same) => same)) return undefined;
    await markUsed([path, recordPath]);
    return { path, hash: record.hash, isNew: false };
  } catch {
    // A record or file that is missing, cut or strange: it is made anew.
    return undefined;
  }
}

async function mainModule(source: BundleSource, work: string): Promise<string> {
  if (source.entry === undefined) return source.nearUrl;
  const path = `${work}/entry.js`;
  await Deno.writeTextFile(path, source.entry);
  return path;
}

/** Whose configuration, and where to work. */
interface Surroundings {
  readonly config: string | undefined;
  readonly work: string;
}

/** Every local file of the program, as Deno sees them, but for the entry we wrote. */
async function inputsOf(
  main: string,
  { config, work }: Surroundings,
): Promise<Record["inputs"]> {
  const output = await runDeno([
    "info",
    "--json",
    ...configFlags(config),
    main,
  ]);
  const graph = JSON.parse(new TextDecoder().decode(output)) as {
    readonly modules?: readonly { readonly local?: string | null }[];
  };
  const paths = (graph.modules ?? [])
    .map(({ local }) => local)
    .filter((path): path is string => typeof path === "string")
    .filter((path) => !path.startsWith(`${work}/`));
  return await Promise.all(
    paths.map(async (path) => ({
      path,
      hash: await sha256(await Deno.readFile(path)),
    })),
  );
}

async function runBundler(
  main: string,
  out: string,
  flags: readonly string[],
): Promise<Uint8Array<ArrayBuffer>> {
  await runDeno(["bundle", "--quiet", ...flags, `--output=${out}`, main]);
  const code = await Deno.readFile(out);
  if (code.length > BUNDLE_BYTES_MAX) {
    throw new BundleError(`Cannot use a bundle of ${code.length} bytes`);
  }
  return code;
}

/** Small, so that reading it takes less; names are kept for stack traces. */
async function quickToStart(
  bundled: Uint8Array<ArrayBuffer>,
  work: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const body = bodyOf(new TextDecoder().decode(bundled));
  if (body === undefined) return bundled;
  const main = `${work}/body.js`;
  await Deno.writeTextFile(main, body);
  const flags = ["--minify", "--keep-names", ...configFlags(undefined)];
  const small = await runBundler(main, `${work}/small.js`, flags);
  const named = nameClasses(new TextDecoder().decode(small));
  return new TextEncoder().encode(wrapBody(named, "driver.js"));
}

async function runDeno(args: readonly string[]): Promise<Uint8Array> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    stdin: "null",
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(BUNDLE_TIMEOUT_MS),
  }).output();
  if (success) return stdout;
  const words = new TextDecoder().decode(stderr).trim().split("\n");
  const message = words.slice(-MESSAGE_LINES).map((line) => line.trim())
    .join(" ");
  throw new BundleError(`Cannot make one file of the driver: ${message}`);
}

function checkStandsAlone(code: Uint8Array): void {
  const [late] = findLateImports(new TextDecoder().decode(code));
  if (late === undefined) return;
  const what = late.kind === "dynamic"
    ? "it imports by a name that is known only at run time"
    : "an import was left outside";
  throw new LateImportError(
    `Cannot make one file of the driver: ${what}, which a sandboxed process cannot load: ${late.text}. Import it by a fixed name at the top of the module`,
  );
}

/** Whole or not at all, whoever else is writing the same. */
/**
 * Keeps a bundle under its hash. One that is there stays: another process may be
 * starting a driver whose sandbox lets it read this very file, and no other that
 * takes its name.
 */
async function keepBundle(
  path: string,
  of: {
    readonly code: Uint8Array<ArrayBuffer>;
    readonly hash: string;
    readonly work: string;
  },
): Promise<void> {
  const isThere = (): Promise<boolean> =>
    Deno.readFile(path).then(sha256).then((hash) => hash === of.hash)
      .catch(() => false);
  if (await isThere()) return;
  // A name of its own: it stays a name of the kept file until the work is removed.
  const draft = `${of.work}/kept.js`;
  await Deno.writeFile(draft, of.code, { mode: 0o644 });
  // Unlike a rename, a link does not replace what was made meanwhile.
  const isKept = await Deno.link(draft, path).then(() => true, () => false);
  if (!isKept && !await isThere()) await Deno.rename(draft, path);
}

async function writeWhole(
  path: string,
  bytes: Uint8Array,
  work: string,
): Promise<void> {
  const draft = `${work}/draft`;
  await Deno.writeFile(draft, bytes, { mode: 0o644 });
  await Deno.rename(draft, path);
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return new Uint8Array(digest).toHex();
}
