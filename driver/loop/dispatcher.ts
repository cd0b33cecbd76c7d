/**
 * Brings each message to its handler, and judges what a handler's failure means
 * for the driver.
 *
 * @module
 */

import type { AnyDriver } from "../driver.ts";
import { UsbError } from "../errors.ts";
import type { Commands } from "./commands.ts";
import { isAnswer } from "./end_reason.ts";
import type { Job, Work, WorkFailure } from "./event_loop.ts";
import type { HandlerContext } from "./handler_context.ts";
import { declared } from "./inputs.ts";
import type { Histogram } from "./histogram.ts";
import type { Journal } from "./journal.ts";
import type { Mailbox } from "./mailbox.ts";
import type { NamedTimers } from "./named_timers.ts";

/** What handlers are called with. */
export interface HandlerArguments {
  readonly state: unknown;
  readonly context: HandlerContext;
  /** From the loop's clock to that of reports. */
  readonly clockOffsetMs: number;
}

/** What a dispatcher is made of. */
export interface DispatcherParts {
  readonly driver: AnyDriver;
  readonly mailbox: Mailbox;
  readonly timers: NamedTimers;
  readonly commands: Commands;
  readonly journal: Journal;
  /** How long reports waited for their handler. */
  readonly latency: Histogram;
  /** Once the device is open; nothing is dispatched before. */
  readonly target: () => HandlerArguments | undefined;
  /** The driver cannot go on. */
  readonly fail: (error: unknown) => void;
}

/** Brings messages to a driver's handlers. */
export class Dispatcher {
  readonly #parts: DispatcherParts;

  /** Holds nothing itself. */
  constructor(parts: DispatcherParts) {
    this.#parts = parts;
  }

  /** Calls the handler of a message. */
  handle(
    message: Exclude<Work, Job>,
    nowMs: number,
  ): void | Promise<void> {
    const { driver, journal, timers, commands, latency, target } = this.#parts;
    const to = target();
    if (to === undefined) return;
    const { state, context, clockOffsetMs } = to;
    switch (message.lane) {
      case "timer":
        journal.record("timer", message.name);
        timers.fired(message.name);
        return pending(driver.onTimer?.(state, message.name, context));
      case "command":
        journal.record("command", message.name);
        return commands.run(message, state, context);
      case "report": {
        journal.record("report", message.name, message.data);
        latency.observe(nowMs + clockOffsetMs - message.timestampMs);
        const input = declared(driver)[message.input];
        return pending(input?.handle(state, message, context));
      }
    }
  }

  /** The handler is done, well or not. */
  finished(work: Work, failure: WorkFailure | undefined): void {
    const { journal, mailbox, commands, target } = this.#parts;
    target()?.context.endWaits();
    // A stuck handler may still read its report: that storage is given up, not reused.
    if (work.lane === "report" && failure?.isStuck !== true) {
      mailbox.reports.release(work);
    }
    if (work.lane === "job") journal.record("job", work.name);
    if (work.lane === "command") {
      journal.record("answer", work.name);
      commands.finished(work, failure);
    }
    if (failure === undefined) return;
    journal.record("failure", work.name);
    // A job's failure goes to whoever waits for the job.
    if (work.lane !== "job") this.#judge(work, failure);
  }

  /** There is no going on in an unknown state. */
  #judge(work: Work, { error, abortedBy, isStuck }: WorkFailure): void {
    const { fail } = this.#parts;
    if (isStuck) return fail(error);
    if (work.lane === "command" && isAnswer(error)) return;
    const isOfTheWorld = error instanceof UsbError;
    // We told it to end and it did, with our own error or that of its cancelled transfer.
    if (abortedBy?.code === "cancelled" && isOfTheWorld) return;
    const isOverdue = abortedBy?.code === "timedOut" && isOfTheWorld;
    fail(isOverdue ? abortedBy : error);
  }
}

/** A handler may be synchronous and return anything; only a promise is waited for. */
function pending(result: unknown): Promise<void> | undefined {
  return result instanceof Promise ? result : undefined;
}
