/**
 * Every metric of the supervisor: names, types and labels are an interface, and
 * a test holds the list.
 *
 * @module
 */

import { TRANSFER_STATUSES } from "../../loop/endpoint_counters.ts";
import { DURATION_BOUNDS_MS } from "../../loop/histogram.ts";
import {
  DROP_POLICIES,
  RETRY_REASONS,
  TRANSFER_TYPES,
} from "../../loop/telemetry.ts";
import type { ExitClass } from "../exit_class.ts";
import { LOG_LEVELS } from "../log_level.ts";
import { DRIVER_STATES } from "../supervisor/driver_states.ts";
import type { Family } from "./registry.ts";

/** Exit classes as values of `reason`. */
export const EXIT_REASONS: readonly ExitClass[] = [
  "clean",
  "device-gone",
  "config",
  "permission",
  "fault",
  "native-crash",
  "out-of-memory",
  "sandbox-kill",
  "start-crash",
  "hang",
  "protocol",
  "killed",
];

/** Closed sets of label values, each initialised to 0 for every driver. */
export const LABEL_VALUES = {
  state: DRIVER_STATES,
  reason: EXIT_REASONS,
  result: ["done", "failed", "impossible"],
  bundle: ["written", "failed"],
  lane: ["control", "timers", "commands", "reports"],
  level: LOG_LEVELS,
  status: TRANSFER_STATUSES,
  type: TRANSFER_TYPES,
  retry: RETRY_REASONS,
  policy: DROP_POLICIES,
  /** Why an event client was cut. */
  cut: ["slow", "broken"],
} as const;

/** Seconds from an end to READY. */
const RECOVERY_BUCKETS = [
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
] as const;
/** Seconds a transfer takes, or a report waits: as the driver counts them. */
const DURATION_BUCKETS = DURATION_BOUNDS_MS.map((ms) => ms / 1_000);
/** Seconds a loop is late. */
const LATENCY_BUCKETS = [
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
] as const;

/** All of them, in the order in which they are shown. */
export const FAMILIES: readonly Family[] = [
  gauge("build_info", "Versions, as labels.", "version", "deno", "libusb"),
  gauge(
    "driver_info",
    "The device of a driver, as labels.",
    "driver",
    "vendor_id",
    "product_id",
    "port",
    "serial",
  ),
  gauge("driver_up", "Whether the driver is ready.", "driver"),
  gauge("driver_state", "1 for the state it is in.", "driver", "state"),
  gauge("driver_standby", "Whether its next process waits.", "driver"),
  counter("driver_starts_total", "Processes started.", "driver"),
  counter(
    "driver_restarts_total",
    "Ends of processes by their class.",
    "driver",
    "reason",
  ),
  histogram(
    "driver_recovery_seconds",
    "From the end of a process to the next READY.",
    RECOVERY_BUCKETS,
    "driver",
  ),
  gauge(
    "driver_start_timestamp_seconds",
    "When the driver last became ready.",
    "driver",
  ),
  gauge(
    "driver_last_heartbeat_timestamp_seconds",
    "When the loop of the driver was last heard.",
    "driver",
  ),
  counter(
    "safe_state_total",
    "Safe states performed by the supervisor.",
    "driver",
    "result",
  ),
  counter(
    "crash_bundles_total",
    "Failures kept as a crash bundle, or not kept because the disk refused.",
    "driver",
    "result",
  ),
  counter(
    "transfers_total",
    "Transfers completed.",
    "driver",
    "endpoint",
    "type",
    "status",
  ),
  counter(
    "transfer_bytes_total",
    "Bytes moved.",
    "driver",
    "endpoint",
    "direction",
  ),
  histogram(
    "transfer_duration_seconds",
    "From submission to completion, of transfers made once; standing inputs wait for the device and are left out.",
    DURATION_BUCKETS,
    "driver",
    "type",
  ),
  histogram(
    "handler_latency_seconds",
    "From a report's arrival in the driver to the begin of its handler.",
    DURATION_BUCKETS,
    "driver",
  ),
  gauge(
    "transfers_in_flight",
    "Transfers the kernel has.",
    "driver",
    "endpoint",
  ),
  counter("retries_total", "Things tried again.", "driver", "reason"),
  gauge("mailbox_depth", "Messages waiting.", "driver", "lane"),
  gauge("mailbox_capacity", "Messages that may wait.", "driver", "lane"),
  counter(
    "mailbox_dropped_total",
    "Messages dropped.",
    "driver",
    "endpoint",
    "lane",
    "policy",
  ),
  gauge(
    "endpoint_paused",
    "1 while reports are left in the device.",
    "driver",
    "endpoint",
  ),
  histogram(
    "loop_lag_seconds",
    "How late the loop of the driver was.",
    LATENCY_BUCKETS,
    "driver",
  ),
  counter("log_lines_total", "Lines logged.", "driver", "level"),
  counter("log_dropped_total", "Lines lost.", "driver", "reason"),
  gauge("event_clients", "Clients of the event stream."),
  counter("event_clients_cut_total", "Clients cut off.", "reason"),
  gauge(
    "sandbox_info",
    "What holds the driver, as labels.",
    "driver",
    "landlock_abi",
    "seccomp",
  ),
  counter(
    "sandbox_denials_total",
    "Processes killed for a system call that the sandbox forbids.",
    "driver",
  ),
];

function gauge(name: string, help: string, ...labels: string[]): Family {
  return { name: `driverspace_${name}`, type: "gauge", help, labels };
}

function counter(name: string, help: string, ...labels: string[]): Family {
  return { name: `driverspace_${name}`, type: "counter", help, labels };
}

function histogram(
  name: string,
  help: string,
  buckets: readonly number[],
  ...labels: string[]
): Family {
  return {
    name: `driverspace_${name}`,
    type: "histogram",
    help,
    labels,
    buckets,
  };
}
