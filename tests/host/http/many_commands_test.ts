/** More commands at a time than are taken. */

import { COMMANDS_MAX } from "../../../driver/host/http/handler.ts";
import { assertEquals } from "../../../driver/std.ts";
import { until } from "../../until.ts";
import { configure } from "../supervisor/supervisor_bench.ts";
import { HttpBench } from "./http_bench.ts";

async function errorOf(
  answer: Promise<Response>,
): Promise<[status: number, code: string]> {
  const response = await answer;
  return [response.status, (await response.json()).error?.code];
}

Deno.test("Only so many commands run at a time; the next is refused and may be tried again", async () => {
  const bench = new HttpBench();
  await bench.supervisor.start(configure({ a: "A" }));
  await bench.pass(500);
  const path = "/drivers/a/commands/query";
  const body = { params: { message: "hang" }, "timeout_ms": 1_000 };
  const running64 = Array.from(
    { length: COMMANDS_MAX },
    () => bench.post(path, body),
  );
  // Bodies are read outside of virtual time.
  const isSent = () =>
    bench.processes[0]?.process.received.filter(({ type }) =>
      type === "command"
    ).length === COMMANDS_MAX;
  await until("all of them to reach the driver", isSent);
  const key = { "idempotency-key": "once" };
  const quick = { params: { message: "x" } };
  assertEquals(
    await errorOf(bench.post(path, quick, key)),
    [503, "busy"],
  );
  for (let passedMs = 0; passedMs < 4_000; passedMs += 250) {
    await bench.pass(250);
  }
  for (const answer of running64) {
    assertEquals(await errorOf(answer), [504, "timedOut"]);
  }
  assertEquals((await bench.post(path, quick, key)).status, 200);
  assertEquals(bench.bugs, []);
  await bench.stop();
});
