/**
 * The frames between a driver process and its host: one JSON object a line,
 * over stdin and stdout. The driver may be captured by its device, so what it
 * sends is read as hostile input: bounded in length and depth, checked member
 * by member, and refused with a {@linkcode WireError}, never trusted.
 *
 * Bytes travel as base64 text ({@linkcode encodeBytes}).
 *
 * @module
 */

import type { Json, LogLevel } from "../driver.ts";
import { MAX_FRAME_BYTES } from "../limits.ts";
import type { SafeStateResult } from "../loop/safe_state.ts";
import {
  anObject,
  type Checker,
  count,
  integer,
  json,
  jsonObject,
  number,
  oneOf,
  optional,
  record,
  scalar,
  shape,
  text,
  WireError,
} from "./wire_check.ts";

import { telemetry, type WireTelemetry } from "./wire_telemetry.ts";

export { decodeBytes, encodeBytes } from "./wire_bytes.ts";
export { WireError, type WireErrorCode } from "./wire_check.ts";

/** Both ends must speak the same version; the first frame says it. */
export const WIRE_VERSION = 1;

/** A device as frames and log lines name it. */
export interface DeviceIdentity {
  /** `idVendor`, four hexadecimal digits. */
  readonly vid: string;
  /** `idProduct`, four hexadecimal digits. */
  readonly pid: string;
  /** Port path, `1-4.2`, or what stands for it. */
  readonly path: string;
  readonly serial?: string;
  /** `iProduct` as text, for people. */
  readonly product?: string;
}

/** Names of layers that a host looks for. */
export const SANDBOX_LAYERS = {
  landlock: "Landlock ABI",
  seccomp: "seccomp",
} as const;

/** What holds the driver process, as it found out itself. */
export interface SandboxSummary {
  readonly mode: "direct" | "sandboxed";
  /** Name of a layer to what it answered: `Landlock ABI` to 7. */
  readonly layers: Readonly<Record<string, string | number | boolean>>;
  /** Sandboxed: the whole report, which the host holds against its policy. */
  readonly report?: { readonly [key: string]: Json };
}

/** An error that crosses processes. */
export interface WireFailure {
  /** A `UsbErrorCode`, or `bug`, `refused`, `unknown` for what is not the world's doing. */
  readonly code: string;
  readonly message: string;
  readonly advice?: string;
  /** Number of libusb or the system. */
  readonly native?: number;
}

/** First frame of a driver. */
export interface HelloFrame {
  readonly type: "hello";
  readonly wire: number;
  readonly driver: string;
  readonly instance: string;
  readonly pid: number;
  /** Component to version: `deno`, `libusb`, `driverspace`. */
  readonly versions: Readonly<Record<string, string>>;
  /** What there is to know of its journal. */
  readonly journal?: {
    readonly content: "outline" | "full";
    /** Of its chance. */
    readonly seed: number;
    /** Its own clock and the wall's, at one moment. */
    readonly nowMs: number;
    readonly wallMs: number;
  };
}

/** The driver serves: device claimed, `start` done, confinement checked. */
export interface ReadyFrame {
  readonly type: "ready";
  readonly device: DeviceIdentity;
  readonly sandbox: SandboxSummary;
}

/** The driver's session changed its state. */
export interface StateFrame {
  readonly type: "state";
  readonly state: string;
  readonly cause?: string;
}

/** Something the driver tells the world. */
export interface EventFrame {
  readonly type: "event";
  /** +1 per event emitted; a gap proves that events were dropped. */
  readonly sequence: number;
  readonly event: string;
  readonly data: { readonly [key: string]: Json };
}

/** Sent by the loop after a turn or an idle tick, never by a timer of its own. */
export interface HeartbeatFrame {
  readonly type: "heartbeat";
  readonly sequence: number;
  /** How late the loop's last tick was. */
  readonly lagMs: number;
  /** Messages waiting, by lane. */
  readonly depth: Readonly<Record<string, number>>;
  readonly inFlight: number;
  /** Reports handled since the start. */
  readonly reports: number;
  /** Reports and events dropped since the start, each counted once. */
  readonly dropped: number;
  /** Lines of the log that are not on the disk: waiting for it, or lost. */
  readonly logUnwritten?: number;
  /** Grows while a long operation gets on. */
  readonly progress: number;
  /** What it counted since the start; there from the opening of the device on. */
  readonly telemetry?: WireTelemetry;
}

/** Events of the driver's journal, sent before the driver goes on. */
export interface JournalFrame {
  readonly type: "journal";
  /** One a line, as `encodeEvent` writes them; read when somebody wants to know. */
  readonly lines: string;
}

/** A line the driver logged, for whoever watches; the log file has its own copy. */
export interface LogFrame {
  readonly type: "log";
  readonly level: LogLevel;
  readonly event: string;
  readonly message: string;
  readonly fields?: { readonly [key: string]: Json };
}

/** Answer to a command: a value, or a failure. */
export interface ResultFrame {
  readonly type: "result";
  readonly id: number;
  readonly value?: Json;
  readonly failure?: WireFailure;
}

/** Last frame of a driver that still can say why it ends. */
export interface ExitFrame {
  readonly type: "exit";
  readonly reason: ExitReason;
  readonly message: string;
  readonly failure?: WireFailure;
  /** What became of its device; without it nobody vouches for the device. */
  readonly safeState?: SafeStateResult;
  /** What was counted since the last heartbeat, too. */
  readonly telemetry?: WireTelemetry;
}

/** Why a driver ends by itself. */
export type ExitReason =
  | "clean"
  | "deviceGone"
  | "config"
  | "permission"
  | "fault"
  | "protocol";

/** What a driver sends. */
export type DriverFrame =
  | HelloFrame
  | ReadyFrame
  | StateFrame
  | EventFrame
  | HeartbeatFrame
  | JournalFrame
  | LogFrame
  | ResultFrame
  | ExitFrame;

/** Asks the driver to carry out one of its commands. */
export interface CommandFrame {
  readonly type: "command";
  readonly id: number;
  readonly command: string;
  /** As the driver's `ParameterSpec`s say; bytes as base64 text. */
  readonly params: { readonly [key: string]: Json };
}

/** Asks the driver to end in order: safe state, drain, release. */
export interface StopFrame {
  readonly type: "stop";
  readonly reason: string;
}

/** The device left the bus, as the host saw: an idle driver would not notice. */
export interface GoneFrame {
  readonly type: "gone";
}

/** What a host sends. */
export type HostFrame = CommandFrame | StopFrame | GoneFrame;

/** Made once: making one costs more than a small frame. */
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { fatal: true });

/**
 * One frame as a line of bytes, newline included.
 *
 * @throws {WireError} `tooLong` over MAX_FRAME_BYTES.
 */
export function encodeFrame(
  frame: DriverFrame | HostFrame,
): Uint8Array<ArrayBuffer> {
  const line = ENCODER.encode(JSON.stringify(frame) + "\n");
  if (line.length > MAX_FRAME_BYTES) {
    throw new WireError(
      "tooLong",
      `Cannot send a ${frame.type} frame of ${line.length} bytes: the limit is ${MAX_FRAME_BYTES}`,
    );
  }
  return line;
}

/**
 * Reads one line that came from a driver.
 *
 * @throws {WireError} When it is not a frame of this version, whole and sound.
 */
export function decodeDriverFrame(line: Uint8Array): DriverFrame {
  return decode(line, DRIVER_FRAMES);
}

/**
 * Reads one line that came from a host.
 *
 * @throws {WireError} When it is not a frame of this version, whole and sound.
 */
export function decodeHostFrame(line: Uint8Array): HostFrame {
  return decode(line, HOST_FRAMES);
}

type FrameOf<Frames extends { readonly type: string }, Type> = Extract<
  Frames,
  { readonly type: Type }
>;

type Table<Frames extends { readonly type: string }> = {
  readonly [Type in Frames["type"]]: Checker<
    Omit<FrameOf<Frames, Type>, "type">
  >;
};

/** Checks an error of another process. */
export const FAILURE: Checker<WireFailure> = shape({
  code: text(64),
  message: text(8192),
  advice: optional(text(8192)),
  native: optional(integer),
});

/** Checks what a process says holds it. */
export const SANDBOX: Checker<SandboxSummary> = shape({
  mode: oneOf("direct", "sandboxed"),
  layers: record(scalar),
  report: optional(jsonObject),
});

const DRIVER_FRAMES: Table<DriverFrame> = {
  hello: shape({
    wire: oneOf(WIRE_VERSION),
    driver: text(64),
    instance: text(64),
    pid: count,
    versions: record(text(128)),
    journal: optional(shape({
      content: oneOf("outline", "full"),
      seed: count,
      nowMs: number,
      wallMs: number,
    })),
  }),
  ready: shape({
    device: shape({
      vid: text(4),
      pid: text(4),
      path: text(64),
      serial: optional(text(256)),
      product: optional(text(256)),
    }),
    sandbox: SANDBOX,
  }),
  state: shape({ state: text(64), cause: optional(text(8192)) }),
  event: shape({ sequence: count, event: text(64), data: jsonObject }),
  heartbeat: shape({
    sequence: count,
    lagMs: number,
    depth: record(count),
    inFlight: count,
    reports: count,
    dropped: count,
    logUnwritten: optional(count),
    progress: count,
    telemetry: optional(telemetry),
  }),
  journal: shape({ lines: text(MAX_FRAME_BYTES) }),
  log: shape({
    level: oneOf("debug", "info", "warn", "error"),
    event: text(128),
    message: text(8192),
    fields: optional(jsonObject),
  }),
  result: shape({
    id: count,
    value: optional(json),
    failure: optional(FAILURE),
  }),
  exit: shape({
    reason: oneOf(
      "clean",
      "deviceGone",
      "config",
      "permission",
      "fault",
      "protocol",
    ),
    message: text(8192),
    failure: optional(FAILURE),
    safeState: optional(oneOf("done", "failed", "impossible", "none")),
    telemetry: optional(telemetry),
  }),
};

const HOST_FRAMES: Table<HostFrame> = {
  command: shape({ id: count, command: text(64), params: jsonObject }),
  stop: shape({ reason: text(256) }),
  gone: shape({}),
};

function decode<Frames extends { readonly type: string }>(
  line: Uint8Array,
  table: Table<Frames>,
): Frames {
  const object = anObject(parse(line), "frame");
  const { type, ...members } = object;
  if (typeof type !== "string" || !Object.hasOwn(table, type)) {
    throw new WireError(
      "unknownType",
      `Cannot read a frame of type ${clip(JSON.stringify(type))}`,
    );
  }
  const check = table[type as Frames["type"]];
  return { type, ...check(members, type) } as unknown as Frames;
}

function parse(line: Uint8Array): unknown {
  if (line.length > MAX_FRAME_BYTES) {
    throw new WireError(
      "tooLong",
      `Cannot read a frame of ${line.length} bytes: the limit is ${MAX_FRAME_BYTES}`,
    );
  }
  try {
    return JSON.parse(DECODER.decode(line));
  } catch (error) {
    throw new WireError("notJson", `Cannot read a frame: ${clip(error)}`);
  }
}

function clip(value: unknown): string {
  return String(value).slice(0, 100);
}
