/**
 * The list of `driverspace top`: every driver a row, as many columns as fit.
 * Pure: what is known in, lines out.
 *
 * @module
 */

import { cellsOf, fitCells } from "./cells.ts";
import { formatNumber, harmless, standbyText } from "./text.ts";
import type { TopDriver, TopStatus } from "./top_answers.ts";
import type { TopRow, TopSort } from "./top_model.ts";
import type { LineStyle, ScreenLine, ScreenSize } from "./top_screen.ts";

/** What the list is made of. */
export interface TopListView {
  readonly status: TopStatus;
  readonly rows: readonly TopRow[];
  /** Why nobody answers, and for how long. */
  readonly lost?: { readonly forMs: number; readonly reason: string };
  readonly selected?: string;
  readonly sort: TopSort;
  /** What a key brought about. */
  readonly message?: string;
  readonly wallMs: number;
}

/** The list for a screen of this size. */
export function topList(view: TopListView, size: ScreenSize): ScreenLine[] {
  const head = headLines(view);
  // On a very low screen the drivers come first.
  const footer = size.rows >= MIN_ROWS_WITH_FOOTER
    ? [footerLine(view, size.columns)]
    : [];
  const room = Math.max(1, size.rows - head.length - 1 - footer.length);
  const table = tableLines(view, size.columns);
  const [columns, ...rows] = table;
  const shown = windowOf(rows, room);
  const gap = Array.from(
    { length: Math.max(0, room - shown.length) },
    (): ScreenLine => ({ text: "", style: "plain" }),
  );
  return [...head, ...(columns ? [columns] : []), ...shown, ...gap, ...footer]
    .slice(0, size.rows);
}

/** The table alone, with every column: for a file or a pipe. */
export function topTable(view: TopListView): string[] {
  return tableLines(view, Infinity).map(({ text }) => text.trimEnd());
}

const MIN_ROWS_WITH_FOOTER = 6;

/** `12 s`, `3 min`, `2 h 5 min`, `4 d 1 h`. */
export function durationText(durationMs: number): string {
  const seconds = Math.max(0, Math.floor(durationMs / 1_000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (seconds < 60) return `${seconds} s`;
  if (minutes < 60) return `${minutes} min`;
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${days} d ${hours % 24} h`;
}

/** How a driver's line looks. */
export function styleOf(
  { state, degraded }: TopDriver,
  isLost: boolean,
): LineStyle {
  if (isLost) return "dim";
  if (["failed", "quarantined", "unkillable"].includes(state)) return "bad";
  if (state !== "ready" || typeof degraded === "string") return "warn";
  return "plain";
}

/** `ready`, with what a person must know beside it. */
export function stateText({ state, degraded }: TopDriver): string {
  const shown = harmless(state, 20);
  return typeof degraded === "string" ? `${shown} (degraded)` : shown;
}

function headLines(view: TopListView): ScreenLine[] {
  const { status, lost, wallMs, rows } = view;
  const { version, uptime_ms: uptimeMs, stopping } = status;
  const counts = new Map<string, number>();
  for (const { driver: { state } } of rows) {
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  const states = [...counts].map(([state, count]) =>
    `${count} ${harmless(state, 20)}`
  );
  const title = [
    `driverspace ${harmless(version, 20)}`,
    states.join(", ") || "no drivers",
    uptimeMs === undefined ? "" : `up ${durationText(uptimeMs)}`,
    `${new Date(wallMs).toISOString().slice(11, 19)}Z`,
    stopping ? "STOPPING" : "",
  ].filter((part) => part !== "").join("   ");
  const lines: ScreenLine[] = [{ text: title, style: "title" }];
  if (lost === undefined) return lines;
  return [...lines, {
    text: `STALE for ${durationText(lost.forMs)}, asking again: ` +
      harmless(lost.reason, 200),
    style: "bad",
  }];
}

function footerLine(
  { message, sort }: TopListView,
  columns: number,
): ScreenLine {
  if (message !== undefined) {
    return { text: harmless(message, 300), style: "title" };
  }
  const order = sort === "order" ? "as configured" : `by ${sort}`;
  const keys = `q quit  ↑↓ select  Enter details  r retry  s sort: ${order}`;
  const isNarrow = cellsOf(keys) > columns;
  return {
    text: isNarrow ? "q quit  Enter  r retry  s sort" : keys,
    style: "footer",
  };
}

interface Column {
  readonly title: string;
  readonly side: "left" | "right";
  /** Left out first, the higher it is. */
  readonly dispensable: number;
  /** Shown only where the cause has its room besides. */
  readonly yieldsToCause?: boolean;
  readonly text: (row: TopRow, view: TopListView) => string;
}

const COLUMNS: readonly Column[] = [
  {
    title: "DRIVER",
    side: "left",
    dispensable: 0,
    text: ({ driver }) => harmless(driver.name, 32),
  },
  {
    title: "STATE",
    side: "left",
    dispensable: 0,
    text: ({ driver }) => stateText(driver),
  },
  {
    title: "FOR",
    side: "right",
    dispensable: 4,
    text: ({ driver }, { wallMs }) =>
      durationText(wallMs - Date.parse(driver.since)),
  },
  {
    title: "REPORTS/S",
    side: "right",
    dispensable: 1,
    text: ({ reportsPerSecond: rate }) => numberText(rate),
  },
  {
    title: "MB/S",
    side: "right",
    dispensable: 6,
    text: ({ bytesPerSecond: rate }) =>
      rate === undefined ? "-" : (rate / 1e6).toFixed(3),
  },
  {
    title: "P99 MS",
    side: "right",
    dispensable: 7,
    text: ({ latencyMs }) =>
      latencyMs === undefined ? "-" : latencyMs.p99.toPrecision(2),
  },
  {
    title: "QUEUE",
    side: "right",
    dispensable: 5,
    text: ({ depth }) => String(depth),
  },
  {
    title: "DROPPED",
    side: "right",
    dispensable: 3,
    text: ({ dropped }) => String(dropped),
  },
  {
    title: "RESTARTS",
    side: "right",
    dispensable: 2,
    text: ({ restarts }) => String(restarts),
  },
  {
    title: "STANDBY",
    side: "left",
    dispensable: 8,
    yieldsToCause: true,
    text: ({ driver }) => standbyText(driver.standby),
  },
];
/** What is left of the line, if it is at least so much. */
const CAUSE_CELLS_MIN = 12;
/** What says most of one. */
const CAUSE_CELLS_GOOD = 30;
const CAUSE_LENGTH_MAX = 300;

function tableLines(view: TopListView, columns: number): ScreenLine[] {
  const texts = COLUMNS.map((column) => [
    column.title,
    ...view.rows.map((row) => column.text(row, view)),
  ]);
  const widths = texts.map((cells) => Math.max(...cells.map(cellsOf)));
  const kept = keptColumns(widths, columns);
  const used = kept.reduce((sum, at) => sum + (widths[at] ?? 0) + GAP, MARK);
  const room = columns - used;
  const causes = ["CAUSE", ...view.rows.map(({ cause }) => cause)];
  return causes.map((cause, line) => {
    const cells = kept.map((at) =>
      fitCells(texts[at]?.[line] ?? "", widths[at] ?? 0, COLUMNS[at]?.side)
    );
    const about = room < CAUSE_CELLS_MIN
      ? []
      : [harmless(cause, Math.min(room, CAUSE_LENGTH_MAX))];
    const row = view.rows[line - 1];
    const isSelected = row !== undefined && row.driver.name === view.selected;
    const mark = isSelected ? "> " : "  ";
    return {
      text: mark + [...cells, ...about].join(" ".repeat(GAP)),
      style: row === undefined
        ? "head"
        : styleOf(row.driver, view.lost !== undefined),
      isSelected,
    };
  });
}

/** Between columns. */
const GAP = 2;
/** In front of them: which row is chosen. */
const MARK = 2;

function keptColumns(widths: readonly number[], columns: number): number[] {
  const all = COLUMNS.map((_, at) => at);
  const order = [...all].sort((a, b) =>
    (COLUMNS[b]?.dispensable ?? 0) - (COLUMNS[a]?.dispensable ?? 0)
  );
  const kept = new Set(all);
  for (const at of order) {
    const used = [...kept].reduce((sum, k) => sum + (widths[k] ?? 0) + GAP, 0);
    const cause = COLUMNS[at]?.yieldsToCause === true
      ? CAUSE_CELLS_GOOD + GAP
      : 0;
    if (MARK + used - GAP + cause <= columns) break;
    if (COLUMNS[at]?.dispensable !== 0) kept.delete(at);
  }
  return all.filter((at) => kept.has(at));
}

/** The rows around the chosen one. */
function windowOf(
  rows: readonly ScreenLine[],
  room: number,
): readonly ScreenLine[] {
  const at = Math.max(0, rows.findIndex(({ isSelected }) => isSelected));
  const start = Math.min(
    Math.max(0, at - Math.floor(room / 2)),
    Math.max(0, rows.length - room),
  );
  return rows.slice(start, start + room);
}

function numberText(value: number | undefined): string {
  return value === undefined ? "-" : formatNumber(value);
}
