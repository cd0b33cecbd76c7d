/**
 * `performance.now()` by a call of our own. The runtime's takes 170 ns, as much
 * as a few transfers; the C library's takes 40. Both count from the start of
 * the program, by the same clock of the system.
 *
 * @module
 */

import type { Library } from "./library.ts";
import { CLOCK_MONOTONIC } from "./libusb_constants.ts";
import { TIMESPEC } from "./libusb_structs.ts";
import type { LibusbSymbols } from "./libusb_symbols.ts";
import { nativeBytes, type Pointer } from "./memory.ts";

/** First calls are slow, and a program may be interrupted in any. */
const READINGS = 8;

/** The runtime's clock, read in a quicker way where there is one. */
export class MonotonicClock {
  readonly #symbols: LibusbSymbols;
  /** Written by the C library during a call only. */
  readonly #time = nativeBytes(TIMESPEC.sizeBytes);
  readonly #words = new Uint32Array(this.#time.buffer);
  readonly #pointer: Pointer;
  /** The runtime's zero on the system's clock, in milliseconds. */
  readonly #zeroMs: number;
  #isQuick: boolean;

  /** Over the C library that libusb is linked to. */
  constructor(library: Library, os: string = Deno.build.os) {
    this.#symbols = library.symbols;
    this.#pointer = library.memory.pointerTo(this.#time);
    // Elsewhere the runtime's clock is not this one, or is it not for certain.
    this.#isQuick = os === "linux" && this.#symbols.clock_gettime !== null;
    this.#zeroMs = this.#isQuick ? this.#findZero() : 0;
  }

  /** Milliseconds since the start of the program. */
  nowMs(): number {
    return this.#isQuick ? this.#systemMs() - this.#zeroMs : performance.now();
  }

  /** The library is about to be closed: the runtime's own way from now on. */
  close(): void {
    this.#isQuick = false;
  }

  /** The reading that took least is the least disturbed. */
  #findZero(): number {
    let zeroMs = 0;
    let leastMs = Infinity;
    for (let n = 0; n < READINGS; n++) {
      const beforeMs = performance.now();
      const systemMs = this.#systemMs();
      const tookMs = performance.now() - beforeMs;
      if (tookMs >= leastMs) continue;
      leastMs = tookMs;
      zeroMs = systemMs - beforeMs - tookMs / 2;
    }
    return zeroMs;
  }

  #systemMs(): number {
    // SAFETY: one struct timespec into memory of ours.
    this.#symbols.clock_gettime?.(CLOCK_MONOTONIC, this.#pointer);
    const words = this.#words;
    // Seconds since the boot: the upper half is 0 for 136 years.
    return (words[SECONDS_WORD] ?? 0) * 1e3 +
      (words[NANOSECONDS_WORD] ?? 0) / 1e6;
  }
}

const SECONDS_WORD = TIMESPEC.fields.tv_sec[0] / 4;
const NANOSECONDS_WORD = TIMESPEC.fields.tv_nsec[0] / 4;
