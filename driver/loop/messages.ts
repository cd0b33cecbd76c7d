/**
 * What waits for a driver: the messages of each lane, and the tallies that say
 * where every report is.
 *
 * @module
 */

import type { OverflowPolicy, Parameters } from "../driver.ts";
import type { Report } from "../port.ts";

/** Something that happened to the driver as a whole; handled even while a handler waits. */
export interface ControlMessage {
  readonly lane: "control";
  readonly name: string;
  /** What to do about it. Does not wait and does not throw. */
  readonly handle: () => void;
}

/** A named timer of the driver is due. */
export interface TimerMessage {
  readonly lane: "timer";
  readonly name: string;
  readonly epoch: number;
}

/** A command, with parameters already checked. */
export interface CommandMessage {
  readonly lane: "command";
  readonly name: string;
  readonly params: Parameters;
  /** When its answer is due, on the loop's clock. */
  readonly dueMs: number;
}

/** A report in pooled storage. Given back with `release`. */
export interface ReportMessage extends Report {
  readonly lane: "report";
  /** Index of its input. */
  readonly input: number;
  readonly name: string;
  readonly epoch: number;
  /** Order of arrival over all inputs. */
  readonly sequence: number;
  /** The storage of `data`. */
  readonly buffer: Uint8Array<ArrayBuffer>;
}

/** What the loop takes from the mailbox. */
export type Message =
  | ControlMessage
  | TimerMessage
  | CommandMessage
  | ReportMessage;

/** Why a report that the device sent did not reach a handler. */
export type DropReason =
  /** `keepLatest`: a newer one took its place. */
  | "replaced"
  /** `dropOldest`: it made way. */
  | "oldest"
  /** No storage was left for an input that cannot pause. */
  | "full"
  /** It came before a reset of the device. */
  | "stale"
  /** It waited when the driver stopped. */
  | "stopped";

/**
 * Where the reports of an input are. At any time
 * `accepted = handled + received + waiting + dropped (all reasons)`.
 */
export interface InputTally {
  /** Taken from the device: offered, and not refused. */
  accepted: number;
  /** Refused; they wait in the device and are offered again. */
  refused: number;
  /** Given to the input's handler. */
  handled: number;
  /** Given to a handler that waited in `context.receive`. */
  received: number;
  /** In the mailbox now. */
  waiting: number;
  /** Not handled, by reason. */
  readonly dropped: Record<DropReason, number>;
}

/** An input as the mailbox knows it. */
export interface MailboxInput {
  readonly name: string;
  readonly overflow: OverflowPolicy;
}

/** Depth of each lane. */
export interface LaneDepths {
  /** Control messages. */
  readonly control: number;
  /** Due timers. */
  readonly timers: number;
  /** Commands. */
  readonly commands: number;
  /** Reports. */
  readonly reports: number;
}

/** Messages refused because their lane was full. */
export interface LaneRefusals {
  /** Commands. */
  readonly commands: number;
  /** Reports. */
  readonly reports: number;
}
