/**
 * The crash bundles of one entry of a configuration: made, counted and told.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import type { Clock } from "../../loop/clock.ts";
import { within } from "../../loop/within.ts";
import type { DeviceInfo } from "../../port.ts";
import {
  type Circumstances,
  CrashKeeper,
  type CrashKeeperOptions,
  type KeptBundle,
} from "../crash/crash_keeper.ts";
import type { DriverProcessEnd } from "../driver_process.ts";
import type { DriverFrame } from "../wire.ts";

/** A megabyte to a slow card. A disk that takes longer goes without. */
const BUNDLE_TIMEOUT_MS = 2_000;

/** Writes a line about the driver. */
type Note = (
  level: "info" | "error",
  event: string,
  line: { readonly message: string; readonly data: Record<string, Json> },
) => void;

/** What there is to tell. */
export interface UnitCrashesOptions {
  /** Absent: nothing is kept. */
  readonly crashes: CrashKeeperOptions | undefined;
  readonly count: (result: "written" | "failed") => void;
  readonly note: Note;
}

/** Keeps the failures of one driver. */
export class UnitCrashes {
  readonly #options: UnitCrashesOptions;
  readonly #keeper: CrashKeeper | undefined;
  #device: DeviceInfo | undefined;
  #path: string | undefined;
  #isForgotten = false;

  /** Nothing is written before the first failure. */
  constructor(options: UnitCrashesOptions) {
    this.#options = options;
    this.#keeper = options.crashes && new CrashKeeper(options.crashes);
  }

  /** Bundle of the last end; `undefined` while there is none. */
  get path(): string | undefined {
    return this.#path;
  }

  /** A process is started for this device. */
  spawning(device: DeviceInfo): void {
    this.#device = device;
  }

  /** The process sent a frame. */
  take(frame: DriverFrame): void {
    this.#keeper?.take(frame);
  }

  /** The process ended. */
  ended(
    end: DriverProcessEnd,
    circumstances: () => Omit<Circumstances, "device">,
  ): void {
    this.#path = undefined;
    const kept = this.#keeper?.ended(end, () => ({
      ...circumstances(),
      device: this.#device,
    }));
    void kept?.then((bundle) => this.#kept(bundle));
  }

  /** Waits for what is being written, not for ever, and tells nothing more. */
  async forget(clock: Clock): Promise<void> {
    const promise = this.#keeper?.settled() ?? Promise.resolve();
    await within(clock, { timeoutMs: BUNDLE_TIMEOUT_MS, promise });
    this.#isForgotten = true;
  }

  #kept(bundle: KeptBundle): void {
    if (this.#isForgotten) return;
    const { count, note } = this.#options;
    if ("path" in bundle) {
      const { path } = bundle;
      this.#path = path;
      count("written");
      const message = `Crash bundle: ${path}`;
      return note("info", "driver.crash_bundle", { message, data: { path } });
    }
    const { problem } = bundle;
    count("failed");
    const message = `There is no crash bundle of it: ${problem}`;
    note("error", "driver.crash_bundle_failed", { message, data: { problem } });
  }
}
