/**
 * A standing input of the simulated port: transfers always in flight, reports
 * offered in order, nothing resubmitted while the sink has no room.
 *
 * @module
 */

import { assert } from "../assert.ts";
import { soon } from "../loop/soon.ts";
import type {
  InputCounters,
  InputEnd,
  InputOptions,
  InputRing,
  Report,
  TransferOutcome,
  TransferStatus,
} from "../port.ts";
import type { EndpointAddress } from "../usb.ts";
import { emptyOutcome } from "./simulated_transfer.ts";

/** What an input needs of its device. */
export interface InputSource {
  nowMs(): number;
  /** Submits one transfer; calls back once, never inside the call. Gives how to cancel it. */
  submit(ended: (outcome: TransferOutcome) => void): { cancel(): void };
  /** The input needs nothing of the device any more. */
  finished(input: SimulatedInput): void;
}

type Counts = { -readonly [K in keyof InputCounters]: InputCounters[K] };

/** Reads that are always outstanding. */
export class SimulatedInput implements InputRing {
  readonly endpoint: EndpointAddress;
  readonly #options: InputOptions;
  readonly #source: InputSource;
  readonly #counts: Omit<Counts, "held"> = {
    submitted: 0,
    completed: 0,
    delivered: 0,
    failed: 0,
    cancelled: 0,
    inFlight: 0,
  };
  readonly #flying = new Set<{ cancel(): void }>();
  readonly #held: Report[] = [];
  #state: "running" | "paused" | "ending" | "stopping" | "ended" = "running";
  #isOffering = false;
  #end: InputEnd | undefined;
  #stopped: PromiseWithResolvers<void> | undefined;

  /** Starts reading. */
  constructor(options: InputOptions, source: InputSource) {
    this.endpoint = options.endpoint;
    this.#options = options;
    this.#source = source;
    for (let at = 0; at < options.transfersInFlight; at++) this.#submit();
  }

  get counters(): InputCounters {
    return { ...this.#counts, held: this.#held.length };
  }

  resume(): void {
    if (this.#state === "paused") this.#state = "running";
    if (this.#state === "running" || this.#state === "ending") this.#offer();
  }

  stop(): Promise<void> {
    if (this.#state === "ended") return Promise.resolve();
    this.#state = "stopping";
    this.#stopped ??= Promise.withResolvers();
    // What is just being offered is judged by its sink.
    this.#dropHeld(this.#isOffering ? 1 : 0);
    this.#cancelAll();
    this.#settle();
    return this.#stopped.promise;
  }

  /** Ends it because its interface or its device goes away. */
  end(status: TransferStatus, more: Pick<InputEnd, "isClosed"> = {}): void {
    this.#fail({ ...emptyOutcome(status), ...more });
    soon(() => this.#settle());
  }

  #submit(): void {
    this.#counts.submitted++;
    this.#counts.inFlight++;
    const flight = this.#source.submit((outcome) => {
      this.#flying.delete(flight);
      this.#completed(outcome);
    });
    this.#flying.add(flight);
  }

  #completed(outcome: TransferOutcome): void {
    this.#counts.inFlight--;
    this.#counts.completed++;
    const isCompleted = outcome.status === "completed";
    if (isCompleted && this.#state !== "stopping") {
      this.#held.push({
        data: outcome.data,
        timestampMs: this.#source.nowMs(),
        ...(outcome.packets === undefined ? {} : { packets: outcome.packets }),
      });
      if (this.#state === "running" || this.#state === "ending") this.#offer();
    } else {
      if (isCompleted || outcome.status === "cancelled") {
        this.#counts.cancelled++;
      } else this.#counts.failed++;
      this.#fail(outcome);
    }
    this.#settle();
  }

  /** The first failure ends the input; what completed before it is still delivered. */
  #fail(outcome: TransferOutcome): void {
    if (this.#state === "stopping" || this.#end !== undefined) return;
    this.#end = outcome;
    if (this.#state === "running") this.#state = "ending";
    this.#cancelAll();
  }

  #offer(): void {
    // A sink that resumes its own input is already being offered more.
    if (this.#isOffering) return;
    this.#isOffering = true;
    try {
      for (let report = this.#held[0]; report; report = this.#held[0]) {
        if (!this.#isOpen()) return;
        // The sink may stop the input.
        if (!this.#options.sink(report)) {
          if (!this.#isOpen()) this.#dropHeld(0);
          else if (this.#state === "running") this.#state = "paused";
          return;
        }
        this.#held.shift();
        this.#counts.delivered++;
        if (this.#end === undefined && this.#isOpen()) this.#submit();
      }
    } finally {
      this.#isOffering = false;
      this.#settle();
    }
  }

  /** Nobody takes it any more. */
  #dropHeld(but: number): void {
    this.#counts.cancelled += Math.max(0, this.#held.length - but);
    this.#held.length = Math.min(this.#held.length, but);
  }

  #isOpen(): boolean {
    return this.#state === "running" || this.#state === "ending";
  }

  #cancelAll(): void {
    for (const flight of [...this.#flying]) flight.cancel();
  }

  #settle(): void {
    if (this.#counts.inFlight > 0 || this.#state === "ended") return;
    if (this.#state === "stopping") {
      this.#state = "ended";
      this.#source.finished(this);
      this.#stopped?.resolve();
      return;
    }
    if (this.#end === undefined || this.#held.length > 0) return;
    this.#state = "ended";
    this.#source.finished(this);
    assert(this.#end !== undefined, "An input ends with an outcome");
    this.#options.onEnd(this.#end);
  }
}
