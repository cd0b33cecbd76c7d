/**
 * An event of a journal as people read it.
 *
 * @module
 */

import { errorText } from "./error_data.ts";
import type { JournalEvent, JournalKind } from "./journal.ts";

/** Bytes shown of a payload. */
const BYTES_MAX = 16;
/** Characters shown of a detail. */
const DETAIL_MAX = 120;

/** What comes to the driver points in, what it does points out. */
const SIGNS: Partial<Readonly<Record<JournalKind, string>>> = {
  done: "←",
  look: "?",
  offer: "←",
  ask: "?",
  over: "←",
  abort: "←",
  now: "←",
  chance: "←",
  call: "→",
  emit: "→",
  log: "→",
  set: "→",
  clear: "→",
  looked: "=",
  offered: "=",
  asked: "→",
  resume: "→",
  failure: "✗",
};

/** One line: `report 0x81, 3 bytes: 01 02 03`. */
export function eventText(event: JournalEvent): string {
  const { kind, name, sizeBytes, payload, id } = event;
  const sign = SIGNS[kind];
  const bytes = sizeBytes === 0
    ? ""
    : `, ${sizeBytes} byte${sizeBytes === 1 ? "" : "s"}`;
  return [
    sign === undefined ? "" : `${sign} `,
    kind,
    name === "" || name === kind ? "" : ` ${clean(name)}`,
    id === undefined ? "" : ` #${id}`,
    bytes,
    payload === undefined || payload.length === 0
      ? ""
      : `: ${bytesText(payload)}`,
    detailText(event),
  ].join("");
}

function detailText({ kind, detail }: JournalEvent): string {
  if (detail === undefined || HIDDEN.has(kind)) return "";
  if (typeof detail === "object" && detail !== null && "error" in detail) {
    return ` failed: ${clean(errorText(detail.error))}`;
  }
  if (kind === "failure") return `: ${clean(errorText(detail))}`;
  return ` ${clean(JSON.stringify(detail)).slice(0, DETAIL_MAX)}`;
}

/** What says little to people. */
const HIDDEN: ReadonlySet<JournalKind> = new Set<JournalKind>([
  "device",
  "checkpoint",
  "report",
]);

function bytesText(payload: Uint8Array): string {
  const shown = Array.from(
    payload.subarray(0, BYTES_MAX),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join(" ");
  return payload.length > BYTES_MAX ? `${shown} …` : shown;
}

/** Nothing that moves a terminal's cursor: it may come from a stranger. */
function clean(text: string): string {
  // deno-lint-ignore no-control-regex -- they are what is taken out
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "·");
}
