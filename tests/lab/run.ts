/**
 * The project's suites on a real Linux USB stack, in a guest:
 *
 *     deno task lab [--uml] [--only SUITE[,SUITE]] [--filter TEXT] [--time]
 *
 * Installs what it needs from Debian (as root, or by sudo without a password),
 * builds the guest once, bundles each suite on the host and runs it in a fresh
 * guest. Ends with `N passed, N failed`.
 */

import { parseArgs } from "../../driver/std.ts";
import { buildGuest, cacheFolder } from "./cache.ts";
import { defaultOptions, type Output } from "./options.ts";
import { type GuestRun, runInQemu } from "./qemu_guest.ts";
import { type Suite, SUITES } from "./suites.ts";
import { runInUml } from "./uml_guest.ts";

/** Tests of one suite, or of all. */
interface Count {
  readonly passed: number;
  readonly failed: number;
}

interface Flags {
  readonly uml: boolean;
  readonly time: boolean;
  readonly only?: string;
  /** Which tests of a suite, as `deno test --filter` takes it. */
  readonly filter?: string;
}

const USAGE =
  "Usage: deno task lab [--uml] [--only SUITE[,SUITE]] [--filter TEXT] [--time]";

/** A suite that takes longer hangs: the longest takes two to four minutes. */
const SUITE_TIMEOUT_SECONDS = 420;

const HERE = new URL("./", import.meta.url);
const ROOT = new URL("../../", import.meta.url).pathname;

async function main(): Promise<number> {
  const flags = parseArgs(Deno.args, {
    boolean: ["uml", "time"],
    string: ["only", "filter"],
    unknown: (argument: string): never => {
      console.error(`Unknown option ${argument}. ${USAGE}`);
      Deno.exit(2);
    },
  }) as unknown as Flags;
  const chosen = choose(flags.only);
  await install();
  const cache = await cacheFolder();
  await buildGuest(cache, flags);
  let passed = 0;
  let failed = 0;
  for (const suite of chosen) {
    const count = await runSuite(suite, { cache, ...flags });
    passed += count.passed;
    failed += count.failed;
  }
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

function choose(only: string | undefined): readonly Suite[] {
  if (only === undefined) return SUITES;
  return only.split(",").map((name) => {
    const suite = SUITES.find((candidate) => candidate.name === name);
    if (suite !== undefined) return suite;
    const known = SUITES.map((candidate) => candidate.name).join(", ");
    console.error(`Unknown suite ${name}. There are: ${known}`);
    Deno.exit(2);
  });
}

/** The project's setup names the packages, and the line to type where it may not install. */
async function install(): Promise<void> {
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", `${ROOT}tests/setup.ts`, "lab"],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  if (code === 0) return;
  console.error("Nothing was run: the lab's packages are missing.");
  console.log("\n0 passed, 1 failed");
  Deno.exit(code);
}

type SuiteOptions = Flags & { readonly cache: string };

async function runSuite(suite: Suite, options: SuiteOptions): Promise<Count> {
  console.log(`\n${suite.name}: ${suite.title}`);
  const folder = await Deno.makeTempDir({ prefix: "lab-suite-" });
  try {
    if (!await stage(suite, folder)) return { passed: 0, failed: 1 };
    return await runStaged(suite, { ...options, folder });
  } catch (error) {
    console.error(`${suite.name}: ${(error as Error).message}`);
    return { passed: 0, failed: 1 };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Fills the folder the guest sees: bundles, and scripts as they are. */
async function stage(suite: Suite, folder: string): Promise<boolean> {
  for await (const entry of Deno.readDir(new URL("guest", HERE))) {
    const from = new URL(`guest/${entry.name}`, HERE);
    await Deno.copyFile(from, `${folder}/${entry.name}`);
  }
  const bundles = { suite: `tests/lab/${suite.entry}`, ...suite.programs };
  for (const [name, entry] of Object.entries(bundles)) {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["bundle", "--quiet", "--output", `${folder}/${name}.js`, entry],
      cwd: ROOT,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (success) continue;
    console.error(`Cannot bundle ${entry}:`);
    console.error(new TextDecoder().decode(stderr));
    return false;
  }
  return true;
}

async function runStaged(
  suite: Suite,
  options: SuiteOptions & { readonly folder: string },
): Promise<Count> {
  const { folder, cache, uml, time, filter } = options;
  const printed = new Transcript();
  const run: GuestRun = {
    cache,
    output: printed,
    options: {
      ...defaultOptions(folder),
      device: uml ? [] : suite.devices ?? [],
      timeoutSeconds: SUITE_TIMEOUT_SECONDS,
      user: suite.user ?? false,
      uml,
      time,
    },
  };
  const code = await (uml ? runInUml : runInQemu)(run, [
    "deno",
    "test",
    "--allow-all",
    "--no-check",
    "--no-config",
    "--no-lock",
    "--no-remote",
    "--no-npm",
    ...(filter === undefined ? [] : ["--filter", filter]),
    `${folder}/suite.js`,
  ]);
  return printed.count(code);
}

/** Shows a guest's output and keeps it for the count. */
class Transcript implements Output {
  #text = "";
  readonly #decoder = new TextDecoder();

  out(chunk: Uint8Array): void {
    this.#text += this.#decoder.decode(chunk, { stream: true });
    Deno.stdout.writeSync(chunk);
  }

  err(chunk: Uint8Array): void {
    Deno.stderr.writeSync(chunk);
  }

  /** The runner's own words; a run that ends otherwise has failed as a whole. */
  count(exitCode: number): Count {
    const last = [...this.#text.matchAll(SUMMARY)].at(-1);
    const passed = Number(last?.[1] ?? 0);
    const failed = Number(last?.[2] ?? 0);
    const isBroken = failed === 0 && (exitCode !== 0 || last === undefined);
    return { passed, failed: isBroken ? 1 : failed };
  }
}

const SUMMARY = /\| (\d+) passed.*?\| (\d+) failed/g;

if (import.meta.main) Deno.exit(await main());
