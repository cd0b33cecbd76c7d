/**
 * One driver's life with one device: open, claim, arm, start, serve, and an end
 * that leaves the device safe and nothing in flight. Everything it needs comes
 * as an argument, so one seed repeats a life.
 *
 * @module
 */

import type { Device } from "../device.ts";
import type { Json, Parameters } from "../driver.ts";
import { UsbError } from "../errors.ts";
import { assemble, type Assembly } from "./assembly.ts";
import { type CommandOptions, Commands } from "./commands.ts";
import { checkLaw } from "./conservation.ts";
import {
  cleanReason,
  type EndReason,
  FINAL_STATES,
  reasonOf,
  type SessionEnd,
  withDeviceGone,
} from "./end_reason.ts";
import { Dispatcher } from "./dispatcher.ts";
import { EventLoop } from "./event_loop.ts";
import { declared } from "./inputs.ts";
import { noTransfers } from "./guarded_port.ts";
import { noEvents } from "./handler_context.ts";
import { type BeatFacts, heartbeatOf } from "./heartbeat.ts";
import { Journal } from "./journal.ts";
import { Mailbox } from "./mailbox.ts";
import { Matcher } from "./matcher.ts";
import { NamedTimers } from "./named_timers.ts";
import { claimInterfaces, openDevice } from "./open_device.ts";
import { checkParameters } from "./parameters.ts";
import type { SessionCounters, SessionOptions } from "./session_options.ts";
import { type SessionState, SessionStates } from "./session_state.ts";
import { shutDown, type ShutdownReport } from "./shutdown.ts";
import { Telemetry, type TelemetrySums } from "./telemetry.ts";

/** For the driver's `start`; with its grace well within START_TIMEOUT_MS. */
const START_HANDLER_MS = 8_000;
/** For a reset of the port, with the device's return: USB 2.0, 7.1.7.5 and enumeration. */
const RESET_MS = 5_000;

/** One driver's life. */
export class Session {
  /** How it ended. Always resolves, once `start` was called, or `stop` instead of it. */
  readonly ended: Promise<SessionEnd>;
  /** What happened last. */
  readonly journal: Journal;
  readonly #options: SessionOptions;
  readonly #states: SessionStates;
  readonly #mailbox: Mailbox;
  readonly #matcher = new Matcher();
  readonly #loop: EventLoop;
  readonly #timers: NamedTimers;
  readonly #commands: Commands;
  readonly #dispatcher: Dispatcher;
  readonly #telemetry = new Telemetry();
  readonly #ready = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<SessionEnd>();
  #open: Assembly | undefined;
  #wasClaimed = false;
  #isGone = false;
  #procedure: Promise<void> = Promise.resolve();
  #beats = 0;

  /** Opens nothing before `start`. */
  constructor(options: SessionOptions) {
    const { driver, clock } = options;
    this.#options = options;
    this.ended = this.#over.promise;
    this.#ready.promise.catch(() => {});
    this.journal = new Journal(clock, options.journal);
    this.#states = new SessionStates((from, to) => this.#changed(from, to));
    const inputs = declared(driver).map((input, index) => ({
      name: input.name ?? `input ${index}`,
      overflow: input.overflow ?? "pause",
    }));
    this.#mailbox = new Mailbox(inputs, {
      onRoom: (input) => this.#open?.inputs.resume(input),
    });
    this.#loop = new EventLoop({
      clock,
      mailbox: this.#mailbox,
      yieldTurn: options.yieldTurn,
      handlers: {
        handle: (message, nowMs) => this.#dispatcher.handle(message, nowMs),
        finished: (work, failure) => this.#dispatcher.finished(work, failure),
        beat: (lagMs) => this.#beat(lagMs),
      },
    });
    this.#timers = new NamedTimers(this.#loop.alarms, this.#mailbox);
    this.#commands = new Commands({
      driver,
      loop: this.#loop,
      mailbox: this.#mailbox,
      nowMs: () => clock.nowMs(),
    });
    this.#dispatcher = new Dispatcher({
      driver,
      mailbox: this.#mailbox,
      timers: this.#timers,
      commands: this.#commands,
      journal: this.journal,
      latency: this.#telemetry.latency,
      target: () => this.#open,
      fail: (error) => this.#fail(error),
    });
  }

  /** Where in its life it is. */
  get state(): SessionState {
    return this.#states.current;
  }

  /** The device, once it is open: its label, its descriptors. */
  get device(): Device | undefined {
    return this.#open?.context.device;
  }

  /**
   * Opens, claims, arms and starts.
   *
   * @throws {unknown} What ended it before it was ready; `ended` says more.
   */
  async start(): Promise<void> {
    // One that was stopped before never begins.
    if (this.#states.isEnding) return await this.#ready.promise;
    this.#states.become("opening");
    this.#run();
    this.#procedure = this.#guarded(() => this.#bringUp());
    await this.#ready.promise;
  }

  /**
   * Sends the driver a command and gives its answer. Parameters are checked here.
   *
   * @throws {TypeError|RangeError} When the command or a parameter is wrong.
   * @throws {UsbError} `state` when the driver does not serve, `busy` when too many commands wait,
   *   `timedOut`, or what the command meets.
   */
  async command(
    name: string,
    params?: Json,
    options: CommandOptions = {},
  ): Promise<Json> {
    const { current } = this.#states;
    const serves = current === "starting" || current === "ready" ||
      current === "resetting";
    if (!serves) throw this.#commands.refusal(name, `the driver is ${current}`);
    return await this.#commands.submit(name, params, options);
  }

  /** Ends it in order: `stop`, safe state, drain, close, within STOP_TIMEOUT_MS. Twice is a no-op. */
  stop(): Promise<SessionEnd> {
    if (this.#states.current === "idle") this.#run();
    this.#end(cleanReason(this.state));
    return this.ended;
  }

  /** The device left the bus, as the host noticed. */
  deviceLeft(): void {
    this.#gone();
  }

  /** Where everything is that this session ever took in hand. */
  counters(): SessionCounters {
    return {
      inputs: this.#open?.inputs.report() ?? {},
      transfers: { ...(this.#open?.guard.counters ?? noTransfers()) },
      commands: { ...this.#commands.counters, waiting: this.#commands.waiting },
      events: { ...(this.#open?.context.events ?? noEvents()) },
      refusals: this.#mailbox.refusals,
      epoch: this.journal.epoch,
      lateSettlements: this.#loop.lateSettlements,
      turns: this.#loop.turns,
    };
  }

  /** What moved, how long it took, what was tried again and what was dropped. */
  telemetry(): TelemetrySums {
    return this.#telemetry.sums(this.#open?.inputs.drops() ?? []);
  }

  #run(): void {
    this.#loop.run().catch((error) => this.#fail(error));
  }

  /** Runs a procedure; what it throws ends the session. Never rejects. */
  async #guarded(procedure: () => Promise<void>): Promise<void> {
    try {
      await procedure();
    } catch (error) {
      this.#fail(error);
    }
  }

  async #bringUp(): Promise<void> {
    const { driver, clock, log, random, emit } = this.#options;
    const options = this.#checkOptions();
    if (options === undefined) return;
    const state = driver.init(options);
    const port = await openDevice(driver, this.#options);
    if (this.#states.isOver) return await port.close();
    const open = assemble(port, {
      driver,
      clock,
      log,
      random,
      emit,
      options,
      state,
      loop: this.#loop,
      mailbox: this.#mailbox,
      matcher: this.#matcher,
      timers: this.#timers,
      journal: this.journal,
      telemetry: this.#telemetry,
      sessionState: () => this.state,
      gone: () => this.#gone(),
      reset: (error) => this.#reset(error),
      fail: (error) => this.#fail(error),
    });
    this.#open = open;
    if (this.#states.isEnding) return;
    this.#states.become("claiming");
    await claimInterfaces(driver, port);
    this.#wasClaimed = true;
    if (this.#states.isEnding) return;
    open.inputs.arm(driver.start === undefined);
    await this.#runStart(open);
  }

  /** The driver's options, checked; wrong ones are the configuration's fault. */
  #checkOptions(): Parameters | undefined {
    const { driver, options } = this.#options;
    const { name: what } = driver;
    try {
      return checkParameters(options, driver.options ?? {}, { what });
    } catch (error) {
      this.#end({
        ...reasonOf(error, this.state),
        class: "config",
        isBug: false,
      });
      return undefined;
    }
  }

  async #runStart({ context, inputs, state }: Assembly): Promise<void> {
    const { driver } = this.#options;
    this.#states.become("starting");
    if (driver.start !== undefined) {
      const { start } = driver;
      await this.#loop.exclusive("start", () => {
        if (!this.#states.isEnding) return start(state, context);
      }, { timeoutMs: START_HANDLER_MS });
      if (this.#states.isEnding) return;
      // A start that selects another setting may bring endpoints to light.
      inputs.arm(true);
    }
    this.#states.become("ready");
    this.#loop.isServing = true;
    this.#ready.resolve();
  }

  /** An input needs a reset of the port. While starting there is nothing to go back to. */
  #reset(error: UsbError): void {
    if (this.#states.isEnding || this.#states.current === "resetting") return;
    const open = this.#open;
    if (this.#states.current !== "ready" || open === undefined) {
      return this.#fail(error);
    }
    this.#states.become("resetting");
    this.#loop.isServing = false;
    this.#loop.abort(this.#ending("the device is being reset"));
    this.#procedure = this.#guarded(() => this.#runReset(open));
  }

  async #runReset(open: Assembly): Promise<void> {
    await this.#loop.exclusive("reset", async () => {
      if (this.#states.isEnding) return;
      await open.inputs.stop();
      this.journal.epoch++;
      this.#timers.clearAll();
      this.#mailbox.reports.drop("stale");
      await open.port.reset();
    }, { timeoutMs: RESET_MS });
    if (this.#states.isEnding) return;
    open.inputs.rearm();
    await this.#runStart(open);
  }

  #fail(error: unknown): void {
    this.#end(reasonOf(error, this.state));
  }

  #gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#loop.control("gone", () => {
      this.#fail(this.#error("noDevice", "the device is gone"));
    });
  }

  /** The first reason counts; everything else waits for the shutdown it starts. */
  #end(reason: EndReason): void {
    if (this.#states.isEnding) return;
    const wasServing = this.#states.current === "ready";
    this.#states.become("stopping");
    this.journal.epoch++;
    this.#loop.isServing = false;
    this.#ready.reject(reason.error ?? this.#ending("the driver was stopped"));
    this.#timers.clearAll();
    const cause = this.#ending(`the driver ends: ${reason.message}`);
    this.#loop.abortForGood(
      this.#isGone ? this.#error("noDevice", "the device is gone") : cause,
    );
    this.#commands.rejectWaiting(cause);
    void this.#shutDown(reason, wasServing && reason.class === "clean");
  }

  async #shutDown(reason: EndReason, isOrderly: boolean): Promise<void> {
    const { driver, clock } = this.#options;
    const { stop } = driver;
    const open = this.#open;
    const report = await shutDown({
      clock,
      loop: this.#loop,
      procedure: this.#procedure,
      device: () => this.#open?.port,
      wasClaimed: () => this.#wasClaimed,
      isGone: () => this.#isGone,
      stop: isOrderly && stop !== undefined && open !== undefined
        ? () => stop(open.state, open.context)
        : undefined,
      safeState: driver.safeState ?? [],
      stopInputs: async () => await this.#open?.inputs.stop(),
    });
    this.#mailbox.reports.drop("stopped");
    this.#loop.end();
    this.#conclude(reason, report);
  }

  #conclude(first: EndReason, report: ShutdownReport): void {
    let reason = first;
    if (first.class === "clean" && report.failure !== undefined) {
      reason = reasonOf(report.failure.error, "stopping");
    }
    const isGone = this.#isGone || report.safeState.result === "impossible";
    if (isGone) reason = withDeviceGone(reason);
    try {
      if (report.isDrained) {
        const { heldBytes } = this.#mailbox.reports;
        const { abandoned } = this.#loop;
        checkLaw(this.counters(), { heldBytes, abandoned });
      }
    } catch (error) {
      reason = reasonOf(error, "stopping");
    }
    this.#states.become(FINAL_STATES[reason.class]);
    const { safeState, isDrained } = report;
    this.#over.resolve({ ...reason, safeState, isDrained });
  }

  #beat(lagMs: number): void {
    const { heartbeat, clock } = this.#options;
    const facts: BeatFacts = {
      sequence: this.#beats++,
      state: this.state,
      epoch: this.journal.epoch,
      lagMs,
      depths: this.#mailbox.depths,
      busyWith: this.#loop.busyWith ?? null,
    };
    heartbeat?.(heartbeatOf(facts, clock.nowMs(), this.#open));
  }

  #changed(from: SessionState, to: SessionState): void {
    this.journal.record("state", to);
    this.#options.stateChanged?.(from, to);
  }

  #ending(reason: string): UsbError {
    return this.#error("cancelled", reason);
  }

  #error(code: "cancelled" | "noDevice", reason: string): UsbError {
    const device = this.#open?.port.label;
    return new UsbError({
      code,
      operation: `run driver ${this.#options.driver.name}`,
      reason,
      ...(device === undefined ? {} : { device }),
    });
  }
}
