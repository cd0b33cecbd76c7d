/**
 * Transfers beside every peer, as ratios to a C program on the same library.
 *
 *     deno task bench [--quick] [--rounds N] [--peer NAME]... [--json FILE]
 */

import { parseArgs } from "../../driver/std.ts";
import { Chance } from "../../driver/loop/chance.ts";
import { PEERS, run } from "./peers.ts";
import { summaries, table, targetLines, verdicts } from "./report.ts";
import { type ReadyPeer, runRounds } from "./rounds.ts";

/** Enough that one disturbed round does not decide; `--quick` is for a first look. */
const ROUNDS = 6;
const ROUNDS_QUICK = 3;

/** Outside the repository: compiled programs and npm's packages, kept for the next run. */
function cacheFolder(): string {
  const base = Deno.env.get("XDG_CACHE_HOME") ??
    `${Deno.env.get("HOME") ?? Deno.cwd()}/.cache`;
  return `${base}/driverspace-bench`;
}

async function compileFake(folder: string): Promise<string> {
  const library = `${folder}/fake_usbfs.so`;
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
): Promise<ReadyPeer[]> {
  const ready: ReadyPeer[] = [];
  for (const peer of PEERS) {
    const isWanted = wanted.length === 0 || peer.name.startsWith("C") ||
      wanted.includes(peer.name);
    if (!isWanted) continue;
    const prepared = await peer.prepare(folder);
    if ("absent" in prepared) {
      console.log(`  absent: ${peer.name}: ${prepared.absent}`);
    } else ready.push({ ...peer, command: prepared.command });
  }
  return ready;
}

async function main(): Promise<void> {
  const flags = parseArgs(Deno.args, {
    boolean: ["quick"],
    string: ["rounds", "json"],
    collect: ["peer"],
    unknown: (argument) => {
      console.error(`Unknown argument ${argument}`);
      Deno.exit(2);
    },
  });
  const isQuick = flags.quick === true;
  const folder = cacheFolder();
  await Deno.mkdir(folder, { recursive: true });
  const library = await compileFake(folder);
  const peers = await readyPeers(folder, (flags.peer ?? []) as string[]);
  const rows = await runRounds(peers, {
    rounds: Number(flags.rounds ?? (isQuick ? ROUNDS_QUICK : ROUNDS)),
    effort: isQuick ? 0.25 : 1,
    library,
    random: new Chance(1).next,
    say: (text) => console.log(text),
  });
  const all = summaries(rows);
  const judged = verdicts(rows);
  console.log(`\n${table(all)}\n\n${targetLines(judged)}`);
  const met = judged.filter((verdict) => verdict.isMet).length;
  console.log(`\n${met} of ${judged.length} targets met`);
  if (typeof flags.json === "string") {
    const data = { measured: all, targets: judged };
    await Deno.writeTextFile(
      flags.json,
      JSON.stringify(data, undefined, 2) + "\n",
    );
  }
}

if (import.meta.main) await main();
