/** Chance that can be repeated: each property runs with every seed, and a failure names its own. */

/** Seeds of every property; a failing one is printed and added here. */
const SEEDS: readonly number[] = [1, 2, 3, 0x5eed, 0xc0ffee];
/** Cases per seed. */
const CASES = 200;

/** Random values of one seed. */
export interface Chance {
  /** From 0 up to 1. */
  next(): number;
  /** An integer from `minimum` to `maximum`, both included. */
  integer(minimum: number, maximum: number): number;
  bytes(lengthBytes: number): Uint8Array<ArrayBuffer>;
}

/** A generator of 32 bits of state: enough to wander through cases. */
export function chanceOf(seed: number): Chance {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
  const integer = (minimum: number, maximum: number): number =>
    minimum + Math.floor(next() * (maximum - minimum + 1));
  return {
    next,
    integer,
    bytes: (lengthBytes) =>
      Uint8Array.from({ length: lengthBytes }, () => integer(0, 255)),
  };
}

/** Runs a property with every seed; a failure says which seed and case repeat it. */
export function forAll(property: (chance: Chance) => void): void {
  for (const seed of SEEDS) {
    const chance = chanceOf(seed);
    for (let index = 0; index < CASES; index++) {
      try {
        property(chance);
      } catch (cause) {
        throw new Error(`Fails with seed ${seed}, case ${index}`, { cause });
      }
    }
  }
}
