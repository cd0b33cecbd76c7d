/**
 * One standing input over the driver's life: its ring, armed again with care
 * when it ends by itself, and the sum of what all its rings did.
 *
 * @module
 */

import type { DriverLog } from "../driver.ts";
import { UsbError } from "../errors.ts";
import type {
  DevicePort,
  InputCounters,
  InputEnd,
  InputRing,
  Report,
} from "../port.ts";
import type { EndpointAddress } from "../usb.ts";
import type { Timer } from "./clock.ts";
import type { EndpointCounters } from "./endpoint_counters.ts";
import type { EventLoop } from "./event_loop.ts";
import { InputRecovery, type RecoveryStep } from "./input_recovery.ts";

/** What an input tells its session. */
export interface InputLineHooks {
  /** Takes a report, or says that there is no room. */
  readonly offer: (report: Report) => boolean;
  /** Counts a report of a ring that was given up. */
  readonly offerStale: () => void;
  readonly gone: () => void;
  /** Only a reset of the port can help. */
  readonly reset: (error: UsbError) => void;
  /** Nothing can help; or a bug was met. */
  readonly giveUp: (error: unknown) => void;
  /** It, or the whole device, is tried again, and why. */
  readonly retried: (reason: string) => void;
}

/** What an input is made of. */
export interface InputLineOptions {
  readonly name: string;
  readonly endpoint: EndpointAddress;
  readonly transfersInFlight: number;
  readonly transferLengthBytes?: number;
  /** The driver declares that its device may be reset. */
  readonly mayReset: boolean;
  readonly port: DevicePort;
  /** Counts what it reads. */
  readonly counters: EndpointCounters;
  readonly loop: EventLoop;
  readonly nowMs: () => number;
  readonly log: DriverLog;
  readonly hooks: InputLineHooks;
}

/** One standing input. */
export class InputLine {
  /** Name in journals, metrics and `context.receive`. */
  readonly name: string;
  readonly endpoint: EndpointAddress;
  readonly #options: InputLineOptions;
  readonly #recovery: InputRecovery;
  #ring: InputRing | undefined;
  #past: InputCounters = NOTHING;
  /** Of the ring that counts; what an older one still says is stale. */
  #generation = 0;
  #retry: Timer | undefined;
  #restarts = 0;
  /** Reports delivered until it last ended by itself. */
  #deliveredBefore = 0;

  /** Not armed yet. */
  constructor(options: InputLineOptions) {
    this.#options = options;
    this.name = options.name;
    this.endpoint = options.endpoint;
    this.#recovery = new InputRecovery(options.mayReset);
  }

  /** Times it was armed again after it ended by itself. */
  get restarts(): number {
    return this.#restarts;
  }

  /** The sum over all its rings. */
  get counters(): InputCounters {
    const now = this.#ring?.counters;
    return now === undefined ? this.#past : sum(this.#past, now);
  }

  /** Starts reading. @throws {UsbError} As `DevicePort.openInput`. */
  arm(): void {
    const { port, counters, loop, hooks, transferLengthBytes } = this.#options;
    const generation = ++this.#generation;
    this.#past = this.counters;
    this.#ring = undefined;
    this.#ring = counters.openInput(port, {
      endpoint: this.endpoint,
      transfersInFlight: this.#options.transfersInFlight,
      ...(transferLengthBytes === undefined ? {} : { transferLengthBytes }),
      sink: (report) => {
        if (generation === this.#generation) return hooks.offer(report);
        hooks.offerStale();
        return true;
      },
      onEnd: (end) => {
        // An unplug counts whichever ring finds it, also one that is being stopped.
        if (end.status === "noDevice") return hooks.gone();
        loop.control(`end of ${this.name}`, () => {
          if (generation === this.#generation) this.#ended(end);
        });
      },
    });
  }

  /** There is room again. */
  resume(): void {
    this.#ring?.resume();
  }

  /** Stops reading; resolves when every transfer is back. */
  async stop(): Promise<void> {
    this.#generation++;
    this.#retry?.cancel();
    this.#retry = undefined;
    await this.#ring?.stop();
  }

  #ended({ status, isClosed }: InputEnd): void {
    if (isClosed === true) return this.#closed();
    const { delivered } = this.counters;
    const hasDelivered = delivered > this.#deliveredBefore;
    this.#deliveredBefore = delivered;
    const nowMs = this.#options.nowMs();
    const step = this.#recovery.next(status, nowMs, hasDelivered);
    this.#tell(step, status);
    this.#do(step, status);
  }

  /** By somebody else: its own session stops it before. */
  #closed(): void {
    const reason = "the device was closed under its driver";
    this.#tell({ kind: "giveUp" }, reason);
    this.#options.hooks.giveUp(
      new UsbError({
        code: "state",
        operation: `read from input ${this.name}`,
        device: this.#options.port.label,
        reason,
        advice: "Stop the driver before whoever opened its device closes it",
      }),
    );
  }

  #do(step: RecoveryStep, why: string): void {
    const { hooks, loop } = this.#options;
    switch (step.kind) {
      case "gone":
        return hooks.gone();
      case "reset":
        hooks.retried("reset");
        return hooks.reset(this.#error(why));
      case "giveUp":
        return hooks.giveUp(this.#error(why));
      case "restart": {
        const { clearHalt } = step;
        hooks.retried(why);
        this.#retry = loop.alarms.set(step.delayMs, () => {
          this.#retry = undefined;
          void this.#restart(clearHalt);
        });
      }
    }
  }

  /** Runs beside handlers; what it finds out comes back as a control message. */
  async #restart(clearHalt: boolean): Promise<void> {
    const generation = this.#generation;
    const { loop, port } = this.#options;
    const say = (handle: () => void): void =>
      loop.control(`restart of ${this.name}`, () => {
        if (generation === this.#generation) handle();
      });
    let halt: unknown;
    try {
      await this.#ring?.stop();
      if (clearHalt) await port.clearHalt(this.endpoint);
    } catch (error) {
      halt = error;
    }
    say(() => {
      if (halt === undefined) this.#rearm();
      else this.#failed(halt, () => this.#recovery.haltStays());
    });
  }

  #rearm(): void {
    this.#restarts++;
    try {
      this.arm();
    } catch (error) {
      this.#failed(
        error,
        () => this.#recovery.next("error", this.#options.nowMs()),
      );
    }
  }

  /** The way back failed, too: a bug ends the driver, the world gets the next step. */
  #failed(error: unknown, next: () => RecoveryStep): void {
    const { hooks } = this.#options;
    if (!(error instanceof UsbError)) return hooks.giveUp(error);
    if (error.code === "noDevice") return hooks.gone();
    const step = next();
    this.#tell(step, error.code);
    this.#do(step, error.code);
  }

  #tell(step: RecoveryStep, why: string): void {
    const { log } = this.#options;
    const next = step.kind === "restart"
      ? `trying again in ${step.delayMs} ms`
      : NEXT[step.kind];
    log("warn", "input.ended", `Input ${this.name} ended: ${why}; ${next}`, {
      input: this.name,
      status: why,
      next: step.kind,
    });
  }

  #error(why: string): UsbError {
    return new UsbError({
      code: why === "stall" || why === "overflow" ? why : "io",
      operation: `read from input ${this.name}`,
      device: this.#options.port.label,
      reason: `${why}, again and again`,
      advice: "Check cable, hub and power of the device",
    });
  }
}

const NEXT = {
  gone: "the device is gone",
  reset: "resetting the port",
  giveUp: "giving up",
} as const;

const NOTHING: InputCounters = {
  submitted: 0,
  completed: 0,
  delivered: 0,
  failed: 0,
  cancelled: 0,
  inFlight: 0,
  held: 0,
};

function sum(a: InputCounters, b: InputCounters): InputCounters {
  return {
    submitted: a.submitted + b.submitted,
    completed: a.completed + b.completed,
    delivered: a.delivered + b.delivered,
    failed: a.failed + b.failed,
    cancelled: a.cancelled + b.cancelled,
    inFlight: a.inFlight + b.inFlight,
    held: a.held + b.held,
  };
}
