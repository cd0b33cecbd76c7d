/**
 * A journal as text, for a crash bundle or a bug report: one JSON object a
 * line, a header first. Read back as untrusted input.
 *
 * @module
 */

import type { JournalEvent, JournalKind } from "./journal.ts";

/** Version of the format; another one is refused. */
export const RECORDING_VERSION = 1;
/** Lines read at most: a full journal of a patient debugger. */
const EVENTS_MAX = 65_536;
/** Characters of a name. */
const NAME_MAX = 256;
/** Bytes of a payload. */
const PAYLOAD_MAX = 4_096;

/** What a recording says about itself. */
export interface RecordingHeader {
  /** The driver's name. */
  readonly driver: string;
  /** `0957:1755@1-4`. */
  readonly device: string;
  /** Hash over all events of the run, also those not kept. */
  readonly traceHash: string;
  /** The seed of a simulated run. */
  readonly seed?: number;
}

/** A recording read back. */
export interface Recording {
  /** About the run. */
  readonly header: RecordingHeader;
  /** The events that were kept, oldest first. */
  readonly events: readonly JournalEvent[];
}

const KINDS: ReadonlySet<string> = new Set<JournalKind>([
  "state",
  "control",
  "job",
  "timer",
  "command",
  "answer",
  "report",
  "received",
  "paused",
  "input",
  "emit",
  "failure",
]);

/** Writes a recording. */
export function encodeRecording(recording: Recording): string {
  const { header, events } = recording;
  const lines = [JSON.stringify({ version: RECORDING_VERSION, ...header })];
  for (const { payload, ...event } of events) {
    lines.push(JSON.stringify(
      payload === undefined ? event : { ...event, payload: toHex(payload) },
    ));
  }
  return lines.join("\n") + "\n";
}

/**
 * Reads a recording.
 *
 * @throws {SyntaxError} When it is not one, or of another version.
 */
export function decodeRecording(text: string): Recording {
  const lines = text.split("\n", EVENTS_MAX + 2);
  if (lines.at(-1) !== "" || lines.length < 2) {
    throw new SyntaxError(
      `Cannot read the recording: no header, a cut line, or over ${EVENTS_MAX} events`,
    );
  }
  const header = readHeader(parseLine(lines[0] ?? "", 1));
  const events = lines.slice(1, -1).map((line, index) =>
    readEvent(parseLine(line, index + 2), index + 2)
  );
  return { header, events };
}

type Fields = Readonly<Record<string, unknown>>;

function readHeader(fields: Fields): RecordingHeader {
  if (fields["version"] !== RECORDING_VERSION) {
    throw new SyntaxError(
      `Cannot read the recording: version ${RECORDING_VERSION} is known, not ${
        String(fields["version"]).slice(0, 16)
      }`,
    );
  }
  const seed = fields["seed"];
  return {
    driver: textOf(fields["driver"], 1),
    device: textOf(fields["device"], 1),
    traceHash: textOf(fields["traceHash"], 1),
    ...(seed === undefined ? {} : { seed: numberOf(seed, 1) }),
  };
}

function readEvent(fields: Fields, line: number): JournalEvent {
  const kind = textOf(fields["kind"], line);
  if (!KINDS.has(kind)) throw badLine(line, "an unknown kind");
  const payload = fields["payload"];
  return {
    sequence: numberOf(fields["sequence"], line),
    timeMs: numberOf(fields["timeMs"], line),
    epoch: numberOf(fields["epoch"], line),
    kind: kind as JournalKind,
    name: textOf(fields["name"], line),
    sizeBytes: numberOf(fields["sizeBytes"], line),
    ...(payload === undefined ? {} : { payload: bytesOf(payload, line) }),
  };
}

function parseLine(line: string, number: number): Fields {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw badLine(number, "not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badLine(number, "not an object");
  }
  return value as Fields;
}

function textOf(value: unknown, line: number): string {
  if (typeof value === "string" && value.length <= NAME_MAX) return value;
  throw badLine(line, "a text is missing or too long");
}

function numberOf(value: unknown, line: number): number {
  if (typeof value === "number" && value >= 0) return value;
  throw badLine(line, "a number is missing or negative");
}

function bytesOf(value: unknown, line: number): Uint8Array {
  const isHex = typeof value === "string" && value.length <= 2 * PAYLOAD_MAX &&
    /^(?:[0-9a-f]{2})*$/.test(value);
  if (!isHex) throw badLine(line, "a payload is not hexadecimal or too long");
  const bytes = new Uint8Array(value.length / 2);
  for (let at = 0; at < bytes.length; at++) {
    bytes[at] = parseInt(value.slice(2 * at, 2 * at + 2), 16);
  }
  return bytes;
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

function badLine(line: number, reason: string): SyntaxError {
  return new SyntaxError(
    `Cannot read line ${line} of the recording: ${reason}`,
  );
}
