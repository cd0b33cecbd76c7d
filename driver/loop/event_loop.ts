/**
 * The loop of one driver: one message at a time, with a budget for each turn.
 * While a handler waits for the device, control messages and alarms go on, so
 * that a stop, an unplug or a deadline never waits for a handler.
 *
 * @module
 */

import { assert } from "../assert.ts";
import { UsbError } from "../errors.ts";
import {
  COMMAND_TIMEOUT_MS,
  HEARTBEAT_INTERVAL_MS,
  TURN_MS_MAX,
  TURN_REPORTS_MAX,
} from "../limits.ts";
import { Alarms } from "./alarms.ts";
import type { Clock, Timer } from "./clock.ts";
import type { Mailbox } from "./mailbox.ts";
import type {
  CommandMessage,
  ReportMessage,
  TimerMessage,
} from "./messages.ts";

/** For handlers of reports and timers: as long as a command that says nothing else. */
export const HANDLER_TIMEOUT_MS = COMMAND_TIMEOUT_MS;
/** From the deadline of a handler, when its signal fires, to calling it stuck. */
export const HANDLER_GRACE_MS = 1_000;
/** Jobs waiting: a start, a reset and a stop, with room to spare. */
const JOBS_MAX = 8;
/** A park of this length let the host's event loop turn, so the budget begins anew. */
const PARK_TURNS_MS = 1;

/** Work of the session itself that must not overlap a handler: start, reset, stop. */
export interface Job {
  readonly lane: "job";
  readonly name: string;
  readonly run: () => void | Promise<void>;
  readonly timeoutMs: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What a handler does, one at a time. */
export type Work = Job | TimerMessage | CommandMessage | ReportMessage;

/** How a handler ended that did not end well. */
export interface WorkFailure {
  /** What it threw; for a stuck one, the error of its deadline. */
  readonly error: unknown;
  /** Why its signal had fired before, if it had. */
  readonly abortedBy: UsbError | undefined;
  /** It never settled: what it holds cannot be taken back. */
  readonly isStuck: boolean;
}

/** The loop's owner. */
export interface LoopHandlers {
  /** Does the work of a message, beginning at `nowMs`. */
  handle(message: Exclude<Work, Job>, nowMs: number): void | Promise<void>;
  /** The work is over, well or not. Called for jobs, too. */
  finished(work: Work, failure: WorkFailure | undefined): void;
  /** Time for a heartbeat, which is late by `lagMs`. */
  beat(lagMs: number): void;
}

/** What a loop is made of. */
export interface EventLoopOptions {
  readonly clock: Clock;
  readonly mailbox: Mailbox;
  readonly handlers: LoopHandlers;
  /** Lets the host's timers, signals and I/O run; resolves afterwards. */
  readonly yieldTurn: () => Promise<void>;
}

interface Running {
  readonly work: Work;
  deadline: Timer | undefined;
  controller: AbortController | undefined;
  abortedBy: UsbError | undefined;
}

/** Runs the messages of one mailbox. */
export class EventLoop {
  /** Alarms fired in the loop's turns. */
  readonly alarms: Alarms;
  readonly #clock: Clock;
  readonly #mailbox: Mailbox;
  readonly #handlers: LoopHandlers;
  readonly #yieldTurn: () => Promise<void>;
  readonly #jobs: Job[] = [];
  readonly #life = new AbortController();
  #running: Running | undefined;
  #isServing = false;
  #isEnded = false;
  #isWoken = false;
  #unpark: (() => void) | undefined;
  #turnStartMs = 0;
  #handledInTurn = 0;
  #lateSettlements = 0;
  #abandoned = 0;
  #turns = 0;

  /** Does nothing until `run`. */
  constructor(options: EventLoopOptions) {
    this.#clock = options.clock;
    this.#mailbox = options.mailbox;
    this.#handlers = options.handlers;
    this.#yieldTurn = options.yieldTurn;
    this.alarms = new Alarms(options.clock, () => this.wake());
  }

  /** The name of what is being handled. */
  get busyWith(): string | undefined {
    return this.#running?.work.name;
  }

  /** Handlers that settled after they were given up. */
  get lateSettlements(): number {
    return this.#lateSettlements;
  }

  /** Handlers that were given up. */
  get abandoned(): number {
    return this.#abandoned;
  }

  /** Times the loop yielded because its budget was spent. */
  get turns(): number {
    return this.#turns;
  }

  /** Whether timers, commands and reports are handled; control and jobs always are. */
  set isServing(value: boolean) {
    this.#isServing = value;
    this.wake();
  }

  /**
   * Fires at the deadline of what is being handled, and on `abort`. Between
   * messages: when the loop is aborted for good.
   */
  get signal(): AbortSignal {
    const running = this.#running;
    if (running === undefined) return this.#life.signal;
    if (running.controller === undefined) {
      running.controller = new AbortController();
      const reason = running.abortedBy;
      if (reason !== undefined) running.controller.abort(reason);
    }
    return running.controller.signal;
  }

  /** Runs until `end`. Rejects only for a bug of ours. */
  async run(): Promise<void> {
    this.#beginTurn();
    this.alarms.set(HEARTBEAT_INTERVAL_MS, (dueMs) => this.#beat(dueMs));
    while (!this.#isEnded) {
      const state = this.#turn();
      if (state === "ended") break;
      if (state === "spent") {
        this.#turns++;
        await this.#yieldTurn();
        this.#beginTurn();
      } else await this.#park(state);
    }
    this.alarms.clear();
  }

  /** Ends `run` at the next step. What waits stays where it is. */
  end(): void {
    this.#isEnded = true;
    this.wake();
  }

  /** There is something to do. */
  wake(): void {
    const unpark = this.#unpark;
    this.#unpark = undefined;
    if (unpark === undefined) this.#isWoken = true;
    else unpark();
  }

  /** Posts a control message. */
  control(name: string, handle: () => void): void {
    const isTaken = this.#mailbox.postControl(name, handle);
    assert(isTaken, `The control lane has no room for ${name}`);
    this.wake();
  }

  /**
   * Runs something when no handler is at work, before anything else. Rejects
   * with what it throws, or with `timedOut` when it is stuck.
   */
  exclusive(
    name: string,
    run: () => void | Promise<void>,
    options: { readonly timeoutMs: number },
  ): Promise<void> {
    assert(this.#jobs.length < JOBS_MAX, `More than ${JOBS_MAX} jobs wait`);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { timeoutMs } = options;
    this.#jobs.push({ lane: "job", name, run, timeoutMs, resolve, reject });
    this.wake();
    return promise;
  }

  /** Fires the signal of what is being handled, once. */
  abort(reason: UsbError): void {
    const running = this.#running;
    if (running === undefined || running.abortedBy !== undefined) return;
    running.abortedBy = reason;
    running.controller?.abort(reason);
  }

  /** Fires every signal, also those asked for later, for good. */
  abortForGood(reason: UsbError): void {
    this.abort(reason);
    this.#life.abort(reason);
  }

  /** Gives up on what is being handled: it counts as stuck. */
  abandon(error: UsbError): void {
    const running = this.#running;
    if (running === undefined) return;
    this.#abandoned++;
    this.#finish(running, {
      error,
      abortedBy: running.abortedBy,
      isStuck: true,
    });
    this.wake();
  }

  #beginTurn(): void {
    this.#turnStartMs = this.#clock.nowMs();
    this.#handledInTurn = 0;
  }

  /** Works until there is nothing to do, a handler waits, or the budget is spent. */
  #turn(): "idle" | "busy" | "spent" | "ended" {
    for (;;) {
      const nowMs = this.#clock.nowMs();
      this.alarms.fireDue(nowMs);
      if (this.#isEnded) return "ended";
      const isSpent = this.#handledInTurn >= TURN_REPORTS_MAX ||
        nowMs - this.#turnStartMs >= TURN_MS_MAX;
      if (isSpent) return "spent";
      const isFree = this.#running === undefined;
      const isOpen = isFree && this.#isServing && this.#jobs.length === 0;
      const message = this.#mailbox.take(isOpen ? "all" : "control");
      if (message?.lane === "control") {
        this.#handledInTurn++;
        message.handle();
        continue;
      }
      const work = message ?? (isFree ? this.#jobs.shift() : undefined);
      if (work === undefined) return isFree ? "idle" : "busy";
      this.#begin(work, nowMs);
    }
  }

  async #park(state: "idle" | "busy"): Promise<void> {
    const parkedMs = this.#clock.nowMs();
    if (this.#isWoken) this.#isWoken = false;
    else await new Promise<void>((resolve) => this.#unpark = resolve);
    const didTurn = this.#clock.nowMs() - parkedMs >= PARK_TURNS_MS;
    if (state === "idle" || didTurn) this.#beginTurn();
  }

  #begin(work: Work, nowMs: number): void {
    this.#handledInTurn++;
    const running: Running = {
      work,
      deadline: undefined,
      controller: undefined,
      abortedBy: undefined,
    };
    this.#running = running;
    let result: void | Promise<void>;
    try {
      result = work.lane === "job"
        ? work.run()
        : this.#handlers.handle(work, nowMs);
    } catch (error) {
      this.#settled(running, { error });
      return;
    }
    if (result === undefined) {
      this.#finish(running, undefined);
      return;
    }
    this.#setDeadline(running);
    result.then(
      () => this.#settled(running, undefined),
      (error) => this.#settled(running, { error }),
    );
  }

  #setDeadline(running: Running): void {
    const delayMs = Math.max(0, this.#timeoutMs(running.work));
    running.deadline = this.alarms.set(delayMs, () => {
      this.abort(overdue(running.work, "its time limit passed"));
      running.deadline = this.alarms.set(HANDLER_GRACE_MS, () => {
        this.abandon(overdue(running.work, "it did not end when told to"));
      });
    });
  }

  #timeoutMs(work: Work): number {
    if (work.lane === "job") return work.timeoutMs;
    if (work.lane === "command") return work.dueMs - this.#clock.nowMs();
    return HANDLER_TIMEOUT_MS;
  }

  #settled(
    running: Running,
    thrown: { readonly error: unknown } | undefined,
  ): void {
    if (this.#running !== running) {
      this.#lateSettlements++;
      return;
    }
    const { abortedBy } = running;
    this.#finish(
      running,
      thrown && { error: thrown.error, abortedBy, isStuck: false },
    );
    this.wake();
  }

  #finish(running: Running, failure: WorkFailure | undefined): void {
    const { work } = running;
    running.deadline?.cancel();
    this.#running = undefined;
    this.#handlers.finished(work, failure);
    if (work.lane !== "job") return;
    if (failure === undefined) work.resolve();
    else work.reject(failure.error);
  }

  #beat(dueMs: number): void {
    const lagMs = this.#clock.nowMs() - dueMs;
    this.#handlers.beat(lagMs);
    // In step with the first beat; after a long pause in step with the last.
    const delayMs = lagMs < HEARTBEAT_INTERVAL_MS
      ? HEARTBEAT_INTERVAL_MS - lagMs
      : HEARTBEAT_INTERVAL_MS;
    this.alarms.set(delayMs, (nextDueMs) => this.#beat(nextDueMs));
  }
}

function overdue(work: Work, reason: string): UsbError {
  return new UsbError({
    code: "timedOut",
    operation: `handle ${work.lane} ${work.name}`,
    reason,
  });
}
