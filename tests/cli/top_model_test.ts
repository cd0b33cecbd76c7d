import {
  quantile,
  TopModel,
  type TopSample,
} from "../../driver/host/cli/top_model.ts";
import type { TopDriver } from "../../driver/host/cli/top_answers.ts";
import { assertAlmostEquals, assertEquals } from "../../driver/std.ts";
import { topDriver } from "./top_bench.ts";

function sample(atMs: number, ...drivers: TopDriver[]): TopSample {
  const status = { version: "1", stopping: false, drivers };
  return {
    atMs,
    status,
    drivers: new Map(drivers.map((driver) => [driver.name, driver])),
  };
}

function endpoints(bytes: number): NonNullable<TopDriver["endpoints"]> {
  const direction = { "bytes_in": bytes, "bytes_out": bytes };
  const rest = {
    endpoint: "0x81",
    type: "bulk",
    "in_flight": 0,
    paused: false,
  };
  return [{ ...rest, ...direction }];
}

Deno.test("Rates are over the last seconds, and unknown before there are two answers", () => {
  const model = new TopModel();
  model.take(sample(0, topDriver({ reports: 100, endpoints: endpoints(0) })));
  assertEquals(model.rows()[0]?.reportsPerSecond, undefined);
  model.take(
    sample(2_000, topDriver({ reports: 300, endpoints: endpoints(1_000) })),
  );
  assertEquals(model.rows()[0]?.reportsPerSecond, 100);
  assertEquals(model.rows()[0]?.bytesPerSecond, 1_000);
  for (let second = 3; second < 20; second++) {
    model.take(sample(second * 1_000, topDriver({ reports: 300 })));
  }
  assertEquals(model.rows()[0]?.reportsPerSecond, 0);
});

Deno.test("A driver that was started again counts anew, and never below nothing", () => {
  const model = new TopModel();
  model.take(sample(0, topDriver({ reports: 1_000 })));
  model.take(sample(1_000, topDriver({ reports: 40, starts: 2 })));
  assertEquals(model.rows()[0]?.reportsPerSecond, 40);
  assertEquals(model.rows()[0]?.restarts, 1);
});

Deno.test("After a time without answers no rate reaches over it", () => {
  const model = new TopModel();
  model.take(sample(0, topDriver({ reports: 0 })));
  model.fail("gone", 1_000);
  model.fail("still gone", 9_000);
  assertEquals(model.lost, { sinceMs: 1_000, reason: "still gone" });
  model.take(sample(60_000, topDriver({ reports: 60_000 })));
  assertEquals(model.lost, undefined);
  assertEquals(model.rows()[0]?.reportsPerSecond, undefined);
});

Deno.test("The time in handlers is that of the last seconds", () => {
  const latency = (...counts: number[]) => ({
    handler_latency: { bounds_ms: [1, 10, 100], counts },
  });
  const model = new TopModel();
  model.take(sample(0, topDriver(latency(0, 0, 1_000, 0))));
  model.take(sample(1_000, topDriver(latency(100, 0, 1_000, 0))));
  assertAlmostEquals(model.rows()[0]?.latencyMs?.p50 ?? 0, 0.5);
  model.take(sample(2_000, topDriver(latency(1, 0, 0, 0))));
  assertEquals(model.rows()[0]?.latencyMs?.p50, 0.5);
  model.take(sample(3_000, topDriver()));
  assertEquals(model.rows()[0]?.latencyMs, undefined);
});

Deno.test("A quantile is reckoned within its bucket, and never beyond the last bound", () => {
  const of = (share: number, ...counts: number[]) =>
    quantile(share, { bounds: [1, 10, 100], counts });
  assertAlmostEquals(of(0.5, 0, 10, 0, 0), 5.5);
  assertAlmostEquals(of(0.99, 99, 1, 0, 0), 1);
  assertEquals(of(0.99, 0, 0, 0, 5), 100);
  assertEquals(of(0.5), 100);
});

Deno.test("What wants to be looked at comes first, by state", () => {
  const model = new TopModel();
  model.take(sample(
    0,
    topDriver({ name: "a" }),
    topDriver({ name: "b", degraded: "late" }),
    topDriver({ name: "c", state: "failed" }),
    topDriver({ name: "d", state: "backoff" }),
  ));
  const order = (rows = model.rows("state")) =>
    rows.map(({ driver }) => driver.name).join("");
  assertEquals(order(), "cdba");
  assertEquals(order(model.rows()), "abcd");
});

Deno.test("The cause is why it is not well, else why it is so, else how it last ended", () => {
  const exit = { class: "hang", message: "no beat" };
  const causeOf = (parts: Partial<TopDriver>) => {
    const model = new TopModel();
    model.take(sample(0, topDriver(parts)));
    return model.rows()[0]?.cause;
  };
  assertEquals(causeOf({}), "");
  assertEquals(causeOf({ last_exit: exit }), "");
  assertEquals(
    causeOf({ last_exit: exit, starts: 2 }),
    "last end: hang: no beat",
  );
  assertEquals(causeOf({ cause: "away", degraded: "late" }), "late");
  assertEquals(causeOf({ cause: "away" }), "away");
});
