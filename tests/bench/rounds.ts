/**
 * Runs every peer on every case, round after round in changing order, C in each.
 * Absolute times mean nothing on a shared machine; the ratio to C of the same
 * round does, and the median of those over the rounds is what is reported.
 */

import {
  type Case,
  caseLine,
  CASES,
  isTimed,
  type Measurement,
} from "./cases.ts";
import type { Peer } from "./peers.ts";

/** A peer that is ready to run. */
export interface ReadyPeer extends Peer {
  readonly command: readonly string[];
}

/** One measurement with where it belongs. */
export interface Row {
  readonly round: number;
  readonly peer: string;
  readonly caseName: string;
  readonly measurement: Measurement;
}

/** How to run the rounds. */
export interface RoundOptions {
  /** At most; fewer when the next would not fit into the time. */
  readonly rounds: number;
  /** For all rounds together; the first is made in any case. */
  readonly secondsMax: number;
  /** All shares are multiplied by it: `--quick` takes less. */
  readonly effort: number;
  /** The compiled `fake_usbfs.so`. */
  readonly library: string;
  readonly random: () => number;
  readonly say: (text: string) => void;
}

/** How many rounds there were: the last number of them. */
export function roundsIn(rows: readonly Row[]): number {
  return rows.reduce((most, { round }) => Math.max(most, round + 1), 0);
}

/** A hung peer is ended after this long; the others go on. */
const PEER_TIMEOUT_MS = 120_000;
const withFake = new URL("./with_fake.sh", import.meta.url).pathname;

/** The cases a peer can do. */
export function casesOf(peer: Peer): readonly Case[] {
  return CASES.filter((c) =>
    c.depth <= (peer.depthMax ?? Infinity) &&
    (peer.isochronous || !c.name.startsWith("isochronous")) &&
    (peer.does?.(c) ?? true)
  );
}

/** Runs all rounds. A peer that fails in a round is named and misses that round. */
export async function runRounds(
  peers: readonly ReadyPeer[],
  options: RoundOptions,
): Promise<Row[]> {
  const rows: Row[] = [];
  const startMs = performance.now();
  for (let round = 0; round < options.rounds; round++) {
    for (const peer of shuffled(peers, options.random)) {
      const measured = await runPeer(peer, options);
      if (typeof measured === "string") {
        options.say(`  ${peer.name}: ${measured}`);
        continue;
      }
      casesOf(peer).forEach((c, index) => {
        const measurement = measured[index];
        if (measurement === undefined) return;
        rows.push({ round, peer: peer.name, caseName: c.name, measurement });
      });
    }
    const done = round + 1;
    const seconds = (performance.now() - startMs) / 1000;
    options.say(
      `  round ${done} of ${options.rounds} done, ${seconds.toFixed(0)} s`,
    );
    if (seconds + seconds / done <= options.secondsMax) continue;
    if (done < options.rounds) options.say("  no time for another round");
    break;
  }
  return rows;
}

async function runPeer(
  peer: ReadyPeer,
  options: RoundOptions,
): Promise<Measurement[] | string> {
  const cases = casesOf(peer);
  // Each twice: compilers and caches warm up on the first, which is not counted.
  // They need their number of runs, however short the round; where the device
  // takes its time, that of a short round would be mostly warm-up.
  const counted = (c: Case): string => caseLine(c, peer.share * options.effort);
  const warmUp = (c: Case): string =>
    caseLine(
      c,
      peer.share * (peer.warmUp ?? 1) * (isTimed(c) ? options.effort : 1),
    );
  const lines = cases.flatMap((c) => [warmUp(c), counted(c)]);
  // What compiles while it runs compiles anew when it first meets another case.
  const before = peer.warmUp === undefined ? cases.map(counted) : [];
  const child = new Deno.Command(withFake, {
    args: [options.library, ...peer.command, ...before, ...lines],
    env: peer.isTrapped ? { FAKE_USBFS_TRAP: "1" } : {},
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), PEER_TIMEOUT_MS);
  const { success, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const decoder = new TextDecoder();
  if (!success) {
    return `failed: ${decoder.decode(stderr).trim().slice(-300)}`;
  }
  const printed = decoder.decode(stdout).split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Measurement);
  return printed.slice(before.length).filter((_, n) => n % 2 === 1);
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}
