/**
 * One driver in full: device, rates, last values with their age, history, last
 * lines of its log. Pure: what is known in, lines out.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import { columns, formatNumber, harmless, standbyText } from "./text.ts";
import type { TopLog } from "./top_answers.ts";
import { durationText, stateText, styleOf } from "./top_list_view.ts";
import type { TopRow } from "./top_model.ts";
import { plainLine, type ScreenLine, type ScreenSize } from "./top_screen.ts";

/** What the page is made of. */
export interface TopDetailView {
  readonly row: TopRow;
  /** `undefined` until it came. */
  readonly log: TopLog | undefined;
  readonly isLost: boolean;
  /** Lines scrolled past. */
  readonly offset: number;
  readonly message?: string;
  readonly wallMs: number;
}

/** The page for a screen of this size, and how far it can be scrolled. */
export function topDetail(
  view: TopDetailView,
  size: ScreenSize,
): { readonly lines: ScreenLine[]; readonly offsetMax: number } {
  const { row, isLost, offset, message } = view;
  const { driver } = row;
  const title: ScreenLine = {
    text: `${harmless(driver.name, 32)}  ${stateText(driver)} for ${
      durationText(view.wallMs - Date.parse(driver.since))
    }${isLost ? "  STALE: nobody answers" : ""}`,
    style: isLost ? "bad" : titleStyle(view),
  };
  const footer: ScreenLine = message === undefined
    ? { text: "Esc back  ↑↓ scroll  r retry  q quit", style: "footer" }
    : { text: harmless(message, 300), style: "title" };
  const body = bodyLines(view);
  const room = Math.max(1, size.rows - 2);
  const offsetMax = Math.max(0, body.length - room);
  const start = Math.min(offset, offsetMax);
  const shown = body.slice(start, start + room);
  const gap = Array.from(
    { length: Math.max(0, room - shown.length) },
    () => plainLine(""),
  );
  const lines = [title, ...shown, ...gap, footer].slice(0, size.rows);
  return { lines, offsetMax };
}

function titleStyle({ row, isLost }: TopDetailView): ScreenLine["style"] {
  const style = styleOf(row.driver, isLost);
  return style === "plain" ? "title" : style;
}

function bodyLines(view: TopDetailView): ScreenLine[] {
  const { row: { driver } } = view;
  return [
    ...section("", factRows(view)),
    ...section(
      "Endpoints",
      (driver.endpoints ?? []).map((endpoint) => [
        harmless(endpoint.endpoint, 8),
        harmless(endpoint.type, 16),
        `${formatNumber(endpoint.bytes_in)} bytes in`,
        `${formatNumber(endpoint.bytes_out)} out`,
        `${endpoint.in_flight} in flight${endpoint.paused ? ", paused" : ""}`,
      ]),
    ),
    ...section(
      "Last values",
      (driver.values ?? []).map(({ event, data, age_ms: ageMs, stale }) => [
        harmless(event, 24),
        dataText(data),
        `${ageText(ageMs)}${stale || view.isLost ? ", STALE" : ""}`,
      ]),
    ),
    ...section(
      "History",
      (driver.transitions ?? []).slice(-8).map(({ at, from, to, cause }) => [
        harmless(at.replace("T", " ").slice(0, 19), 19),
        `${harmless(from, 20)} → ${harmless(to, 20)}`,
        harmless(cause ?? "", 200),
      ]),
    ),
    ...section("Log", logRows(view.log)),
  ];
}

/** A heading and rows in columns; nothing where there are none. */
function section(
  title: string,
  rows: readonly (readonly string[])[],
): ScreenLine[] {
  if (rows.length === 0) return [];
  return [
    plainLine(""),
    ...(title === "" ? [] : [{ text: title, style: "head" } as const]),
    ...columns(rows).map(plainLine),
  ];
}

function factRows({ row }: TopDetailView): string[][] {
  const { driver, reportsPerSecond, bytesPerSecond, latencyMs } = row;
  const { device, last_exit: exit } = driver;
  const names = [device?.manufacturer, device?.product, device?.serial]
    .filter((name) => typeof name === "string").join(" ");
  const number = (value: number | undefined | null): string =>
    value === undefined || value === null ? "-" : formatNumber(value);
  const facts: [string, string][] = [
    ["driver", harmless(driver.driver, 200)],
    [
      "device",
      device === null || device === undefined
        ? "none"
        : `${harmless(device.label, 40)}  ${harmless(names, 120)}`.trimEnd(),
    ],
    ["cause", harmless(row.cause, 300)],
    [
      "process",
      `${driver.pid ?? "none"}, ${row.restarts} restarts` +
      (typeof driver.next_attempt_ms === "number"
        ? `, next attempt in ${durationText(driver.next_attempt_ms)}`
        : ""),
    ],
    [
      "standby",
      driver.standby === undefined ? "" : standbyText(driver.standby),
    ],
    [
      "heartbeat",
      `${number(driver.heartbeat_age_ms)} ms ago, loop ${
        number(driver.loop_lag_ms)
      } ms late`,
    ],
    [
      "reports",
      `${number(reportsPerSecond)}/s, ${number(driver.reports)} in all, ${
        number(driver.dropped)
      } dropped`,
    ],
    ["data", `${number(bytesPerSecond)} bytes/s`],
    [
      "handlers",
      latencyMs === undefined
        ? "none ran"
        : `half within ${number(latencyMs.p50)} ms, 99 of 100 within ${
          number(latencyMs.p99)
        } ms`,
    ],
    ["mailbox", mailboxText(driver.mailbox, driver.queued_commands)],
    ["in flight", `${number(driver.in_flight)} transfers`],
    ["safe state", harmless(driver.safe_state ?? "not needed yet", 40)],
    [
      "last end",
      exit === null || exit === undefined
        ? ""
        : `${harmless(exit.class, 40)}: ${harmless(exit.message, 300)}`,
    ],
  ];
  return facts.filter(([, text]) => text !== "");
}

function ageText(ageMs: number): string {
  return ageMs < 1_000 ? "now" : `${durationText(ageMs)} ago`;
}

function mailboxText(
  mailbox: Readonly<Record<string, number>> = {},
  queued = 0,
): string {
  const lanes = Object.entries(mailbox).map(([lane, depth]) =>
    `${depth} ${harmless(lane, 20)}`
  );
  return [...lanes, `${queued} commands waiting for it`].join(", ");
}

function logRows(log: TopLog | undefined): string[][] {
  if (log === undefined) return [];
  if (log.lines.length === 0) return [["nothing yet"]];
  return log.lines.slice(-20).map(({ at, level, event, message }) => [
    harmless(at.slice(11, 23), 12),
    harmless(level, 8),
    harmless(event, 40),
    harmless(message, 300),
  ]);
}

/** A measured value reads as one; anything else as names and values. */
function dataText(data: { readonly [key: string]: Json }): string {
  const { value, unit } = data;
  if (typeof value === "number" && typeof unit === "string") {
    return `${value} ${harmless(unit, 16)}`.trimEnd();
  }
  return harmless(
    Object.entries(data).map(([name, member]) =>
      `${name}=${typeof member === "string" ? member : JSON.stringify(member)}`
    ).join(" "),
    120,
  );
}
