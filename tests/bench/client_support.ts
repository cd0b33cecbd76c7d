/** What our clients and their parent share: libusb's path, and the clock of the stamps. */

import { libraryCandidates } from "../../ffi/library.ts";

/** The first libusb there is, by absolute path. */
export function findLibrary(): string | undefined {
  const { os, arch } = Deno.build;
  return libraryCandidates({ os, arch }).find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

/** CLOCK_MONOTONIC in nanoseconds, which the fake device stamps its data with. */
export function monotonicClock(library: string): () => number {
  const time = new BigInt64Array(2);
  // SAFETY: clock_gettime writes one struct timespec, 16 bytes, into `time`.
  const { symbols } = Deno.dlopen(library, {
    clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  });
  const words = new Uint32Array(time.buffer);
  return () => {
    symbols.clock_gettime(1, time);
    return (words[0] ?? 0) * 1e9 + (words[2] ?? 0);
  };
}
