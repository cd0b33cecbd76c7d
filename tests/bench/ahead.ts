/**
 * The promise to be ahead of every other language's binding at every point: of
 * which it holds, and which points are behind. Ratios to C of the same rounds
 * are compared.
 */

import { type Case, CASES, type Figure, isTimed } from "./cases.ts";
import type { Summary } from "./report.ts";

/** The bindings it is about. */
const RIVALS = ["npm usb 3, trapped", "pyusb", "python-libusb1"] as const;
const OURS = "driverspace";

/** How we stand beside one binding. */
export interface Standing {
  readonly rival: string;
  /** Points that both were measured at. */
  readonly points: number;
  /** Those at which it is ahead of us: its ratio to C, and ours. */
  readonly behind: readonly {
    readonly caseName: string;
    readonly theirs: number;
    readonly ours: number;
  }[];
}

/** Beside every such binding that was measured. */
export function standings(all: readonly Summary[]): Standing[] {
  return RIVALS.map((rival) => standing(all, rival))
    .filter(({ points }) => points > 0);
}

function standing(all: readonly Summary[], rival: string): Standing {
  const points = CASES.flatMap((c) => {
    const figure = comparedIn(c);
    const theirs = toC(all, { peer: rival, caseName: c.name, figure });
    const ours = toC(all, { peer: OURS, caseName: c.name, figure });
    return figure === undefined || theirs === undefined || ours === undefined
      ? []
      : [{ caseName: c.name, theirs, ours, figure }];
  });
  const behind = points
    .filter(({ theirs, ours, figure }) =>
      figure === "p50" ? ours > theirs : ours < theirs
    )
    .map(({ caseName, theirs, ours }) => ({ caseName, theirs, ours }));
  return { rival, points: points.length, behind };
}

/** Where the device sets the pace, what can differ is when its reports arrive. */
function comparedIn(c: Case): Figure | undefined {
  if (!isTimed(c)) return "throughput";
  return c.latency ? "p50" : undefined;
}

function toC(
  all: readonly Summary[],
  of: {
    readonly peer: string;
    readonly caseName: string;
    readonly figure: Figure | undefined;
  },
): number | undefined {
  const found = all.find((s) =>
    s.peer === of.peer && s.caseName === of.caseName
  );
  const value = of.figure && found?.toC[of.figure];
  return value === undefined || Number.isNaN(value) ? undefined : value;
}

/** One line per binding. */
export function standingLines(all: readonly Standing[]): string {
  return all.map(({ rival, points, behind }) => {
    const where = behind.map(({ caseName, theirs, ours }) =>
      `${caseName} (${theirs.toPrecision(2)}, ours ${ours.toPrecision(2)})`
    );
    return `${
      behind.length === 0 ? "met    " : "NOT MET"
    } ahead of ${rival} at ${points - behind.length} of ${points} points` +
      (behind.length === 0 ? "" : `; × C where not: ${where.join(", ")}`);
  }).join("\n");
}
