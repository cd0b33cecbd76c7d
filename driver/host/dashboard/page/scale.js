// @ts-check
/**
 * Axes: round steps that people count in, and where they lie.
 *
 * @module
 */

/**
 * An axis of numbers.
 *
 * @typedef {object} Axis
 * @property {number} from
 * @property {number} to
 * @property {readonly number[]} ticks
 */

/**
 * A prefix of a unit, and what it stands for. BIPM, SI Brochure 9, table 7.
 *
 * @typedef {{ readonly sign: string; readonly factor: number }} Prefix
 */

/**
 * The prefix by which an axis is written in numbers of few digits.
 *
 * @param {Axis} axis
 * @returns {Prefix}
 */
export function prefixOf({ from, to }) {
  const size = Math.max(Math.abs(from), Math.abs(to));
  return PREFIXES.find(({ factor }) => size >= 2 * factor) ??
    { sign: "", factor: 1 };
}

const PREFIXES = [
  { sign: "G", factor: 1e9 },
  { sign: "M", factor: 1e6 },
  { sign: "k", factor: 1e3 },
];

/**
 * What an axis is for.
 *
 * @typedef {object} AxisOptions
 * @property {boolean} [fromZero] A rate or a count that looks large must be large.
 * @property {boolean} [isWhole] Nothing is between one and two.
 * @property {boolean} [hasPrefix] Its unit takes a prefix.
 */

/**
 * An axis that holds these values in round steps.
 *
 * @param {number} lowest
 * @param {number} highest
 * @param {AxisOptions} [options]
 * @returns {Axis}
 */
export function valueAxis(lowest, highest, options = {}) {
  const { fromZero = false, isWhole = false } = options;
  const [from, to] = spread(fromZero ? Math.min(0, lowest) : lowest, highest);
  const step = Math.max(isWhole ? 1 : 0, roundStep((to - from) / STEPS_MAX));
  const first = Math.floor(from / step + 1e-9);
  const last = Math.ceil(to / step - 1e-9);
  const ticks = Array.from(
    { length: last - first + 1 },
    (_, index) => exact((first + index) * step, step),
  );
  return { from: ticks[0] ?? 0, to: ticks.at(-1) ?? 1, ticks };
}

/**
 * Times of an axis that fall on whole minutes or round parts of one, by the
 * clock on the wall.
 *
 * @param {number} fromMs
 * @param {number} toMs
 * @param {number} [steps] At most so many.
 * @returns {number[]}
 */
export function timeTicks(fromMs, toMs, steps = 5) {
  const step =
    TIME_STEPS_MS.find((stepMs) => (toMs - fromMs) / stepMs <= steps) ??
      600_000;
  const ticks = [];
  for (let at = Math.ceil(fromMs / step) * step; at <= toMs; at += step) {
    ticks.push(at);
  }
  return ticks;
}

/**
 * The stretch of time a plot shows: it grows with what is known, so that a page
 * just opened is not an empty plot.
 *
 * @param {number} knownMs
 * @returns {number}
 */
export function windowOf(knownMs) {
  return WINDOWS_MS.find((windowMs) => knownMs <= windowMs) ?? 600_000;
}

/**
 * Decimals that tell ticks of an axis apart.
 *
 * @param {Pick<Axis, "ticks">} axis
 * @returns {number}
 */
export function decimalsOf({ ticks: [first = 0, second = 1] }) {
  const step = second - first;
  return Math.min(9, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
}

const TIME_STEPS_MS = [5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000];
const WINDOWS_MS = [60_000, 120_000, 300_000, 600_000];

/** Steps of an axis of values, at most. */
const STEPS_MAX = 4;

/** Two ends that are apart. @param {number} from @param {number} to @returns {[number, number]} */
function spread(from, to) {
  if (!Number.isFinite(from) || !Number.isFinite(to) || from > to) {
    return [0, 1];
  }
  if (to - from > Math.abs(to) * 1e-9) return [from, to];
  if (to === 0) return [0, 1];
  const margin = Math.abs(to) * 0.1;
  return [from - margin, to + margin];
}

/** The next larger of 1, 2, 5 times a power of ten. @param {number} rough */
function roundStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((one) => one * power >= rough * 0.999) ??
    10;
  return factor * power;
}

/** Without the dust of binary fractions. @param {number} value @param {number} step */
function exact(value, step) {
  const decimals = Math.max(0, -Math.floor(Math.log10(step)) + 1);
  return Number(value.toFixed(Math.min(decimals, 100)));
}
