/**
 * The crash bundles of a run: each failure of its driver in a file of its own.
 *
 * @module
 */

import type { Clock } from "../../loop/clock.ts";
import type { DeviceInfo } from "../../port.ts";
import { BundleShelf } from "../crash/bundle_shelf.ts";
import { CrashKeeper, systemFacts } from "../crash/crash_keeper.ts";
import type { DriverProcessEnd } from "../driver_process.ts";
import type { RunnerState } from "../driver_runner.ts";
import { logFolder } from "../own_folders.ts";
import type { Transition } from "../supervisor/driver_states.ts";
import { RecentLog } from "../supervisor/recent_log.ts";
import type { DriverFrame } from "../wire.ts";
import type { RunPlan } from "./run_plan.ts";
import { bootId } from "./run_start.ts";

/** States kept, as a supervisor keeps them. */
const TRANSITIONS_KEPT = 32;
/** A megabyte to a slow card, before a run that is over goes without. */
const SETTLE_MS = 2_000;

/** What the bundles of a run are made with. */
export interface RunCrashesParts {
  readonly plan: RunPlan;
  readonly clock: Clock;
  /** Of this package. */
  readonly version: string;
  /** Tells a person. */
  readonly say: (text: string) => void;
}

/** Keeps the failures of a run. */
export class RunCrashes implements AsyncDisposable {
  readonly #parts: RunCrashesParts;
  readonly #keeper: CrashKeeper;
  readonly #log = new RecentLog();
  readonly #transitions: Transition[] = [];
  #state: RunnerState = "stopped";
  #lines = 0;
  #device: DeviceInfo | undefined;
  #told: Promise<void> = Promise.resolve();

  /** Writes nothing before the first failure. */
  constructor(parts: RunCrashesParts) {
    this.#parts = parts;
    this.#keeper = new CrashKeeper({
      shelf: new BundleShelf(bundleFolder()),
      clock: parts.clock,
      versions: { driverspace: parts.version, deno: Deno.version.deno },
      system: systemFacts(bootId()),
    });
  }

  /** The device that a process is started for. */
  set device(device: DeviceInfo) {
    this.#device = device;
  }

  /** The driver sent a frame. */
  frame(frame: DriverFrame): void {
    this.#keeper.take(frame);
    if (frame.type !== "log") return;
    const { level, event, message, fields = {} } = frame;
    this.#log.add({
      sequence: ++this.#lines,
      atMs: this.#parts.clock.wallMs(),
      driver: this.#parts.plan.driver.manifest.name,
      from: "driver",
      level,
      event,
      message: message.slice(0, 1_024),
      fields,
    });
  }

  /** The run went to another state. */
  state(to: RunnerState, cause: string | undefined): void {
    const atMs = this.#parts.clock.wallMs();
    this.#transitions.push({ from: this.#state, to, cause, atMs });
    if (this.#transitions.length > TRANSITIONS_KEPT) this.#transitions.shift();
    this.#state = to;
  }

  /** The driver ended: what came of keeping it is told. */
  end(end: DriverProcessEnd): void {
    const { plan, say } = this.#parts;
    const { manifest } = plan.driver;
    const kept = this.#keeper.ended(end, () => ({
      facts: { instance: manifest.name, manifest, options: plan.options },
      device: this.#device,
      states: [...this.#transitions],
      log: this.#log.tail(),
    }));
    if (kept === undefined) return;
    this.#told = kept.then((bundle) =>
      say(
        "path" in bundle
          ? `Crash bundle: ${bundle.path}`
          : `There is no crash bundle of it: ${bundle.problem}`,
      )
    );
  }

  /** Everything is written and told, or the disk is too slow. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#parts.clock.setTimer(SETTLE_MS, resolve);
    await Promise.race([this.#told, promise]);
    timer.cancel();
  }
}

/** Where bundles lie that were given no place. */
export function bundleFolder(): string {
  return `${logFolder()}/bundles`;
}
