/**
 * When systemd is told what. The watchdog is fed only by an evaluation that ran,
 * never by a timer of its own: a supervisor whose loop hangs is restarted.
 *
 * @module
 */

import type { Clock } from "../../loop/clock.ts";
import type { DriverState } from "../supervisor/driver_states.ts";
import type { SendToManager } from "./notify.ts";

/** What a notifier is made of. */
export interface ServiceNotifierOptions {
  readonly clock: Clock;
  readonly send: SendToManager;
  /** WATCHDOG_USEC in milliseconds; absent: nobody watches. */
  readonly watchdogMs?: number;
}

/** STATUS at most so often. */
const STATUS_INTERVAL_MS = 1_000;

/** Tells systemd. */
export class ServiceNotifier {
  readonly #options: ServiceNotifierOptions;
  #fedAtMs: number | undefined;
  #status = "";
  #statusAtMs = -Infinity;

  /** Tells nothing yet. */
  constructor(options: ServiceNotifierOptions) {
    this.#options = options;
  }

  /** Configuration valid, sockets open, first evaluation done; devices may be away. */
  ready(): void {
    this.#send("READY=1");
  }

  /** A reload begins; `ready` ends it. For `Type=notify`, which takes it without a time stamp. */
  reloading(): void {
    this.#send("RELOADING=1");
  }

  /** The stop begins. */
  stopping(): void {
    this.#send("STOPPING=1\nSTATUS=Stopping: safe state, drain, release");
  }

  /** The health of every driver was evaluated: feeds the watchdog when it is time. */
  evaluated(states: readonly DriverState[]): void {
    const { clock, watchdogMs } = this.#options;
    const nowMs = clock.nowMs();
    const isHungry = watchdogMs !== undefined &&
      (this.#fedAtMs === undefined || nowMs - this.#fedAtMs >= watchdogMs / 2);
    if (isHungry) {
      this.#fedAtMs = nowMs;
      this.#send("WATCHDOG=1");
    }
    const status = statusLine(states);
    const isDue = nowMs - this.#statusAtMs >= STATUS_INTERVAL_MS;
    if (status === this.#status || !isDue) return;
    this.#status = status;
    this.#statusAtMs = nowMs;
    this.#send(`STATUS=${status}`);
  }

  #send(message: string): void {
    void this.#options.send(message);
  }
}

/** One line: counts by state. */
export function statusLine(states: readonly DriverState[]): string {
  const counts = new Map<DriverState, number>();
  for (const state of states) counts.set(state, (counts.get(state) ?? 0) + 1);
  const parts = [...counts].map(([state, count]) => `${count} ${state}`);
  return parts.length === 0 ? "no drivers" : `drivers: ${parts.join(", ")}`;
}

/**
 * WATCHDOG_USEC in milliseconds, if it is for this process. sd_watchdog_enabled(3).
 */
export function watchdogMs(
  variable: (name: string) => string | undefined,
  pid: number,
): number | undefined {
  const forPid = variable("WATCHDOG_PID");
  if (forPid !== undefined && forPid !== String(pid)) return undefined;
  const micros = variable("WATCHDOG_USEC");
  if (micros === undefined || !/^[1-9]\d{0,15}$/.test(micros)) return undefined;
  return Number(micros) / 1_000;
}
