/**
 * What waits for a driver, in lanes: control before timers before commands
 * before reports. Every lane has a capacity and refuses; refusals are counted.
 *
 * @module
 */

import {
  MAILBOX_COMMAND_CAPACITY,
  MAILBOX_CONTROL_CAPACITY,
} from "../limits.ts";
import type { Report } from "../port.ts";
import type {
  CommandMessage,
  ControlMessage,
  LaneDepths,
  LaneRefusals,
  MailboxInput,
  Message,
  TimerMessage,
} from "./messages.ts";
import { ReportLane, type ReportLaneOptions } from "./report_lane.ts";
import { RingBuffer } from "./ring_buffer.ts";

/** Named timers of one driver; each has at most one message waiting. */
export const TIMERS_MAX = 64;
/** After this many messages of higher lanes in a row a waiting report gets its turn. */
export const REPORT_STARVATION_MAX = 16;

/** The lanes of one driver. */
export class Mailbox {
  /** Reports, by input. */
  readonly reports: ReportLane;
  readonly #control = new RingBuffer<ControlMessage>(MAILBOX_CONTROL_CAPACITY);
  readonly #timers = new RingBuffer<TimerMessage>(TIMERS_MAX);
  readonly #commands = new RingBuffer<CommandMessage>(MAILBOX_COMMAND_CAPACITY);
  #aheadOfReports = 0;
  #commandsRefused = 0;

  /** @throws {RangeError} When the report capacity is less than one for each input. */
  constructor(
    inputs: readonly MailboxInput[],
    options: ReportLaneOptions = {},
  ) {
    this.reports = new ReportLane(inputs, options);
  }

  /** Messages waiting, by lane. */
  get depths(): LaneDepths {
    return {
      control: this.#control.length,
      timers: this.#timers.length,
      commands: this.#commands.length,
      reports: this.reports.length,
    };
  }

  /** Messages refused so far, by lane. */
  get refusals(): LaneRefusals {
    return { commands: this.#commandsRefused, reports: this.reports.refused };
  }

  /** Adds a control message; `false` when the lane is full, which the caller asserts not to be. */
  postControl(name: string, handle: () => void): boolean {
    return this.#control.push({ lane: "control", name, handle });
  }

  /** Adds a due timer; `false` when the lane is full. */
  postTimer(name: string, epoch: number): boolean {
    return this.#timers.push({ lane: "timer", name, epoch });
  }

  /** Takes a waiting timer out again; `false` when it does not wait. */
  withdrawTimer(name: string): boolean {
    return withdraw(this.#timers, (message) => message.name === name);
  }

  /** Adds a command; `false`, counted, when the lane is full. */
  postCommand(command: CommandMessage): boolean {
    const isTaken = this.#commands.push(command);
    if (!isTaken) this.#commandsRefused++;
    return isTaken;
  }

  /** Takes a waiting command out again; `false` when it does not wait. */
  withdrawCommand(command: CommandMessage): boolean {
    return withdraw(this.#commands, (message) => message === command);
  }

  /** Copies a report in; `false` when its input shall wait. See {@linkcode ReportLane}. */
  offerReport(input: number, report: Report, epoch: number): boolean {
    return this.reports.offer(input, report, epoch);
  }

  /**
   * Takes the next message: of all lanes, or only of the control lane while a
   * handler is at work. A report is given back with `reports.release` when it is done.
   */
  take(scope: "control" | "all"): Message | undefined {
    const isReportsTurn = scope === "all" && this.reports.length > 0 &&
      this.#aheadOfReports >= REPORT_STARVATION_MAX;
    if (!isReportsTurn) {
      const message = this.#control.shift() ??
        (scope === "all"
          ? this.#timers.shift() ?? this.#commands.shift()
          : undefined);
      if (message !== undefined) {
        this.#aheadOfReports++;
        return message;
      }
    }
    if (scope === "control") return undefined;
    this.#aheadOfReports = 0;
    return this.reports.take();
  }

  /** Takes every waiting command out, oldest first, to be answered. */
  takeCommands(): CommandMessage[] {
    const commands = this.#commands.toArray();
    while (this.#commands.shift() !== undefined);
    return commands;
  }

  /** Drops every waiting timer, and says how many there were. */
  dropTimers(): number {
    const count = this.#timers.length;
    while (this.#timers.shift() !== undefined);
    return count;
  }
}

function withdraw<Item>(
  lane: RingBuffer<Item>,
  isWanted: (item: Item) => boolean,
): boolean {
  for (let place = 0; place < lane.length; place++) {
    const item = lane.at(place);
    if (item !== undefined && isWanted(item)) {
      lane.removeAt(place);
      return true;
    }
  }
  return false;
}
