/**
 * Transfers beside every peer, as ratios to a C program on the same library.
 *
 *     deno task bench [--quick] [--rounds N] [--peer NAME]... [--json FILE] [--docs]
 *     deno task bench start
 *     deno task bench page FILE
 *
 * `--docs` writes docs/performance.md and its plots. `start` measures what the
 * sandbox costs: a start, and a transfer. `page` writes the page from the data
 * of a `--json`.
 */

import { parseArgs } from "../../driver/std.ts";
import { Chance } from "../../driver/loop/chance.ts";
import { standingLines, standings } from "./ahead.ts";
import { CASES } from "./cases.ts";
import { findLibrary } from "./client_support.ts";
import { codecEventsPerSecond } from "./codec.ts";
import { type BenchData, writePage } from "./page.ts";
import { type CaseProfile, profileCase } from "./profile.ts";
import { fakeLibrary, PEERS, run } from "./peers.ts";
import { productLines, productVerdicts, runProduct } from "./product_run.ts";
import {
  summaries,
  table,
  targetLines,
  type Verdict,
  verdicts,
} from "./report.ts";
import { type ReadyPeer, roundsIn, runRounds } from "./rounds.ts";

/** Enough that one disturbed round does not decide; `--quick` is for a first look. */
const ROUNDS = 6;
const ROUNDS_QUICK = 2;
const ROUNDS_MAX = 100;
/** Rounds that would go beyond are left out: ten minutes for all, ninety seconds quick. */
const ROUNDS_SECONDS = 420;
const ROUNDS_SECONDS_QUICK = 60;

/** Outside the repository: compiled programs and npm's packages, kept for the next run. */
function cacheFolder(): string {
  const base = Deno.env.get("XDG_CACHE_HOME") ??
    `${Deno.env.get("HOME") ?? Deno.cwd()}/.cache`;
  return `${base}/driverspace-bench`;
}

async function compileFake(folder: string): Promise<string> {
  const library = fakeLibrary(folder);
  const source = new URL("./fake_usbfs.c", import.meta.url).pathname;
  const compiled = await run(
    ["cc", "-O2", "-shared", "-fPIC", "-o", library, source, "-lpthread"],
  );
  if (!compiled.ok) {
    console.error(`Cannot compile the fake usbfs: ${compiled.text}`);
    Deno.exit(69);
  }
  return library;
}

async function readyPeers(
  folder: string,
  wanted: readonly string[],
  absent: string[],
): Promise<ReadyPeer[]> {
  const ready: ReadyPeer[] = [];
  for (const peer of PEERS) {
    const isWanted = wanted.length === 0 || peer.name.startsWith("C") ||
      wanted.includes(peer.name);
    if (!isWanted) continue;
    const prepared = await peer.prepare(folder);
    if ("absent" in prepared) {
      absent.push(`${peer.name}: ${prepared.absent}`);
      console.log(`  absent: ${absent.at(-1)}`);
    } else ready.push({ ...peer, command: prepared.command });
  }
  return ready;
}

interface Options {
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly areRoundsGiven: boolean;
  readonly peers: readonly string[];
  readonly json: string | undefined;
  readonly writesPage: boolean;
}

function optionsFrom(args: readonly string[]): Options {
  const flags = parseArgs([...args], {
    boolean: ["quick", "docs"],
    string: ["rounds", "json"],
    collect: ["peer"],
    unknown: (argument) => {
      console.error(`Unknown argument ${argument}`);
      Deno.exit(2);
    },
  });
  const isQuick = flags.quick === true;
  const rounds = Number(flags.rounds ?? (isQuick ? ROUNDS_QUICK : ROUNDS));
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > ROUNDS_MAX) {
    console.error(`Rounds are 1 to ${ROUNDS_MAX}`);
    Deno.exit(2);
  }
  return {
    isQuick,
    rounds,
    areRoundsGiven: flags.rounds !== undefined,
    peers: (flags.peer ?? []) as string[],
    json: typeof flags.json === "string" ? flags.json : undefined,
    writesPage: flags.docs === true,
  };
}

/** Rounds that were asked for are made, however long they take. */
function secondsFor(options: Options): number {
  if (options.areRoundsGiven) return Infinity;
  return options.isQuick ? ROUNDS_SECONDS_QUICK : ROUNDS_SECONDS;
}

async function main(): Promise<void> {
  if (Deno.args[0] === "start") return await runStart();
  if (Deno.args[0] === "page") return await rewritePage(Deno.args[1] ?? "");
  const options = optionsFrom(Deno.args);
  const effort = options.isQuick ? 0.25 : 1;
  const folder = cacheFolder();
  await Deno.mkdir(folder, { recursive: true });
  const library = await compileFake(folder);
  const absent: string[] = [];
  const peers = await readyPeers(folder, options.peers, absent);
  const rows = await runRounds(peers, {
    rounds: options.rounds,
    secondsMax: secondsFor(options),
    effort,
    library,
    random: new Chance(1).next,
    say: (text) => console.log(text),
  });
  for (const { name } of peers) {
    if (rows.some((row) => row.peer === name)) continue;
    absent.push(`${name}: it failed in every round`);
  }
  const measured = summaries(rows);
  const targets = verdicts(rows);
  const ahead = standings(measured);
  console.log(`\n${table(measured)}\n\n${targetLines(targets)}`);
  console.log(standingLines(ahead));
  const codec = codecEventsPerSecond(options.isQuick ? 3 : 9);
  const product = await runProduct(library, options.isQuick ? 0.02 : 1);
  if (typeof product === "string") {
    console.error(`product.ts ${product}`);
    Deno.exit(70);
  }
  const promises = productVerdicts(product, codec);
  console.log(`\n${productLines(promises, product)}`);
  const judged = [...targets, ...promises];
  const met = judged.filter((verdict) => verdict.isMet).length +
    ahead.filter(({ behind }) => behind.length === 0).length;
  console.log(`\n${met} of ${judged.length + ahead.length} targets met`);
  const profiles = options.writesPage ? await profilesOf(targets, library) : [];
  const data: BenchData = {
    when: new Date().toISOString().slice(0, 10),
    rounds: roundsIn(rows),
    isQuick: options.isQuick,
    absent,
    measured,
    targets,
    ahead,
    product,
    promises,
    profiles,
  };
  if (options.json !== undefined) {
    await Deno.writeTextFile(
      options.json,
      JSON.stringify(data, undefined, 2) + "\n",
    );
  }
  if (options.writesPage) await writePage(data);
}

/** A profile of our client in every case in which it missed a target against C. */
async function profilesOf(
  targets: readonly Verdict[],
  fake: string,
): Promise<CaseProfile[]> {
  const library = findLibrary();
  if (library === undefined) return [];
  const missed = new Set(
    targets.filter(({ isMet, target: { peer, against } }) =>
      !isMet && peer === "driverspace" && against === "C"
    ).map(({ target }) => target.case),
  );
  const profiles: CaseProfile[] = [];
  for (const c of CASES.filter(({ name }) => missed.has(name))) {
    const profile = await profileCase(c, { fake, library });
    if (typeof profile === "string") {
      console.error(`  no profile of ${c.name}: ${profile}`);
    } else profiles.push(profile);
  }
  return profiles;
}

/** From data that `--json` wrote. */
async function rewritePage(file: string): Promise<void> {
  await writePage(JSON.parse(await Deno.readTextFile(file)) as BenchData);
}

/** The sandbox's own figures: its bus stands in tests/sandbox. */
async function runStart(): Promise<void> {
  const { benchStart } = await import("../sandbox/start_bench.ts");
  Deno.exit(await benchStart() ? 0 : 1);
}

if (import.meta.main) await main();
