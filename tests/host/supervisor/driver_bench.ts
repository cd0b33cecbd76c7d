/** A supervised driver on a bus in a test's hands, in virtual time. */

import { DEFAULT_RESTART_POLICY } from "../../../driver/host/restart_policy.ts";
import { identify } from "../../../driver/host/supervisor/identity.ts";
import { SupervisedDriver } from "../../../driver/host/supervisor/supervised_driver.ts";
import type { SupervisedDriverOptions } from "../../../driver/host/supervisor/supervised_driver_words.ts";
import type { HostFrame } from "../../../driver/host/wire.ts";
import { VirtualClock } from "../../../driver/loop/clock.ts";
import type { SafeStateReport } from "../../../driver/loop/safe_state.ts";
import type { DeviceInfo } from "../../../driver/port.ts";
import { assert, assertEquals } from "../../../driver/std.ts";
import { fakeDevice } from "../../cli/fake_parts.ts";
import { beat, FakeProcess, READY } from "../fake_process.ts";

const LOOK_MS = 250;

/** A device that was made safe. */
export const MADE_SAFE: SafeStateReport = {
  result: "done",
  stepsDone: 1,
  steps: 1,
};

/** A driver under supervision on a bus in the test's hands. */
export class Bench {
  readonly clock = new VirtualClock();
  readonly log: string[] = [];
  readonly processes: FakeProcess[] = [];
  readonly recoveredMs: number[] = [];
  devices: DeviceInfo[] = [fakeDevice()];
  spawnError: Error | undefined;
  safeReport: Promise<SafeStateReport> = Promise.resolve(MADE_SAFE);
  /** Processes that have not ended. */
  alive = 0;
  /** Whether the process does as it is told. */
  answers = true;
  beats = true;
  readonly driver: SupervisedDriver;

  constructor(options: Partial<SupervisedDriverOptions> = {}) {
    this.driver = new SupervisedDriver({
      name: "dmm",
      clock: this.clock,
      random: () => 0.5,
      policy: DEFAULT_RESTART_POLICY,
      identify: (devices) =>
        identify({
          match: { serialNumber: "MY47000001" },
          driverMatch: [{ vendorId: 0x0957 }],
        }, devices),
      spawn: () => this.#spawn(),
      makeSafe: () => () => {
        this.log.push("safe");
        return this.safeReport;
      },
      isIdempotent: (command) => command === "query",
      onTransition: ({ to }) => this.log.push(to),
      onRecovered: (durationMs) => this.recoveredMs.push(durationMs),
      ...options,
    });
  }

  get process(): FakeProcess {
    const last = this.processes.at(-1);
    assert(last !== undefined, "A process was started");
    return last;
  }

  #spawn(): Promise<FakeProcess> {
    if (this.spawnError !== undefined) return Promise.reject(this.spawnError);
    const process: FakeProcess = new FakeProcess((frame) =>
      this.#answer(process, frame)
    );
    this.processes.push(process);
    assert(this.alive === 0, "A second driver was started beside the first");
    this.alive++;
    void process.status.then(() => this.alive--);
    return Promise.resolve(process);
  }

  #answer(process: FakeProcess, frame: HostFrame): void {
    if (!this.answers) return;
    if (frame.type === "stop") process.stop();
    if (frame.type === "gone") process.end(69);
    if (frame.type === "command") {
      process.say({ type: "result", id: frame.id, value: frame.command });
    }
  }

  /** Lets time pass, with a look at the bus and a heartbeat each 250 ms. */
  async pass(durationMs: number): Promise<void> {
    for (let passedMs = 0; passedMs < durationMs; passedMs += LOOK_MS) {
      this.driver.devicesChanged(this.devices);
      if (this.beats && this.driver.state === "ready") {
        this.process.say(beat(1));
      }
      await this.clock.advance(Math.min(LOOK_MS, durationMs - passedMs));
    }
  }

  async look(): Promise<void> {
    this.driver.devicesChanged(this.devices);
    await this.clock.advance(0);
  }

  async start(): Promise<void> {
    this.driver.devicesChanged(this.devices);
    this.driver.start();
    await this.clock.advance(0);
  }

  async ready(): Promise<void> {
    this.process.say(READY);
    await this.clock.advance(0);
  }

  async die(code: number, signal: Deno.Signal | null = null): Promise<void> {
    this.process.end(code, signal);
    await this.clock.advance(0);
  }

  async stop(): Promise<void> {
    this.answers = true;
    const stopped = this.driver.stop("test over");
    await this.clock.advance(3_000);
    await stopped;
    assertEquals(this.driver.state, "stopped");
    assertEquals(this.clock.pendingTimers, 0, "No timer outlives a driver");
  }
}
