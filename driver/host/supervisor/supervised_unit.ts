/**
 * One entry of a configuration: its driver prepared and supervised, its metrics,
 * its events, its lines in the log. A driver that cannot be prepared is there
 * all the same, failed, and says why.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import { UsbError } from "../../errors.ts";
import type { Clock } from "../../loop/clock.ts";
import { checkParameters } from "../../loop/parameters.ts";
import { within } from "../../loop/within.ts";
import type { DeviceInfo } from "../../port.ts";
import type { CrashKeeperOptions } from "../crash/crash_keeper.ts";
import type { DriverProcessEnd } from "../driver_process.ts";
import { DriverMetrics } from "../metrics/driver_metrics.ts";
import type { MetricRegistry } from "../metrics/registry.ts";
import { NO_FAILURES, type RestartHistory } from "../restart_policy.ts";
import type { SafeStateOutcome } from "../safe_state_after_end.ts";
import { describeSafeState } from "../safe_state_frame.ts";
import { type Rates, Throughput } from "../throughput.ts";
import type { DriverFrame } from "../wire.ts";
import type { DriverEntry } from "./configuration.ts";
import type { Transition } from "./driver_states.ts";
import type { EventRing } from "./event_ring.ts";
import { type Identification, identify } from "./identity.ts";
import type { LineChoice, RecentLogTail } from "./recent_log.ts";
import { standbyLine, type StandbySlots } from "./standby.ts";
import { SupervisedDriver } from "./supervised_driver.ts";
import type { DriverStatus } from "./supervised_driver_words.ts";
import type { PreparedDriver, SupervisorLog } from "./supervisor_words.ts";
import { UnitCrashes } from "./unit_crashes.ts";

/** What a unit is made of. */
export interface SupervisedUnitOptions {
  readonly entry: DriverEntry;
  readonly clock: Clock;
  readonly random: () => number;
  readonly registry: MetricRegistry;
  readonly events: EventRing;
  readonly log: SupervisorLog;
  /** Where failures are kept; absent: nowhere. */
  readonly crashes?: CrashKeeperOptions;
  readonly prepare: (entry: DriverEntry) => Promise<PreparedDriver>;
  /** Whether another driver has a device. */
  readonly isTaken: (device: DeviceInfo) => boolean;
  readonly history?: RestartHistory;
  /** As `SupervisedDriverOptions.isLeftBehind`. */
  readonly isLeftBehind?: boolean;
  /** Shared by all units. */
  readonly standbySlots: StandbySlots;
  /** Something changed that a state file remembers; `isUrgent`: before what comes next. */
  readonly onChange: (isUrgent: boolean) => void;
}

/** What there is to see of a unit. */
export interface UnitStatus extends DriverStatus {
  /** Name of the driver; `name` is that of the instance. */
  readonly driver: string;
  readonly isRequired: boolean;
  /** What it moves now; `undefined` while it does not serve, or has just begun to. */
  readonly rates: Rates | undefined;
  /** File of its log, as far as it is known. */
  readonly logPath: string | undefined;
  /** Crash bundle of its last end; `undefined` while there is none. */
  readonly bundlePath: string | undefined;
}

/** One entry. */
export class SupervisedUnit {
  /** Of the instance. */
  readonly name: string;
  readonly #options: SupervisedUnitOptions;
  readonly #metrics: DriverMetrics;
  readonly #throughput = new Throughput();
  #preparing: Promise<PreparedDriver> | undefined;
  #prepared: PreparedDriver | undefined;
  readonly #driver: SupervisedDriver;
  readonly #crashes: UnitCrashes;
  #problem: string | undefined;
  #logProblem: string | undefined;
  #isOver = false;

  /** Does nothing before `start`, but its metrics are there. */
  constructor(options: SupervisedUnitOptions) {
    this.#options = options;
    this.name = options.entry.name;
    this.#metrics = new DriverMetrics(options.registry, {
      driver: this.name,
      clock: options.clock,
    });
    this.#driver = this.#makeDriver();
    this.#crashes = new UnitCrashes({
      crashes: options.crashes,
      count: (result) => this.#metrics.crashBundle(result),
      note: (level, event, { message, data }) =>
        this.#note(level, event, message, data),
    });
  }

  /** Manifest of the driver; `undefined` when it could not be prepared. */
  get manifest(): PreparedDriver["manifest"] | undefined {
    return this.#prepared?.manifest;
  }

  /** The device it has. */
  get heldDeviceId(): string | undefined {
    return this.#driver.heldDeviceId;
  }

  /** Whether a death of the supervisor now would leave its device as it is. */
  get mayLeaveBehind(): boolean {
    return this.#driver.mayLeaveBehind;
  }

  /** Its failures. */
  get history(): RestartHistory {
    return this.#driver.history;
  }

  /**
   * Prepares and starts it with what is on the bus. Never throws for what is
   * wrong with the driver. Again, without devices: an operator's retry.
   */
  async start(devices?: readonly DeviceInfo[]): Promise<void> {
    if (this.#isOver) return;
    this.#preparing ??= this.#options.prepare(this.#options.entry);
    try {
      this.#prepared = await this.#preparing;
    } catch (error) {
      this.#preparing = undefined;
      const problem = error instanceof Error ? error.message : String(error);
      this.#problem = problem;
      return this.#note("error", "driver.unusable", problem);
    }
    this.#problem = undefined;
    if (devices !== undefined) await this.look(devices);
    if (!this.#isOver) this.#driver.start();
  }

  /** Looks at the bus; without `devices` at its own only: nobody knows what is on the other. */
  async look(devices?: readonly DeviceInfo[]): Promise<void> {
    const own = this.#prepared?.devices;
    this.#lookAtLog();
    try {
      const there = own === undefined ? devices : await this.#ownDevices(own);
      if (there !== undefined) this.#driver.devicesChanged(there);
    } catch (error) {
      this.#note("error", "bus.failed", `Cannot look at the bus: ${error}`);
    }
  }

  /** Once for each change: its log is looked at with every look at the bus. */
  #lookAtLog(): void {
    const problem = this.#prepared?.logProblem?.();
    if (problem === this.#logProblem) return;
    this.#logProblem = problem;
    if (problem === undefined) {
      this.#note("info", "driver.log", "Its log is kept as it should be again");
    } else this.#note("warn", "driver.log", problem);
  }

  async #ownDevices(
    list: () => Promise<readonly DeviceInfo[]>,
  ): Promise<readonly DeviceInfo[]> {
    const devices = await list();
    const { redactor } = this.#options.events.logs;
    for (const { serialNumber } of devices) redactor.hide(serialNumber);
    return devices;
  }

  /** Ends it in order, and forgets it after a while if it does not end. */
  async stop(reason: string, timeoutMs: number): Promise<void> {
    this.#isOver = true;
    const { clock } = this.#options;
    const stopped = this.#driver.stop(reason).then(() => true);
    const isOver = await within(clock, { timeoutMs, promise: stopped });
    if (isOver !== true) {
      this.#note("error", "driver.left", "It did not end in time");
    }
    await this.#crashes.forget(clock);
    this.#metrics[Symbol.dispose]();
    this.#options.events.logs.forget(this.name);
    await this.#prepared?.dispose?.();
  }

  /**
   * Has a command carried out.
   *
   * @throws {UsbError} `notFound`, else as the driver.
   * @throws {TypeError} {RangeError} For wrong parameters.
   */
  call(
    command: string,
    params: { readonly [name: string]: Json },
    options: { readonly timeoutMs?: number } = {},
  ): Promise<Json> {
    const commands = this.#prepared?.manifest.commands ?? {};
    const spec = Object.hasOwn(commands, command)
      ? commands[command]
      : undefined;
    if (spec === undefined) {
      const known = Object.keys(commands).join(", ") || "none";
      return Promise.reject(
        new UsbError({
          code: "notFound",
          operation: `run ${JSON.stringify(command.slice(0, 64))}`,
          reason: this.#problem ?? `its commands are ${known}`,
        }),
      );
    }
    try {
      checkParameters(params, spec.params, { what: command });
    } catch (error) {
      return Promise.reject(error);
    }
    const { timeoutMs = spec.timeoutMs } = options;
    return this.#driver.call(
      command,
      params,
      timeoutMs === undefined ? {} : { timeoutMs },
    );
  }

  /** The last lines of its log, those about it among them. No line of level `debug` ever comes here. */
  recentLog(choice: LineChoice = {}): RecentLogTail {
    return this.#options.events.logs.of(this.name).tail(choice);
  }

  /** Everything there is to see. */
  status(): UnitStatus {
    const { entry } = this.#options;
    const status = this.#driver.status();
    return {
      ...status,
      driver: this.#prepared?.manifest.name ?? entry.driver,
      isRequired: entry.isRequired,
      rates: status.state === "ready" ? this.#throughput.rates : undefined,
      logPath: this.#prepared?.logPath ?? entry.logPath,
      bundlePath: this.#crashes.path,
      ...(this.#problem === undefined
        ? {}
        : { state: "failed" as const, cause: this.#problem }),
    };
  }

  #makeDriver(): SupervisedDriver {
    const {
      entry,
      clock,
      random,
      history = NO_FAILURES,
      isLeftBehind = false,
    } = this.#options;
    return new SupervisedDriver({
      name: this.name,
      clock,
      random,
      history,
      isLeftBehind,
      standbySlots: this.#options.standbySlots,
      standby: () => this.#prepared?.standby,
      policy: entry.restart,
      identify: (devices) => this.#identify(devices),
      spawn: (device) => {
        this.#crashes.spawning(device);
        return this.#known().spawn(device);
      },
      makeSafe: () => this.#prepared?.makeSafe,
      isIdempotent: (command) =>
        this.manifest?.commands[command]?.idempotent === true,
      refusal: (ready) => this.#prepared?.refusal?.(ready),
      onTransition: (transition) => this.#changed(transition),
      onFrame: (frame) => this.#take(frame),
      onEnd: (end) => this.#ended(end),
      onStandby: (news) => {
        this.#metrics.standby(news.pid !== undefined);
        const { level, message, data } = standbyLine(news);
        this.#note(level, "driver.standby", message, data);
      },
      onSafeState: (outcome) => this.#madeSafe(outcome),
      onRecovered: (durationMs) => {
        this.#metrics.recovered(durationMs);
        const ms = Math.round(durationMs);
        this.#note("info", "driver.recovered", `Ready again after ${ms} ms`, {
          duration_ms: ms,
        });
      },
      onNotice: (cause) => this.#note("warn", "driver.notice", cause),
    });
  }

  #known(): PreparedDriver {
    if (this.#prepared !== undefined) return this.#prepared;
    throw new UsbError({
      code: "state",
      operation: `start ${this.name}`,
      reason: this.#problem ?? "it is not prepared",
    });
  }

  #identify(devices: readonly DeviceInfo[]): Identification {
    const { entry, isTaken } = this.#options;
    const match = "virtual" in entry.device ? {} : entry.device;
    const driverMatch = this.#prepared?.manifest.match ?? [];
    const isOwn = this.#prepared?.devices !== undefined;
    const free = devices.filter((device) => isOwn || !isTaken(device));
    return identify({ match, driverMatch }, free);
  }

  #changed(transition: Transition): void {
    const { from, to, cause } = transition;
    this.#metrics.transition(transition);
    void this.#prepared?.syncLog?.();
    const isBad = to === "quarantined" || to === "failed" ||
      to === "unkillable";
    this.#note(
      isBad ? "error" : "info",
      "driver.state",
      cause === undefined ? `${from} → ${to}` : `${from} → ${to}: ${cause}`,
      { from, to, ...(cause === undefined ? {} : { cause }) },
    );
    // That a device is in use must be known before it is.
    this.#options.onChange(to === "starting");
  }

  #take(frame: DriverFrame): void {
    this.#metrics.frame(frame);
    this.#crashes.take(frame);
    if (frame.type === "heartbeat") {
      this.#throughput.take(frame, this.#options.clock.nowMs());
    }
    const { events } = this.#options;
    if (frame.type === "log") {
      const { level, event, message, fields = {} } = frame;
      const from = "driver";
      events.logs.note(this.name, { level, event, message, fields, from });
    }
    if (frame.type !== "event") return;
    const { event, data, sequence } = frame;
    events.publish("driver.event", { event, sequence, data }, this.name);
  }

  #madeSafe(outcome: SafeStateOutcome): void {
    const { result, by, steps, stepsDone, reason } = outcome;
    this.#metrics.safeState(result);
    this.#note(
      result === "failed" ? "error" : "info",
      "driver.safe_state",
      `Safe state: ${describeSafeState(outcome)}`,
      {
        result,
        by,
        ...(by !== "driver" ? { steps, steps_done: stepsDone } : {}),
        ...(reason === undefined ? {} : { reason }),
      },
    );
  }

  #ended(end: DriverProcessEnd): void {
    this.#metrics.ended(end.exitClass);
    this.#throughput.ended();
    const { exitClass, code, signal, message } = end;
    const isFine = exitClass === "clean" || exitClass === "device-gone";
    this.#note(isFine ? "info" : "error", "driver.ended", message, {
      exit_class: exitClass,
      code,
      ...(signal === undefined ? {} : { signal }),
      ready_ms: Math.round(end.readyMs),
    });
    const manifest = this.#prepared?.manifest;
    if (manifest === undefined) return;
    const { name: instance, options } = this.#options.entry;
    this.#crashes.ended(end, () => ({
      facts: { instance, manifest, options },
      states: this.#driver.status().transitions,
      log: this.recentLog(),
    }));
  }

  /** As a line that survives a power cut, as an event, and in the driver's recent log. */
  #note(
    level: "info" | "warn" | "error",
    event: string,
    message: string,
    data: { readonly [key: string]: Json } = {},
  ): void {
    const { log, events } = this.#options;
    log.record(level, event, message, { driver: this.name, ...data });
    events.publish(event, { message, ...data }, this.name);
    const from = "supervisor";
    events.logs.note(this.name, { level, event, message, fields: data, from });
  }
}
