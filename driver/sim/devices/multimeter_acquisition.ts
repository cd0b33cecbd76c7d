/**
 * The trigger model and the reading memory: idle, waiting for a trigger,
 * measuring. SCPI-99, volume 2, 24 (the TRIGger subsystem), simplified to one
 * layer.
 *
 * @module
 */

import type { Clock, Timer } from "../../loop/clock.ts";
import { ScpiFault } from "./multimeter_scpi.ts";
import {
  type MeasuredQuantity,
  type MeasurementSource,
  OVERLOAD,
  QUANTITIES,
} from "./multimeter_source.ts";
import type { StatusModel } from "./multimeter_status.ts";

/** Readings the memory holds; then the oldest goes, and a questionable bit says so. */
export const READINGS_MAX = 10_000;
/** Operation register: measuring. SCPI-99, volume 2, 20.2. */
const MEASURING = 0x10;
/** Operation register: waiting for a trigger. */
const WAITING = 0x20;
/** Questionable register: the memory overflowed. */
const MEMORY_OVERFLOW = 0x4000;
/** Mains cycle at 50 Hz: the unit of the aperture. */
const CYCLE_MS = 20;

/** Where a trigger comes from. */
export type TriggerSource = "IMMediate" | "BUS" | "EXTernal";

/** What is measured, and how. */
export interface MeterSetup {
  quantity: MeasuredQuantity;
  /** `undefined`: automatic. */
  range: number | undefined;
  /** Aperture in mains cycles. */
  cycles: number;
  samples: number;
  /** Infinity: until aborted. */
  triggers: number;
  source: TriggerSource;
}

/** After `*RST`. */
export function presetSetup(): MeterSetup {
  return {
    quantity: "VOLT",
    range: undefined,
    cycles: 1,
    samples: 1,
    triggers: 1,
    source: "IMMediate",
  };
}

/** What the acquisition works with. */
export interface AcquisitionParts {
  readonly clock: Clock;
  readonly source: MeasurementSource;
  readonly status: StatusModel;
  /** Called when it becomes idle. */
  readonly onIdle: () => void;
}

/** Takes readings. */
export class Acquisition {
  setup: MeterSetup = presetSetup();
  readonly #parts: AcquisitionParts;
  readonly #readings: number[] = [];
  #phase: "idle" | "waiting" | "measuring" = "idle";
  #timer: Timer | undefined;
  #samplesLeft = 0;
  #triggersLeft = 0;
  #dueMs = 0;

  /** Idle, nothing measured. */
  constructor(parts: AcquisitionParts) {
    this.#parts = parts;
  }

  /** Nothing is going on. */
  get isIdle(): boolean {
    return this.#phase === "idle";
  }

  /** Readings in memory, oldest first. */
  get readings(): readonly number[] {
    return this.#readings;
  }

  /** INITiate. @throws {ScpiFault} -213 unless idle. */
  initiate(): void {
    if (!this.isIdle) throw new ScpiFault(-213);
    this.#readings.length = 0;
    this.#parts.status.questionable.set(MEMORY_OVERFLOW, false);
    this.#triggersLeft = this.setup.triggers;
    this.#arm();
  }

  /** A trigger from a source. @throws {ScpiFault} -211 when none is waited for. */
  trigger(source: TriggerSource): void {
    if (this.#phase !== "waiting" || this.setup.source !== source) {
      throw new ScpiFault(-211);
    }
    this.#measure();
  }

  /** ABORt: idle at once; what was measured stays. */
  abort(): void {
    if (!this.isIdle) this.#enter("idle");
  }

  /** Takes readings out of the memory, oldest first. */
  remove(count: number): readonly number[] {
    return this.#readings.splice(0, count);
  }

  /** The memory is emptied and everything as after power on. */
  reset(): void {
    this.abort();
    this.#readings.length = 0;
    this.setup = presetSetup();
  }

  /** Takes its timer back: the device is gone. */
  dispose(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#phase = "idle";
  }

  #arm(): void {
    if (this.setup.source === "IMMediate") return this.#measure();
    this.#enter("waiting");
  }

  #measure(): void {
    this.#samplesLeft = this.setup.samples;
    this.#dueMs = this.#parts.clock.nowMs();
    this.#enter("measuring");
    this.#schedule();
  }

  #schedule(): void {
    const { clock } = this.#parts;
    this.#dueMs += this.setup.cycles * CYCLE_MS;
    const delayMs = Math.max(0, this.#dueMs - clock.nowMs());
    this.#timer = clock.setTimer(delayMs, () => this.#sample());
  }

  /** One reading is done. */
  #sample(): void {
    const { quantity, range, cycles } = this.setup;
    const value = this.#parts.source.measure({
      quantity,
      range,
      apertureMs: cycles * CYCLE_MS,
      nowMs: this.#dueMs,
    });
    const { questionable } = this.#parts.status;
    questionable.set(
      QUANTITIES[quantity].overloadBit,
      Math.abs(value) === OVERLOAD,
    );
    if (this.#readings.length >= READINGS_MAX) {
      this.#readings.shift();
      questionable.set(MEMORY_OVERFLOW, true);
    }
    this.#readings.push(value);
    if (--this.#samplesLeft > 0) return this.#schedule();
    if (--this.#triggersLeft > 0) return this.#arm();
    this.#enter("idle");
  }

  #enter(phase: "idle" | "waiting" | "measuring"): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#phase = phase;
    const { operation } = this.#parts.status;
    operation.set(MEASURING, phase === "measuring");
    operation.set(WAITING, phase === "waiting");
    if (phase === "idle") this.#parts.onIdle();
  }
}
