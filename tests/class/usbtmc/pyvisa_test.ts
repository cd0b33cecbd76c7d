/** The multimeter is honest: PyVISA, which knows nothing of us, works with it. */

import { VirtualMultimeter } from "../../../driver/sim/devices/multimeter.ts";
import { assertAlmostEquals, assertEquals } from "../../../driver/std.ts";
import { PYTHON, shownBus, testOn } from "../../linux/shown_bus.ts";

const SCRIPT = new URL("./pyvisa_client.py", import.meta.url).pathname;

for (const transport of ["preload", "notify"] as const) {
  testOn(
    transport,
    "pyvisa-py identifies the multimeter, measures, reads a block and clears",
    async () => {
      await using shown = await shownBus(
        { transport },
        new VirtualMultimeter(),
      );
      await using client = await shown.transport.spawn({
        program: PYTHON,
        args: [SCRIPT],
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      });
      const { status, text } = await client.output();
      assertEquals(status.code, 0, text);
      const steps = new Map(
        text.trim().split("\n").map((line) => {
          const [, name = "", rest = ""] =
            /^(after \w+|\w+) (.*)$/.exec(line) ?? [];
          return [name, rest];
        }),
      );
      assertEquals(steps.get("resources"), "USB0::4617::2::DS0001::0::INSTR");
      assertEquals(steps.get("identity"), "Driver Space,VM65,DS0001,1.0");
      assertAlmostEquals(Number(steps.get("reading")), 5, 1e-3);
      assertEquals(steps.get("readings")?.split(",").length, 5);
      assertEquals(steps.get("block"), "100000 0");
      assertEquals(steps.get("error"), '-113,"Undefined header"');
      assertEquals(steps.get("after clear"), '+0,"No error"');
      assertEquals(steps.get("timeout"), "VI_ERROR_TMO");
      assertEquals(steps.get("after timeout"), '-420,"Query UNTERMINATED"');
    },
  );
}
