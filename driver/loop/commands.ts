/**
 * Commands from arrival to answer. Each is checked, queued or refused, run in
 * its turn, and answered by its deadline whatever happens.
 *
 * @module
 */

import { assert } from "../assert.ts";
import type {
  AnyDriver,
  DriverCommand,
  DriverContext,
  EventMap,
  Json,
} from "../driver.ts";
import { UsbError } from "../errors.ts";
import { COMMAND_TIMEOUT_MS, MAX_TIMEOUT_MS } from "../limits.ts";
import type { Timer } from "./clock.ts";
import type { EventLoop, WorkFailure } from "./event_loop.ts";
import type { Mailbox } from "./mailbox.ts";
import type { CommandMessage } from "./messages.ts";
import { checkParameters } from "./parameters.ts";

/** Where every command is: `accepted = answered + failed + timedOut + waiting`. */
export interface CommandCounters {
  /** Taken into the lane. */
  accepted: number;
  /** The lane was full, or the driver not there. */
  refused: number;
  /** Answered with a result. */
  answered: number;
  /** Answered with an error. */
  failed: number;
  /** Their time limit passed. */
  timedOut: number;
}

/** Who may say how long a command takes. */
export interface CommandOptions {
  /** Default: what the driver says of the command. */
  readonly timeoutMs?: number;
}

interface Pending {
  readonly deadline: Timer;
  readonly resolve: (answer: Json) => void;
  readonly reject: (error: unknown) => void;
  answer: Json;
}

/** What commands are run with. */
export interface CommandsParts {
  readonly driver: AnyDriver;
  readonly loop: EventLoop;
  readonly mailbox: Mailbox;
  readonly nowMs: () => number;
}

/** The commands of one driver. */
export class Commands {
  /** Where every command is. */
  readonly counters: CommandCounters = {
    accepted: 0,
    refused: 0,
    answered: 0,
    failed: 0,
    timedOut: 0,
  };
  readonly #parts: CommandsParts;
  readonly #pending = new Map<CommandMessage, Pending>();

  /** Nothing runs before `submit`. */
  constructor(parts: CommandsParts) {
    this.#parts = parts;
  }

  /** Commands not yet answered. */
  get waiting(): number {
    return this.#pending.size;
  }

  /**
   * Checks a command and queues it; gives its answer.
   *
   * @throws {TypeError|RangeError} When the command or a parameter is wrong.
   * @throws {UsbError} `busy` when too many wait, `timedOut`, or what the command meets.
   */
  async submit(
    name: string,
    params: Json | undefined,
    options: CommandOptions,
  ): Promise<Json> {
    const { mailbox, loop } = this.#parts;
    const command = this.#find(name);
    const timeoutMs = checkTimeout(
      options.timeoutMs ?? command.timeoutMs ?? COMMAND_TIMEOUT_MS,
    );
    const checked = checkParameters(params, command.params ?? {}, {
      what: name,
    });
    const dueMs = this.#parts.nowMs() + timeoutMs;
    const message = { lane: "command", name, params: checked, dueMs } as const;
    if (!mailbox.postCommand(message)) {
      this.counters.refused++;
      throw this.#error("busy", name, "too many commands wait already");
    }
    this.counters.accepted++;
    const { promise, resolve, reject } = Promise.withResolvers<Json>();
    const deadline = loop.alarms.set(timeoutMs, () => this.#expire(message));
    this.#pending.set(message, { deadline, resolve, reject, answer: null });
    loop.wake();
    return await promise;
  }

  /** Runs a command whose turn it is; its answer is kept until `finished`. */
  run(
    message: CommandMessage,
    state: unknown,
    context: DriverContext<EventMap>,
  ): void | Promise<void> {
    const pending = this.#pending.get(message);
    assert(pending !== undefined, "A command in the mailbox is pending");
    const answer = this.#find(message.name).run(state, message.params, context);
    if (answer instanceof Promise) {
      return answer.then((later: Json) => void (pending.answer = later));
    }
    pending.answer = answer;
  }

  /** The command is over. */
  finished(message: CommandMessage, failure: WorkFailure | undefined): void {
    const pending = this.#pending.get(message);
    if (pending === undefined) return;
    this.#pending.delete(message);
    pending.deadline.cancel();
    if (failure === undefined) {
      this.counters.answered++;
      pending.resolve(pending.answer);
    } else if (failure.abortedBy?.code === "timedOut") {
      this.counters.timedOut++;
      pending.reject(this.#timedOut(message.name, failure.error));
    } else {
      this.counters.failed++;
      pending.reject(failure.abortedBy ?? failure.error);
    }
  }

  /** Answers every command that waits for its turn with an error. */
  rejectWaiting(error: UsbError): void {
    for (const message of this.#parts.mailbox.takeCommands()) {
      this.finished(message, { error, abortedBy: undefined, isStuck: false });
    }
  }

  /** Counts and makes the refusal of a command that comes at the wrong time. */
  refusal(name: string, reason: string): UsbError {
    this.counters.refused++;
    return this.#error("state", name, reason);
  }

  #find(name: string): DriverCommand<unknown, EventMap> {
    const commands = this.#parts.driver.commands ?? {};
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (command !== undefined) return command;
    const known = Object.keys(commands).join(", ");
    const quoted = JSON.stringify(name.slice(0, 32));
    throw new TypeError(
      `Cannot call ${quoted}: driver ${this.#parts.driver.name} has ` +
        (known === "" ? "no commands" : known),
    );
  }

  /** Its deadline passed. One that runs is told by the loop; one that waits ends here. */
  #expire(message: CommandMessage): void {
    if (!this.#parts.mailbox.withdrawCommand(message)) return;
    const pending = this.#pending.get(message);
    this.#pending.delete(message);
    this.counters.timedOut++;
    pending?.reject(this.#timedOut(message.name, undefined));
  }

  #timedOut(name: string, cause: unknown): UsbError {
    return new UsbError({
      code: "timedOut",
      operation: `call ${name}`,
      reason: "its time limit passed",
      ...(cause === undefined ? {} : { cause }),
    });
  }

  #error(code: "busy" | "state", name: string, reason: string): UsbError {
    return new UsbError({
      code,
      operation: `call ${name}`,
      reason,
      advice: "Try again in a moment",
    });
  }
}

function checkTimeout(timeoutMs: number): number {
  if (timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS) return timeoutMs;
  throw new RangeError(
    `Cannot use ${timeoutMs} as a time limit: expected more than 0, up to ${MAX_TIMEOUT_MS} ms`,
  );
}
