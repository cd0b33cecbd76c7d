/**
 * Feeds the metrics of one driver from what its supervisor sees: transitions,
 * ends, frames. What a driver sends is untrusted, so no label value is ever
 * taken from a frame but the device's identity, which stands in `_info` alone.
 *
 * @module
 */

import {
  MAILBOX_COMMAND_CAPACITY,
  MAILBOX_CONTROL_CAPACITY,
  MAILBOX_REPORT_CAPACITY,
} from "../../limits.ts";
import type { Clock } from "../../loop/clock.ts";
import { TIMERS_MAX } from "../../loop/mailbox.ts";
import type { SafeStateResult } from "../../loop/safe_state.ts";
import type { ExitClass } from "../exit_class.ts";
import type { Transition } from "../supervisor/driver_states.ts";
import {
  type DriverFrame,
  type HeartbeatFrame,
  type ReadyFrame,
  SANDBOX_LAYERS,
  type SandboxSummary,
} from "../wire.ts";
import { LABEL_VALUES } from "./families.ts";
import type { MetricRegistry } from "./registry.ts";
import { TransferMetrics } from "./transfer_metrics.ts";

/** Lanes as heartbeats name them, with their capacities. */
const LANES = {
  control: MAILBOX_CONTROL_CAPACITY,
  timers: TIMERS_MAX,
  commands: MAILBOX_COMMAND_CAPACITY,
  reports: MAILBOX_REPORT_CAPACITY,
} as const;

/** Later than this a loop is not: the host kills it before. Bounds what a lie adds to a sum. */
const LAG_MS_MAX = 60_000;

/** Metrics of one driver. */
export class DriverMetrics {
  readonly #registry: MetricRegistry;
  readonly #driver: string;
  readonly #clock: Clock;
  readonly #transfers: TransferMetrics;

  /** Initialises every series of the driver to 0. */
  constructor(
    registry: MetricRegistry,
    options: { readonly driver: string; readonly clock: Clock },
  ) {
    this.#registry = registry;
    this.#driver = options.driver;
    this.#clock = options.clock;
    this.#transfers = new TransferMetrics(registry, options.driver);
    this.#initialise();
  }

  /** A state was left for another. */
  transition({ to }: Transition): void {
    for (const state of LABEL_VALUES.state) {
      this.#set("driver_state", state === to ? 1 : 0, { state });
    }
    this.#set("driver_up", to === "ready" ? 1 : 0);
    if (to === "starting") this.#add("driver_starts_total");
    if (to === "ready") {
      this.#set(
        "driver_start_timestamp_seconds",
        this.#clock.wallMs() / 1_000,
      );
    }
  }

  /** A process ended. */
  ended(exitClass: ExitClass): void {
    this.#transfers.ended();
    this.#add("driver_restarts_total", { reason: exitClass });
    if (exitClass === "sandbox-kill") this.#add("sandbox_denials_total");
    for (const lane of LABEL_VALUES.lane) {
      this.#set("mailbox_depth", 0, { lane });
    }
  }

  /** It is ready again. */
  recovered(durationMs: number): void {
    this.#observe("driver_recovery_seconds", durationMs / 1_000);
  }

  /** A standby waits, or none does. */
  standby(isParked: boolean): void {
    this.#set("driver_standby", isParked ? 1 : 0);
  }

  /** The safe state was performed, by the driver or for it. */
  safeState(result: SafeStateResult): void {
    if (result !== "none") this.#add("safe_state_total", { result });
  }

  /** A failure was kept as a bundle, or could not be. */
  crashBundle(result: (typeof LABEL_VALUES.bundle)[number]): void {
    this.#add("crash_bundles_total", { result });
  }

  /** The driver sent a frame. */
  frame(frame: DriverFrame): void {
    if (frame.type === "heartbeat") this.#beat(frame);
    if (frame.type === "ready") this.#ready(frame);
    if (frame.type === "heartbeat" || frame.type === "exit") {
      if (frame.telemetry !== undefined) this.#transfers.take(frame.telemetry);
    }
  }

  /** Forgets the driver. */
  [Symbol.dispose](): void {
    this.#registry.forget({ driver: this.#driver });
  }

  #initialise(): void {
    for (
      const name of [
        "driver_starts_total",
        "sandbox_denials_total",
        "driver_recovery_seconds",
        "loop_lag_seconds",
        "driver_start_timestamp_seconds",
        "driver_last_heartbeat_timestamp_seconds",
      ]
    ) this.#touch(name);
    for (const reason of LABEL_VALUES.reason) {
      this.#touch("driver_restarts_total", { reason });
    }
    for (const result of LABEL_VALUES.result) {
      this.#touch("safe_state_total", { result });
    }
    for (const result of LABEL_VALUES.bundle) {
      this.#touch("crash_bundles_total", { result });
    }
    for (const lane of LABEL_VALUES.lane) {
      this.#touch("mailbox_depth", { lane });
      this.#set("mailbox_capacity", LANES[lane], { lane });
    }
    this.standby(false);
    const to = "stopped";
    this.transition({ from: to, to, cause: undefined, atMs: 0 });
  }

  #beat(beat: HeartbeatFrame): void {
    this.#set(
      "driver_last_heartbeat_timestamp_seconds",
      this.#clock.wallMs() / 1_000,
    );
    const lagMs = Math.min(Math.max(0, beat.lagMs), LAG_MS_MAX);
    this.#observe("loop_lag_seconds", lagMs / 1_000);
    for (const lane of LABEL_VALUES.lane) {
      this.#set("mailbox_depth", beat.depth[lane] ?? 0, { lane });
    }
  }

  #ready({ device, sandbox }: ReadyFrame): void {
    // A device on another port is another set of labels, not a second device.
    const driver = { driver: this.#driver };
    this.#registry.forget(driver, "driverspace_driver_info");
    this.#registry.forget(driver, "driverspace_sandbox_info");
    this.#set("driver_info", 1, {
      vendor_id: device.vid,
      product_id: device.pid,
      port: device.path,
      serial: device.serial ?? "",
    });
    this.#set("sandbox_info", 1, {
      landlock_abi: layer(sandbox, SANDBOX_LAYERS.landlock, 0),
      seccomp: layer(sandbox, SANDBOX_LAYERS.seccomp, false),
    });
  }

  #touch(name: string, labels: Readonly<Record<string, string>> = {}): void {
    this.#registry.touch(`driverspace_${name}`, this.#labels(labels));
  }

  #add(
    name: string,
    labels: Readonly<Record<string, string>> = {},
    amount = 1,
  ): void {
    this.#registry.add(`driverspace_${name}`, this.#labels(labels), amount);
  }

  #set(
    name: string,
    value: number,
    labels: Readonly<Record<string, string>> = {},
  ): void {
    this.#registry.set(`driverspace_${name}`, this.#labels(labels), value);
  }

  #observe(name: string, value: number): void {
    this.#registry.observe(`driverspace_${name}`, this.#labels({}), value);
  }

  #labels(
    labels: Readonly<Record<string, string>>,
  ): Readonly<Record<string, string>> {
    return { driver: this.#driver, ...labels };
  }
}

/** What a layer answered, bounded; a driver without a sandbox has none. */
function layer(
  { layers }: SandboxSummary,
  name: string,
  absent: number | boolean,
): string {
  const answer = Object.hasOwn(layers, name) ? layers[name] : undefined;
  return String(answer ?? absent).slice(0, 16);
}
