/**
 * Sees to it that a device is in its safe state when nobody drives it: after a
 * driver that ended without having done so, and before the first driver of a
 * supervisor whose predecessor died with a driver running.
 *
 * @module
 */

import type { Clock } from "../../loop/clock.ts";
import type {
  SafeStateReport,
  SafeStateResult,
} from "../../loop/safe_state.ts";
import type { DeviceInfo } from "../../port.ts";
import {
  type EndOfDriver,
  type MakeSafe,
  safeAfter,
  type SafeStateOutcome,
} from "../safe_state_after_end.ts";

/** What it is made of. */
export interface DeviceSafetyOptions {
  readonly clock: Clock;
  /** As `SupervisedDriverOptions.makeSafe`. */
  readonly makeSafe: () => MakeSafe | undefined;
  /** Whether the device is still on the bus. */
  readonly isThere: (device: DeviceInfo) => boolean;
  /** A driver of an earlier supervisor may have left the device as it was. */
  readonly isLeftBehind: boolean;
  /** The process that makes it safe does not end, even killed. */
  readonly onStuck: () => void;
  readonly onOutcome: (outcome: SafeStateOutcome) => void;
}

/** A device that left before anything could be done for it. */
const DEVICE_GONE: Promise<SafeStateReport> = Promise.resolve({
  result: "impossible",
  stepsDone: 0,
  steps: 0,
  reason: "device gone",
});
/** A driver died with its supervisor: nothing is known but that it had the device. */
const LEFT_BEHIND: EndOfDriver = {
  exitClass: "killed",
  signal: "SIGKILL",
  wasReady: true,
  safeState: undefined,
  isRefused: false,
};

/** Keeps one device safe. */
export class DeviceSafety {
  readonly #options: DeviceSafetyOptions;
  #isLeftBehind: boolean;
  #last: SafeStateResult | undefined;

  /** Does nothing before it is asked. */
  constructor(options: DeviceSafetyOptions) {
    this.#options = options;
    this.#isLeftBehind = options.isLeftBehind;
  }

  /** How it went the last time, by the driver or for it. */
  get last(): SafeStateResult | undefined {
    return this.#last;
  }

  /** A driver was left behind, and its device has not been seen since. */
  get isLeftBehind(): boolean {
    return this.#isLeftBehind;
  }

  /** Before a driver gets the device. */
  async before(device: DeviceInfo): Promise<void> {
    if (!this.#isLeftBehind) return;
    await this.after(LEFT_BEHIND, device);
    this.#isLeftBehind = false;
  }

  /** After a driver. `onBegin`: it did not do so itself, a process begins to. */
  async after(
    end: EndOfDriver,
    device: DeviceInfo,
    onBegin: () => void = () => {},
  ): Promise<void> {
    const { clock, isThere, onStuck, onOutcome } = this.#options;
    const makeSafe = this.#options.makeSafe();
    if (makeSafe === undefined) return;
    const outcome = await safeAfter(end, {
      clock,
      make: () => {
        onBegin();
        return isThere(device) ? makeSafe(device) : DEVICE_GONE;
      },
      onStuck,
    });
    if (outcome === undefined) return;
    this.#last = outcome.result;
    onOutcome(outcome);
  }
}
