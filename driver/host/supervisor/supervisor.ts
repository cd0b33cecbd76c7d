/**
 * Runs the drivers of a configuration: looks at the bus for all of them, starts,
 * reloads and stops them, and tells what happens as events, metrics, log lines
 * and a state file. It never touches USB: devices and processes come by its
 * arguments. What goes wrong with one driver or one disk stops nothing else.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import { UsbError } from "../../errors.ts";
import type { Clock, Timer } from "../../loop/clock.ts";
import type { DeviceInfo } from "../../port.ts";
import type { CrashKeeperOptions } from "../crash/crash_keeper.ts";
import type { MetricRegistry } from "../metrics/registry.ts";
import { BusView } from "./bus_view.ts";
import type { DriverEntry, SupervisorConfiguration } from "./configuration.ts";
import {
  type ConfigurationDiff,
  diffConfigurations,
} from "./configuration_diff.ts";
import type { DriverState } from "./driver_states.ts";
import type { EventRing } from "./event_ring.ts";
import { StandbySlots } from "./standby.ts";
import {
  decodeState,
  encodeState,
  recallHistory,
  type RememberedState,
  rememberHistory,
} from "./state_file.ts";
import { SupervisedUnit, type UnitStatus } from "./supervised_unit.ts";
import type { PreparedDriver, SupervisorLog } from "./supervisor_words.ts";
import type { WholeFile } from "./whole_file.ts";

/** What a supervisor is made of. */
export interface SupervisorOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** What is on the bus. @throws {Error} When it cannot be told now: the last list stands. */
  readonly devices: () => Promise<readonly DeviceInfo[]>;
  /**
   * Gets a driver ready to be started: its manifest, how it is spawned.
   *
   * @throws {Error} With one sentence; the other drivers run without it.
   */
  readonly prepare: (entry: DriverEntry) => Promise<PreparedDriver>;
  readonly registry: MetricRegistry;
  readonly events: EventRing;
  readonly log: SupervisorLog;
  /** Where failures are kept; absent: nowhere. */
  readonly crashes?: CrashKeeperOptions;
  /** Absent: nothing is remembered. */
  readonly stateFile?: WholeFile;
  /** Every driver was looked at: the evaluation a watchdog is fed by. */
  readonly onLook?: (states: readonly DriverState[]) => void;
}

/** How often the bus is looked at: a device is bound again well within a second. */
const LOOK_INTERVAL_MS = 250;
/** A stop frame, a kill, and the device made safe; below systemd's limit for all of it. */
const STOP_ALL_TIMEOUT_MS = 8_000;
/** Changes within it are written once. */
const SAVE_DELAY_MS = 200;

/** Several drivers under supervision. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #units = new Map<string, SupervisedUnit>();
  #configuration: SupervisorConfiguration | undefined;
  #remembered: RememberedState["drivers"] = {};
  /** Names of drivers whose supervisor died while they had a device. */
  readonly #leftBehind = new Set<string>();
  readonly #standbySlots = new StandbySlots();
  readonly #bus: BusView;
  #look: Timer | undefined;
  #looked: Promise<void> = Promise.resolve();
  #isLookDue = false;
  #save: Timer | undefined;
  #lastTickMs: number;
  #isStopping = false;
  /** Reloads and the stop, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  /** Does nothing before `start`. */
  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#bus = new BusView(options);
    this.#lastTickMs = options.clock.nowMs();
  }

  /** Begins with a configuration. Resolves when every driver was told to start. */
  start(configuration: SupervisorConfiguration): Promise<void> {
    this.#recall();
    this.#configuration = configuration;
    return this.#inTurn(async () => {
      await this.#lookOnce();
      for (const entry of configuration.drivers.values()) {
        await this.#add(entry);
      }
      this.#lookAgain();
    });
  }

  /** Looks at the bus now: something changed there. */
  look(): void {
    if (!this.#isStopping) void this.#lookOnce();
  }

  /** Why what it knows of the bus may be old, if so. */
  get busProblem(): string | undefined {
    return this.#bus.problem;
  }

  /** Takes another configuration; what is equal in both is not touched. */
  reload(configuration: SupervisorConfiguration): Promise<ConfigurationDiff> {
    return this.#inTurn(async () => {
      const before = this.#configuration ?? configuration;
      const diff = diffConfigurations(before, configuration);
      this.#configuration = configuration;
      const gone = [...diff.removed, ...diff.changed.map(({ name }) => name)];
      await Promise.all(gone.map((name) => this.#remove(name)));
      for (const entry of [...diff.changed, ...diff.added]) {
        await this.#add(entry);
      }
      this.#tellReload(diff);
      return diff;
    });
  }

  /** Ends every driver in order, all at once; what does not end in time is left to the kernel. */
  stop(reason: string): Promise<void> {
    this.#isStopping = true;
    return this.#inTurn(async () => {
      this.#look?.cancel();
      await Promise.all(
        [...this.#units.values()].map((unit) =>
          unit.stop(reason, STOP_ALL_TIMEOUT_MS)
        ),
      );
      this.#save?.cancel();
      this.#saveNow();
      this.#units.clear();
    });
  }

  /** How long ago its loop last turned. */
  get tickAgeMs(): number {
    return this.#options.clock.nowMs() - this.#lastTickMs;
  }

  /** Whether it is on its way out. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Names of the configuration, also of those that are not prepared yet. */
  get names(): readonly string[] {
    return [...this.#configuration?.drivers.keys() ?? []];
  }

  /** Every driver, in the order of the configuration. */
  status(): readonly UnitStatus[] {
    return [...this.#units.values()].map((unit) => unit.status());
  }

  /** One driver by its name. */
  unit(name: string): SupervisedUnit | undefined {
    return this.#units.get(name);
  }

  /**
   * Has a command carried out, its parameters checked before the driver sees them.
   *
   * @throws {UsbError} `notFound` for a driver or command nobody knows, else as the driver.
   * @throws {TypeError} {RangeError} For wrong parameters.
   */
  call(
    request: {
      readonly driver: string;
      readonly command: string;
      readonly params: { readonly [name: string]: Json };
    },
    options: { readonly timeoutMs?: number } = {},
  ): Promise<Json> {
    const unit = this.#units.get(request.driver);
    if (unit !== undefined) {
      return unit.call(request.command, request.params, options);
    }
    return Promise.reject(
      new UsbError({
        code: "notFound",
        operation: `run ${request.command}`,
        reason: `there is no driver ${JSON.stringify(request.driver)}`,
      }),
    );
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(run);
    this.#turn = result.catch(() => {});
    return result;
  }

  async #add(entry: DriverEntry): Promise<void> {
    const { clock, random, registry, events, log, prepare, crashes } =
      this.#options;
    const remembered = Object.hasOwn(this.#remembered, entry.name)
      ? this.#remembered[entry.name]
      : undefined;
    const unit = new SupervisedUnit({
      entry,
      clock,
      random,
      registry,
      events,
      log,
      prepare,
      ...(crashes === undefined ? {} : { crashes }),
      isTaken: (device) => this.#isTaken(device, entry.name),
      standbySlots: this.#standbySlots,
      isLeftBehind: this.#leftBehind.delete(entry.name),
      onChange: (isUrgent) => isUrgent ? this.#saveNow() : this.#saveSoon(),
      ...(remembered === undefined ? {} : {
        history: recallHistory(remembered, this.#now()),
      }),
    });
    this.#units.set(entry.name, unit);
    await unit.start(this.#bus.devices);
  }

  async #remove(name: string): Promise<void> {
    const unit = this.#units.get(name);
    await unit?.stop("configuration changed", STOP_ALL_TIMEOUT_MS);
    this.#units.delete(name);
    this.#saveSoon();
  }

  /** A device has one driver at a time. */
  #isTaken(device: DeviceInfo, byOtherThan: string): boolean {
    return [...this.#units.values()].some((unit) =>
      unit.name !== byOtherThan && unit.heldDeviceId === device.id
    );
  }

  #lookAgain(): void {
    if (this.#isStopping) return;
    this.#look = this.#options.clock.setTimer(
      LOOK_INTERVAL_MS,
      () => void this.#lookOnce().then(() => this.#lookAgain()),
    );
  }

  /** One look at a time; what changes meanwhile is seen by one more. */
  #lookOnce(): Promise<void> {
    if (this.#isLookDue) return this.#looked;
    this.#isLookDue = true;
    this.#looked = this.#looked.then(() => {
      this.#isLookDue = false;
      return this.#lookNow();
    });
    return this.#looked;
  }

  async #lookNow(): Promise<void> {
    const { clock, events, onLook } = this.#options;
    await this.#bus.look();
    for (const { serialNumber } of this.#bus.devices) {
      events.logs.redactor.hide(serialNumber);
    }
    // For a device that was seen last nothing is started: it may have left.
    const devices = this.#bus.problem === undefined
      ? this.#bus.devices
      : undefined;
    for (const unit of [...this.#units.values()]) await unit.look(devices);
    this.#lastTickMs = clock.nowMs();
    onLook?.(this.status().map(({ state }) => state));
  }

  #tellReload(diff: ConfigurationDiff): void {
    const { events, log } = this.#options;
    const data = {
      added: diff.added.map(({ name }) => name),
      changed: diff.changed.map(({ name }) => name),
      removed: diff.removed,
      unchanged: diff.unchanged,
      "needs_restart": diff.needsRestart,
      "bridge_stale": diff.isBridgeStale,
    };
    events.publish("supervisor.reloaded", data);
    log.record("info", "supervisor.reloaded", "Configuration reloaded", data);
  }

  #now(): { readonly nowMs: number; readonly wallMs: number } {
    const { clock } = this.#options;
    return { nowMs: clock.nowMs(), wallMs: clock.wallMs() };
  }

  #recall(): void {
    const { stateFile, log, events } = this.#options;
    if (stateFile === undefined) return;
    let found: ReturnType<typeof decodeState>;
    try {
      found = decodeState(stateFile.read());
    } catch (error) {
      found = { kind: "corrupt", reason: String(error) };
    }
    if (found.kind === "sound") this.#remember(found.state.drivers);
    if (found.kind !== "corrupt") return;
    const message = `The state file is corrupt (${found.reason}): begun anew`;
    log.record("warn", "state.corrupt", message);
    events.publish("state.corrupt", { reason: found.reason });
  }

  #remember(drivers: RememberedState["drivers"]): void {
    this.#remembered = drivers;
    for (const [name, { isInUse }] of Object.entries(drivers)) {
      if (isInUse === true) this.#leftBehind.add(name);
    }
  }

  #saveSoon(): void {
    if (this.#save !== undefined || this.#options.stateFile === undefined) {
      return;
    }
    this.#save = this.#options.clock.setTimer(SAVE_DELAY_MS, () => {
      this.#save = undefined;
      this.#saveNow();
    });
  }

  #saveNow(): void {
    const { stateFile, log } = this.#options;
    const now = this.#now();
    const drivers = Object.fromEntries(
      [...this.#units.values()].map((unit) => [
        unit.name,
        {
          ...rememberHistory(unit.history, now),
          ...(unit.mayLeaveBehind ? { isInUse: true } : {}),
        },
      ]),
    );
    this.#remembered = drivers;
    try {
      const savedAtMs = Math.max(0, Math.round(now.wallMs));
      stateFile?.write(encodeState({ savedAtMs, drivers }));
    } catch (error) {
      log.write("error", "state.failed", `Cannot write the state: ${error}`);
    }
  }
}
