/** A short storm in the suite; `tests/campaign/native_storm.ts` is the long one. */

import { assert, assertEquals, assertGreater } from "../../driver/std.ts";
import { testOn } from "../linux/shown_bus.ts";
import { storm } from "../campaign/native_storm.ts";

for (const transport of ["preload", "notify"] as const) {
  testOn(
    transport,
    "a storm crashes nothing, leaks no descriptor and leaves no promise open",
    async () => {
      const result = await storm({
        transport,
        seconds: 2,
        seed: 7,
        drainMs: 3,
      });
      assertEquals(result.errors, "");
      assertEquals([result.code, result.signal], [0, null]);
      assert(result.tally !== undefined);
      assertGreater(result.tally["opened"] ?? 0, 0);
      assertGreater(result.tally["transfers"] ?? 0, 0);
    },
  );
}
