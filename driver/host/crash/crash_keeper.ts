/**
 * Makes and keeps the crash bundles of one driver. What goes wrong with a bundle
 * is told and counted, and never keeps a driver from being started again.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import type { Clock } from "../../loop/clock.ts";
import type { DeviceInfo } from "../../port.ts";
import { canonical } from "../supervisor/configuration_diff.ts";
import type { DriverProcessEnd } from "../driver_process.ts";
import type { ExitClass } from "../exit_class.ts";
import type { DriverManifest } from "../manifest.ts";
import type { Transition } from "../supervisor/driver_states.ts";
import type { RecentLine } from "../supervisor/recent_log.ts";
import type { DriverFrame } from "../wire.ts";
import type { BundleShelf } from "./bundle_shelf.ts";
import { bundleText } from "./bundle_text.ts";
import { FlightRecorder } from "./flight_recorder.ts";

/** Bundles waiting for a slow disk; the next is left out. */
const WAITING_MAX = 4;

/** What every bundle of a driver has in common. */
export interface CrashFacts {
  readonly instance: string;
  readonly manifest: DriverManifest;
  readonly options: { readonly [key: string]: Json };
}

/** What is known at an end besides the end. */
export interface Circumstances {
  readonly facts: CrashFacts;
  readonly device: DeviceInfo | undefined;
  readonly states: readonly Transition[];
  readonly log: {
    readonly lines: readonly RecentLine[];
    readonly dropped: number;
  };
}

/** What a keeper is made of. */
export interface CrashKeeperOptions {
  readonly shelf: BundleShelf;
  readonly clock: Pick<Clock, "wallMs">;
  /** Of the host: `driverspace`, `deno`. */
  readonly versions: Readonly<Record<string, string>>;
  /** Of this system: `kernel`, `architecture`, `boot`. */
  readonly system: Readonly<Record<string, string>>;
}

/** What became of a bundle. */
export type KeptBundle =
  | { readonly path: string }
  /** Why there is none. */
  | { readonly problem: string };

/** Ends that are no failure, or of which the sentence says all there is to say. */
const WITHOUT_BUNDLE: ReadonlySet<ExitClass> = new Set<ExitClass>([
  "clean",
  "device-gone",
  "config",
  "permission",
  "killed",
]);

/** Keeps the bundles of one driver. */
export class CrashKeeper {
  readonly #options: CrashKeeperOptions;
  readonly #flight = new FlightRecorder();
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** Nothing is written before the first failure. */
  constructor(options: CrashKeeperOptions) {
    this.#options = options;
  }

  /** Takes a frame of the process that lives now. */
  take(frame: DriverFrame): void {
    this.#flight.take(frame);
  }

  /**
   * The process ended: keeps a bundle, if it failed. `undefined`: it did not.
   * Never rejects.
   */
  ended(
    end: DriverProcessEnd,
    circumstances: () => Circumstances,
  ): Promise<KeptBundle> | undefined {
    const flight = this.#flight.landed();
    if (WITHOUT_BUNDLE.has(end.exitClass)) return undefined;
    if (this.#waiting >= WAITING_MAX) {
      const problem = "earlier ones still wait for the disk";
      return Promise.resolve({ problem });
    }
    const { shelf, clock, versions, system } = this.#options;
    const { facts, device, states, log } = circumstances();
    const { instance, manifest, options } = facts;
    const atMs = clock.wallMs();
    const keep = async (): Promise<KeptBundle> => {
      try {
        const text = await bundleText({
          instance,
          driver: manifest.name,
          manifest: manifest as unknown as Json,
          manifestHash: await hashOfManifest(manifest),
          options,
          end,
          flight,
          device,
          states,
          log,
          versions,
          system,
          atMs,
        });
        const { exitClass } = end;
        const { pid } = flight;
        const path = await shelf.keep({ instance, exitClass, pid, atMs, text });
        return { path };
      } catch (error) {
        return { problem: error instanceof Error ? error.message : `${error}` };
      } finally {
        this.#waiting--;
      }
    };
    this.#waiting++;
    const kept = this.#last.then(keep);
    this.#last = kept;
    return kept;
  }

  /** Resolves when everything is written, or is not. */
  async settled(): Promise<void> {
    await this.#last;
  }
}

/** What a bundle says of this system. */
export function systemFacts(boot: string): Record<string, string> {
  return {
    system: Deno.build.os,
    architecture: Deno.build.arch,
    kernel: Deno.osRelease(),
    boot,
  };
}

/** SHA-256 of a driver's data parts: another one is another driver. */
export async function hashOfManifest(
  manifest: DriverManifest,
): Promise<string> {
  const bytes = new TextEncoder().encode(canonical(manifest));
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(
    new Uint8Array(digest),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join("");
}
