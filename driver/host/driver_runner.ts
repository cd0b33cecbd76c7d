/**
 * Follows one driver with one device: waits for the device, starts the process,
 * starts it again after a failure as the policy says, and ends when told to or
 * when no retry helps. A supervisor is many of these.
 *
 * @module
 */

import { assert } from "../assert.ts";
import type { Json } from "../driver.ts";
import { UsbError } from "../errors.ts";
import type { Clock, Timer } from "../loop/clock.ts";
import type { DeviceInfo } from "../port.ts";
import type { ClientProcess } from "./client_process.ts";
import {
  DriverProcess,
  type DriverProcessEnd,
  type DriverProcessOptions,
} from "./driver_process.ts";
import {
  decideRestart,
  DEFAULT_RESTART_POLICY,
  NO_FAILURES,
  type RestartHistory,
  type RestartPolicy,
} from "./restart_policy.ts";
import {
  type MakeSafe,
  safeAfter,
  type SafeStateOutcome,
} from "./safe_state_after_end.ts";
import type { DriverFrame } from "./wire.ts";

/** Where a driver is. Label values of metrics, so the set is closed. */
export type RunnerState =
  | "stopped"
  | "waiting-device"
  | "starting"
  | "ready"
  | "stopping"
  | "backoff"
  | "quarantined"
  | "failed";

/** What a runner is made of. */
export interface RunnerOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** The device to drive, or `undefined` while it is not there. */
  readonly find: () => Promise<DeviceInfo | undefined>;
  /** Starts a driver process for it, pipes attached. */
  readonly spawn: (device: DeviceInfo) => Promise<ClientProcess>;
  /** Default DEFAULT_RESTART_POLICY. */
  readonly policy?: RestartPolicy;
  /**
   * Whether to wait and to try again even before it was ready once. Default
   * false: then the first failure is the end, as a person at a terminal wants.
   */
  readonly isPatient?: boolean;
  readonly onState?: (state: RunnerState, cause: string | undefined) => void;
  readonly onFrame?: (frame: DriverFrame) => void;
  /** A driver process ended, for whatever reason. */
  readonly onEnd?: (end: DriverProcessEnd) => void;
  /** Limits of each process, for tests. */
  readonly process?: Omit<
    DriverProcessOptions,
    "clock" | "onFrame" | "refusal"
  >;
  /** Looks at each READY; a sentence refuses it. */
  readonly refusal?: DriverProcessOptions["refusal"];
  /** Makes a device safe when its driver is dead. */
  readonly makeSafe?: MakeSafe | undefined;
  /** What became of the device after a driver that had it. */
  readonly onSafeState?: (outcome: SafeStateOutcome) => void;
}

/** How it ended. */
export interface RunnerOutcome {
  /** `stopped` as asked; `absent`: no device, and not patient; `failed`: no retry helps. */
  readonly kind: "stopped" | "absent" | "failed";
  /** The last process's end, if there was a process. */
  readonly end: DriverProcessEnd | undefined;
}

/** How often the bus is looked at while the device is away: found well within a second. */
const LOOK_INTERVAL_MS = 250;
/** How often it is looked at while a driver runs, which notices most departures itself. */
const WATCH_INTERVAL_MS = 500;

/** Where the end of a process leads. */
const AFTER_END: readonly RunnerState[] = [
  "backoff",
  "quarantined",
  "waiting-device",
  "failed",
];

const NEXT: Readonly<Record<RunnerState, readonly RunnerState[]>> = {
  "stopped": ["waiting-device", "starting", "failed"],
  "waiting-device": ["starting", "failed", "stopped"],
  "starting": ["ready", "stopping", "stopped", ...AFTER_END],
  "ready": ["stopping", ...AFTER_END],
  "stopping": ["stopped", ...AFTER_END],
  "backoff": ["starting", "waiting-device", "stopped"],
  "quarantined": ["starting", "waiting-device", "stopped"],
  "failed": [],
};

/** A process with the device it was started for. */
interface Life {
  readonly driver: DriverProcess;
  readonly device: DeviceInfo;
}

/** Keeps one driver running. */
export class DriverRunner {
  readonly #options: RunnerOptions;
  #state: RunnerState = "stopped";
  #process: DriverProcess | undefined;
  #history: RestartHistory = NO_FAILURES;
  #lastEnd: DriverProcessEnd | undefined;
  #wasReady = false;
  #stopReason: string | undefined;
  #sleeping: { readonly timer: Timer; readonly wake: () => void } | undefined;
  #starts = 0;

  /** Does nothing before `run`. */
  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /** Where it is. */
  get state(): RunnerState {
    return this.#state;
  }

  /** Processes started so far. */
  get starts(): number {
    return this.#starts;
  }

  /** Runs until `stop`, or until no retry helps. Call it once. */
  async run(): Promise<RunnerOutcome> {
    let outcome: RunnerOutcome | undefined;
    while (outcome === undefined) outcome = await this.#round();
    if (outcome.kind === "failed") this.#become("failed");
    else if (this.#state !== "stopped") this.#become("stopped");
    return outcome;
  }

  /** Ends it in order. Twice is a no-op. */
  stop(reason: string): void {
    if (this.#stopReason !== undefined) return;
    this.#stopReason = reason;
    if (this.#process !== undefined) {
      this.#become("stopping", reason);
      this.#process.stop(reason);
    }
    this.#sleeping?.timer.cancel();
    this.#sleeping?.wake();
  }

  /** Kills the process now and starts no other. */
  kill(): void {
    this.stop("Killed on demand");
    this.#process?.kill();
  }

  /**
   * Has a command carried out.
   *
   * @throws {UsbError} `state` while no driver is ready, else as `DriverProcess.call`.
   */
  call(
    command: string,
    params: { readonly [key: string]: Json },
    options: { readonly timeoutMs?: number } = {},
  ): Promise<Json> {
    if (this.#process !== undefined) {
      return this.#process.call(command, params, options);
    }
    return Promise.reject(
      new UsbError({
        code: "state",
        operation: `run ${command}`,
        reason: `the driver is ${this.#state}`,
      }),
    );
  }

  async #round(): Promise<RunnerOutcome | undefined> {
    if (this.#stopReason !== undefined) return this.#outcome("stopped");
    let life: Life | undefined;
    try {
      life = await this.#start();
    } catch (error) {
      if (this.#isHasty) throw error;
      // The node may not be ours yet: whoever sets its mode comes after it.
      return await this.#absent(
        error instanceof Error ? error.message : String(error),
      );
    }
    if (life === undefined) {
      if (this.#stopReason !== undefined) return this.#outcome("stopped");
      return await this.#absent(undefined);
    }
    const end = await this.#live(life.driver);
    const wasStopped = this.#stopReason !== undefined;
    await this.#makeSafe(end, life.device);
    if (wasStopped) return this.#stopped(end);
    if (this.#stopReason !== undefined) return this.#outcome("stopped");
    if (this.#isHasty) return this.#outcome("failed");
    return await this.#afterEnd(end);
  }

  /** Whether the first thing that goes wrong is the end. */
  get #isHasty(): boolean {
    return !this.#wasReady && this.#options.isPatient !== true;
  }

  async #absent(
    cause: string | undefined,
  ): Promise<RunnerOutcome | undefined> {
    if (this.#isHasty) return this.#outcome("absent");
    if (this.#state !== "waiting-device") {
      this.#become("waiting-device", cause);
    }
    await this.#sleep(LOOK_INTERVAL_MS);
    return undefined;
  }

  /** Finds the device and starts a process for it; `undefined` while there is none, or after a stop. */
  async #start(): Promise<Life | undefined> {
    const { clock, find, spawn, process, refusal } = this.#options;
    const device = await find();
    if (device === undefined || this.#stopReason !== undefined) {
      return undefined;
    }
    const client = await spawn(device);
    this.#become("starting");
    this.#starts++;
    const driver = new DriverProcess(client, {
      ...process,
      ...(refusal === undefined ? {} : { refusal }),
      clock,
      onFrame: (frame) => this.#take(frame),
    });
    this.#watchDevice(driver, device);
    return { driver, device };
  }

  /** A driver that moves nothing does not see its device leave, so we look. */
  #watchDevice(driver: DriverProcess, device: DeviceInfo): void {
    let isOver = false;
    let timer: Timer | undefined;
    const look = async (): Promise<void> => {
      const isThere = await this.#isThere(device);
      if (!isOver && !isThere) driver.deviceLeft();
      if (!isOver) again();
    };
    const again = (): void => {
      timer = this.#options.clock.setTimer(
        WATCH_INTERVAL_MS,
        () => void look(),
      );
    };
    again();
    void driver.ended.then(() => {
      isOver = true;
      timer?.cancel();
    });
  }

  /** Another number is another plug, even on the same port. */
  async #isThere(device: DeviceInfo): Promise<boolean> {
    try {
      return (await this.#options.find())?.id === device.id;
    } catch {
      // A second device that fits, say, is no departure of the first.
      return true;
    }
  }

  async #live(driver: DriverProcess): Promise<DriverProcessEnd> {
    this.#process = driver;
    if (this.#stopReason !== undefined) driver.stop(this.#stopReason);
    const end = await driver.ended;
    this.#process = undefined;
    this.#lastEnd = end;
    this.#options.onEnd?.(end);
    return end;
  }

  /** Before anything else has the device, and before a person is told that all is over. */
  async #makeSafe(end: DriverProcessEnd, device: DeviceInfo): Promise<void> {
    const { makeSafe, onSafeState, clock } = this.#options;
    if (makeSafe === undefined) return;
    const outcome = await safeAfter(end, {
      clock,
      make: () => {
        if (this.#state !== "stopping") this.#become("stopping", end.message);
        return makeSafe(device);
      },
    });
    if (outcome !== undefined) onSafeState?.(outcome);
  }

  #take(frame: DriverFrame): void {
    if (frame.type === "ready" && this.#state === "starting") {
      this.#wasReady = true;
      this.#become("ready");
    }
    this.#options.onFrame?.(frame);
  }

  /** A stop that was asked for and did not end well is a failure, which the caller must see. */
  #stopped(end: DriverProcessEnd): RunnerOutcome {
    const isGood = end.exitClass === "clean" || end.exitClass === "device-gone";
    return this.#outcome(isGood ? "stopped" : "failed");
  }

  async #afterEnd(end: DriverProcessEnd): Promise<RunnerOutcome | undefined> {
    const { policy = DEFAULT_RESTART_POLICY, random, clock } = this.#options;
    const { decision, history } = decideRestart(policy, this.#history, {
      end: {
        exitClass: end.exitClass,
        nowMs: clock.nowMs(),
        healthyMs: end.readyMs,
      },
      random,
    });
    this.#history = history;
    switch (decision.next) {
      case "give-up":
        return this.#outcome("failed");
      case "wait-for-device":
        this.#become("waiting-device", end.message);
        await this.#sleep(LOOK_INTERVAL_MS);
        return undefined;
      case "start":
        this.#become("backoff", end.message);
        await this.#sleep(decision.delayMs);
        return undefined;
      case "quarantine":
        this.#become("quarantined", end.message);
        await this.#sleep(decision.delayMs);
        return undefined;
    }
  }

  #outcome(kind: RunnerOutcome["kind"]): RunnerOutcome {
    return { kind, end: this.#lastEnd };
  }

  #become(next: RunnerState, cause?: string): void {
    assert(
      NEXT[this.#state].includes(next),
      `A driver cannot go from ${this.#state} to ${next}`,
    );
    this.#state = next;
    this.#options.onState?.(next, cause);
  }

  #sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#sleeping = undefined;
        resolve();
      };
      const timer = this.#options.clock.setTimer(delayMs, wake);
      this.#sleeping = { timer, wake };
    });
  }
}
