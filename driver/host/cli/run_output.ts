/**
 * The three ways a run shows itself: a view on a terminal, lines where there is
 * none, NDJSON for machines.
 *
 * @module
 */

import type { Timer } from "../../loop/clock.ts";
import type { DriverProcessEnd } from "../driver_process.ts";
import type { RunnerState } from "../driver_runner.ts";
import type { SafeStateOutcome } from "../safe_state_after_end.ts";
import { describeSafeState } from "../safe_state_frame.ts";
import type { DriverFrame } from "../wire.ts";
import { UsbError } from "../../errors.ts";
import type { CliIo } from "./command.ts";
import { CliError, exitCodeOfUsbError } from "./exit_codes.ts";
import { isNews, type RunStatus } from "./run_status.ts";
import {
  deviceText,
  eventLine,
  sandboxText,
  timeText,
  viewLines,
} from "./run_view.ts";
import { harmless } from "./text.ts";

/** Shows a run. */
export interface RunOutput {
  /** A line of ours: how it is run, where the log is. */
  say(text: string): void;
  frame(frame: DriverFrame): void;
  state(state: RunnerState, cause: string | undefined): void;
  end(end: DriverProcessEnd): void;
  safeState(outcome: SafeStateOutcome): void;
  /** Shows what is still to show, and leaves the terminal as it should be. */
  close(): void;
}

/** Chooses the way. */
export function runOutput(
  io: CliIo,
  status: RunStatus,
  options: { readonly isJson: boolean },
): RunOutput {
  if (options.isJson) return new JsonOutput(io, status);
  return io.isTerminal
    ? new TerminalOutput(io, status)
    : new LineOutput(io, status);
}

/** A redraw each quarter second at most: quiet for the eye and for the processor. */
const REDRAW_MS = 250;

/** Redraws a few lines in place. Uses the cursor, no other screen and no colour. */
class TerminalOutput implements RunOutput {
  readonly #io: CliIo;
  readonly #status: RunStatus;
  #drawnLines = 0;
  #timer: Timer | undefined;

  constructor(io: CliIo, status: RunStatus) {
    this.#io = io;
    this.#status = status;
  }

  say(text: string): void {
    this.#erase();
    this.#io.out(`${text}\n`);
  }

  frame(): void {
    this.#soon();
  }

  state(): void {
    this.#soon();
  }

  end(end: DriverProcessEnd): void {
    if (end.exitClass === "clean") return;
    this.say(`The driver ended: ${harmless(end.message, 2_000)}`);
    this.#soon();
  }

  safeState(outcome: SafeStateOutcome): void {
    // What a driver did in order is no news.
    if (outcome.by === "driver" && outcome.result === "done") return;
    this.say(`Safe state: ${harmless(describeSafeState(outcome), 2_000)}`);
  }

  close(): void {
    this.#timer?.cancel();
    this.#draw();
  }

  #soon(): void {
    this.#timer ??= this.#io.clock.setTimer(REDRAW_MS, () => {
      this.#timer = undefined;
      this.#draw();
    });
  }

  #draw(): void {
    const lines = viewLines(this.#status, {
      columns: this.#io.columns(),
      nowMs: this.#io.clock.nowMs(),
    });
    const up = this.#drawnLines === 0 ? "" : `\x1b[${this.#drawnLines}A`;
    // Each line is cleared to its end, and what was drawn below as well.
    const text = lines.map((line) => `${line}\x1b[K\n`).join("");
    this.#io.out(`${up}${text}\x1b[J`);
    this.#drawnLines = lines.length;
  }

  #erase(): void {
    if (this.#drawnLines === 0) return;
    this.#io.out(`\x1b[${this.#drawnLines}A\x1b[J`);
    this.#drawnLines = 0;
  }
}

/** Lines of one event name are this far apart at least. */
const LINE_INTERVAL_MS = 200;
/** A line that sums up, now and then. */
const SUMMARY_INTERVAL_MS = 5_000;

/** One line per event, rate limited; no escape codes. */
class LineOutput implements RunOutput {
  readonly #io: CliIo;
  readonly #status: RunStatus;
  readonly #shownAtMs = new Map<string, number>();
  #summaryAtMs: number;
  #hasToldLog = false;

  constructor(io: CliIo, status: RunStatus) {
    this.#io = io;
    this.#status = status;
    this.#summaryAtMs = io.clock.nowMs();
  }

  say(text: string): void {
    this.#io.out(`${text}\n`);
  }

  frame(frame: DriverFrame): void {
    switch (frame.type) {
      case "ready":
        this.#line(`ready ${deviceText(this.#status)}`);
        this.#line(`sandbox ${sandboxText(frame.sandbox)}`);
        break;
      case "event":
        this.#event(frame);
        break;
      case "log":
        // What a stop interrupts is no news.
        if (this.#status.state === "stopping") break;
        if (!isNews(frame)) break;
        this.#line(`${frame.level} ${harmless(frame.message, 2_000)}`);
        break;
      case "heartbeat":
        this.#tellLog();
        this.#summary();
        break;
    }
  }

  state(state: RunnerState, cause: string | undefined): void {
    if (state === "ready") return;
    const why = cause === undefined ? "" : `: ${harmless(cause, 2_000)}`;
    this.#line(`state ${state}${why}`);
  }

  end(): void {}

  safeState(outcome: SafeStateOutcome): void {
    // What a driver did in order is no news.
    if (outcome.by === "driver" && outcome.result === "done") return;
    this.#line(`safe state ${harmless(describeSafeState(outcome), 2_000)}`);
  }

  close(): void {
    this.#line(summaryText(this.#status));
  }

  #event(frame: Extract<DriverFrame, { readonly type: "event" }>): void {
    const nowMs = this.#io.clock.nowMs();
    const last = this.#shownAtMs.get(frame.event);
    if (last !== undefined && nowMs - last < LINE_INTERVAL_MS) return;
    if (this.#shownAtMs.size > 64) this.#shownAtMs.clear();
    this.#shownAtMs.set(frame.event, nowMs);
    this.#line(eventLine({ name: frame.event, data: frame.data }));
  }

  /** Once: a driver does not stop for its log, and a person should know. */
  #tellLog(): void {
    if (this.#hasToldLog || this.#status.logUnwritten === 0) return;
    this.#hasToldLog = true;
    this.#line("warn The log cannot be written; the driver goes on");
  }

  #summary(): void {
    const nowMs = this.#io.clock.nowMs();
    if (nowMs - this.#summaryAtMs < SUMMARY_INTERVAL_MS) return;
    this.#summaryAtMs = nowMs;
    this.#line(summaryText(this.#status));
  }

  #line(text: string): void {
    this.#io.out(`${timeText(this.#io.clock.wallMs())} ${text}\n`);
  }
}

/** What a run did so far, in one line. */
export function summaryText(status: RunStatus): string {
  const rate = status.reportsPerSecond;
  return [
    `sum ${status.eventCount} events`,
    `${status.reports} interrupts` +
    (rate === undefined ? "" : ` (${rate.toFixed(1)}/s)`),
    `queue ${status.queueDepth}`,
    `dropped ${status.beat?.dropped ?? 0}`,
    ...(status.logUnwritten === 0
      ? []
      : [`log lines not written ${status.logUnwritten}`]),
    `restarts ${Math.max(status.starts - 1, 0)}`,
  ].join(", ");
}

/** The last line of a run that failed, for machines. */
export function tellFailure(io: CliIo, error: unknown): void {
  if (!(error instanceof CliError) && !(error instanceof UsbError)) return;
  const { message, advice } = error;
  const code = error instanceof CliError
    ? error.code
    : exitCodeOfUsbError(error.code);
  io.out(`${
    JSON.stringify({
      ts: new Date(io.clock.wallMs()).toISOString(),
      type: "error",
      exit_code: code,
      message,
      ...(advice === undefined ? {} : { advice }),
    })
  }\n`);
}

/** One JSON object a line: what frames say, with a time. Names in snake_case. */
class JsonOutput implements RunOutput {
  readonly #io: CliIo;
  readonly #status: RunStatus;

  constructor(io: CliIo, status: RunStatus) {
    this.#io = io;
    this.#status = status;
  }

  say(text: string): void {
    this.#print({ type: "note", message: text });
  }

  frame(frame: DriverFrame): void {
    switch (frame.type) {
      case "hello":
      case "result":
      case "exit":
        return;
      case "state":
        this.#print({ type: "session", state: frame.state });
        return;
      case "heartbeat":
        this.#print({
          type: "heartbeat",
          sequence: frame.sequence,
          lag_ms: frame.lagMs,
          depth: frame.depth,
          in_flight: frame.inFlight,
          reports: frame.reports,
          dropped: frame.dropped,
          log_unwritten: frame.logUnwritten ?? 0,
        });
        return;
      default:
        this.#print(frame);
    }
  }

  state(state: RunnerState, cause: string | undefined): void {
    this.#print({ type: "state", state, ...(cause && { cause }) });
  }

  end(end: DriverProcessEnd): void {
    this.#print({
      type: "end",
      class: end.exitClass,
      code: end.code,
      signal: end.signal ?? null,
      message: end.message,
    });
  }

  safeState({ result, by, reason }: SafeStateOutcome): void {
    this.#print({
      type: "safe_state",
      result,
      by,
      ...(reason === undefined ? {} : { reason }),
    });
  }

  close(): void {
    this.#print({
      type: "summary",
      events: this.#status.eventCount,
      reports: this.#status.reports,
      starts: this.#status.starts,
      log_unwritten: this.#status.logUnwritten,
    });
  }

  #print(value: object): void {
    const ts = new Date(this.#io.clock.wallMs()).toISOString();
    const { driver } = this.#status;
    this.#io.out(`${JSON.stringify({ ts, driver, ...value })}\n`);
  }
}
