/**
 * Chance as an argument. Simulations choose with a seeded generator, so that a
 * seed names a run; a failing test prints its seed.
 *
 * @module
 */

import { assert } from "../assert.ts";

/** A source of chance: a number from 0 up to, not including, 1. */
export type Random = () => number;

/**
 * A seeded generator with the choices simulations make. The algorithm is
 * xoshiro128** of Blackman and Vigna (2018), its state filled by splitmix32, so
 * that neighbouring seeds give unrelated runs. Not for secrets.
 */
export class Chance {
  /** The seed it was made with: what a failure prints. */
  readonly seed: number;
  readonly #state = new Uint32Array(4);

  /**
   * Begins at a seed.
   *
   * @throws {RangeError} When it is not an integer of 32 bits, from 0.
   */
  constructor(seed: number) {
    if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
      throw new RangeError(
        `Cannot use ${seed} as a seed: it must be an integer from 0 to ${0xffffffff}`,
      );
    }
    this.seed = seed;
    let mixed = seed;
    for (let at = 0; at < 4; at++) {
      mixed = (mixed + 0x9e3779b9) | 0;
      this.#state[at] = mix(mixed);
    }
  }

  /** The next 32 bits. */
  bits(): number {
    const state = this.#state;
    const [a = 0, b = 0, c = 0, d = 0] = state;
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const nextC = c ^ a;
    const nextD = d ^ b;
    state[1] = b ^ nextC;
    state[0] = a ^ nextD;
    state[2] = nextC ^ (b << 9);
    state[3] = rotateLeft(nextD, 11);
    return result;
  }

  /** A number from 0 up to 1. Bound, to be handed on as a {@linkcode Random}. */
  readonly next: Random = () => this.bits() / 0x1_0000_0000;

  /** An integer from `minimum` to `maximum`, both included. */
  integer(minimum: number, maximum: number): number {
    assert(minimum <= maximum, "An empty range has no integer to choose");
    return minimum + Math.floor(this.next() * (maximum - minimum + 1));
  }

  /** True with this probability. */
  happens(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of the choices, each as likely. */
  pick<T>(choices: readonly T[]): T {
    assert(choices.length > 0, "There is nothing to choose from");
    return choices[this.integer(0, choices.length - 1)] as T;
  }

  /** `lengthBytes` bytes. */
  bytes(lengthBytes: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(lengthBytes);
    for (let at = 0; at < lengthBytes; at++) bytes[at] = this.bits() >>> 24;
    return bytes;
  }
}

function rotateLeft(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

/** The finalizer of splitmix32. */
function mix(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
