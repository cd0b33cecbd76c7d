/**
 * As much of a supervisor's answers as `driverspace top` shows. Another version
 * may leave members out: what is not there is shown as unknown.
 *
 * @module
 */

import type { Json } from "../../driver.ts";

/** One driver, of `GET /drivers/NAME`. */
export interface TopDriver {
  readonly name: string;
  readonly driver: string;
  readonly state: string;
  readonly since: string;
  readonly required?: boolean;
  readonly cause?: string | null;
  readonly degraded?: string | null;
  readonly device?: {
    readonly label: string;
    readonly manufacturer?: string | null;
    readonly product?: string | null;
    readonly serial?: string | null;
  } | null;
  readonly pid?: number | null;
  readonly standby?: boolean;
  readonly starts?: number;
  readonly "next_attempt_ms"?: number | null;
  readonly "heartbeat_age_ms"?: number | null;
  readonly "loop_lag_ms"?: number | null;
  readonly reports?: number;
  readonly dropped?: number;
  readonly "in_flight"?: number;
  readonly mailbox?: Readonly<Record<string, number>>;
  readonly "queued_commands"?: number;
  readonly "safe_state"?: string | null;
  readonly "last_exit"?:
    | { readonly class: string; readonly message: string }
    | null;
  readonly endpoints?: readonly {
    readonly endpoint: string;
    readonly type: string;
    readonly "bytes_in": number;
    readonly "bytes_out": number;
    readonly "in_flight": number;
    readonly paused: boolean;
  }[];
  readonly "handler_latency"?: {
    readonly "bounds_ms": readonly number[];
    readonly counts: readonly number[];
  };
  readonly values?: readonly {
    readonly event: string;
    readonly data: { readonly [key: string]: Json };
    readonly "age_ms": number;
    readonly stale: boolean;
  }[];
  readonly transitions?: readonly {
    readonly from: string;
    readonly to: string;
    readonly cause?: string | null;
    readonly at: string;
  }[];
}

/** Of `GET /status`. */
export interface TopStatus {
  readonly version: string;
  readonly stopping: boolean;
  readonly "uptime_ms"?: number;
  readonly drivers: readonly TopDriver[];
}

/** Of `GET /drivers/NAME/log`. */
export interface TopLog {
  readonly lines: readonly {
    readonly at: string;
    readonly level: string;
    readonly event: string;
    readonly message: string;
  }[];
}
