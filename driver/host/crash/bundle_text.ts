/**
 * Writes a crash bundle: JSON with a line for each event, line and state, so
 * that people read it too. Every part has its bound, and the journal gets what
 * the others leave.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import { deviceLabel } from "../../match.ts";
import type { DeviceInfo } from "../../port.ts";
import { decodeEvent, encodeEvent, toHex } from "../../loop/recording.ts";
import type { DriverProcessEnd } from "../driver_process.ts";
import type { Transition } from "../supervisor/driver_states.ts";
import type { RecentLine } from "../supervisor/recent_log.ts";
import {
  BUNDLE_BYTES_MAX,
  BUNDLE_FORMAT,
  BUNDLE_VERSION,
  type BundledDevice,
  type BundledLine,
} from "./crash_bundle.ts";
import type { Flight } from "./flight_recorder.ts";

/** Bytes of each part, encoded. What is longer loses its oldest lines, or is left out. */
const PART_BYTES_MAX = {
  log: 192 * 1024,
  states: 32 * 1024,
  stderr: 64 * 1024,
  manifest: 64 * 1024,
  options: 64 * 1024,
  sandboxReport: 32 * 1024,
  configurations: 96 * 1024,
} as const;
/** Bytes of the journal's beginning that are kept before its end is. */
const JOURNAL_HEAD_BYTES = 64 * 1024;
/** Serial numbers that are shorter are other numbers, too: of a product, say. */
const SERIAL_LENGTH_MIN = 5;

/** What a bundle is made of. */
export interface BundleParts {
  readonly instance: string;
  readonly driver: string;
  readonly manifestHash: string;
  readonly manifest: Json;
  /** As they were given to the driver. */
  readonly options: { readonly [key: string]: Json };
  readonly end: DriverProcessEnd;
  readonly flight: Flight;
  /** What it had, or was to have. */
  readonly device: DeviceInfo | undefined;
  readonly states: readonly Transition[];
  readonly log: {
    readonly lines: readonly RecentLine[];
    readonly dropped: number;
  };
  /** Of the host, and of this system. */
  readonly versions: Readonly<Record<string, string>>;
  readonly system: Readonly<Record<string, string>>;
  /** Wall clock of the end. */
  readonly atMs: number;
}

/** Writes it, in short steps. Never longer than BUNDLE_BYTES_MAX. */
export async function bundleText(parts: BundleParts): Promise<string> {
  const { flight, device } = parts;
  const hasPayloads = flight.journal?.content === "full";
  const serial = hasPayloads ? undefined : device?.serialNumber;
  const hide = redactor(serial);
  const log = newest(logLines(parts, hide), PART_BYTES_MAX.log);
  const states = newest(stateLines(parts, hide), PART_BYTES_MAX.states);
  const journal = await journalLines(flight.lines());
  const members: [string, string][] = [
    ...headMembers(parts, hide),
    ["states", arrayText(states.items)],
    ["stderr", stderrText(hide(parts.end.stderrTail))],
    ["log", arrayText(log.items)],
    ["log_dropped", `${parts.log.dropped + log.left}`],
    ["journal_unreadable", `${journal.unreadable}`],
  ];
  const room = BUNDLE_BYTES_MAX - byteLength(objectText(members)) - SLACK_BYTES;
  members.push(["journal", arrayText(headAndTail(journal.lines, room))]);
  return objectText(members);
}

/** Lines read in one go: other drivers, and the next start of this one, do not wait for more. */
const STEP_LINES = 128;

/** Lets everything else of this process run. */
function turn(): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, 0));
}

/** For the brackets, the commas and the name of the journal. */
const SLACK_BYTES = 256;

type Hide = (text: string) => string;

function headMembers(parts: BundleParts, hide: Hide): [string, string][] {
  const { flight, device, end } = parts;
  const { journal, sandbox, lastBeat } = flight;
  const hasPayloads = journal?.content === "full";
  const manifest = fitting(parts.manifest, PART_BYTES_MAX.manifest);
  const { signal, failure, safeState } = end;
  const members: [string, Json | undefined][] = [
    ["format", BUNDLE_FORMAT],
    ["version", BUNDLE_VERSION],
    ["at", timeText(parts.atMs)],
    ["driver", {
      instance: parts.instance,
      name: parts.driver,
      manifest_hash: parts.manifestHash,
      ...(manifest === undefined ? {} : { manifest }),
    }],
    ["end", {
      class: end.exitClass,
      message: hide(end.message).slice(0, 8192),
      code: end.code,
      ...(signal === undefined ? {} : { signal }),
      was_ready: end.wasReady,
      ready_ms: Math.round(end.readyMs),
      ...(flight.state === undefined ? {} : { session_state: flight.state }),
      ...(failure === undefined
        ? {}
        : { failure: { ...failure, message: hide(failure.message) } }),
      ...(safeState === undefined ? {} : { safe_state: safeState }),
    }],
    ["process", {
      ...(flight.pid === undefined ? {} : { pid: flight.pid }),
      payloads: hasPayloads,
      ...(journal === undefined ? {} : {
        seed: journal.seed,
        now_ms: journal.nowMs,
        wall_ms: journal.wallMs,
      }),
    }],
    ["versions", { ...parts.versions, ...flight.versions }],
    ["system", { ...parts.system }],
    [
      "device",
      device === undefined
        ? undefined
        : { ...bundledDevice(device, hasPayloads) },
    ],
    [
      "options",
      fitting(parts.options, PART_BYTES_MAX.options) ?? { truncated: true },
    ],
    [
      "sandbox",
      sandbox === undefined ? undefined : {
        mode: sandbox.mode,
        layers: { ...sandbox.layers },
        report: fitting(sandbox.report ?? {}, PART_BYTES_MAX.sandboxReport) ??
          { truncated: true },
      },
    ],
    [
      "heartbeat",
      lastBeat === undefined ? undefined : lastBeat as unknown as Json,
    ],
  ];
  return members.flatMap(([name, value]) =>
    value === undefined ? [] : [[name, JSON.stringify(value)]]
  );
}

/** What a bundle says of a device. */
export function bundledDevice(
  info: DeviceInfo,
  withSerial: boolean,
): { readonly [key: string]: Json } & BundledDevice {
  const { manufacturer, product, serialNumber, configurationValue } = info;
  let left: number = PART_BYTES_MAX.configurations;
  const configurations = info.configurations.map(({ bytes }) => bytes)
    .filter((bytes) => (left -= 2 * bytes.length) > 0).map(toHex);
  return {
    label: deviceLabel(info),
    speed: info.speed,
    port: info.portPath,
    ...(manufacturer === undefined
      ? {}
      : { manufacturer: manufacturer.slice(0, 256) }),
    ...(product === undefined ? {} : { product: product.slice(0, 256) }),
    ...(withSerial && serialNumber !== undefined
      ? { serial: serialNumber.slice(0, 256) }
      : {}),
    descriptor: { ...info.descriptor },
    configurations,
    ...(configurationValue === undefined
      ? {}
      : { configuration_value: configurationValue }),
  };
}

function logLines({ log }: BundleParts, hide: Hide): string[] {
  return log.lines.map(({ atMs, level, event, message, from, fields }) => {
    const line: BundledLine = {
      at: timeText(atMs),
      level,
      event: event.slice(0, 256),
      message: hide(message).slice(0, 8192),
      from,
      fields: hideIn(fields, hide) as BundledLine["fields"],
    };
    return JSON.stringify(line);
  });
}

function stateLines({ states }: BundleParts, hide: Hide): string[] {
  return states.map(({ atMs, from, to, cause }) =>
    JSON.stringify({
      at: timeText(atMs),
      from,
      to,
      ...(cause === undefined ? {} : { cause: hide(cause).slice(0, 8192) }),
    })
  );
}

/** What a driver sent may be anything; what is no event is counted and left out. */
async function journalLines(
  lines: readonly string[],
): Promise<{ readonly lines: string[]; readonly unreadable: number }> {
  const sound: string[] = [];
  for (const [n, line] of lines.entries()) {
    if (n % STEP_LINES === STEP_LINES - 1) await turn();
    try {
      sound.push(encodeEvent(decodeEvent(line)));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return { lines: sound, unreadable: lines.length - sound.length };
}

/** The beginning, and as much of the end as there is room for. */
function headAndTail(lines: readonly string[], room: number): string[] {
  const sizes = lines.map((line) => byteLength(line) + SEPARATOR_BYTES);
  let left = room;
  let head = 0;
  while (head < lines.length && room - left < JOURNAL_HEAD_BYTES) {
    left -= sizes[head++] ?? 0;
  }
  let tail = lines.length;
  while (tail > head && left >= (sizes[tail - 1] ?? 0)) {
    left -= sizes[--tail] ?? 0;
  }
  return [...lines.slice(0, head), ...lines.slice(tail)];
}

/** Comma and newline. */
const SEPARATOR_BYTES = 2;

function newest(
  lines: readonly string[],
  bytesMax: number,
): { readonly items: readonly string[]; readonly left: number } {
  let left = bytesMax;
  let from = lines.length;
  while (from > 0) {
    left -= byteLength(lines[from - 1] ?? "") + SEPARATOR_BYTES;
    if (left < 0) break;
    from--;
  }
  return { items: lines.slice(from), left: from };
}

function stderrText(tail: string): string {
  let kept = tail;
  while (byteLength(JSON.stringify(kept)) > PART_BYTES_MAX.stderr) {
    kept = kept.slice(Math.ceil(kept.length / 2));
  }
  return JSON.stringify(kept);
}

function fitting(value: Json, bytesMax: number): Json | undefined {
  return byteLength(JSON.stringify(value)) <= bytesMax ? value : undefined;
}

/** Takes a serial number out of sentences: logs do not tell it either. */
function redactor(serial: string | undefined): Hide {
  if (serial === undefined || serial.length < SERIAL_LENGTH_MIN) {
    return (text) => text;
  }
  const escaped = serial.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const whole = new RegExp(`(?<![A-Za-z0-9])${escaped}(?![A-Za-z0-9])`, "g");
  return (text) => text.replaceAll(whole, "[serial number]");
}

function hideIn(value: Json, hide: Hide): Json {
  if (typeof value === "string") return hide(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => hideIn(item, hide));
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, hideIn(item, hide)]),
  );
}

function objectText(members: readonly [string, string][]): string {
  const lines = members.map(([name, value]) =>
    `${JSON.stringify(name)}: ${value}`
  );
  return `{\n${lines.join(",\n")}\n}\n`;
}

function arrayText(items: readonly string[]): string {
  return items.length === 0 ? "[]" : `[\n${items.join(",\n")}\n]`;
}

function timeText(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

const ENCODER = new TextEncoder();

function byteLength(text: string): number {
  return ENCODER.encode(text).length;
}
