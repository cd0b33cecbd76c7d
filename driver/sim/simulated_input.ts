/**
 * A standing input of the simulated port: transfers always in flight, reports
 * offered in order, nothing resubmitted while the sink has no room.
 *
 * @module
 */

import { assert } from "../assert.ts";
import type {
  InputCounters,
  InputOptions,
  InputRing,
  Report,
  TransferOutcome,
} from "../port.ts";
import type { EndpointAddress } from "../usb.ts";

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
  #end: TransferOutcome | undefined;
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
    this.#cancelAll();
    this.#settle();
    return this.#stopped.promise;
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
    if (outcome.status === "completed") {
      this.#held.push({
        data: outcome.data,
        timestampMs: this.#source.nowMs(),
        ...(outcome.packets === undefined ? {} : { packets: outcome.packets }),
      });
      if (this.#state === "running" || this.#state === "ending") this.#offer();
    } else {
      if (outcome.status === "cancelled") this.#counts.cancelled++;
      else this.#counts.failed++;
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
        if (!this.#options.sink(report)) {
          if (this.#state === "running") this.#state = "paused";
          return;
        }
        // The sink may have stopped the input; the report is its own then too.
        this.#held.shift();
        this.#counts.delivered++;
        if (this.#end === undefined && this.#isOpen()) this.#submit();
      }
    } finally {
      this.#isOffering = false;
      this.#settle();
    }
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
