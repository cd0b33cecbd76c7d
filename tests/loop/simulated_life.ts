/**
 * One life of a driver under one seed: faults, commands, timers, jumps of the
 * clock and unplugs by chance, in virtual time, and what must hold whatever
 * happens.
 */

import { AssertionError } from "../../driver/assert.ts";
import { HEARTBEAT_INTERVAL_MS, STOP_TIMEOUT_MS } from "../../driver/limits.ts";
import { Chance } from "../../driver/loop/chance.ts";
import { settle, VirtualClock } from "../../driver/loop/clock.ts";
import type { SessionEnd } from "../../driver/loop/end_reason.ts";
import { Session } from "../../driver/loop/session.ts";
import { TraceHash } from "../../driver/loop/trace_hash.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import type { Fault, FaultRule } from "../../driver/sim/faults.ts";
import { SimulatedPort } from "../../driver/sim/simulated_port.ts";
import { VirtualBus } from "../../driver/sim/virtual_bus.ts";
import { chaosDriver, type ChaosRecord } from "./chaos_driver.ts";

/** What became of a life. */
export interface LifeReport {
  readonly seed: number;
  /** Equal for equal lives: journal, answers, counters and end. */
  readonly traceHash: string;
  readonly end: SessionEnd;
  readonly faultsInjected: number;
  readonly commands: number;
  readonly reports: number;
}

/** Something that must hold did not. The message begins with the seed that repeats it. */
export class BrokenInvariant extends Error {
  override readonly name = "BrokenInvariant";
}

const STEPS_MAX = 40;
/** After the last step: a stuck handler's grace, and a stop, with room to spare. */
const END_MS = 20_000;
/** What is still on its way when all is over takes less than this. */
const BREATH_MS = 500;

const ACTIONS = [
  ..."cccccccccc", // a command
  ..."ffff", // a fault
  ..."bbb", // let some microtasks run
  ..."aaaaaa", // let time pass
  "jump",
  "emitFull",
  "unplug",
  "replug",
  "left",
  "stop",
] as const;

/** Lives one life. @throws {BrokenInvariant} With the seed in its message. */
export async function liveOnce(seed: number): Promise<LifeReport> {
  try {
    return await new Life(seed).run();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BrokenInvariant(`SEED ${seed}: ${reason}`, { cause: error });
  }
}

class Life {
  readonly #chance: Chance;
  readonly #clock: VirtualClock;
  readonly #bus: VirtualBus;
  readonly #device = new Loopback();
  readonly #port: SimulatedPort;
  readonly #record: ChaosRecord;
  readonly #session: Session;
  readonly #trace = new TraceHash();
  readonly #pending = new Set<Promise<void>>();
  readonly #faults: { readonly injected: number };
  #canEmit = true;
  #jumpedMs = 0;
  #lastBeatMs = 0;
  #lastBeatJumpedMs = 0;
  #stoppingMs: number | undefined;
  #stoppingJumpedMs = 0;
  #commands = 0;
  #end: SessionEnd | undefined;

  constructor(seed: number) {
    this.#chance = new Chance(seed);
    const { next } = this.#chance;
    const settleRounds = this.#chance.pick([32, 64]);
    const clock = this.#clock = new VirtualClock(0, settleRounds);
    this.#bus = new VirtualBus({ clock, random: next });
    const isAccessible = !this.#chance.happens(0.02);
    this.#faults = this.#bus.plug(this.#device, { isAccessible }).device.faults;
    this.#port = new SimulatedPort(this.#bus, {
      jitterMs: this.#chance.pick([0, 0, 1, 10]),
    });
    const { driver, record } = chaosDriver(this.#chance);
    this.#record = record;
    this.#session = new Session({
      driver,
      port: this.#port,
      clock,
      random: next,
      log: (_level, event) => this.#trace.text16(event),
      emit: () => this.#canEmit,
      yieldTurn: () =>
        new Promise((resolve) => void clock.setTimer(0, () => resolve())),
      heartbeat: () => this.#beat(),
      stateChanged: (_from, to) => {
        if (to !== "stopping") return;
        this.#stoppingMs = clock.nowMs();
        this.#stoppingJumpedMs = this.#jumpedMs;
      },
    });
  }

  async run(): Promise<LifeReport> {
    this.#note(this.#session.start(), "start");
    this.#note(
      this.#session.ended.then((end) => this.#ended(end)),
      "end",
    );
    for (let step = this.#chance.integer(3, STEPS_MAX); step > 0; step--) {
      await this.#step();
      if (this.#end !== undefined) break;
    }
    void this.#session.stop();
    for (let ms = 0; ms < END_MS && this.#end === undefined; ms += BREATH_MS) {
      await this.#clock.advance(BREATH_MS);
    }
    const faults = this.#faults.injected;
    this.#bus.unplug(this.#device);
    await this.#port.close();
    await this.#clock.advance(BREATH_MS);
    return this.#judge(faults);
  }

  async #step(): Promise<void> {
    const chance = this.#chance;
    switch (chance.pick(ACTIONS)) {
      case "c":
        this.#command();
        break;
      case "f":
        this.#fault();
        break;
      case "b":
        for (let n = chance.integer(0, 40); n > 0; n--) await Promise.resolve();
        return;
      case "jump":
        return this.#jump();
      case "emitFull":
        this.#canEmit = !this.#canEmit;
        return;
      case "unplug":
        if (chance.happens(0.4)) this.#bus.unplug(this.#device);
        break;
      case "replug":
        if (chance.happens(0.3) && this.#bus.find(this.#device) !== undefined) {
          this.#bus.replug(this.#device, chance.integer(0, 100));
        }
        break;
      case "left":
        if (chance.happens(0.2)) this.#session.deviceLeft();
        break;
      case "stop":
        if (chance.happens(0.4)) void this.#session.stop();
    }
    if (chance.happens(0.7)) await this.#clock.advance(chance.integer(0, 40));
  }

  #command(): void {
    const name = this.#chance.pick([
      "echo",
      "echo",
      "memory",
      "late",
      "wait",
      "wait",
      "halt",
      "write",
      "read",
      "fail",
      "misbehave",
      "unknown",
    ]);
    this.#commands++;
    const answer = this.#session.command(name, {}, {
      timeoutMs: this.#chance.pick([1, 50, 1_000]),
    });
    this.#note(answer, name);
  }

  #fault(): void {
    const chance = this.#chance;
    const endpoint = chance.pick([0, 0x81, 0x82, 0x83, 0x01, 0x03]);
    const rule: FaultRule = {
      endpoint,
      after: chance.integer(0, 3),
      times: chance.pick([1, 1, 3, 0]),
      fault: this.#anyFault(),
    };
    // A halted control endpoint is a stalled request; the rest is as on any endpoint.
    const plugged = this.#bus.find(this.#device);
    if (plugged === undefined || chance.happens(0.3)) return;
    plugged.device.faults.clear();
    plugged.device.faults.add(rule);
  }

  #anyFault(): Fault {
    const chance = this.#chance;
    const faults: readonly Fault[] = [
      { kind: "stall" },
      { kind: "babble" },
      { kind: "short", lengthBytes: chance.integer(0, 7) },
      { kind: "zeroLength" },
      { kind: "late", delayMs: chance.integer(0, 300) },
      { kind: "silent" },
      { kind: "status", errno: chance.pick(["PROTO", "ILSEQ", "TIME"]) },
      { kind: "disconnect", when: chance.pick(["before", "during", "after"]) },
    ];
    return chance.pick(faults);
  }

  #jump(): void {
    const jumpMs = this.#chance.integer(1, 2_000);
    this.#jumpedMs += jumpMs;
    this.#clock.jump(jumpMs);
  }

  /** Every promise settles; how, and when, is part of the trace. */
  #note(promise: Promise<unknown>, name: string): void {
    const noted: Promise<void> = promise.then(
      (value) => `${name} gave ${JSON.stringify(value) ?? ""}`,
      (error) => `${name} failed: ${error.message}`,
    ).then((text) => {
      this.#trace.text16(text);
      this.#trace.number(this.#clock.nowMs());
      this.#pending.delete(noted);
    });
    this.#pending.add(noted);
  }

  #beat(): void {
    const gapMs = this.#clock.nowMs() - this.#lastBeatMs -
      (this.#jumpedMs - this.#lastBeatJumpedMs);
    hold(
      gapMs <= HEARTBEAT_INTERVAL_MS + 1,
      `${gapMs} ms passed between two heartbeats`,
    );
    this.#lastBeatMs = this.#clock.nowMs();
    this.#lastBeatJumpedMs = this.#jumpedMs;
  }

  #ended(end: SessionEnd): void {
    this.#end = end;
    const tookMs = this.#clock.nowMs() - (this.#stoppingMs ?? 0) -
      (this.#jumpedMs - this.#stoppingJumpedMs);
    hold(
      tookMs <= STOP_TIMEOUT_MS,
      `${tookMs} ms passed from stopping to the end`,
    );
  }

  async #judge(faultsInjected: number): Promise<LifeReport> {
    await settle();
    const end = this.#end;
    if (end === undefined) throw new Error("The session did not end");
    hold(
      !(end.error instanceof AssertionError),
      `an assertion failed: ${end.message}`,
    );
    const record = this.#record;
    hold(!end.isBug || record.didBug, `a bug nobody put in: ${end.message}`);
    hold(end.isDrained, "transfers were left in flight");
    hold(record.atWorkMax <= 1, `${record.atWorkMax} handlers were at work`);
    hold(record.disorder === 0, "reports came out of order");
    hold(this.#pending.size === 0, `${this.#pending.size} promises are open`);
    hold(
      this.#clock.pendingTimers === 0,
      `${this.#clock.pendingTimers} timers are left`,
    );
    this.#judgeCounters(end);
    this.#trace.text16(this.#session.journal.traceHash);
    this.#trace.text16(JSON.stringify(this.#session.counters()));
    return {
      seed: this.#chance.seed,
      traceHash: this.#trace.text,
      end,
      faultsInjected,
      commands: this.#commands,
      reports: record.handled,
    };
  }

  #judgeCounters(end: SessionEnd): void {
    const { commands, transfers, inputs } = this.#session.counters();
    const { accepted, answered, failed, timedOut, waiting } = commands;
    hold(waiting === 0, `${waiting} commands were never answered`);
    hold(
      accepted === answered + failed + timedOut,
      `of ${accepted} commands ${answered} + ${failed} + ${timedOut} were answered`,
    );
    hold(transfers.inFlight === 0, "transfers are in flight after the end");
    for (const [name, { ring, tally }] of Object.entries(inputs)) {
      hold(ring.inFlight === 0, `${name} has transfers in flight`);
      hold(tally.waiting === 0, `${name} has reports waiting`);
    }
    const wasGone = end.class === "device-gone";
    hold(
      !wasGone || end.safeState.result !== "done" || end.code === "noDevice",
      "a device that is gone was made safe",
    );
  }
}

function hold(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}
