/** Commands that are clients of a virtual bus themselves. */

import { assertEquals, assertMatch } from "../../driver/std.ts";
import { driverspace, testOn } from "./spawned.ts";

const CLI = new URL("../../cli.ts", import.meta.url).pathname;

for (const transport of ["preload", "notify"] as const) {
  testOn(
    transport,
    `list under simulate --transport ${transport} sees that bus`,
    async () => {
      const { code, out, err } = await driverspace([
        ...["simulate", "multimeter,mouse", "--transport", transport, "--"],
        ...[Deno.execPath(), "run", "--quiet", "--allow-all", CLI, "list"],
      ]);
      assertEquals([code, err], [0, ""]);
      assertMatch(out, /1209:0002 .* usbtmc +- +yes\n/);
      assertMatch(out, /1209:0004 .* - +- +yes\n$/);
    },
  );
}
