/**
 * What runs in a driver process, between its pipes and its session: commands
 * and stop come in as frames; states, events, heartbeats, results and the
 * reason of the end go out. How the device is opened is an argument, so that
 * nothing here knows libusb.
 *
 * @module
 */

import { assert } from "../assert.ts";
import type { Json } from "../driver.ts";
import { UsbError } from "../errors.ts";
import { Chance } from "../loop/chance.ts";
import type { SessionEnd } from "../loop/end_reason.ts";
import type { SafeStateResult } from "../loop/safe_state.ts";
import { Session } from "../loop/session.ts";
import type { Heartbeat } from "../loop/session_options.ts";
import type { DriverMainOptions, OpenedDevice } from "./driver_main_words.ts";
import {
  deviceIdentity,
  failureOf,
  logFrame,
  refusalOf,
  reportsAndDrops,
  sumOf,
  telemetryOf,
} from "./driver_words.ts";
import { DRIVER_EXIT } from "./exit_class.ts";
import { refusalReason, SESSION_REASONS } from "./exit_reasons.ts";
import { FrameSender } from "./frame_sender.ts";
import { type JournalTeller, outlineTeller } from "./journal_teller.ts";
import { LineSplitter } from "./line_splitter.ts";
import { newRunId } from "./log_run.ts";
import { Log, type LoggedLine } from "./log.ts";
import {
  decodeHostFrame,
  type DriverFrame,
  type ExitReason,
  type HostFrame,
  WIRE_VERSION,
  WireError,
  type WireFailure,
} from "./wire.ts";

export type { DriverMainOptions, OpenedDevice } from "./driver_main_words.ts";

/** How often a line sums up what was done. */
const STATISTICS_INTERVAL_MS = 60_000;

/** Runs a driver until its end; gives the code to exit with. Everything is flushed then. */
export async function runDriver(options: DriverMainOptions): Promise<number> {
  const main = new DriverMain(options);
  const code = await main.run();
  await main.close();
  return code;
}

class DriverMain {
  readonly #options: DriverMainOptions;
  readonly #sender: FrameSender;
  readonly #log: Log;
  readonly #teller: JournalTeller;
  #session: Session | undefined;
  #isStopAsked = false;
  #eventSequence = 0;
  #statistics: { cancel(): void } | undefined;

  constructor(options: DriverMainOptions) {
    this.#options = options;
    const { config, driver, clock, pid } = options;
    this.#sender = new FrameSender(options.output);
    this.#sender.writeNow = options.firstOutput;
    this.#log = new Log({
      sink: options.logSink,
      clock,
      base: {
        driver: driver.name,
        instance: config.instance,
        run: newRunId(new Chance(options.seed).next),
        pid,
        boot: config.boot,
        ...(config.device === undefined ? {} : { dev: { ...config.device } }),
      },
      ...(config.logLevel === undefined ? {} : { level: config.logLevel }),
      onLine: (line) => this.#tell(line),
    });
    const { fullTeller } = options;
    const isFull = config.journal === "full";
    assert(!isFull || fullTeller !== undefined, "A full journal can be told");
    this.#teller = (isFull && fullTeller || outlineTeller)(driver, {
      clock,
      send: (frame) => this.#sender.sendNow(frame),
    });
  }

  async run(): Promise<number> {
    void this.#readFrames();
    let opened: OpenedDevice;
    try {
      this.#hello({});
      opened = await this.#options.open();
    } catch (error) {
      return this.#refused(error);
    }
    this.#sender.writeNow = opened.writeNow;
    this.#hello(opened.versions);
    const session = this.#makeSession(opened);
    this.#session = session;
    if (this.#isStopAsked) void session.stop();
    // What ends it before it is ready is told by `ended`, too.
    session.start().then(
      () => this.#ready(session, opened),
      () => {},
    );
    return this.#concluded(await session.ended);
  }

  async close(): Promise<void> {
    this.#statistics?.cancel();
    this.#log.close();
    await this.#sender.flushed();
  }

  #makeSession(opened: OpenedDevice): Session {
    const { config, clock, seed } = this.#options;
    const { device, port, deviceInfo } = opened;
    const session = new Session({
      driver: this.#teller.driver,
      ...(device === undefined ? {} : { device }),
      ...(port === undefined ? {} : { port }),
      ...(deviceInfo === undefined ? {} : { deviceInfo }),
      clock,
      random: new Chance(seed).next,
      journal: this.#teller.options,
      log: (level, event, message, fields) =>
        this.#log.write(level, event, message, fields),
      emit: (event, data) => this.#emit(event, data),
      yieldTurn: () => new Promise((resolve) => this.#options.turn(resolve)),
      options: config.options,
      heartbeat: (beat) => this.#beat(beat),
      stateChanged: (from, to) => {
        this.#send({ type: "state", state: to });
        this.#log.record("info", "driver.state", `${from} → ${to}`, {
          state: to,
        });
      },
    });
    this.#teller.journal = session.journal;
    return session;
  }

  #hello(versions: OpenedDevice["versions"]): void {
    const { driver, config, pid, clock, seed } = this.#options;
    this.#send({
      type: "hello",
      wire: WIRE_VERSION,
      driver: driver.name,
      instance: config.instance,
      pid,
      versions,
      journal: {
        content: config.journal ?? "outline",
        seed,
        nowMs: clock.nowMs(),
        wallMs: clock.wallMs(),
      },
    });
  }

  #ready(session: Session, opened: OpenedDevice): void {
    const info = session.device?.info;
    if (info === undefined) return;
    const identity = deviceIdentity(info, this.#options.config.nodePath);
    const { vid, pid, path } = identity;
    this.#log.addBase({ dev: { vid, pid, path } });
    this.#log.hide(identity.serial);
    this.#log.record(
      "info",
      "driver.ready",
      `Ready on ${session.device?.label}`,
      {
        sandbox: opened.sandbox.mode,
        layers: opened.sandbox.layers,
      },
    );
    this.#send({ type: "ready", device: identity, sandbox: opened.sandbox });
    void this.#sender.flushed().then(() => this.#options.onReady?.());
    this.#sumUp();
  }

  #sumUp(): void {
    const { clock } = this.#options;
    this.#statistics = clock.setTimer(STATISTICS_INTERVAL_MS, () => {
      this.#logStatistics("driver.statistics");
      this.#sumUp();
    });
  }

  #logStatistics(event: string): void {
    if (this.#session === undefined) return;
    const { reports, dropped, transfers, commands } = reportsAndDrops(
      this.#session.counters(),
    );
    // A running count is never a repeat, so it is written as a state is.
    this.#log.record(
      "info",
      event,
      `${reports} reports, ${commands} commands`,
      {
        reports,
        commands,
        transfers,
        dropped: dropped + this.#sender.dropped,
        log_dropped: sumOf(this.#log.counters.dropped),
      },
    );
  }

  #concluded(end: SessionEnd): number {
    this.#logStatistics("driver.statistics");
    const reason = SESSION_REASONS[end.class];
    this.#log.write(
      reason === "clean" ? "info" : "error",
      "driver.ended",
      end.message,
      {
        class: end.class,
        state: end.state,
        safe_state: end.safeState.result,
        is_drained: end.isDrained,
        ...(end.error === undefined ? {} : { err: this.#errField(end) }),
      },
    );
    return this.#exit(reason, end, end.safeState.result);
  }

  #errField(end: SessionEnd): Json {
    const { code, native } = failureOf(end.error);
    return {
      class: end.class,
      code,
      ...(native === undefined ? {} : { native }),
    };
  }

  /** Not even a session: no device, no right, no library, not confined. */
  #refused(error: unknown): number {
    const failure = failureOf(error);
    const reason = refusalReason(error);
    this.#log.write("error", "driver.refused", failure.message, {
      err: { class: reason, code: failure.code },
    });
    const end = { message: failure.message, error };
    return this.#exit(reason, end, "none");
  }

  #exit(
    reason: ExitReason,
    { message, error }: Pick<SessionEnd, "message" | "error">,
    safeState: SafeStateResult,
  ): number {
    this.#teller.flush();
    this.#send({
      type: "exit",
      reason,
      message: message.slice(0, 8_000),
      ...(error === undefined ? {} : { failure: failureOf(error) }),
      safeState,
      ...telemetryOf(this.#session, this.#log),
    });
    return DRIVER_EXIT[reason];
  }

  #beat(beat: Heartbeat): void {
    this.#teller.flush();
    const { reports, dropped, progress } = reportsAndDrops(
      this.#session?.counters(),
    );
    this.#send({
      type: "heartbeat",
      sequence: beat.sequence,
      lagMs: beat.lagMs,
      depth: { ...beat.depths },
      inFlight: beat.transfersInFlight,
      reports,
      dropped: dropped + this.#sender.dropped,
      logUnwritten: this.#log.unwritten,
      progress,
      ...telemetryOf(this.#session, this.#log),
    });
  }

  #emit(event: string, data: Readonly<Record<string, Json>>): boolean {
    const sequence = ++this.#eventSequence;
    this.#log.write("debug", `event.${event}`, event, { data });
    return this.#send({ type: "event", sequence, event, data });
  }

  /** What goes into the log is told to the host, too, but for what is for the file alone. */
  #tell(line: LoggedLine): void {
    if (line.level !== "debug") this.#send(logFrame(line));
  }

  /** What cannot be sent is refused by itself; it never ends the driver. */
  #send(frame: DriverFrame): boolean {
    try {
      return this.#sender.send(frame);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#log.write("warn", "frame.refused", error.message);
      return false;
    }
  }

  /** A host that is gone, or that sends what is no frame, ends the driver in order. */
  async #readFrames(): Promise<void> {
    const splitter = new LineSplitter();
    try {
      for await (const piece of this.#options.input) {
        for (const line of splitter.push(piece)) {
          this.#take(decodeHostFrame(line));
        }
      }
      this.#stop("The host is gone");
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#stop(error.message);
    }
  }

  #take(frame: HostFrame): void {
    if (frame.type === "stop") this.#stop(frame.reason);
    else if (frame.type === "gone") this.#session?.deviceLeft();
    else void this.#command(frame);
  }

  #stop(reason: string): void {
    if (this.#isStopAsked) return;
    this.#isStopAsked = true;
    this.#log.write("info", "driver.stop", reason);
    if (this.#session !== undefined) void this.#session.stop();
  }

  async #command(
    frame: Extract<HostFrame, { readonly type: "command" }>,
  ): Promise<void> {
    const { id, command, params } = frame;
    try {
      if (this.#session === undefined) throw this.#notServing(command);
      const value = await this.#session.command(command, params);
      const isSent = this.#send({ type: "result", id, value });
      if (!isSent) throw this.#tooLarge(command);
    } catch (error) {
      this.#send({ type: "result", id, failure: this.#failureOf(error) });
    }
  }

  /** A wrong name or parameter is refused and the driver goes on; the same error of its own code ends it. */
  #failureOf(error: unknown): WireFailure {
    const isWrong = error instanceof TypeError || error instanceof RangeError;
    const goesOn = this.#session?.state === "ready";
    return isWrong && goesOn ? refusalOf(error) : failureOf(error);
  }

  #notServing(command: string): UsbError {
    return new UsbError({
      code: "state",
      operation: `run ${command}`,
      reason: "the device is not open yet",
    });
  }

  #tooLarge(command: string): UsbError {
    return new UsbError({
      code: "overflow",
      operation: `send the result of ${command}`,
      reason: "it does not fit into a frame",
      advice: "Ask for less at a time",
    });
  }
}
