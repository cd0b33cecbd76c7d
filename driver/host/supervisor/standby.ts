/**
 * The next life of a driver, started and parked while this one serves: loaded
 * and confined, its device untouched. When the driver dies it makes the device
 * safe and takes over, in a fraction of the time that a start takes. It is help
 * and never a condition: without it, or when it fails, everything goes the way
 * it goes anyway. It acts in looks at the bus and has no timer while it waits.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import type { Clock } from "../../loop/clock.ts";
import type { SafeStateReport } from "../../loop/safe_state.ts";
import { within } from "../../loop/within.ts";
import { STANDBYS_MAX, STOP_TIMEOUT_MS } from "../../limits.ts";
import type { DeviceInfo } from "../../port.ts";
import type { ClientProcess } from "../client_process.ts";
import type { DriverProcessEnd } from "../driver_process.ts";
import { ParkedProcess } from "../parked_process.ts";
import type { MadeSafe, MakeSafe } from "../safe_state_after_end.ts";
import type { SandboxSummary } from "../wire.ts";
import type { DriverState } from "./driver_states.ts";

/** A process that was started as a standby. */
export interface StartedStandby {
  readonly client: ClientProcess;
  /** Whether it would not do as the driver any more. */
  readonly isStale: () => boolean;
  /** It is the driver from now on. */
  readonly taken: () => void;
}

/** How a driver has standbys. */
export interface StandbyWays {
  /** Starts one for a device, pipes attached. @throws {Error} With one sentence. */
  readonly spawn: (device: DeviceInfo) => Promise<StartedStandby>;
  /** Looks at what holds it; a sentence says that it is less than demanded. */
  readonly refusal: (sandbox: SandboxSummary) => string | undefined;
}

/** What a standby is made of. */
export interface StandbyOptions {
  readonly clock: Clock;
  /** Asked each time; `undefined`: there is to be none. */
  readonly ways: () => StandbyWays | undefined;
  readonly slots: StandbySlots;
  readonly onChange: (news: StandbyNews) => void;
}

/** One waits, by its process id; or none does any more, and why if it ended by itself. */
export interface StandbyNews {
  readonly pid?: number;
  readonly problem?: string;
}

/** The line that tells it. */
export function standbyLine({ pid, problem }: StandbyNews): {
  readonly level: "info" | "warn";
  readonly message: string;
  readonly data: { readonly [key: string]: Json };
} {
  if (problem !== undefined) {
    const message = `Its standby ended: ${problem}`;
    return { level: "warn", message, data: {} };
  }
  if (pid === undefined) {
    return { level: "info", message: "No standby waits any more", data: {} };
  }
  const data = { "standby_pid": pid };
  return { level: "info", message: "A standby waits", data };
}

/**
 * From READY to the start of a standby. A driver that dies sooner is in a crash
 * loop, which is no better for starting twice as many; and its own start has
 * the processor to itself.
 */
export const STANDBY_AFTER_MS = 2_000;
/** After one that died by itself; doubled each time. */
export const STANDBY_AGAIN_MS = 5_000;
/** One that cannot be had costs a start in five minutes. */
export const STANDBY_AGAIN_MS_MAX = 300_000;
/** One that waited so long did not die of its start. */
const STANDBY_SOUND_MS = 60_000;

/** How many standbys a supervisor may have, whoever they stand by for. */
export class StandbySlots {
  #free: number;

  /** So many. */
  constructor(count: number = STANDBYS_MAX) {
    this.#free = count;
  }

  /** `false` when there is none free. */
  take(): boolean {
    if (this.#free === 0) return false;
    this.#free--;
    return true;
  }

  /** Gives one back. */
  give(): void {
    this.#free++;
  }
}

/** One from its start to its end. */
interface Candidate {
  readonly device: DeviceInfo;
  started?: StartedStandby;
  process?: ParkedProcess;
  parkedAtMs?: number;
  /** It made the device safe, and so has it. */
  hasDevice: boolean;
  isUnwanted: boolean;
}

/** States in which nothing takes over. */
const IDLE: readonly DriverState[] = [
  "stopped",
  "waiting-device",
  "quarantined",
  "failed",
];

/** Keeps a standby for one driver. */
export class Standby {
  readonly #options: StandbyOptions;
  #wanted: { readonly device: DeviceInfo; dueMs: number } | undefined;
  #candidate: Candidate | undefined;
  #life: Promise<void> = Promise.resolve();
  #deaths = 0;
  #isTaken = false;

  /** Does nothing before the driver serves. */
  constructor(options: StandbyOptions) {
    this.#options = options;
  }

  /** Whether one waits. */
  get isParked(): boolean {
    return this.#candidate?.process?.state === "parked";
  }

  /** Whether the driver was a standby. */
  get isTaken(): boolean {
    return this.#isTaken;
  }

  /** The device it has, after it made it safe. */
  get heldDeviceId(): string | undefined {
    return this.#candidate?.hasDevice === true
      ? this.#candidate.device.id
      : undefined;
  }

  /** The driver serves: there is to be a standby soon. */
  serves(device: DeviceInfo): void {
    const dueMs = this.#options.clock.nowMs() + this.#pauseMs;
    this.#wanted = { device, dueMs };
  }

  /** The driver came to another state. */
  follow(state: DriverState): void {
    if (state !== "ready") this.#wanted = undefined;
    if (IDLE.includes(state)) void this.retire();
  }

  /** What is on the bus now. */
  look(devices: readonly DeviceInfo[]): void {
    const candidate = this.#candidate;
    if (candidate !== undefined) {
      if (candidate.isUnwanted) return;
      const isThere = devices.some(({ id }) => id === candidate.device.id);
      if (!isThere || isStale(candidate)) void this.retire();
      return;
    }
    const { clock, ways, slots } = this.#options;
    if (this.#wanted === undefined || clock.nowMs() < this.#wanted.dueMs) {
      return;
    }
    const way = ways();
    if (way === undefined || !slots.take()) return;
    this.#candidate = {
      device: this.#wanted.device,
      hasDevice: false,
      isUnwanted: false,
    };
    this.#life = this.#live(this.#candidate, way);
  }

  /** Has the device made safe by the standby if there is one that can, else as told. */
  orElse(makeSafe: MakeSafe | undefined): MakeSafe | undefined {
    if (makeSafe === undefined) return undefined;
    return async (device) => await this.#makeSafe(device) ?? makeSafe(device);
  }

  /** The standby as the driver if there is one that can be, else a process that is started now. */
  async takeOr(
    device: DeviceInfo,
    spawn: (device: DeviceInfo) => Promise<ClientProcess>,
  ): Promise<ClientProcess> {
    const candidate = this.#usable(device);
    this.#isTaken = candidate !== undefined;
    if (candidate === undefined) {
      await this.retire();
      return await spawn(device);
    }
    this.#candidate = undefined;
    this.#deaths = 0;
    candidate.started.taken();
    return candidate.process.take();
  }

  /** Ends it. Resolves when no process of it has the device, or it cannot be had to go. */
  async retire(): Promise<void> {
    const candidate = this.#candidate;
    if (candidate === undefined) return;
    candidate.isUnwanted = true;
    // One that is not started yet ends when it is, and touches nothing.
    if (candidate.process === undefined) this.#candidate = undefined;
    else await candidate.process.retire();
  }

  /** Ends it for good, and waits a while for what is being started. */
  async close(): Promise<void> {
    this.#wanted = undefined;
    await this.retire();
    const { clock } = this.#options;
    const promise = this.#life;
    await within(clock, { timeoutMs: STOP_TIMEOUT_MS, promise });
  }

  get #pauseMs(): number {
    if (this.#deaths === 0) return STANDBY_AFTER_MS;
    const pauseMs = STANDBY_AGAIN_MS * 2 ** (this.#deaths - 1);
    return Math.min(pauseMs, STANDBY_AGAIN_MS_MAX);
  }

  async #live(candidate: Candidate, ways: StandbyWays): Promise<void> {
    const { slots, onChange } = this.#options;
    const why = await this.#follow(candidate, ways).catch((error) =>
      error instanceof Error ? error.message : String(error)
    );
    slots.give();
    if (this.#candidate === candidate) this.#candidate = undefined;
    const isDead = why !== undefined && !candidate.isUnwanted;
    if (isDead) this.#died(candidate);
    if (isDead) onChange({ problem: why });
    else if (candidate.parkedAtMs !== undefined) onChange({});
  }

  /** To its end; gives why it ended, if by itself. */
  async #follow(
    candidate: Candidate,
    { spawn, refusal }: StandbyWays,
  ): Promise<string | undefined> {
    const { clock, onChange } = this.#options;
    const started = await spawn(candidate.device);
    const process = new ParkedProcess(started.client, {
      clock,
      refusal,
      onParked: () => {
        candidate.parkedAtMs = clock.nowMs();
        onChange({ pid: started.client.pid });
      },
    });
    candidate.started = started;
    candidate.process = process;
    if (candidate.isUnwanted) void process.retire();
    return await process.ended;
  }

  #died({ parkedAtMs }: Candidate): void {
    const nowMs = this.#options.clock.nowMs();
    const wasSound = parkedAtMs !== undefined &&
      nowMs - parkedAtMs >= STANDBY_SOUND_MS;
    this.#deaths = wasSound ? 1 : this.#deaths + 1;
    if (this.#wanted !== undefined) this.#wanted.dueMs = nowMs + this.#pauseMs;
  }

  #usable(
    device: DeviceInfo,
  ): Candidate & Required<Pick<Candidate, "process" | "started">> | undefined {
    const candidate = this.#candidate;
    const { process, started } = candidate ?? {};
    const isUsable = candidate !== undefined && process !== undefined &&
      started !== undefined && process.state === "parked" &&
      !candidate.isUnwanted && candidate.device.id === device.id &&
      !started.isStale();
    return isUsable ? { ...candidate, process, started } : undefined;
  }

  async #makeSafe(device: DeviceInfo): Promise<MadeSafe | undefined> {
    const usable = this.#usable(device);
    if (usable === undefined) {
      await this.retire();
      return undefined;
    }
    if (this.#candidate !== undefined) this.#candidate.hasDevice = true;
    const report: SafeStateReport | undefined = await usable.process.makeSafe();
    return report && { ...report, by: "standby" };
  }
}

function isStale({ started }: Candidate): boolean {
  return started?.isStale() === true;
}

/**
 * Whether a standby came to nothing as the driver. That is no failure of the
 * driver: it is started as if there had been no standby.
 */
export function isStandbyFault(
  { wasReady, exitClass }: Pick<DriverProcessEnd, "wasReady" | "exitClass">,
): boolean {
  return !wasReady && exitClass !== "clean" && exitClass !== "device-gone";
}
