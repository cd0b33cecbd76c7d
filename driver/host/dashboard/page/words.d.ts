/**
 * What the page hears from the supervisor, as far as it is shown. The shapes are
 * those of the OpenAPI document; texts come from drivers and devices and may
 * hold anything.
 *
 * @module
 */

/** A value of JSON. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** A device as far as it is known. */
export interface DeviceView {
  readonly label: string;
  readonly "vendor_id": string;
  readonly "product_id": string;
  readonly serial: string | null;
  readonly port: string;
  readonly manufacturer: string | null;
  readonly product: string | null;
  readonly version: string;
}

/** One driver of `/status`. */
export interface DriverView {
  readonly name: string;
  readonly driver: string;
  readonly required: boolean;
  readonly state: string;
  readonly since: string;
  readonly cause: string | null;
  readonly degraded: string | null;
  readonly device: DeviceView | null;
  readonly pid: number | null;
  readonly standby: boolean;
  readonly starts: number;
  readonly failures: number;
  readonly "next_attempt_ms": number | null;
  readonly "heartbeat_age_ms": number | null;
  readonly "loop_lag_ms": number | null;
  readonly reports: number;
  readonly dropped: number;
  readonly "in_flight": number;
  readonly mailbox: {
    readonly control: number;
    readonly commands: number;
    readonly reports: number;
  };
  readonly "queued_commands": number;
  readonly "safe_state": string | null;
  readonly "last_exit":
    | { readonly class: string; readonly message: string }
    | null;
  readonly "exit_counts": { readonly [exitClass: string]: number };
}

/** `/status`, and the first event of a stream. */
export interface StatusView {
  readonly version: string;
  readonly "uptime_ms": number;
  readonly stopping: boolean;
  readonly drivers: readonly DriverView[];
}

/** The last a driver said under one name. */
export interface ValueView {
  readonly event: string;
  readonly data: { readonly [key: string]: Json };
  readonly at: string;
  readonly "age_ms": number;
  readonly stale: boolean;
}

/** What one member of an event is, as the driver declares it. */
export interface ValueSpec {
  readonly description: string;
  readonly type: "number" | "boolean" | "text";
  readonly unit?: string;
  readonly unitFrom?: string;
}

/** A parameter of a command, as the driver declares it. */
export type ParameterSpec =
  & { readonly description: string; readonly optional?: boolean }
  & (
    | {
      readonly type: "string";
      readonly maxLength: number;
      readonly choices?: readonly string[];
    }
    | {
      readonly type: "integer" | "number";
      readonly minimum: number;
      readonly maximum: number;
    }
    | { readonly type: "boolean" }
    | { readonly type: "bytes"; readonly maxBytes: number }
  );

/** A command of a driver. */
export interface CommandView {
  readonly name: string;
  readonly description: string;
  readonly idempotent: boolean;
  readonly "timeout_ms": number | null;
  readonly params: { readonly [name: string]: ParameterSpec };
}

/** How a process ended. */
export interface ExitView {
  readonly class: string;
  readonly message: string;
  readonly "ready_ms": number;
  readonly at: string;
}

/** A change of state. */
export interface TransitionView {
  readonly from: string;
  readonly to: string;
  readonly cause: string | null;
  readonly at: string;
}

/** What moved over an endpoint since its process began. */
export interface EndpointView {
  readonly endpoint: string;
  readonly type: string;
  readonly ended: { readonly [status: string]: number };
  readonly "bytes_in": number;
  readonly "bytes_out": number;
  readonly "in_flight": number;
  readonly paused: boolean;
}

/** `/drivers/NAME`. */
export interface DetailView extends DriverView {
  readonly values: readonly ValueView[];
  readonly "value_specs":
    | Readonly<Record<string, Readonly<Record<string, ValueSpec>>>>
    | null;
  readonly endpoints: readonly EndpointView[];
  readonly "handler_latency": {
    readonly "bounds_ms": readonly number[];
    readonly counts: readonly number[];
  };
  readonly retries: { readonly [reason: string]: number };
  readonly transitions: readonly TransitionView[];
  readonly exits: readonly ExitView[];
  readonly commands: readonly CommandView[];
}

/** A line of a driver's log. */
export interface LogLine {
  readonly sequence: number;
  readonly at: string;
  readonly level: "debug" | "info" | "warn" | "error";
  readonly from: "driver" | "supervisor";
  readonly event: string;
  readonly message: string;
  readonly fields: { readonly [key: string]: Json };
}

/** A point of a plot; `null`: not known then. */
export interface Point {
  readonly atMs: number;
  readonly value: number | null;
}

/** A stretch of time in one state. */
export interface Stretch {
  readonly state: string;
  readonly fromMs: number;
  readonly toMs: number;
}
