/**
 * One standby, seen from its host: a driver process that waits with its device
 * untouched. It is told to make the device safe, handed over to be the driver,
 * or ended. What it says is read as hostile input, and every wait is bounded.
 *
 * @module
 */

import { assert } from "../assert.ts";
import { START_TIMEOUT_MS, STOP_TIMEOUT_MS } from "../limits.ts";
import type { Clock, Timer } from "../loop/clock.ts";
import type { SafeStateReport } from "../loop/safe_state.ts";
import type { ClientProcess } from "./client_process.ts";
import { LineSplitter } from "./line_splitter.ts";
import { decodeSafeStateFrame } from "./safe_state_frame.ts";
import { parseRefusal } from "./sandbox_policy_failures.ts";
import {
  decodeParked,
  encodeStandbyOrder,
  STANDBY_LINE_BYTES_MAX,
  STANDBY_SAFE_TIMEOUT_MS,
  type StandbyOrder,
} from "./standby_words.ts";
import { readTail } from "./stream_tail.ts";
import type { SandboxSummary } from "./wire.ts";
import { WireError } from "./wire_check.ts";

/** How to follow one. */
export interface ParkedProcessOptions {
  readonly clock: Clock;
  /** Looks at what holds it; a sentence says that it is less than demanded. */
  readonly refusal?: (sandbox: SandboxSummary) => string | undefined;
  /** It waits. */
  readonly onParked: () => void;
}

/** Where a standby is. `working`: it makes the device safe. */
export type ParkedState =
  | "starting"
  | "parked"
  | "working"
  | "ending"
  | "taken"
  | "ended";

const NEXT: Readonly<Record<ParkedState, readonly ParkedState[]>> = {
  "starting": ["parked", "ending", "ended"],
  "parked": ["working", "taken", "ending", "ended"],
  "working": ["parked", "ending", "ended"],
  "ending": ["ended"],
  "taken": [],
  "ended": [],
};

/** After SIGKILL it is gone in milliseconds, unless it sits in the kernel. */
const GONE_MS = 2_000;

/** A standby that was just spawned with its stdin, stdout and stderr piped. */
export class ParkedProcess {
  /** Why it ended by itself; `undefined` when it was told to, or is the driver now. Never rejects. */
  readonly ended: Promise<string | undefined>;
  readonly #client: ClientProcess;
  readonly #options: ParkedProcessOptions;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<Uint8Array>;
  #state: ParkedState = "starting";
  /** What the output was asked for and has not given. */
  #piece: Promise<ReadableStreamReadResult<Uint8Array>> | undefined;
  #report: PromiseWithResolvers<SafeStateReport | undefined> | undefined;
  #taken = Promise.withResolvers<undefined>();
  #problem: string | undefined;
  #limit: Timer | undefined;

  /** Begins to follow. */
  constructor(client: ClientProcess, options: ParkedProcessOptions) {
    const { stdin, stdout } = client;
    assert(stdin !== undefined && stdout !== undefined, "They are piped");
    this.#client = client;
    this.#options = options;
    this.#input = stdin.getWriter();
    this.#output = stdout.getReader();
    this.#killAfter(START_TIMEOUT_MS, "it did not wait in time");
    this.ended = Promise.race([this.#live(), this.#taken.promise]);
  }

  /** Its process id. */
  get pid(): number {
    return this.#client.pid;
  }

  /** Where it is. */
  get state(): ParkedState {
    return this.#state;
  }

  /**
   * Has the device made safe: the driver is dead. `undefined` when it could not
   * say how that went; then it is over.
   */
  async makeSafe(): Promise<SafeStateReport | undefined> {
    this.#become("working");
    this.#report = Promise.withResolvers();
    this.#killAfter(STANDBY_SAFE_TIMEOUT_MS, "it did not make it safe in time");
    this.#order("safe");
    const report = await this.#report.promise;
    this.#limit?.cancel();
    return report;
  }

  /** Makes it the driver: whoever gets it reads and writes from now on. */
  take(): ClientProcess {
    this.#become("taken");
    this.#order("go");
    this.#input.releaseLock();
    this.#taken.resolve(undefined);
    const { pid, stdin, stderr, status } = this.#client;
    const kill = (signal: Deno.Signal): void => this.#client.kill(signal);
    return { pid, stdin, stdout: this.#rest(), stderr, status, kill };
  }

  /** Ends it, the device untouched. Resolves when it is gone, or cannot be had to go. */
  async retire(): Promise<void> {
    if (this.#state === "parked") {
      this.#become("ending");
      this.#killAfter(STOP_TIMEOUT_MS, "it did not end in time");
      this.#order("stop");
    } else if (this.#state === "starting" || this.#state === "working") {
      this.#become("ending");
      this.#kill();
    }
    if (this.#state !== "ending") return;
    const { clock } = this.#options;
    const giveUp = Promise.withResolvers<undefined>();
    const limit = clock.setTimer(
      STOP_TIMEOUT_MS + GONE_MS,
      () => giveUp.resolve(undefined),
    );
    await Promise.race([this.ended, giveUp.promise]);
    limit.cancel();
  }

  #kill(): void {
    try {
      this.#client.kill("SIGKILL");
    } catch {
      // It ended by itself in between.
    }
  }

  #become(to: ParkedState): void {
    assert(NEXT[this.#state].includes(to), `${this.#state} → ${to}`);
    this.#state = to;
    this.#limit?.cancel();
  }

  #killAfter(delayMs: number, problem: string): void {
    this.#limit = this.#options.clock.setTimer(delayMs, () => {
      this.#problem ??= problem;
      this.#kill();
    });
  }

  #order(order: StandbyOrder): void {
    this.#input.write(encodeStandbyOrder(order)).catch(() => {
      // It is gone, which its end tells.
    });
  }

  async #live(): Promise<string | undefined> {
    const [status] = await Promise.all([this.#client.status, this.#read()]);
    if (this.#state === "taken") return undefined;
    const wasTold = this.#state === "ending";
    this.#become("ended");
    this.#report?.resolve(undefined);
    const stderr = await readTail(this.#client.stderr);
    if (wasTold) return undefined;
    return this.#problem ?? howItEnded(status, stderr);
  }

  /** Lines, as long as it is a standby. */
  async #read(): Promise<void> {
    const splitter = new LineSplitter(STANDBY_LINE_BYTES_MAX);
    try {
      for (;;) {
        this.#piece ??= this.#output.read();
        const { done, value } = await this.#piece;
        // What it says as the driver is not ours any more.
        if (this.#state === "taken") return;
        this.#piece = undefined;
        if (done) return;
        for (const line of splitter.push(value)) this.#take(line);
      }
    } catch (error) {
      if (error instanceof WireError) this.#problem ??= error.message;
      this.#kill();
    }
  }

  #take(line: Uint8Array): void {
    if (this.#state === "starting") return this.#isParked(decodeParked(line));
    if (this.#state === "working") {
      const { sandbox: _sandbox, ...report } = decodeSafeStateFrame(line);
      this.#become("parked");
      return this.#report?.resolve(report);
    }
    if (this.#state === "ending") return;
    throw new WireError("unknownType", "It spoke without being asked");
  }

  #isParked(sandbox: SandboxSummary): void {
    const refusal = this.#options.refusal?.(sandbox);
    if (refusal !== undefined) {
      this.#problem = refusal;
      return this.#kill();
    }
    this.#become("parked");
    this.#options.onParked();
  }

  /** Its output from the driver's first frame on. */
  #rest(): ReadableStream<Uint8Array> {
    return new ReadableStream({
      pull: async (controller): Promise<void> => {
        const piece = this.#piece ?? this.#output.read();
        this.#piece = undefined;
        const { done, value } = await piece;
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => this.#output.cancel(reason),
    });
  }
}

function howItEnded(status: Deno.CommandStatus, stderr: string): string {
  const refusal = parseRefusal(stderr);
  if (refusal !== undefined) return refusal.message;
  const end = status.signal ?? `exit code ${status.code}`;
  const last = stderr.trim().split("\n").at(-1) ?? "";
  return last === "" ? end : `${end}: ${last.slice(0, 500)}`;
}
