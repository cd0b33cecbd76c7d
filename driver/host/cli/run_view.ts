/**
 * A running driver as text: a few lines that are redrawn on a terminal, or one
 * line per event where there is none. Pure: a status in, text out.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import type { SandboxSummary } from "../wire.ts";
import type { RunStatus } from "./run_status.ts";
import { columns as asColumns, formatNumber, harmless } from "./text.ts";

/** Lines of the terminal view, none wider than `columns`. */
export function viewLines(
  status: RunStatus,
  options: { readonly columns: number; readonly nowMs: number },
): string[] {
  const { columns, nowMs } = options;
  const rate = status.reportsPerSecond;
  const { beat, ready, events } = status;
  const rows = [
    ["state", stateText(status)],
    ["sandbox", ready === undefined ? "-" : sandboxText(ready.sandbox)],
    ...events.map((event) => [
      harmless(event.name, 24),
      `${eventText(event.data)}  (${formatNumber(event.count)}, ${
        ageText(nowMs - event.atMs)
      })`,
    ]),
    [
      "interrupts",
      `${rate === undefined ? "-" : formatNumber(rate)}/s, ` +
      `${status.reports} in all`,
    ],
    [
      "queue",
      `${status.queueDepth} waiting, ${beat?.dropped ?? 0} dropped, ` +
      `${beat?.inFlight ?? 0} transfers in flight`,
    ],
    ...(status.starts > 1 ? [["restarts", String(status.starts - 1)]] : []),
    ...(status.logUnwritten === 0 ? [] : [[
      "log",
      `${status.logUnwritten} lines not written: see disk and folder`,
    ]]),
    ...(status.warning === undefined
      ? []
      : [["warning", harmless(status.warning)]]),
  ];
  return [
    `${status.driver}  ${deviceText(status)}`.trimEnd(),
    ...asColumns(rows),
  ].map((line) => clip(line, columns));
}

/** One event as a line, without its time: `reading value=1.25 unit=V`. */
export function eventLine(event: {
  readonly name: string;
  readonly data: { readonly [key: string]: Json };
}): string {
  return `${harmless(event.name, 40)} ${eventText(event.data)}`;
}

/** What holds the driver, in one line. */
export function sandboxText(sandbox: SandboxSummary): string {
  if (sandbox.mode === "direct") {
    return "none: direct mode; Deno's permissions state intent, they confine no native code";
  }
  // A layer that this profile does without is not shown as one.
  const layers = Object.entries(sandbox.layers)
    .filter(([, value]) => value !== false)
    .map(([name, value]) =>
      value === true
        ? harmless(name, 40)
        : `${harmless(name, 40)} ${harmless(String(value), 40)}`
    );
  const isWeaker = sandbox.layers["profile"] === "virtual";
  return `${isWeaker ? "WEAKER: " : ""}${layers.join(", ")}`;
}

/** Time of day, UTC, for lines: `12:34:56.789`. */
export function timeText(wallMs: number): string {
  return new Date(wallMs).toISOString().slice(11, 23);
}

/** The device's name, as it says itself. */
export function deviceText(status: RunStatus): string {
  const device = status.ready?.device;
  if (device === undefined) return "";
  const { vid, pid, path, product, serial } = device;
  return [
    `${harmless(vid, 4)}:${harmless(pid, 4)}@${harmless(path, 40)}`,
    product === undefined ? "" : harmless(product, 40),
    serial === undefined ? "" : `serial ${harmless(serial, 40)}`,
  ].filter((part) => part !== "").join("  ");
}

function stateText(status: RunStatus): string {
  const { state, cause } = status;
  return cause === undefined ? state : `${state}: ${harmless(cause, 120)}`;
}

/** A measured value reads as one; anything else as names and values. */
function eventText(data: { readonly [key: string]: Json }): string {
  const { value, unit } = data;
  if (typeof value === "number" && typeof unit === "string") {
    return `${value} ${harmless(unit, 16)}`.trimEnd();
  }
  return Object.entries(data).map(([name, member]) =>
    `${harmless(name, 40)}=${jsonText(member)}`
  ).join(" ");
}

function jsonText(value: Json): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return harmless(text, 60);
}

function ageText(ageMs: number): string {
  return ageMs < 2_000 ? "now" : `${formatNumber(ageMs / 1_000)} s ago`;
}

function clip(line: string, columns: number): string {
  const letters = [...line];
  if (letters.length <= columns) return line;
  return `${letters.slice(0, Math.max(columns - 1, 0)).join("")}…`;
}
