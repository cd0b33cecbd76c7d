/**
 * One driver process, seen from its host: reads its frames as hostile input,
 * watches its heartbeats, sends commands, stops it in order or kills it, and
 * says why it ended.
 *
 * @module
 */

import { assert } from "../assert.ts";
import type { Json } from "../driver.ts";
import { UsbError, type UsbErrorCode } from "../errors.ts";
import {
  COMMAND_TIMEOUT_MS,
  HEARTBEAT_INTERVAL_MS,
  HEARTBEATS_MISSED_MAX,
  START_TIMEOUT_MS,
  STOP_TIMEOUT_MS,
} from "../limits.ts";
import type { Clock, Timer } from "../loop/clock.ts";
import type { SafeStateResult } from "../loop/safe_state.ts";
import { BeatWatch } from "./beat_watch.ts";
import type { ClientProcess } from "./client_process.ts";
import {
  classifyExit,
  EXIT_SENTENCES,
  type ExitClass,
  type ExitEvidence,
} from "./exit_class.ts";
import { FrameSender } from "./frame_sender.ts";
import { LineSplitter } from "./line_splitter.ts";
import { parseRefusal } from "./sandbox_policy_failures.ts";
import { readTail } from "./stream_tail.ts";
import {
  decodeDriverFrame,
  type DriverFrame,
  type ExitFrame,
  type HeartbeatFrame,
  type ReadyFrame,
  type ResultFrame,
  WireError,
  type WireFailure,
} from "./wire.ts";

/** How a driver process ended. */
export interface DriverProcessEnd {
  readonly exitClass: ExitClass;
  readonly code: number;
  readonly signal: string | undefined;
  /** One sentence. */
  readonly message: string;
  readonly failure: WireFailure | undefined;
  /** What it says became of its device; `undefined` when it could not say. */
  readonly safeState: SafeStateResult | undefined;
  /** Its launcher refused to start it: it never had the device. */
  readonly isRefused: boolean;
  /** Last of what it wrote to stderr, for diagnosis; may hold anything. */
  readonly stderrTail: string;
  readonly wasReady: boolean;
  /** From READY to the end. */
  readonly readyMs: number;
}

/** What a driver process is watched with. */
export interface DriverProcessOptions {
  readonly clock: Clock;
  /** Every frame that is sound, in order. */
  readonly onFrame: (frame: DriverFrame) => void;
  /** Looks at READY before it counts; a sentence refuses it, and the process is killed. */
  readonly refusal?: (ready: ReadyFrame) => string | undefined;
  /** Default START_TIMEOUT_MS. */
  readonly startTimeoutMs?: number;
  /** Default STOP_TIMEOUT_MS. */
  readonly stopTimeoutMs?: number;
  /** Beats missed that mean a hang. Default HEARTBEATS_MISSED_MAX. */
  readonly missedBeatsMax?: number;
}

/** Where a driver process is, as its host sees it. */
export type DriverProcessState = "starting" | "ready" | "stopping" | "ended";

/** Commands waiting for their result; the driver's own lane holds fewer. */
const CALLS_MAX = 256;
/** Beats are counted a little oftener than they are due: timers fire late, and a second is promised. */
const BEAT_MARGIN_MS = 15;
/** A driver says hello when it listens, and again when it has its device. */
const HELLOS_MAX = 2;
/** Beyond a command's own limit, before the host gives up on the answer. */
const CALL_GRACE_MS = 2_000;

interface PendingCall {
  readonly resolve: (value: Json) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer;
}

/** A driver process that was just spawned with its stdin, stdout and stderr piped. */
export class DriverProcess {
  /** Settles when it is over; never rejects. */
  readonly ended: Promise<DriverProcessEnd>;
  readonly #process: ClientProcess;
  readonly #options: DriverProcessOptions;
  readonly #sender: FrameSender;
  readonly #calls = new Map<number, PendingCall>();
  readonly #ready = Promise.withResolvers<ReadyFrame | undefined>();
  #state: DriverProcessState = "starting";
  #wasReady = false;
  #hellos = 0;
  #isDeviceGone = false;
  #readyAtMs = 0;
  #sent: ExitEvidence["sent"];
  #exit: ExitFrame | undefined;
  #lastBeat: HeartbeatFrame | undefined;
  #nextCallId = 1;
  #deadline: Timer | undefined;
  #watch: BeatWatch | undefined;

  /** Begins to watch. */
  constructor(process: ClientProcess, options: DriverProcessOptions) {
    this.#process = process;
    this.#options = options;
    const writer = process.stdin?.getWriter();
    assert(writer !== undefined, "A driver's stdin is piped");
    this.#sender = new FrameSender((bytes) => writer.write(bytes));
    const { clock, startTimeoutMs = START_TIMEOUT_MS } = options;
    this.#deadline = clock.setTimer(
      startTimeoutMs,
      () => this.#kill("kill-hang"),
    );
    this.ended = this.#live();
  }

  /** Where it is. */
  get state(): DriverProcessState {
    return this.#state;
  }

  /** Its process id. */
  get pid(): number {
    return this.#process.pid;
  }

  /** The last heartbeat. */
  get lastBeat(): HeartbeatFrame | undefined {
    return this.#lastBeat;
  }

  /** Its READY; `undefined` if it ended without. */
  get ready(): Promise<ReadyFrame | undefined> {
    return this.#ready.promise;
  }

  /**
   * Has a command carried out.
   *
   * @throws {UsbError} As the driver's command did; `busy` when too many wait,
   *   `timedOut` without an answer, `noDevice` when the driver ends first.
   */
  call(
    command: string,
    params: { readonly [key: string]: Json },
    options: { readonly timeoutMs?: number } = {},
  ): Promise<Json> {
    const { timeoutMs = COMMAND_TIMEOUT_MS } = options;
    if (this.#state !== "ready") {
      return Promise.reject(callError(command, "state", "it is not ready"));
    }
    if (this.#calls.size >= CALLS_MAX) {
      return Promise.reject(callError(command, "busy", "too many wait"));
    }
    const id = this.#nextCallId++;
    const { promise, resolve, reject } = Promise.withResolvers<Json>();
    const timer = this.#options.clock.setTimer(
      timeoutMs + CALL_GRACE_MS,
      () => {
        this.#calls.delete(id);
        reject(callError(command, "timedOut", "no answer came"));
      },
    );
    this.#calls.set(id, { resolve, reject, timer });
    this.#sender.send({ type: "command", id, command, params });
    return promise;
  }

  /**
   * Asks it to end in order; kills it when it does not in time. One that still
   * starts hears it when it has come so far: it has the time anew with each step
   * it shows, and is no hang before it showed any. Twice is a no-op.
   */
  stop(reason: string): void {
    if (this.#state === "stopping" || this.#state === "ended") return;
    this.#state = "stopping";
    this.#sent ??= "stop";
    this.#sender.send({ type: "stop", reason });
    this.#expectEnd();
  }

  #expectEnd(): void {
    const { clock, stopTimeoutMs = STOP_TIMEOUT_MS } = this.#options;
    const hasBegun = this.#wasReady || this.#hellos > 0;
    this.#deadline?.cancel();
    this.#deadline = clock.setTimer(
      stopTimeoutMs,
      () => this.#kill(hasBegun ? "kill-hang" : "kill-unbegun"),
    );
  }

  /** Tells it that its device left the bus; kills it when it does not end in time. */
  deviceLeft(): void {
    if (this.#state !== "ready" || this.#isDeviceGone) return;
    this.#isDeviceGone = true;
    this.#sender.send({ type: "gone" });
    const { clock, stopTimeoutMs = STOP_TIMEOUT_MS } = this.#options;
    this.#deadline = clock.setTimer(
      stopTimeoutMs,
      () => this.#kill("kill-hang"),
    );
  }

  /** Kills it now, because somebody insists. */
  kill(): void {
    this.#kill("kill-insist");
  }

  #kill(why: Exclude<ExitEvidence["sent"], "stop" | undefined>): void {
    if (this.#state === "ended") return;
    if (this.#sent === undefined || this.#sent === "stop") this.#sent = why;
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It ended by itself in between.
    }
  }

  async #live(): Promise<DriverProcessEnd> {
    const [status, stderrTail] = await Promise.all([
      this.#process.status,
      readTail(this.#process.stderr),
      this.#readFrames(),
    ]);
    this.#deadline?.cancel();
    this.#watch?.[Symbol.dispose]();
    this.#state = "ended";
    this.#ready.resolve(undefined);
    for (const [id, call] of this.#calls) {
      this.#calls.delete(id);
      call.timer.cancel();
      call.reject(callError("command", "noDevice", "the driver ended"));
    }
    return this.#describeEnd(status, stderrTail);
  }

  #describeEnd(
    status: Deno.CommandStatus,
    stderrTail: string,
  ): DriverProcessEnd {
    const signal = status.signal ?? undefined;
    const wasReady = this.#wasReady;
    // Before READY only the launcher speaks there; a refusal has its reason.
    const refusal = wasReady ? undefined : parseRefusal(stderrTail);
    const exitClass = classifyExit({
      report: this.#exit,
      code: status.code,
      signal,
      sent: this.#sent,
      wasReady,
      refusal: refusal?.refusal,
    });
    return {
      exitClass,
      code: status.code,
      signal,
      message: this.#exit?.message ?? refusal?.message ??
        EXIT_SENTENCES[exitClass],
      failure: this.#exit?.failure,
      safeState: this.#exit?.safeState,
      isRefused: refusal !== undefined,
      stderrTail,
      wasReady,
      readyMs: wasReady ? this.#options.clock.nowMs() - this.#readyAtMs : 0,
    };
  }

  async #readFrames(): Promise<void> {
    const { stdout } = this.#process;
    assert(stdout !== undefined, "A driver's stdout is piped");
    const splitter = new LineSplitter();
    try {
      for await (const piece of stdout) {
        for (const line of splitter.push(piece)) {
          this.#take(decodeDriverFrame(line));
        }
      }
    } catch (error) {
      if (error instanceof WireError) {
        this.#exit = {
          type: "exit",
          reason: "protocol",
          message: error.message,
        };
      }
      this.#kill("kill-protocol");
    }
  }

  #take(frame: DriverFrame): void {
    switch (frame.type) {
      case "hello":
        this.#hellos++;
        if (this.#state === "stopping" && this.#hellos <= HELLOS_MAX) {
          this.#expectEnd();
        }
        break;
      case "ready":
        if (!this.#becameReady(frame)) return;
        break;
      case "heartbeat":
        this.#lastBeat = frame;
        this.#watch?.beat();
        break;
      case "result":
        this.#answered(frame);
        break;
      case "exit":
        this.#exit = frame;
        break;
    }
    this.#options.onFrame(frame);
  }

  #becameReady(frame: ReadyFrame): boolean {
    if (this.#state !== "starting") return false;
    const refusal = this.#options.refusal?.(frame);
    if (refusal !== undefined) {
      this.#exit = { type: "exit", reason: "permission", message: refusal };
      this.#kill("kill-refused");
      return false;
    }
    this.#state = "ready";
    this.#wasReady = true;
    this.#readyAtMs = this.#options.clock.nowMs();
    this.#deadline?.cancel();
    this.#ready.resolve(frame);
    this.#watchBeats();
    return true;
  }

  #answered(frame: ResultFrame): void {
    const call = this.#calls.get(frame.id);
    if (call === undefined) return;
    this.#calls.delete(frame.id);
    call.timer.cancel();
    if (frame.failure === undefined) call.resolve(frame.value ?? null);
    else call.reject(new CommandFailure(frame.failure));
  }

  #watchBeats(): void {
    const { clock, missedBeatsMax = HEARTBEATS_MISSED_MAX } = this.#options;
    this.#watch = new BeatWatch({
      clock,
      intervalMs: HEARTBEAT_INTERVAL_MS - BEAT_MARGIN_MS,
      missedMax: missedBeatsMax,
      onSilence: () => this.#kill("kill-hang"),
    });
  }
}

/** A command failed in the driver. The message is the driver's own. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  /** A `UsbErrorCode`, or another word of the driver. */
  readonly code: string;

  /** Makes an error of what the driver reported. */
  constructor(failure: WireFailure) {
    super(failure.message);
    this.code = failure.code;
  }
}

function callError(
  command: string,
  code: UsbErrorCode,
  reason: string,
): UsbError {
  return new UsbError({ code, operation: `run ${command}`, reason });
}
