/** `driverspace logs` as a process: how it ends. */

import { assertEquals, assertStringIncludes } from "../../driver/std.ts";
import { line, LogBench } from "../host/logs/log_bench.ts";
import { Spawned } from "./spawned.ts";

Deno.test("Ctrl-C ends a log that is followed, quietly and with 0", async () => {
  using bench = new LogBench();
  bench.lines(1);
  await using following = new Spawned(["logs", "-f", bench.path]);
  await following.printed(/line 1/);
  bench.lines(2);
  await following.printed(/line 2/);
  following.signal("SIGINT");
  const { code, err } = await following.result();
  assertEquals([code, err], [0, ""]);
});

Deno.test("A reader that has enough ends a log, and one that is followed at its next line", async () => {
  using bench = new LogBench();
  // Far more than a pipe holds.
  bench.write(`${line(1, { pad: "x".repeat(2_000) })}\n`.repeat(1_000));
  for (const flags of [[], ["-f"]]) {
    await using read = new Spawned(
      ["logs", "-n", "all", bench.path, ...flags],
      {},
      ["sh", "-c", '"$@" | head -n 1', "sh"],
    );
    await read.printed(/line 1/);
    bench.lines(2);
    const { code, out, err } = await read.result();
    assertEquals([code, err], [0, ""]);
    assertEquals(out.split("\n").length, 2);
    assertStringIncludes(out, "line 1");
  }
});
