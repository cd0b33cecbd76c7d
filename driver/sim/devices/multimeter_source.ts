/**
 * Something to measure: values with white noise, slow drift and mains hum, as a
 * real input has them. Chance is an argument, so a run repeats.
 *
 * @module
 */

/** What the multimeter can measure. */
export type MeasuredQuantity =
  | "VOLT"
  | "VOLT:AC"
  | "CURR"
  | "CURR:AC"
  | "RES"
  | "FRES"
  | "FREQ"
  | "TEMP";

/** How the instrument measures one quantity, and what is connected. */
export interface QuantitySpec {
  readonly unit: string;
  /** Measuring ranges, smallest first. */
  readonly ranges: readonly number[];
  /** What is connected. */
  readonly level: number;
  /** Standard deviation of the noise at 1 NPLC, relative to the range. */
  readonly noise: number;
  /** How far the level wanders, relative to itself. */
  readonly drift: number;
  /** Mains hum on top, absolute peak; 0 where the method rejects it. */
  readonly hum: number;
  /** Bit of the questionable register for an overload. SCPI-99, volume 2, 20.3. */
  readonly overloadBit: number;
}

/** A reference of 5 V, a 1 mA source, a 10 kOhm resistor, a PT100 at room temperature. */
export const QUANTITIES: Readonly<Record<MeasuredQuantity, QuantitySpec>> = {
  "VOLT": quantity("V", [0.1, 1, 10, 100, 1000], 5, { hum: 2e-3 }),
  "VOLT:AC": quantity("V", [0.1, 1, 10, 100, 750], 1.2, { noise: 2e-5 }),
  "CURR": quantity("A", [1e-4, 1e-3, 1e-2, 0.1, 1, 3], 1.25e-3, {
    hum: 2e-7,
    overloadBit: 0x02,
  }),
  "CURR:AC": quantity("A", [1e-3, 1e-2, 0.1, 1, 3], 2.5e-3, {
    noise: 4e-5,
    overloadBit: 0x02,
  }),
  "RES": quantity("OHM", [100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8], 9_987, {
    overloadBit: 0x200,
  }),
  "FRES": quantity("OHM", [100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8], 9_986.4, {
    overloadBit: 0x200,
  }),
  "FREQ": quantity("HZ", [3e5], 1_000.02, { noise: 3e-9, overloadBit: 0x20 }),
  "TEMP": quantity("CEL", [1000], 23.4, { noise: 8e-6, overloadBit: 0x10 }),
};

/** What is transferred has one digit more than the display's six and a half. */
const COUNTS_PER_RANGE = 1e7;
/** Ranges reach 20 % over their name, as instruments of this class do. */
const OVERRANGE = 1.2;
/** Mains frequency. */
const MAINS_HZ = 50;
/** Time constant of the drift. */
const DRIFT_MS = 30_000;
/** What instruments answer for an overload. SCPI-99, volume 1, 7.2.1.4. */
export const OVERLOAD = 9.9e37;

/** One measurement. */
export interface MeasureOptions {
  readonly quantity: MeasuredQuantity;
  /** `undefined`: the smallest that fits. */
  readonly range: number | undefined;
  readonly apertureMs: number;
  readonly nowMs: number;
}

/** A device under test. */
export class MeasurementSource {
  readonly #random: () => number;
  readonly #drifts = new Map<
    MeasuredQuantity,
    { value: number; atMs: number }
  >();

  /** `random` gives 0 up to 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** One reading, quantized to the display; ±OVERLOAD when the range is too small. */
  measure(options: MeasureOptions): number {
    const spec = QUANTITIES[options.quantity];
    const level = spec.level * (1 + this.#drift(options, spec.drift));
    const range = options.range ?? rangeFor(spec, Math.abs(level));
    const cycles = options.apertureMs * MAINS_HZ / 1000;
    const noise = spec.noise * range * this.#normal() / Math.sqrt(cycles);
    const value = level + noise + spec.hum * humLeft(cycles, options.nowMs);
    if (Math.abs(value) > range * OVERRANGE) return Math.sign(value) * OVERLOAD;
    const step = range / COUNTS_PER_RANGE;
    return Math.round(value / step) * step;
  }

  /** Wanders and is pulled back: an Ornstein-Uhlenbeck process of unit scale. */
  #drift(options: MeasureOptions, scale: number): number {
    const { quantity, nowMs } = options;
    const last = this.#drifts.get(quantity) ?? { value: 0, atMs: nowMs };
    const keep = Math.exp(-Math.max(0, nowMs - last.atMs) / DRIFT_MS);
    const value = last.value * keep +
      Math.sqrt(1 - keep * keep) * this.#normal();
    this.#drifts.set(quantity, { value, atMs: nowMs });
    return value * scale;
  }

  /** Normally distributed, by the method of Box and Muller. */
  #normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.#random()));
    return radius * Math.cos(2 * Math.PI * this.#random());
  }
}

/** The smallest range that takes a value. */
export function rangeFor(spec: QuantitySpec, value: number): number {
  const last = spec.ranges.at(-1) ?? 1;
  return spec.ranges.find((range) => value <= range * OVERRANGE) ?? last;
}

/** Hum that an integrating converter leaves: none over whole mains cycles. */
function humLeft(cycles: number, nowMs: number): number {
  const x = Math.PI * cycles;
  return Math.sin(x) / x * Math.sin(2 * Math.PI * MAINS_HZ * nowMs / 1000);
}

function quantity(
  unit: string,
  ranges: readonly number[],
  level: number,
  other: Partial<QuantitySpec> = {},
): QuantitySpec {
  return {
    unit,
    ranges,
    level,
    noise: 3e-7,
    drift: 2e-6,
    hum: 0,
    overloadBit: 0x01,
    ...other,
  };
}
