import { assert, assertEquals } from "../../driver/std.ts";
import { findLibrary, openLibrary } from "../../ffi/library.ts";
import { MonotonicClock } from "../../ffi/monotonic_clock.ts";

/** The zero of one clock is found on the other to a few microseconds. */
const BACK_MS_MAX = 0.1;

Deno.test("The clock of the port is the runtime's, whichever way it is read", () => {
  const library = openLibrary({ path: findLibrary() });
  const quick = new MonotonicClock(library);
  for (let n = 0; n < 100; n++) {
    const before = performance.now();
    const between = quick.nowMs();
    assert(between - before > -BACK_MS_MAX, `${before} before ${between}`);
    const after = performance.now();
    assert(after - between > -BACK_MS_MAX, `${between} before ${after}`);
  }
  const last = quick.nowMs();
  quick.close();
  library.close();
  // Whoever still holds a device asks for its time after the port is closed.
  assert(quick.nowMs() - last > -BACK_MS_MAX);
});

Deno.test("Where the system's clock is another one, the runtime is asked", () => {
  const library = openLibrary({ path: findLibrary() });
  const calls: number[] = [];
  const symbols = {
    ...library.symbols,
    "clock_gettime": (id: number): number => calls.push(id),
  };
  const clock = new MonotonicClock({ ...library, symbols }, "darwin");
  const before = performance.now();
  const between = clock.nowMs();
  assert(before <= between && between <= performance.now());
  assertEquals(calls, []);
  library.close();
});
