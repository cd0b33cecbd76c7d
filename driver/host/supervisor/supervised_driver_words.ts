/**
 * What a supervised driver is made of, what it shows, and its bounds.
 *
 * @module
 */

import type { Clock } from "../../loop/clock.ts";
import type { SafeStateResult } from "../../loop/safe_state.ts";
import type { DeviceInfo } from "../../port.ts";
import type { ClientProcess } from "../client_process.ts";
import type {
  DriverProcessEnd,
  DriverProcessOptions,
} from "../driver_process.ts";
import type { ExitClass } from "../exit_class.ts";
import type { RestartHistory, RestartPolicy } from "../restart_policy.ts";
import type { MakeSafe, SafeStateOutcome } from "../safe_state_after_end.ts";
import type { DriverFrame, HeartbeatFrame } from "../wire.ts";
import type { DriverState, Transition } from "./driver_states.ts";
import type { EndNote } from "./end_record.ts";
import type { Identification } from "./identity.ts";
import type { LastValue } from "./last_values.ts";
import {
  type StandbyNews,
  type StandbyOptions,
  StandbySlots,
  type StandbyWays,
} from "./standby.ts";

/** What a supervised driver is made of. */
export interface SupervisedDriverOptions {
  /** Of this instance. */
  readonly name: string;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly policy: RestartPolicy;
  /** What an earlier supervisor knew of its failures. */
  readonly history?: RestartHistory;
  /** An earlier supervisor died while its driver had the device. */
  readonly isLeftBehind?: boolean;
  /** Which of these devices it is for. */
  readonly identify: (devices: readonly DeviceInfo[]) => Identification;
  /**
   * Starts a process for a device, pipes attached, with the declared options:
   * a driver that is started again configures its device as the first time.
   *
   * @throws {UsbError} `access`: no retry helps; `noDevice`: it left meanwhile.
   */
  readonly spawn: (device: DeviceInfo) => Promise<ClientProcess>;
  /**
   * How to make a device safe when the driver's process is dead; asked at each
   * end. `undefined`: the driver declares no safe state.
   */
  readonly makeSafe?: () => MakeSafe | undefined;
  /** How to have standbys; asked each time. Absent or `undefined`: there is none. */
  readonly standby?: () => StandbyWays | undefined;
  /** Shared with others. Default: its own. */
  readonly standbySlots?: StandbySlots;
  /** A standby waits, or none does any more. */
  readonly onStandby?: (news: StandbyNews) => void;
  /** Whether a command may be done twice without harm. */
  readonly isIdempotent?: (command: string) => boolean;
  /** Looks at each READY; a sentence refuses it. */
  readonly refusal?: DriverProcessOptions["refusal"];
  /** Limits of each process, for tests. */
  readonly limits?: Pick<
    DriverProcessOptions,
    "startTimeoutMs" | "stopTimeoutMs" | "missedBeatsMax"
  >;
  readonly onTransition?: (transition: Transition) => void;
  readonly onFrame?: (frame: DriverFrame) => void;
  readonly onEnd?: (end: DriverProcessEnd) => void;
  /** What became of the device after a driver that had it. */
  readonly onSafeState?: (outcome: SafeStateOutcome) => void;
  /** From the first end since it was ready to the next READY, in milliseconds. */
  readonly onRecovered?: (durationMs: number) => void;
  /** The cause of its state changed, not the state. */
  readonly onNotice?: (cause: string) => void;
}

/** What there is to see of a driver. */
export interface DriverStatus {
  readonly name: string;
  readonly state: DriverState;
  /** Wall clock of the last transition. */
  readonly sinceMs: number;
  readonly cause: string | undefined;
  /** Ready, but not well: why. */
  readonly degraded: string | undefined;
  /** The device it has. */
  readonly device: DeviceInfo | undefined;
  readonly pid: number | undefined;
  /** Whether the next process waits already. */
  readonly hasStandby: boolean;
  readonly starts: number;
  /** In a row, without a healthy while between them. */
  readonly failures: number;
  readonly nextAttemptMs: number | undefined;
  readonly beat: HeartbeatFrame | undefined;
  readonly beatAgeMs: number | undefined;
  /** Of the last time it was performed, by the driver or for it. */
  readonly safeState: SafeStateResult | undefined;
  /** The last ends of its processes, oldest first. */
  readonly ends: readonly EndNote[];
  /** Every end, by class. */
  readonly endCounts: ReadonlyMap<ExitClass, number>;
  readonly queuedCommands: number;
  readonly values: readonly LastValue[];
  readonly transitions: readonly Transition[];
}

/** After SIGKILL a process is gone in milliseconds, unless it sits in the kernel. */
export const UNKILLABLE_MS = 2_000;
/** A loop later than this serves, but not well. */
const LAG_MS_MAX = 500;

/** What its standby is made of. */
export function standbyOptions(
  options: SupervisedDriverOptions,
): StandbyOptions {
  const { clock, standbySlots = new StandbySlots() } = options;
  return {
    clock,
    ways: () => options.standby?.(),
    slots: standbySlots,
    onChange: (news) => options.onStandby?.(news),
  };
}

/** Whether a command may wait for the driver in this state. */
export function canQueueIn(state: DriverState): boolean {
  return state === "starting" || state === "stopping" ||
    state === "backoff" || state === "waiting-device";
}

/** When to try again what a driver that is away was asked for. */
export function retryAdvice(nextAttemptMs: number | undefined): string {
  if (nextAttemptMs === undefined) return "Try again when it is ready";
  return `The next attempt is in ${Math.ceil(nextAttemptMs)} ms`;
}

/** Why a ready driver is not well, if so. */
export function degradedBy(
  beat: HeartbeatFrame | undefined,
  safeState: SafeStateResult | undefined,
): string | undefined {
  if (safeState === "failed") return "its last safe state failed";
  if (beat === undefined) return undefined;
  if (beat.lagMs > LAG_MS_MAX) return `its loop is ${beat.lagMs} ms late`;
  // Lines wait only while the disk takes none; what is lost stays lost.
  const lost = beat.telemetry?.logged.dropped ?? 0;
  const waiting = (beat.logUnwritten ?? 0) - lost;
  if (waiting > 0) return `its log cannot be written: ${waiting} lines wait`;
  return undefined;
}
