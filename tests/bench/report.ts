/** From rows to ratios: a table for people, targets met or not, data for machines. */

import { CASES, type Figure, type Target, TARGETS } from "./cases.ts";
import { FLOOR } from "./peers.ts";
import type { Row } from "./rounds.ts";

/** A peer's figures for a case: medians over rounds, ratios to C of the same round. */
export interface Summary {
  readonly peer: string;
  readonly caseName: string;
  readonly rounds: number;
  readonly transfersPerSecond: number;
  readonly megabytesPerSecond: number;
  readonly cpuMicroseconds: number;
  readonly p50Microseconds: number;
  readonly p99Microseconds: number;
  /** Ours over C's: throughput above 1 is faster, cpu and p50 below 1 are better. */
  readonly toC: Readonly<Record<Figure, number>>;
  /** Transfers with wrong data, over all rounds: must be 0. */
  readonly bad: number;
}

/** What became of a target. */
export interface Verdict {
  readonly target: Target;
  readonly ratio: number;
  /** The same of the native calls alone, on this machine. */
  readonly floor?: number;
  readonly isMet: boolean;
}

/** The middle of sorted values; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length === 0) return NaN;
  const high = sorted[Math.floor(middle)] ?? NaN;
  return sorted.length % 2 === 1
    ? high
    : ((sorted[middle - 1] ?? NaN) + high) / 2;
}

function figureOf(row: Row, figure: Figure): number {
  const { count, wallNs, cpuNs, p50Ns } = row.measurement;
  if (figure === "throughput") return count / wallNs;
  return figure === "cpu" ? cpuNs / count : p50Ns;
}

/** Median over rounds of one peer's figure over another's in the same round. */
export function ratio(
  rows: readonly Row[],
  options: {
    readonly peer: string;
    readonly against: string;
    readonly caseName: string;
    readonly figure: Figure;
  },
): number {
  const of = (peer: string): readonly Row[] =>
    rows.filter((r) => r.peer === peer && r.caseName === options.caseName);
  const others = new Map(of(options.against).map((row) => [row.round, row]));
  const ratios = of(options.peer).flatMap((row) => {
    const other = others.get(row.round);
    if (other === undefined) return [];
    const base = figureOf(other, options.figure);
    return base > 0 ? [figureOf(row, options.figure) / base] : [];
  });
  return median(ratios);
}

function summary(
  rows: readonly Row[],
  { peer, caseName }: Pick<Row, "peer" | "caseName">,
): Summary {
  const bytes = CASES.find((c) => c.name === caseName)?.bytes ?? 0;
  const measured = rows
    .filter((row) => row.peer === peer && row.caseName === caseName)
    .map((row) => row.measurement);
  const against = peer.endsWith(", trapped") ? "C, trapped" : "C";
  const perSecond = median(measured.map((m) => m.count / m.wallNs * 1e9));
  const toC = (figure: Figure): number =>
    ratio(rows, { peer, against, caseName, figure });
  return {
    peer,
    caseName,
    rounds: measured.length,
    transfersPerSecond: perSecond,
    megabytesPerSecond: perSecond * bytes / 1e6,
    cpuMicroseconds: median(measured.map((m) => m.cpuNs / m.count / 1e3)),
    p50Microseconds: median(measured.map((m) => m.p50Ns / 1e3)),
    p99Microseconds: median(measured.map((m) => m.p99Ns / 1e3)),
    toC: { throughput: toC("throughput"), cpu: toC("cpu"), p50: toC("p50") },
    bad: measured.reduce((sum, m) => sum + m.bad, 0),
  };
}

/** A summary for every peer and case that was measured, in the order of the cases. */
export function summaries(rows: readonly Row[]): Summary[] {
  const peers = [...new Set(rows.map((row) => row.peer))].sort(byPeer);
  return CASES.flatMap((c) =>
    peers
      .filter((peer) =>
        rows.some((row) => row.peer === peer && row.caseName === c.name)
      )
      .map((peer) => summary(rows, { peer, caseName: c.name }))
  );
}

function byPeer(a: string, b: string): number {
  const rank = (peer: string): number =>
    peer === "C" ? 0 : peer.startsWith("driverspace") ? 1 : 2;
  return rank(a) - rank(b) || a.localeCompare(b);
}

/** Every target with its ratio; a target nobody measured is not met. */
export function verdicts(rows: readonly Row[]): Verdict[] {
  return TARGETS.map((target) => {
    const value = ratio(rows, { ...target, caseName: target.case });
    const isMet = value >= (target.atLeast ?? -Infinity) &&
      value <= (target.atMost ?? Infinity);
    const floor = target.peer.startsWith("driverspace") &&
        target.against === "C"
      ? ratio(rows, { ...target, peer: FLOOR, caseName: target.case })
      : NaN;
    return {
      target,
      ratio: value,
      isMet,
      ...(Number.isNaN(floor) ? {} : { floor }),
    };
  });
}

const number = (value: number): string =>
  Number.isNaN(value) ? "-" : value.toPrecision(3);

/** The table a person reads. */
export function table(all: readonly Summary[]): string {
  const head = [
    "case / peer".padEnd(36),
    "transfers/s".padStart(12),
    "MB/s".padStart(9),
    "× C".padStart(8),
    "CPU µs".padStart(9),
    "× C".padStart(8),
    "p50 µs".padStart(9),
    "p99 µs".padStart(9),
  ].join("");
  const lines = [head];
  let caseName = "";
  for (const s of all) {
    if (s.caseName !== caseName) lines.push("", s.caseName);
    caseName = s.caseName;
    lines.push([
      `  ${s.peer}${s.bad > 0 ? ` (${s.bad} BAD)` : ""}`.padEnd(36),
      s.transfersPerSecond.toFixed(0).padStart(12),
      s.megabytesPerSecond.toFixed(1).padStart(9),
      number(s.toC.throughput).padStart(8),
      number(s.cpuMicroseconds).padStart(9),
      number(s.toC.cpu).padStart(8),
      number(s.p50Microseconds).padStart(9),
      number(s.p99Microseconds).padStart(9),
    ].join(""));
  }
  return lines.join("\n");
}

/** One line per target. */
export function targetLines(all: readonly Verdict[]): string {
  return all.map(({ target, ratio: value, isMet, floor }) => {
    const bound = target.atLeast === undefined
      ? `at most ${target.atMost}`
      : `at least ${target.atLeast}`;
    return `${isMet ? "met    " : "NOT MET"} ${
      number(value).padStart(6)
    } × ${target.against}, ` +
      `${bound}: ${target.figure}, ${target.case} (${target.peer}` +
      (floor === undefined ? ")" : `; floor ${number(floor)})`);
  }).join("\n");
}
