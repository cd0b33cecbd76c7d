/**
 * Knows what is on the bus without touching it: runs the process that watches,
 * reads its frames as hostile input, and starts it again when it ends or falls
 * silent. Meanwhile the last list stands, and why it may be old is told.
 *
 * @module
 */

import { assert } from "../assert.ts";
import { UsbError, type UsbErrorCode } from "../errors.ts";
import { START_TIMEOUT_MS } from "../limits.ts";
import type { Clock, Timer } from "../loop/clock.ts";
import type { DeviceInfo } from "../port.ts";
import { BeatWatch } from "./beat_watch.ts";
import type { ClientProcess } from "./client_process.ts";
import { LineSplitter } from "./line_splitter.ts";
import {
  decideRestart,
  DEFAULT_RESTART_POLICY,
  NO_FAILURES,
  type RestartHistory,
} from "./restart_policy.ts";
import { readTail } from "./stream_tail.ts";
import {
  decodeWatchFrame,
  WATCH_LINE_BYTES_MAX,
  type WatchDevice,
  type WatchFailed,
  type WatchFrame,
  type WatchHello,
} from "./watch_frames.ts";
import { WATCH_BEAT_MS } from "./watch_main.ts";
import { deviceOf } from "./watched_device.ts";
import { WireError } from "./wire_check.ts";

/** What a watcher is made of. */
export interface DeviceWatcherOptions {
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Starts the process, pipes attached. */
  readonly spawn: () => ClientProcess;
}

/** Where the process is. */
export type WatcherState =
  | "idle"
  | "starting"
  | "watching"
  | "pausing"
  | "closed";

const NEXT: Readonly<Record<WatcherState, readonly WatcherState[]>> = {
  "idle": ["starting", "closed"],
  "starting": ["watching", "pausing", "closed"],
  "watching": ["pausing", "closed"],
  "pausing": ["starting", "closed"],
  "closed": [],
};

/** Two seconds without a beat; a bus is looked at twice a second. */
const MISSED_BEATS_MAX = 3;
/** From the end of its input to its own end, before it is killed. */
const CLOSE_TIMEOUT_MS = 1_000;
/** Without it no device that comes is seen: it is tried for ever, ten seconds apart at most. */
const POLICY = {
  ...DEFAULT_RESTART_POLICY,
  backoffMsMax: 10_000,
  failuresMax: Infinity,
};

/** Why nobody watches. */
interface Trouble {
  readonly code: UsbErrorCode;
  readonly reason: string;
  readonly advice?: string;
}

/** Watches the bus by a process of its own. */
export class DeviceWatcher implements AsyncDisposable {
  readonly #options: DeviceWatcherOptions;
  readonly #listeners = new Set<() => void>();
  readonly #first = Promise.withResolvers<WatchHello>();
  #state: WatcherState = "idle";
  #hello: WatchHello | undefined;
  #devices: readonly DeviceInfo[] = [];
  /** The list that comes in, until it is whole. */
  #coming:
    | { readonly count: number; readonly devices: WatchDevice[] }
    | undefined;
  #problem: string | undefined = "the bus was not looked at yet";
  #process: ClientProcess | undefined;
  #beats: BeatWatch | undefined;
  #trouble: Trouble | undefined;
  #watchedSinceMs: number | undefined;
  #history: RestartHistory = NO_FAILURES;
  #starts = 0;
  #pause: { readonly timer: Timer; readonly wake: () => void } | undefined;
  #over: Promise<void> = Promise.resolve();

  /** Does nothing before `start`. */
  constructor(options: DeviceWatcherOptions) {
    this.#options = options;
    // Who does not start it does not wait for it.
    this.#first.promise.catch(() => {});
  }

  /** Where its process is. */
  get state(): WatcherState {
    return this.#state;
  }

  /** Processes started so far. */
  get starts(): number {
    return this.#starts;
  }

  /**
   * Starts the process; resolves with the first whole list.
   *
   * @throws {UsbError} What kept the first process from it: `library`, or `io`.
   */
  start(): Promise<WatchHello> {
    assert(this.#state === "idle", "A watcher is started once");
    this.#over = this.#run();
    return this.#first.promise;
  }

  /**
   * What is on the bus.
   *
   * @throws {Error} When nobody is watching now: the last list stands.
   */
  devices(): Promise<readonly DeviceInfo[]> {
    return this.#problem === undefined
      ? Promise.resolve(this.#devices)
      : Promise.reject(new Error(this.#problem));
  }

  /** Calls back when the list, or whether it is fresh, changed; until the result is called. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Ends the process. Twice is a no-op. */
  async close(): Promise<void> {
    if (this.#state !== "closed") {
      this.#become("closed");
      this.#pause?.timer.cancel();
      this.#pause?.wake();
      this.#end();
    }
    await this.#over;
  }

  /** Closes it at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run(): Promise<void> {
    while (!this.#isClosed()) {
      this.#become("starting");
      this.#failed(await this.#live());
      if (this.#isClosed()) return;
      this.#become("pausing");
      await this.#sleep(this.#delayMs());
    }
  }

  #isClosed(): boolean {
    return this.#state === "closed";
  }

  /** One process, from its start to its end; gives why it ended. */
  async #live(): Promise<Trouble> {
    const { clock, spawn } = this.#options;
    let process: ClientProcess;
    try {
      process = spawn();
    } catch (error) {
      return { code: "io", reason: `it cannot be started: ${error}` };
    }
    this.#starts++;
    this.#process = process;
    const deadline = clock.setTimer(START_TIMEOUT_MS, () => {
      if (this.#state === "starting") {
        this.#kill("it told of no device in time");
      }
    });
    const [status, stderr] = await Promise.all([
      process.status,
      readTail(process.stderr),
      this.#read(process),
    ]);
    deadline.cancel();
    this.#beats?.[Symbol.dispose]();
    this.#coming = undefined;
    this.#process = undefined;
    const trouble = this.#trouble ?? howItEnded(status, stderr);
    this.#trouble = undefined;
    return trouble;
  }

  async #read(process: ClientProcess): Promise<void> {
    assert(process.stdout !== undefined, "Its stdout is piped");
    const splitter = new LineSplitter(WATCH_LINE_BYTES_MAX);
    try {
      for await (const piece of process.stdout) {
        for (const line of splitter.push(piece)) {
          this.#take(decodeWatchFrame(line));
        }
      }
    } catch (error) {
      this.#kill(error instanceof WireError ? error.message : String(error));
    }
  }

  #take(frame: WatchFrame): void {
    if (this.#isClosed()) return;
    this.#beats?.beat();
    switch (frame.type) {
      case "hello":
        this.#hello = frame;
        return;
      case "list":
        this.#coming = { count: frame.count, devices: [] };
        break;
      case "device":
        this.#coming?.devices.push(frame);
        break;
      case "failed":
        this.#trouble = troubleOf(frame);
        return;
      case "beat":
        return;
    }
    const { count, devices } = this.#coming ?? { count: -1, devices: [] };
    if (devices.length === count) this.#listed(devices.map(deviceOf));
  }

  #listed(devices: readonly DeviceInfo[]): void {
    const hello = this.#hello;
    if (hello === undefined) {
      throw new WireError("unknownType", "Cannot read a list before a hello");
    }
    this.#coming = undefined;
    this.#devices = devices;
    this.#problem = undefined;
    if (this.#state === "starting") this.#watching();
    this.#first.resolve(hello);
    this.#tell();
  }

  #watching(): void {
    const { clock } = this.#options;
    this.#become("watching");
    this.#watchedSinceMs = clock.nowMs();
    this.#beats = new BeatWatch({
      clock,
      intervalMs: WATCH_BEAT_MS,
      missedMax: MISSED_BEATS_MAX,
      onSilence: () => this.#kill("it fell silent and was killed"),
    });
  }

  #failed(trouble: Trouble): void {
    this.#problem = `nobody watches it: ${trouble.reason}`;
    const operation = "watch the bus";
    this.#first.reject(new UsbError({ operation, ...trouble }));
    this.#tell();
  }

  #delayMs(): number {
    const { clock, random } = this.#options;
    const nowMs = clock.nowMs();
    const healthyMs = this.#watchedSinceMs === undefined
      ? 0
      : nowMs - this.#watchedSinceMs;
    this.#watchedSinceMs = undefined;
    const { decision, history } = decideRestart(POLICY, this.#history, {
      end: { exitClass: "fault", nowMs, healthyMs },
      random,
    });
    this.#history = history;
    return decision.next === "start" ? decision.delayMs : POLICY.backoffMsMax;
  }

  #tell(): void {
    if (this.#isClosed()) return;
    for (const listener of [...this.#listeners]) listener();
  }

  /** In order: its input ends, which it is waiting for. */
  #end(): void {
    const process = this.#process;
    if (process === undefined) return;
    const { clock } = this.#options;
    const kill = (): void => this.#kill("it was killed");
    const limit = clock.setTimer(CLOSE_TIMEOUT_MS, kill);
    void process.status.then(() => limit.cancel());
    void process.stdin?.close().catch(kill);
  }

  #kill(reason: string): void {
    this.#trouble ??= { code: "io", reason };
    try {
      this.#process?.kill("SIGKILL");
    } catch {
      // It ended by itself in between.
    }
  }

  #become(next: WatcherState): void {
    assert(
      NEXT[this.#state].includes(next),
      `A watcher cannot go from ${this.#state} to ${next}`,
    );
    this.#state = next;
  }

  #sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#pause = undefined;
        resolve();
      };
      const timer = this.#options.clock.setTimer(delayMs, wake);
      this.#pause = { timer, wake };
    });
  }
}

const CODES: readonly UsbErrorCode[] = ["library", "notSupported", "access"];

/** The codes that a person can do something about; others are `io`. */
function troubleOf({ code, message, advice }: WatchFailed): Trouble {
  return {
    code: CODES.find((known) => known === code) ?? "io",
    reason: message,
    ...(advice === undefined ? {} : { advice }),
  };
}

function howItEnded(status: Deno.CommandStatus, stderr: string): Trouble {
  const end = status.signal ?? `exit code ${status.code}`;
  const last = stderr.trim().split("\n").at(-1) ?? "";
  const words = last === "" ? "" : `: ${last.slice(0, 500)}`;
  return { code: "io", reason: `its process ended (${end})${words}` };
}
