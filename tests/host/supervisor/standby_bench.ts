/** A supervised driver with standbys in a test's hands, in virtual time. */

import { encodeSafeStateFrame } from "../../../driver/host/safe_state_frame.ts";
import type { StandbyOrder } from "../../../driver/host/standby_words.ts";
import {
  STANDBY_AFTER_MS,
  standbyLine,
  type StartedStandby,
} from "../../../driver/host/supervisor/standby.ts";
import type { SupervisedDriverOptions } from "../../../driver/host/supervisor/supervised_driver_words.ts";
import type { SafeStateReport } from "../../../driver/loop/safe_state.ts";
import type { HostFrame, SandboxSummary } from "../../../driver/host/wire.ts";
import { assert, assertEquals } from "../../../driver/std.ts";
import { FakeProcess } from "../fake_process.ts";
import { Bench, MADE_SAFE } from "./driver_bench.ts";

/** The bench. What it logs of standbys: each order, and each process id that waits. */
export class StandbyBench extends Bench {
  readonly standbys: FakeProcess[] = [];
  readonly notices: string[];
  readonly safeBy: (string | undefined)[];
  /** How a standby answers `safe`; `undefined`: not at all. */
  standbyReport: SafeStateReport | undefined = MADE_SAFE;
  /** Whether it says at once that it waits. */
  parks = true;
  isStale = false;
  /** Whether it ends when it is told to. */
  answersOrders = true;
  isAllowed = true;
  standbyStart: Promise<StartedStandby> | undefined;
  standbyRefusal: string | undefined;

  constructor(options: Partial<SupervisedDriverOptions> = {}) {
    const notices: string[] = [];
    const safeBy: string[] = [];
    super({
      standby: () =>
        this.isAllowed
          ? {
            spawn: () => this.#spawnStandby(),
            refusal: (_sandbox: SandboxSummary) => this.standbyRefusal,
          }
          : undefined,
      onSafeState: ({ by, result }) => safeBy.push(`${result} by ${by}`),
      onStandby: (news) => {
        const { level, message } = standbyLine(news);
        if (level === "warn") notices.push(message);
        this.log.push(news.pid === undefined ? "no standby" : "standby");
      },
      ...options,
    });
    this.notices = notices;
    this.safeBy = safeBy;
  }

  /** The last that was started. */
  get standby(): FakeProcess {
    const last = this.standbys.at(-1);
    assert(last !== undefined, "A standby was started");
    return last;
  }

  /** Until the driver serves and its standby waits. */
  async begin(): Promise<void> {
    await this.start();
    await this.ready();
    await this.serve();
  }

  /** Until a standby waits for the driver that has just become ready. */
  async serve(): Promise<void> {
    await this.pass(STANDBY_AFTER_MS + 250);
  }

  /** Of everything that was ever started. */
  get signals(): string[] {
    return this.standbys.flatMap(({ signals }) => signals);
  }

  /** The standby that took over says READY. */
  async takenOver(): Promise<void> {
    assertEquals(this.standby.orders.at(-1), "go");
    this.processes.push(this.standby);
    await this.ready();
  }

  #spawnStandby(): Promise<StartedStandby> {
    if (this.standbyStart !== undefined) return this.standbyStart;
    const process: FakeProcess = new FakeProcess(
      (frame) => this.#frame(process, frame),
      (order) => this.#obey(process, order),
    );
    this.standbys.push(process);
    if (this.parks) process.park();
    return Promise.resolve({
      client: process,
      isStale: () => this.isStale,
      taken: () => this.log.push("taken"),
    });
  }

  #frame(process: FakeProcess, frame: HostFrame): void {
    if (frame.type === "stop") process.stop();
    if (frame.type === "gone") process.end(69);
  }

  #obey(process: FakeProcess, order: StandbyOrder): void {
    this.log.push(`told ${order}`);
    if (order === "stop" && this.answersOrders) process.end(0);
    if (order === "safe" && this.standbyReport !== undefined) {
      process.sayBytes(encodeSafeStateFrame(this.standbyReport));
    }
  }
}
