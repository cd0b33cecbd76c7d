/**
 * A crash bundle: what there is to know of one failure of one driver, in one
 * file. Read as hostile input: it comes from whoever sends it.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import type { JournalEvent } from "../../loop/journal.ts";
import { eventOf } from "../../loop/recording.ts";
import type { Speed } from "../../usb.ts";
import { EXIT_SENTENCES, type ExitClass } from "../exit_class.ts";
import {
  FAILURE,
  SANDBOX,
  type SandboxSummary,
  type WireFailure,
} from "../wire.ts";
import {
  boolean,
  type Checker,
  count,
  integer,
  json,
  jsonObject,
  list,
  number,
  oneOf,
  optional,
  record,
  shape,
  text,
  WireError,
} from "../wire_check.ts";

/** What a bundle calls itself. */
export const BUNDLE_FORMAT = "driverspace-crash-bundle";
/** Grows when older bundles can no longer be read. */
export const BUNDLE_VERSION = 1;
/** A bundle is never longer. */
export const BUNDLE_BYTES_MAX = 1024 * 1024;
/** More events than fit into a bundle. */
const EVENTS_MAX = 65_536;
/** More lines and states than a bundle gets. */
const LINES_MAX = 1_024;

/** The device, as far as its descriptors say. */
export interface BundledDevice {
  /** `0957:1755@1-4`. */
  readonly label: string;
  readonly speed: Speed;
  readonly port: string;
  readonly manufacturer?: string;
  readonly product?: string;
  /** Only where all bytes were asked for. */
  readonly serial?: string;
  /** The fields of its device descriptor, by our names. */
  readonly descriptor: Readonly<Record<string, number>>;
  /** Of its configurations, as hexadecimal text. */
  readonly configurations: readonly string[];
  readonly "configuration_value"?: number;
}

/** One failure. Members are named as in everything that programs read. */
export interface CrashBundle {
  readonly format: typeof BUNDLE_FORMAT;
  readonly version: typeof BUNDLE_VERSION;
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly driver: {
    readonly instance: string;
    readonly name: string;
    /** SHA-256 of its data parts. */
    readonly "manifest_hash": string;
    readonly manifest?: { readonly [key: string]: Json };
  };
  readonly end: {
    readonly class: ExitClass;
    readonly message: string;
    readonly code: number;
    readonly signal?: string;
    readonly "was_ready": boolean;
    readonly "ready_ms": number;
    /** Of its session, as far as it said. */
    readonly "session_state"?: string;
    readonly failure?: WireFailure;
    readonly "safe_state"?: string;
  };
  readonly process: {
    readonly pid?: number;
    /** Of its chance. */
    readonly seed?: number;
    /** Whether the journal has all bytes. */
    readonly payloads: boolean;
    /** Its clock and the wall's, at one moment. */
    readonly "now_ms"?: number;
    readonly "wall_ms"?: number;
  };
  /** Component to version. */
  readonly versions: Readonly<Record<string, string>>;
  readonly system: Readonly<Record<string, string>>;
  readonly device?: BundledDevice;
  readonly options: { readonly [key: string]: Json };
  readonly sandbox?: SandboxSummary;
  readonly heartbeat?: { readonly [key: string]: Json };
  /** Transitions under supervision, oldest first. */
  readonly states: readonly {
    readonly at: string;
    readonly from: string;
    readonly to: string;
    readonly cause?: string;
  }[];
  /** The end of what it wrote there. */
  readonly stderr: string;
  readonly log: readonly BundledLine[];
  /** Older lines that are not here. */
  readonly "log_dropped": number;
  /** Events that could not be read, as a dying process may send them. */
  readonly "journal_unreadable": number;
  /** See `recording.ts`; gaps in the first member are events that are not here. */
  readonly journal: readonly JournalEvent[];
}

/** A line of the log. */
export interface BundledLine {
  readonly at: string;
  readonly level: "debug" | "info" | "warn" | "error";
  readonly event: string;
  readonly message: string;
  readonly from: string;
  readonly fields: { readonly [key: string]: Json };
}

/**
 * Reads a bundle.
 *
 * @throws {WireError} `tooLong`, `notJson`, `badMember`, `tooDeep`: with what is wrong.
 */
export function readBundle(bytes: Uint8Array): CrashBundle {
  if (bytes.length > BUNDLE_BYTES_MAX) {
    throw new WireError(
      "tooLong",
      `Cannot read the bundle: ${bytes.length} bytes, and none has more than ${BUNDLE_BYTES_MAX}`,
    );
  }
  return BUNDLE(parse(bytes), "bundle");
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new WireError(
      "notJson",
      `Cannot read the bundle: it is cut, or none: ${reason.slice(0, 100)}`,
    );
  }
}

/** Another version may mean anything by the other members, so it is looked at first. */
const BUNDLE: Checker<CrashBundle> = (value, where) => {
  const { format, version } = HEAD(value, where);
  if (format !== BUNDLE_FORMAT) {
    throw new WireError("badMember", "Cannot read the bundle: it is none");
  }
  if (version !== BUNDLE_VERSION) {
    throw new WireError(
      "badMember",
      `Cannot read the bundle: it is of version ${version}, and ${BUNDLE_VERSION} is known. ` +
        "Use the driverspace that made it",
    );
  }
  return WHOLE(value, where) as CrashBundle;
};

const HEAD = shape({ format: optional(json), version: optional(json) });

const EXIT_CLASS = oneOf(...Object.keys(EXIT_SENTENCES) as ExitClass[]);

const event: Checker<JournalEvent> = (value, where) => {
  try {
    return eventOf(value);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new WireError("badMember", `Cannot read ${where}: ${error.message}`);
  }
};

const DEVICE = shape({
  label: text(128),
  speed: oneOf("unknown", "low", "full", "high", "super", "super+", "super+x2"),
  port: text(64),
  manufacturer: optional(text(256)),
  product: optional(text(256)),
  serial: optional(text(256)),
  descriptor: record(count),
  configurations: list(text(2 * 0xffff), 8),
  configuration_value: optional(count),
});

const WHOLE = shape({
  format: oneOf(BUNDLE_FORMAT),
  version: oneOf(BUNDLE_VERSION),
  at: text(32),
  driver: shape({
    instance: text(64),
    name: text(64),
    manifest_hash: text(64),
    manifest: optional(jsonObject),
  }),
  end: shape({
    class: EXIT_CLASS,
    message: text(8192),
    code: integer,
    signal: optional(text(16)),
    was_ready: boolean,
    ready_ms: number,
    session_state: optional(text(64)),
    failure: optional(FAILURE),
    safe_state: optional(text(64)),
  }),
  process: shape({
    pid: optional(count),
    seed: optional(count),
    payloads: boolean,
    now_ms: optional(number),
    wall_ms: optional(number),
  }),
  versions: record(text(128)),
  system: record(text(256)),
  device: optional(DEVICE),
  options: jsonObject,
  sandbox: optional(SANDBOX),
  heartbeat: optional(jsonObject),
  states: list(
    shape({
      at: text(32),
      from: text(64),
      to: text(64),
      cause: optional(text(8192)),
    }),
    LINES_MAX,
  ),
  stderr: text(64 * 1024),
  log: list(
    shape({
      at: text(32),
      level: oneOf("debug", "info", "warn", "error"),
      event: text(256),
      message: text(8192),
      from: text(64),
      fields: jsonObject,
    }),
    LINES_MAX,
  ),
  log_dropped: count,
  journal_unreadable: count,
  journal: list(event, EVENTS_MAX),
});
