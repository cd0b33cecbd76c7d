/**
 * The lane of reports: a queue for each input, with the input's policy for when
 * there is no room. Report bytes are copied into pooled storage, so that the
 * transfer can go back to the device at once.
 *
 * @module
 */

import { assert } from "../assert.ts";
import type { OverflowPolicy } from "../driver.ts";
import { MAILBOX_REPORT_BYTES, MAILBOX_REPORT_CAPACITY } from "../limits.ts";
import type { PacketOutcome, Report } from "../port.ts";
import { BufferPool } from "./buffer_pool.ts";
import type {
  DropReason,
  InputTally,
  MailboxInput,
  ReportMessage,
} from "./messages.ts";
import { RingBuffer } from "./ring_buffer.ts";

/** What a lane of reports needs besides its inputs. */
export interface ReportLaneOptions {
  /** Called for an input that was refused before and has room now. */
  readonly onRoom?: (input: number) => void;
  readonly capacity?: number;
  readonly limitBytes?: number;
}

interface Line {
  name: string;
  overflow: OverflowPolicy;
  reports: RingBuffer<ReportMessage>;
  readonly tally: InputTally;
  isPaused: boolean;
}

/** Reports that wait for a driver, all inputs together. */
export class ReportLane {
  readonly #lines: readonly Line[];
  readonly #pool: BufferPool;
  readonly #capacity: number;
  readonly #onRoom: (input: number) => void;
  #waiting = 0;
  #pausedLines = 0;
  #sequence = 0;
  #refused = 0;

  /** @throws {RangeError} When the capacity is less than one report for each input. */
  constructor(
    inputs: readonly MailboxInput[],
    options: ReportLaneOptions = {},
  ) {
    const capacity = options.capacity ?? MAILBOX_REPORT_CAPACITY;
    if (!Number.isInteger(capacity) || capacity < Math.max(1, inputs.length)) {
      throw new RangeError(
        `Cannot use ${capacity} as report capacity for ${inputs.length} inputs`,
      );
    }
    this.#capacity = capacity;
    this.#pool = new BufferPool(options.limitBytes ?? MAILBOX_REPORT_BYTES);
    this.#onRoom = options.onRoom ?? ((): void => {});
    this.#lines = inputs.map(({ name, overflow }) => ({
      name,
      overflow,
      reports: queueFor(overflow, capacity),
      tally: emptyTally(),
      isPaused: false,
    }));
  }

  /** Reports waiting. */
  get length(): number {
    return this.#waiting;
  }

  /** Bytes of storage that reports hold, waiting or being handled, in whole buffers. */
  get heldBytes(): number {
    return this.#pool.lentBytes;
  }

  /** Times a report was refused. */
  get refused(): number {
    return this.#refused;
  }

  /** Names an input and sets its policy, once its endpoint is known and before it is read. */
  configure(input: number, { name, overflow }: MailboxInput): void {
    const line = this.#line(input);
    assert(line.reports.length === 0, "An input is configured while empty");
    line.name = name;
    line.overflow = overflow;
    line.reports = queueFor(overflow, this.#capacity);
  }

  /** The policy of an input. */
  overflow(input: number): OverflowPolicy {
    return this.#line(input).overflow;
  }

  /** Where the reports of an input are. */
  tally(input: number): Readonly<InputTally> {
    return this.#line(input).tally;
  }

  /**
   * Copies a report in. `false`: there was no room, and the input's policy is to
   * leave it in the device; `onRoom` is called when it should be offered again.
   */
  offer(input: number, report: Report, epoch: number): boolean {
    const line = this.#line(input);
    if (line.overflow === "keepLatest") this.#dropWaiting(line, "replaced");
    if (line.overflow === "dropOldest" && !this.#hasRoom(line)) {
      this.#dropOldest(line);
    }
    const buffer = this.#hasRoom(line)
      ? this.#storage(line, report.data.length)
      : undefined;
    if (buffer === undefined) return this.#refuse(line);
    buffer.set(report.data);
    const { packets } = report;
    line.reports.push({
      lane: "report",
      input,
      name: line.name,
      epoch,
      sequence: this.#sequence++,
      buffer,
      data: buffer.subarray(0, report.data.length),
      timestampMs: report.timestampMs,
      ...(packets === undefined ? {} : { packets: packets.map(copyPacket) }),
    });
    line.tally.accepted++;
    line.tally.waiting++;
    this.#waiting++;
    return true;
  }

  /** Counts a report that went straight to a handler waiting for it. */
  countReceived(input: number): void {
    const { tally } = this.#line(input);
    tally.accepted++;
    tally.received++;
  }

  /** Counts a report that came too late to matter. */
  countStale(input: number): void {
    const { tally } = this.#line(input);
    tally.accepted++;
    tally.dropped.stale++;
  }

  /** Takes the report that came first, of all inputs; `undefined` when none waits. */
  take(): ReportMessage | undefined {
    if (this.#waiting === 0) return undefined;
    const line = this.#oldestLine();
    const report = line.reports.shift();
    assert(report !== undefined, "The oldest line has a report");
    this.#countTaken(line);
    line.tally.handled++;
    return report;
  }

  /**
   * Takes the first waiting report of an input that `take` accepts, over the
   * heads of the others.
   */
  takeMatching(
    input: number,
    take: (data: Uint8Array) => boolean,
  ): ReportMessage | undefined {
    const line = this.#line(input);
    for (let place = 0; place < line.reports.length; place++) {
      const report = line.reports.at(place);
      if (report === undefined || !take(report.data)) continue;
      line.reports.removeAt(place);
      this.#countTaken(line);
      line.tally.received++;
      return report;
    }
    return undefined;
  }

  /** Gives the storage of a report back, and wakes inputs that wait for room. */
  release(report: ReportMessage): void {
    this.#pool.giveBack(report.buffer);
    this.#resumeWhereRoom();
  }

  /** Asks the inputs that were refused to offer again, whatever the marks say. */
  resumePaused(): void {
    if (this.#pausedLines === 0) return;
    for (const [input, line] of this.#lines.entries()) {
      if (!line.isPaused) continue;
      line.isPaused = false;
      this.#pausedLines--;
      this.#onRoom(input);
    }
  }

  /** Drops every waiting report; the reason is counted for each. */
  drop(reason: DropReason): void {
    for (const line of this.#lines) this.#dropWaiting(line, reason);
  }

  #line(input: number): Line {
    const line = this.#lines[input];
    assert(line !== undefined, `There is no input ${input}`);
    return line;
  }

  /**
   * One place is kept free for each input that cannot pause and has none, so
   * that a flood on another input cannot blind it.
   */
  #hasRoom(line: Line): boolean {
    if (this.#waiting >= this.#capacity) return false;
    if (line.overflow !== "pause" && line.reports.length === 0) return true;
    let reserved = 0;
    for (const other of this.#lines) {
      const isReserving = other.overflow !== "pause" && other !== line &&
        other.reports.length === 0;
      if (isReserving) reserved++;
    }
    return this.#waiting + reserved < this.#capacity;
  }

  /** Storage for a report, for which the oldest of `dropOldest` make way. */
  #storage(
    line: Line,
    lengthBytes: number,
  ): Uint8Array<ArrayBuffer> | undefined {
    let buffer = this.#pool.take(lengthBytes);
    while (
      buffer === undefined && line.overflow === "dropOldest" &&
      line.reports.length > 0
    ) {
      this.#dropOldest(line);
      buffer = this.#pool.take(lengthBytes);
    }
    return buffer;
  }

  #refuse(line: Line): boolean {
    if (line.overflow !== "pause") {
      line.tally.accepted++;
      line.tally.dropped.full++;
      return true;
    }
    line.tally.refused++;
    this.#refused++;
    if (!line.isPaused) this.#pausedLines++;
    line.isPaused = true;
    return false;
  }

  #oldestLine(): Line {
    let first: Line | undefined;
    let firstSequence = Infinity;
    for (const line of this.#lines) {
      const sequence = line.reports.at(0)?.sequence ?? Infinity;
      if (sequence < firstSequence) {
        first = line;
        firstSequence = sequence;
      }
    }
    assert(first !== undefined, "A report is waiting");
    return first;
  }

  #countTaken(line: Line): void {
    line.tally.waiting--;
    this.#waiting--;
  }

  #dropOldest(line: Line): void {
    const oldest = line.reports.shift();
    if (oldest === undefined) return;
    this.#countTaken(line);
    line.tally.dropped.oldest++;
    this.#pool.giveBack(oldest.buffer);
  }

  #dropWaiting(line: Line, reason: DropReason): void {
    for (
      let report = line.reports.shift();
      report !== undefined;
      report = line.reports.shift()
    ) {
      this.#countTaken(line);
      line.tally.dropped[reason]++;
      this.#pool.giveBack(report.buffer);
    }
  }

  /** Below half of places and half of bytes, so that pausing does not flutter. */
  #resumeWhereRoom(): void {
    const isLow = this.#waiting <= this.#capacity >> 1 &&
      this.#pool.lentBytes <= this.#pool.limitBytes / 2;
    if (isLow) this.resumePaused();
  }
}

/** Storage is allocated once, for as many as the policy lets wait. */
function queueFor(
  overflow: OverflowPolicy,
  capacity: number,
): RingBuffer<ReportMessage> {
  return new RingBuffer(overflow === "keepLatest" ? 1 : capacity);
}

function emptyTally(): InputTally {
  return {
    accepted: 0,
    refused: 0,
    handled: 0,
    received: 0,
    waiting: 0,
    dropped: { replaced: 0, oldest: 0, full: 0, stale: 0, stopped: 0 },
  };
}

function copyPacket(packet: PacketOutcome): PacketOutcome {
  return { ...packet };
}
