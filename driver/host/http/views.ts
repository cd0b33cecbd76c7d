/**
 * What programs are shown of a supervisor: plain JSON with stable names, made
 * of what is in memory.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import { deviceLabel } from "../../match.ts";
import { hex } from "../../usb.ts";
import type { DriverManifest } from "../manifest.ts";
import type { RecentLogTail } from "../supervisor/recent_log.ts";
import type { UnitStatus } from "../supervisor/supervised_unit.ts";
import type { HeartbeatFrame } from "../wire.ts";
import { telemetryView } from "./telemetry_view.ts";

/** Heartbeats come each 250 ms; older than this they are not fresh. */
const BEAT_AGE_MS_MAX = 1_500;

/** An object of JSON. */
export type JsonObject = { readonly [key: string]: Json };

/** One driver, short: what a table shows. */
export function driverView(status: UnitStatus): JsonObject {
  const { beat } = status;
  const lastEnd = status.ends.at(-1);
  return {
    name: status.name,
    driver: status.driver,
    required: status.isRequired,
    state: status.state,
    since: time(status.sinceMs),
    cause: status.cause ?? null,
    degraded: status.degraded ?? null,
    device: status.device === undefined ? null : {
      label: deviceLabel(status.device),
      vendor_id: hex(status.device.descriptor.vendorId, 4).slice(2),
      product_id: hex(status.device.descriptor.productId, 4).slice(2),
      serial: status.device.serialNumber ?? null,
      port: status.device.portPath,
      manufacturer: status.device.manufacturer ?? null,
      product: status.device.product ?? null,
      version: deviceVersion(status.device.descriptor.deviceVersion),
    },
    pid: status.pid ?? null,
    standby: status.hasStandby,
    starts: status.starts,
    failures: status.failures,
    next_attempt_ms: status.nextAttemptMs ?? null,
    heartbeat_age_ms: status.beatAgeMs === undefined
      ? null
      : Math.round(status.beatAgeMs),
    loop_lag_ms: beat?.lagMs ?? null,
    reports: beat?.reports ?? 0,
    reports_per_second: rounded(status.rates?.reportsPerSecond),
    bytes_per_second: rounded(status.rates?.bytesPerSecond),
    dropped: beat?.dropped ?? 0,
    in_flight: beat?.inFlight ?? 0,
    mailbox: mailboxOf(beat),
    queued_commands: status.queuedCommands,
    safe_state: status.safeState ?? null,
    log: status.logPath ?? null,
    last_exit: lastEnd === undefined ? null : {
      class: lastEnd.exitClass,
      message: lastEnd.message,
      bundle: status.bundlePath ?? null,
    },
    exit_counts: Object.fromEntries(status.endCounts),
  };
}

/** One driver with its last values, its history and its commands. */
export function driverDetail(
  status: UnitStatus,
  manifest: DriverManifest | undefined,
): JsonObject {
  return {
    ...driverView(status),
    ...telemetryView(status.beat?.telemetry),
    values: status.values.map((value) => ({
      event: value.event,
      data: value.data,
      at: time(value.atMs),
      age_ms: value.ageMs,
      stale: value.stale,
    })),
    "value_specs": (manifest?.values ?? null) as unknown as Json,
    transitions: status.transitions.map(({ from, to, cause, atMs }) => ({
      from,
      to,
      cause: cause ?? null,
      at: time(atMs),
    })),
    exits: status.ends.map(({ exitClass, message, readyMs, atMs }) => ({
      class: exitClass,
      message,
      ready_ms: Math.round(readyMs),
      at: time(atMs),
    })),
    commands: Object.entries(manifest?.commands ?? {}).map((
      [name, command],
    ) => ({
      name,
      description: command.description,
      idempotent: command.idempotent,
      timeout_ms: command.timeoutMs ?? null,
      params: command.params as unknown as Json,
    })),
  };
}

/** The last lines of a driver's log. */
export function logView(driver: string, log: RecentLogTail): JsonObject {
  return {
    driver,
    dropped: log.dropped,
    lines: log.lines.map((line) => ({
      sequence: line.sequence,
      at: time(line.atMs),
      level: line.level,
      from: line.from,
      event: line.event,
      message: line.message,
      fields: line.fields,
    })),
  };
}

/** Whether programs may rely on the supervisor. */
export interface Readiness {
  readonly isReady: boolean;
  /** `ready`, and `checks` by name with their reasons. */
  readonly body: JsonObject;
}

/** Whether everything that is required works, with one entry for each check. */
export function readiness(
  statuses: readonly UnitStatus[],
  facts: { readonly isLogWritable: boolean; readonly isStopping: boolean },
): Readiness {
  const checks: Record<string, JsonObject> = {
    log: check(facts.isLogWritable, "the log cannot be written"),
    supervisor: check(!facts.isStopping, "it is stopping"),
  };
  for (const status of statuses) {
    const { name, state, isRequired, degraded, cause, beatAgeMs = 0 } = status;
    const isFresh = state !== "ready" || beatAgeMs < BEAT_AGE_MS_MAX;
    const why = state === "ready"
      ? "its heartbeats are late"
      : `it is ${state}${cause === undefined ? "" : `: ${cause}`}`;
    checks[`driver ${name}`] = {
      ...check(state === "ready" && isFresh, why),
      required: isRequired,
      degraded: degraded ?? null,
    };
  }
  const isReady = Object.values(checks).every((entry) =>
    entry["ok"] === true || entry["required"] === false
  );
  return { isReady, body: { ready: isReady, checks } };
}

/** Messages that wait, by lane. A driver's frame has any names; these are ours. */
function mailboxOf(beat: HeartbeatFrame | undefined): JsonObject {
  const { control = 0, commands = 0, reports = 0 } = beat?.depth ?? {};
  return { control, commands, reports };
}

/** To a hundredth: more says nothing. */
function rounded(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value * 100) / 100;
}

function check(ok: boolean, reason: string): JsonObject {
  return ok ? { ok } : { ok, reason };
}

/** `bcdDevice`, as people write it: `1.00`. */
function deviceVersion(bcd: number): string {
  const digits = hex(bcd, 4).slice(2);
  return `${digits.slice(0, 2).replace(/^0/, "")}.${digits.slice(2)}`;
}

function time(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
