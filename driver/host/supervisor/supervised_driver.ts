/**
 * Keeps one driver running: follows its device over the bus, starts its process
 * and starts it again as the policy says, makes the device safe when the driver
 * could not, and never runs two at a time. Time, chance, devices and processes
 * are arguments, so its whole life runs in virtual time.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import type { Json } from "../../driver.ts";
import { UsbError } from "../../errors.ts";
import { COMMAND_TIMEOUT_MS } from "../../limits.ts";
import type { Timer } from "../../loop/clock.ts";
import type { DeviceInfo } from "../../port.ts";
import { DriverProcess, type DriverProcessEnd } from "../driver_process.ts";
import {
  decideRestart,
  NO_FAILURES,
  type RestartHistory,
} from "../restart_policy.ts";
import type { DriverFrame } from "../wire.ts";
import { CommandQueue } from "./command_queue.ts";
import { DeviceMemory } from "./device_memory.ts";
import type { DriverState } from "./driver_states.ts";
import { EndRecord } from "./end_record.ts";
import { describeSeveral } from "./identity.ts";
import { DeviceSafety } from "./device_safety.ts";
import { LastValues } from "./last_values.ts";
import { NextAttempt } from "./next_attempt.ts";
import { endOfSpawn, watchKill } from "./spawned.ts";
import { isStandbyFault, Standby } from "./standby.ts";
import { StateRecord } from "./state_record.ts";
import {
  canQueueIn,
  degradedBy,
  type DriverStatus,
  retryAdvice,
  standbyOptions,
  type SupervisedDriverOptions,
  UNKILLABLE_MS,
} from "./supervised_driver_words.ts";

/** One driver under supervision. */
export class SupervisedDriver {
  readonly #options: SupervisedDriverOptions;
  readonly #queue: CommandQueue;
  readonly #values = new LastValues();
  readonly #record: StateRecord;
  #isWanted = false;
  #stopReason = "";
  #devices: readonly DeviceInfo[] = [];
  /** The device a process has, or is about to have, or is being made safe. */
  #held: DeviceInfo | undefined;
  #process: DriverProcess | undefined;
  #history: RestartHistory;
  readonly #attempt: NextAttempt;
  readonly #standby: Standby;
  #killWatch: Timer | undefined;
  readonly #memory = new DeviceMemory();
  readonly #ends: EndRecord;
  #endedAtMs: number | undefined;
  #beatAtMs: number | undefined;
  readonly #safety: DeviceSafety;
  #starts = 0;
  #stopped = Promise.withResolvers<void>();

  /** Does nothing before `start`. */
  constructor(options: SupervisedDriverOptions) {
    this.#options = options;
    this.#queue = new CommandQueue(options.clock);
    this.#record = new StateRecord(options.clock);
    this.#ends = new EndRecord(options.clock);
    this.#history = options.history ?? NO_FAILURES;
    this.#attempt = new NextAttempt(options.clock);
    this.#standby = new Standby(standbyOptions(options));
    this.#safety = new DeviceSafety({
      clock: options.clock,
      makeSafe: () => this.#standby.orElse(options.makeSafe?.()),
      isThere: (device) => this.#isThere(device),
      isLeftBehind: options.isLeftBehind ?? false,
      onStuck: () => this.#stuck("the process that makes its device safe"),
      onOutcome: (outcome) => options.onSafeState?.(outcome),
    });
  }

  /** Where it is. */
  get state(): DriverState {
    return this.#record.state;
  }

  /** The device no other driver may have now. */
  get heldDeviceId(): string | undefined {
    return this.#held?.id ?? this.#standby.heldDeviceId;
  }

  /** Whether a death of the supervisor now would leave the device as it is. */
  get mayLeaveBehind(): boolean {
    return this.#held !== undefined || this.#safety.isLeftBehind;
  }

  /** Its failures, for a state file. */
  get history(): RestartHistory {
    return this.#history;
  }

  /** Wants it to run. From `failed` and `quarantined` this is the operator's retry. */
  start(): void {
    this.#isWanted = true;
    if (this.state === "quarantined") this.#consider();
    if (this.state === "failed") this.#become("stopped", "tried again");
    if (this.state === "stopped") this.#consider();
  }

  /** Ends it in order; resolves when it is over. */
  async stop(reason: string): Promise<void> {
    await this.#end(reason);
    await this.#standby.close();
  }

  #end(reason: string): Promise<void> {
    if (this.state === "stopped") {
      this.#isWanted = false;
      return Promise.resolve();
    }
    if (this.#isWanted) this.#stopped = Promise.withResolvers();
    this.#isWanted = false;
    this.#stopReason = reason;
    this.#queue.refuse("the driver was stopped");
    this.#attempt.cancel();
    if (this.#held === undefined) this.#become("stopped", reason);
    else if (this.state === "starting" || this.state === "ready") {
      this.#become("stopping", reason);
      this.#process?.stop(reason);
    }
    return this.#stopped.promise;
  }

  /** Tells what is on the bus now. Called at every look, changed or not. */
  devicesChanged(devices: readonly DeviceInfo[]): void {
    this.#devices = devices;
    this.#standby.look(devices);
    if (this.#held !== undefined) {
      if (!this.#isThere(this.#held)) this.#process?.deviceLeft();
      return;
    }
    if (!this.#isWanted) return;
    const isPausing = this.state === "backoff" ||
      this.state === "quarantined";
    if (this.state === "waiting-device") this.#consider();
    else if (isPausing && this.#identify().kind !== "one") this.#consider();
  }

  /**
   * Has a command carried out. While the driver is away, one that may be done
   * twice without harm waits up to its deadline; others are refused.
   *
   * @throws {UsbError} `state` with advice, `busy`, `timedOut`, or the driver's own.
   */
  call(
    command: string,
    params: { readonly [key: string]: Json },
    options: { readonly timeoutMs?: number } = {},
  ): Promise<Json> {
    const { timeoutMs = COMMAND_TIMEOUT_MS } = options;
    if (this.state === "ready" && this.#process !== undefined) {
      return this.#process.call(command, params, { timeoutMs });
    }
    const mayWait = this.#isWanted && canQueueIn(this.state) &&
      this.#options.isIdempotent?.(command) === true;
    if (mayWait) return this.#queue.wait({ command, params, timeoutMs });
    return Promise.reject(
      new UsbError({
        code: "state",
        operation: `run ${command}`,
        reason: `the driver is ${this.state}`,
        advice: retryAdvice(this.#attempt.leftMs),
      }),
    );
  }

  /** Everything there is to see, as plain data. */
  status(): DriverStatus {
    const { clock, name } = this.#options;
    const nowMs = clock.nowMs();
    const beat = this.#process?.lastBeat;
    return {
      name,
      state: this.state,
      sinceMs: this.#record.sinceMs,
      cause: this.#record.cause,
      degraded: this.state === "ready"
        ? degradedBy(beat, this.#safety.last)
        : undefined,
      device: this.#held,
      pid: this.#process?.pid,
      starts: this.#starts,
      failures: this.#history.failures,
      hasStandby: this.#standby.isParked,
      nextAttemptMs: this.#attempt.leftMs,
      beat,
      beatAgeMs: this.#beatAtMs === undefined
        ? undefined
        : nowMs - this.#beatAtMs,
      safeState: this.#safety.last,
      ends: this.#ends.notes,
      endCounts: this.#ends.counts,
      queuedCommands: this.#queue.size,
      values: this.#values.list(nowMs, this.state !== "ready"),
      transitions: this.#record.transitions,
    };
  }

  #identify(): ReturnType<SupervisedDriverOptions["identify"]> {
    return this.#options.identify(this.#devices);
  }

  #isThere(device: DeviceInfo): boolean {
    return this.#devices.some(({ id }) => id === device.id);
  }

  /** Starts a process if its one device is there, else waits for it. */
  #consider(): void {
    this.#attempt.cancel();
    const found = this.#identify();
    if (found.kind === "one") return this.#launch(found.device);
    const cause = found.kind === "several"
      ? describeSeveral(found.devices)
      : "no matching device on the bus";
    this.#awaitDevice(cause);
  }

  #awaitDevice(cause: string): void {
    if (this.state !== "waiting-device") this.#become("waiting-device", cause);
    else if (this.#record.explain(cause)) this.#options.onNotice?.(cause);
  }

  #launch(device: DeviceInfo): void {
    assert(this.#held === undefined, "A driver has one device at a time");
    this.#held = device;
    this.#memory.sight(device, this.#options.clock.nowMs());
    this.#become("starting");
    void this.#live(device);
  }

  async #live(device: DeviceInfo): Promise<void> {
    const { spawn, clock, refusal, limits } = this.#options;
    await this.#safety.before(device);
    const client = await this.#standby.takeOr(device, spawn).catch(endOfSpawn);
    if ("exitClass" in client) return this.#conclude(client, device);
    this.#starts++;
    const watched = watchKill(client, () => this.#killed());
    const process = new DriverProcess(watched, {
      ...limits,
      ...(refusal === undefined ? {} : { refusal }),
      clock,
      onFrame: (frame) => this.#take(frame, device),
    });
    this.#process = process;
    if (!this.#isWanted) process.stop(this.#stopReason);
    const end = await process.ended;
    this.#process = undefined;
    this.#endedAtMs ??= clock.nowMs();
    this.#killWatch?.cancel();
    await this.#safety.after(end, device, () => this.#beginSafety(end));
    this.#conclude(end, device);
  }

  #killed(): void {
    if (this.state === "starting" || this.state === "ready") {
      this.#become("stopping", "it was killed");
    }
    this.#killWatch?.cancel();
    this.#killWatch = this.#options.clock.setTimer(UNKILLABLE_MS, () => {
      if (this.#process !== undefined) {
        this.#stuck(`process ${this.#process.pid}`);
      }
    });
  }

  #take(frame: DriverFrame, device: DeviceInfo): void {
    const { clock } = this.#options;
    if (frame.type === "ready" && this.state === "starting") {
      this.#becameReady(device);
    }
    if (frame.type === "heartbeat") this.#beatAtMs = clock.nowMs();
    if (frame.type === "event") {
      const now = { atMs: clock.nowMs(), wallMs: clock.wallMs() };
      this.#values.note(frame.event, frame.data, now);
    }
    this.#options.onFrame?.(frame);
  }

  #becameReady(device: DeviceInfo): void {
    const nowMs = this.#options.clock.nowMs();
    this.#beatAtMs = nowMs;
    this.#memory.serves();
    this.#become("ready");
    this.#standby.serves(device);
    if (this.#endedAtMs !== undefined) {
      this.#options.onRecovered?.(nowMs - this.#endedAtMs);
      this.#endedAtMs = undefined;
    }
    const process = this.#process;
    assert(process !== undefined, "What is ready is a process");
    this.#queue.drain(({ command, params, timeoutMs }) =>
      process.call(command, params, { timeoutMs })
    );
    if (!this.#isThere(device)) process.deviceLeft();
  }

  #beginSafety(end: DriverProcessEnd): void {
    if (this.state === "starting" || this.state === "ready") {
      this.#become("stopping", end.message);
    }
  }

  #stuck(what: string): void {
    if (this.state !== "stopping") return;
    const cause = `${what} does not end: it is stuck in the kernel`;
    this.#become("unkillable", cause);
  }

  #conclude(end: DriverProcessEnd, device: DeviceInfo): void {
    const { clock, policy, random } = this.#options;
    this.#held = undefined;
    this.#ends.add(end);
    this.#options.onEnd?.(end);
    if (!this.#isWanted) return this.#over(end);
    // Whoever waited for it to stop has waited long enough; somebody wants it again.
    this.#stopped.resolve();
    if (end.exitClass === "clean") {
      this.#over(end);
      return this.#consider();
    }
    if (this.#standby.isTaken && isStandbyFault(end)) {
      return this.#pause(
        "backoff",
        0,
        `its standby did not take over: ${end.message}`,
      );
    }
    const nowMs = clock.nowMs();
    // A process that was stuck has no other way out of its state.
    const isStuck = this.state === "unkillable";
    if (!isStuck && this.#memory.isUnsettled(end, nowMs)) {
      return this.#awaitDevice(end.message);
    }
    this.#endedAtMs ??= nowMs;
    const { decision, history } = decideRestart(policy, this.#history, {
      end: {
        exitClass: isStuck && end.exitClass === "device-gone"
          ? "fault"
          : this.#memory.judge(end.exitClass, device),
        nowMs,
        healthyMs: end.readyMs,
      },
      random,
    });
    this.#history = history;
    switch (decision.next) {
      case "give-up":
        this.#queue.refuse(end.message);
        return this.#become("failed", end.message);
      case "wait-for-device":
        this.#endedAtMs = undefined;
        return this.#become("waiting-device", end.message);
      case "start":
        return this.#pause("backoff", decision.delayMs, end.message);
      case "quarantine":
        this.#queue.refuse(end.message);
        return this.#pause("quarantined", decision.delayMs, end.message);
    }
  }

  #over(end: DriverProcessEnd): void {
    this.#endedAtMs = undefined;
    this.#become("stopped", end.message);
  }

  #pause(
    state: "backoff" | "quarantined",
    delayMs: number,
    cause: string,
  ): void {
    this.#become("backoff", cause);
    if (state === "quarantined") this.#become("quarantined", cause);
    if (delayMs === 0) return this.#consider();
    void this.#standby.retire();
    this.#attempt.in(delayMs, () => this.#consider());
  }

  #become(to: DriverState, cause?: string): void {
    const transition = this.#record.become(to, cause);
    this.#standby.follow(to);
    if (to === "stopped" && !this.#isWanted) this.#stopped.resolve();
    this.#options.onTransition?.(transition);
  }
}
