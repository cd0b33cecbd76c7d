/**
 * What the bridge reads of a supervisor, checked: drivers, their devices, values
 * and commands, and events. A member that a newer one may say otherwise spoils
 * itself, not the rest.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import {
  boolean,
  type Checker,
  count,
  jsonObject,
  oneOf,
  optional,
  record,
  shape,
  text,
} from "../wire_check.ts";

/** A USB device as the supervisor shows it. */
export interface UsbFacts {
  readonly vendorId: string;
  readonly productId: string;
  readonly port: string;
  readonly serial: string | null;
  readonly manufacturer: string | null;
  readonly product: string | null;
  readonly version: string | null;
}

/** A member of an event that is a value to show. */
export interface ValueFacts {
  readonly description: string;
  readonly type: "number" | "boolean" | "text";
  readonly unit?: string;
  readonly unitFrom?: string;
}

/** The last of one kind of event. */
export interface LastEvent {
  readonly event: string;
  readonly data: { readonly [key: string]: Json };
  readonly at: string;
}

/** A command as far as a button needs it. */
export interface CommandFacts {
  readonly name: string;
  readonly hasParameters: boolean;
}

/** One driver. */
export interface DriverFacts {
  /** Of the instance. */
  readonly name: string;
  readonly driver: string;
  readonly state: string;
  readonly since: string;
  readonly cause: string | null;
  readonly device: UsbFacts | null;
  readonly values: readonly LastEvent[];
  /** Declared values, by event and member; `null`: the driver declares none. */
  readonly specs:
    | Readonly<Record<string, Readonly<Record<string, ValueFacts>>>>
    | null;
  readonly commands: readonly CommandFacts[];
}

/** The beginning of an event stream. */
export interface Snapshot {
  /** When this supervisor began: another one counts events anew. */
  readonly started: string;
  readonly names: readonly string[];
}

/** An event about a driver. */
export type DriverNews =
  | {
    readonly kind: "event";
    readonly driver: string;
    readonly event: string;
    readonly sequence: number;
    readonly at: string;
    /** Absent: too long for the supervisor's ring. */
    readonly data?: { readonly [key: string]: Json };
  }
  | {
    readonly kind: "state";
    readonly driver: string;
    readonly state: string;
    readonly at: string;
    readonly cause: string | null;
  }
  /** Something to ask for. */
  | { readonly kind: "other"; readonly driver: string };

/** Reads the answer of `/drivers/NAME`. @throws {Error} When it is none. */
export function readDriver(body: string): DriverFacts {
  const { specs, commands, values, ...facts } = DRIVER(
    renamed(JSON.parse(body), "value_specs", "specs"),
    "driver",
  );
  return {
    ...facts,
    cause: facts.cause ?? null,
    device: facts.device ?? null,
    values: values ?? [],
    specs: specs ?? null,
    commands: (commands ?? []).map(({ name, params }) => ({
      name,
      hasParameters: Object.keys(params).length > 0,
    })),
  };
}

/** Reads the first event of a stream. @throws {Error} When it is none. */
export function readSnapshot(data: string): Snapshot {
  const { started, configured: names } = SNAPSHOT(JSON.parse(data), "snapshot");
  return { started, names };
}

/** Reads an event; `undefined` for kinds the bridge does not tell. @throws {Error} When it is none. */
export function readNews(event: string, data: string): DriverNews | undefined {
  if (event === "driver.event") {
    const value: unknown = JSON.parse(data);
    const { truncated } = TRUNCATED(value, event);
    if (truncated !== true) return { kind: "event", ...EVENT(value, event) };
    const { driver, at } = ABOUT(value, event);
    return { kind: "event", driver, at, event: "", sequence: 0 };
  }
  if (event === "driver.unusable" || event === "driver.notice") {
    return { kind: "other", driver: ABOUT(JSON.parse(data), event).driver };
  }
  if (event !== "driver.state") return undefined;
  const { driver, at, to, cause } = STATE(JSON.parse(data), event);
  return { kind: "state", driver, state: to, at, cause: cause ?? null };
}

/** Reads how many events a `gap` says are lost. @throws {Error} When it is none. */
export function readGap(data: string): number {
  const { from, to } = GAP(JSON.parse(data), "gap");
  return Math.max(0, to - from + 1);
}

/** A list, each of its items checked; more than any of ours has are left out. */
function listOf<T>(
  check: Checker<T>,
  lengthMax: number,
): Checker<readonly T[]> {
  return (value, where) =>
    (Array.isArray(value) ? value : []).slice(0, lengthMax)
      .map((item, at) => check(item, `${where}[${at}]`));
}

/** What does not fit is as if it were not there. */
function lenient<T>(check: Checker<T>): Checker<T | undefined> {
  return (value, where) => {
    try {
      return check(value, where);
    } catch {
      return undefined;
    }
  };
}

function nullable<T>(check: Checker<T>): Checker<T | null> {
  return (value, where) =>
    value === null || value === undefined ? null : check(value, where);
}

function renamed(value: unknown, from: string, to: string): unknown {
  if (typeof value !== "object" || value === null) return value;
  const members = value as Record<string, unknown>;
  return { ...members, [to]: members[from] };
}

/** Names the supervisor gives are short; those of drivers and devices are not its own. */
const name = text(256);
const sentence = text(8_192);
const time = text(64);

const USB: Checker<UsbFacts> = (value, where) => {
  const { vendor_id: vendorId, product_id: productId, ...rest } = shape({
    "vendor_id": text(8),
    "product_id": text(8),
    port: name,
    serial: nullable(name),
    manufacturer: nullable(name),
    product: nullable(name),
    version: nullable(name),
  })(value, where);
  return { vendorId, productId, ...rest };
};

const SPEC: Checker<ValueFacts> = shape({
  description: sentence,
  type: oneOf("number", "boolean", "text"),
  unit: optional(name),
  unitFrom: optional(name),
});

const DRIVER = shape({
  name,
  driver: text(4_096),
  state: name,
  since: time,
  cause: nullable(sentence),
  device: lenient(nullable(USB)),
  values: lenient(
    listOf(shape({ event: name, data: jsonObject, at: time }), 64),
  ),
  specs: lenient(record(record(SPEC))),
  commands: lenient(
    listOf(
      shape({ name, params: jsonObject }),
      128,
    ),
  ),
});

const SNAPSHOT = shape({
  started: time,
  configured: listOf(name, 256),
});

const ABOUT = shape({ driver: name, at: time });
const TRUNCATED = shape({ truncated: lenient(boolean) });
const EVENT = shape({
  driver: name,
  at: time,
  event: name,
  sequence: count,
  data: jsonObject,
});
const STATE = shape({
  driver: name,
  at: time,
  to: name,
  cause: nullable(sentence),
});
const GAP = shape({ from: count, to: count });
