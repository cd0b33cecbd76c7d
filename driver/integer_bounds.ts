/**
 * Integers between two bounds, as counts, lengths and time limits are.
 *
 * @module
 */

/** What an integer may be, and what it is of. */
export interface IntegerBounds {
  readonly minimum: number;
  readonly maximum: number;
  /** For people: `bytes per transfer`. */
  readonly what: string;
}

/** The value itself. @throws {RangeError} When it is no integer within its bounds. */
export function integerIn(value: number, bounds: IntegerBounds): number {
  const { minimum, maximum, what } = bounds;
  if (isIntegerIn(value, minimum, maximum)) return value;
  throw new RangeError(
    `Cannot use ${value} as ${what}: expected ${minimum} to ${maximum}`,
  );
}

/** Whether it is an integer from `min` to `max`. */
export function isIntegerIn(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}
