import { BODY_BYTES_MAX } from "../../../driver/host/http/command_requests.ts";
import { URL_LENGTH_MAX } from "../../../driver/host/http/handler.ts";
import { Chance } from "../../../driver/loop/chance.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../../driver/std.ts";
import type { DriverFrame } from "../../../driver/host/wire.ts";
import { until } from "../../until.ts";
import { beat, TELEMETRY } from "../fake_process.ts";
import { configure } from "../supervisor/supervisor_bench.ts";
import { HttpBench } from "./http_bench.ts";

async function running(): Promise<HttpBench> {
  const bench = new HttpBench();
  await bench.supervisor.start(
    configure(
      { a: "A" },
      '[drivers.b]\ndriver = "usbtmc"\nrequired = false\n' +
        'device.serial = "none"\n',
    ),
  );
  await bench.pass(500);
  return bench;
}

async function errorOf(
  answer: Promise<Response>,
): Promise<[status: number, code: string]> {
  const response = await answer;
  return [response.status, (await response.json()).error?.code];
}

Deno.test("livez tells whether the supervisor turns, and nothing of drivers", async () => {
  const bench = await running();
  bench.devices = [];
  await bench.pass(1_000);
  const live = await bench.get("/livez");
  assertEquals([live.status, (await live.json()).live], [200, true]);
  bench.clock.jump(60_000);
  assertEquals((await bench.get("/livez")).status, 503);
  await bench.stop();
});

Deno.test("readyz depends on required drivers, their heartbeats and the log", async () => {
  const bench = await running();
  const ready = await bench.get("/readyz");
  assertEquals(ready.status, 200);
  const { checks } = await ready.json();
  assertEquals(checks["driver a"].ok, true);
  assertEquals(checks["driver b"].ok, false, "optional, and absent");
  bench.isLogWritable = false;
  assertEquals((await bench.get("/healthz")).status, 503);
  bench.isLogWritable = true;
  bench.devices = [];
  await bench.pass(500);
  const absent = await bench.get("/readyz");
  assertEquals(absent.status, 503);
  assertStringIncludes(
    (await absent.json()).checks["driver a"].reason,
    "waiting-device",
  );
  await bench.stop();
});

Deno.test("The status and readyz agree, since both are made of one look", async () => {
  const bench = await running();
  for (const isLogWritable of [true, false]) {
    bench.isLogWritable = isLogWritable;
    const ready = await bench.get("/readyz");
    const { ready: isReady, checks } = await (await bench.get("/status"))
      .json();
    assertEquals({ ready: isReady, checks }, await ready.json());
    assertEquals(ready.status, isLogWritable ? 200 : 503);
  }
  await bench.stop();
});

Deno.test("A driver shows its device, values, history and commands", async () => {
  const bench = await running();
  bench.processes[0]?.process.say({
    type: "event",
    sequence: 1,
    event: "reading",
    data: { volts: 1 },
  });
  const { device } = await (await bench.get("/drivers/a")).json();
  assertEquals([device.port, device.serial, device.version], [
    "1-1",
    "A",
    "1.00",
  ]);
  bench.devices = [];
  await bench.pass(500);
  const detail = await (await bench.get("/drivers/a")).json();
  assertEquals(detail.state, "waiting-device");
  assertEquals(detail.values[0].stale, true);
  assertEquals(detail.values[0].data, { volts: 1 });
  assertEquals(detail.value_specs, {
    reading: { volts: { description: "Voltage", type: "number", unit: "V" } },
  });
  assertEquals(detail.commands.map(({ name }: { name: string }) => name), [
    "query",
    "read",
  ]);
  assertEquals(detail.transitions[0].to, "starting");
  assertEquals(await errorOf(bench.get("/drivers/z")), [404, "notFound"]);
  await bench.stop();
});

Deno.test("The status says where each log is, also of a driver that cannot be prepared", async () => {
  const bench = new HttpBench();
  const lost = '[drivers.c]\ndriver = "nosuch"\ndevice.serial = "C"\n';
  await bench.supervisor.start(configure(
    { a: "A" },
    `${lost}log = "/srv/c.log"\n${lost.replace("drivers.c", "drivers.d")}`,
  ));
  const status = await (await bench.get("/status")).json();
  assertEquals(status.log, "/var/log/supervisor.log");
  assertEquals(
    status.drivers.map(({ log }: { log: string | null }) => log),
    ["/var/log/a.log", "/srv/c.log", null],
  );
  await bench.stop();
});

Deno.test("A driver shows what it moved by endpoint, and how long reports waited", async () => {
  const bench = await running();
  const before = await (await bench.get("/drivers/a")).json();
  assertEquals(before.endpoints, []);
  assertEquals(
    before.handler_latency.counts.length,
    before.handler_latency.bounds_ms.length + 1,
  );
  bench.processes[0]?.process.say(
    { ...beat(2), telemetry: TELEMETRY } as DriverFrame,
  );
  await bench.clock.advance(0);
  const driver = await (await bench.get("/drivers/a")).json();
  assertEquals(driver.endpoints[0], {
    endpoint: "0x81",
    type: "interrupt",
    ended: { completed: 2, stall: 1 },
    bytes_in: 16,
    bytes_out: 0,
    in_flight: 2,
    paused: true,
  });
  assertEquals(driver.handler_latency.sum_ms, 1.5);
  assertEquals(driver.retries, { stall: 1 });
  await bench.stop();
});

Deno.test("A driver's log has its own lines and those of its supervisor", async () => {
  const bench = await running();
  bench.processes[0]?.process.say({
    type: "log",
    level: "warn",
    event: "meter.late",
    message: "Late",
    fields: { "late_ms": 3 },
  });
  await bench.pass(250);
  const log = await (await bench.get("/drivers/a/log")).json();
  assertEquals(
    log.lines.map((line: Record<string, unknown>) => [
      line["from"],
      line["level"],
      line["event"],
      line["message"],
    ]),
    [
      ["supervisor", "info", "driver.state", "stopped → starting"],
      ["supervisor", "info", "driver.state", "starting → ready"],
      ["driver", "warn", "meter.late", "Late"],
    ],
  );
  assertEquals([log.driver, log.dropped], ["a", 0]);
  assertEquals(log.lines[2].fields, { "late_ms": 3 });
  const some = await (await bench.get("/drivers/a/log?level=info&lines=1"))
    .json();
  assertEquals(some.lines.length, 1);
  for (const query of ["level=loud", "lines=0", "lines=201", "lines=x"]) {
    assertEquals(
      await errorOf(bench.get(`/drivers/a/log?${query}`)),
      [400, "badRequest"],
    );
  }
  assertEquals(await errorOf(bench.get("/drivers/z/log")), [404, "notFound"]);
  await bench.stop();
});

Deno.test("A driver shows how its processes ended, and what waits in which lane", async () => {
  const bench = await running();
  const untilReady = async (): Promise<void> => {
    while (bench.states()["a"] !== "ready") {
      await bench.post("/drivers/a/retry", "");
      await bench.pass(500);
    }
  };
  for (let ends = 0; ends < 20; ends++) {
    await untilReady();
    bench.processes.at(-1)?.process.end(1);
    await bench.pass(250);
  }
  await untilReady();
  const before = await (await bench.get("/drivers/a")).json();
  assertEquals(before.exit_counts, { fault: 20 });
  assertEquals(before.exits.length, 16, "the last ones");
  assertEquals(before.exits.at(-1).class, before.last_exit.class);
  assert(before.exits.at(-1).at > before.exits[0].at);
  bench.processes.at(-1)?.process.say({
    type: "heartbeat",
    sequence: 99,
    lagMs: 0,
    inFlight: 0,
    reports: 0,
    dropped: 0,
    progress: 0,
    depth: { control: 1, commands: 2, reports: 3, "<b>": 4 },
  });
  await bench.clock.advance(0);
  const { mailbox, queued_commands: queued } =
    await (await bench.get("/drivers/a")).json();
  assertEquals(mailbox, { control: 1, commands: 2, reports: 3 });
  assertEquals(queued, 0);
  const early = (await (await bench.get("/status")).json()).uptime_ms;
  await bench.pass(1_000);
  const late = (await (await bench.get("/status")).json()).uptime_ms;
  assertEquals(late - early, 1_000);
  await bench.stop();
});

Deno.test("A command is carried out, and its failures have codes of their own", async () => {
  const bench = await running();
  const path = "/drivers/a/commands/query";
  const done = await bench.post(path, { params: { message: "*IDN?" } });
  assertEquals([done.status, (await done.json()).value.params], [200, {
    message: "*IDN?",
  }]);
  const wrong: readonly [unknown, number, string][] = [
    [{ params: { message: "fail" } }, 502, "stall"],
    [{ params: { massage: "x" } }, 400, "badRequest"],
    [{ params: [] }, 400, "badRequest"],
    [{ parms: {} }, 400, "badRequest"],
    [{ timeout_ms: 0, params: { message: "x" } }, 400, "badRequest"],
    [{ timeout_ms: 60_001, params: { message: "x" } }, 400, "badRequest"],
    ["{", 400, "badRequest"],
    ["[]", 400, "badRequest"],
    ['"x"', 400, "badRequest"],
    ["x".repeat(BODY_BYTES_MAX + 1), 413, "tooLong"],
  ];
  for (const [body, status, code] of wrong) {
    assertEquals(await errorOf(bench.post(path, body)), [status, code]);
  }
  assertEquals(
    await errorOf(bench.post("/drivers/a/commands/reed", {})),
    [404, "notFound"],
  );
  assertEquals(
    await errorOf(
      bench.post("/drivers/b/commands/query", { params: { message: "x" } }),
    ),
    [409, "state"],
  );
  const late = bench.post("/drivers/b/commands/read", { timeout_ms: 500 });
  // The body is read outside of virtual time; then the deadline runs.
  let isAnswered = false;
  void late.then(() => isAnswered = true);
  await until("the answer", async () => {
    await bench.clock.advance(20);
    return isAnswered;
  });
  assertEquals(await errorOf(late), [504, "timedOut"]);
  assertEquals(bench.bugs, []);
  await bench.stop();
});

Deno.test("A body that does not come is not waited for", async () => {
  const bench = await running();
  const request = new Request("http://x/drivers/a/commands/query", {
    method: "POST",
    body: new ReadableStream({ pull: () => new Promise<void>(() => {}) }),
  });
  const answer = bench.http.handle(request);
  await bench.clock.advance(5_000);
  assertEquals((await answer).status, 408);
  await bench.stop();
});

Deno.test("A key gives the first answer again, and carries nothing out twice", async () => {
  const bench = await running();
  const path = "/drivers/a/commands/query";
  const key = { "idempotency-key": "42" };
  const send = (message: string) =>
    bench.post(path, { params: { message } }, key);
  const [first, second] = await Promise.all([send("one"), send("one")]);
  assertEquals([first?.status, second?.status], [200, 200]);
  const received = bench.processes[0]?.process.received ?? [];
  assertEquals(received.filter(({ type }) => type === "command").length, 1);
  assertEquals(await errorOf(send("two")), [422, "keyReused"]);
  bench.clock.jump(11 * 60_000);
  assertEquals((await send("two")).status, 200);
  assertEquals(
    await errorOf(
      bench.post(path, {}, { "idempotency-key": "x".repeat(65) }),
    ),
    [400, "badRequest"],
  );
  const refused = { "idempotency-key": "refused" };
  const absent = "/drivers/b/commands/query";
  const body = { params: { message: "x" } };
  assertEquals((await bench.post(absent, body, refused)).status, 409);
  assertEquals((await bench.post(absent, body, refused)).status, 409);
  for (let number = 0; number < 600; number++) {
    const keys = { "idempotency-key": `many-${number}` };
    assertEquals((await bench.post(path, body, keys)).status, 200);
  }
  await bench.stop();
});

Deno.test("A failed driver is started again on demand", async () => {
  const bench = await running();
  await bench.pass(3_000);
  bench.processes[0]?.process.end(78);
  await bench.pass(500);
  assertEquals(bench.states()["a"], "failed");
  assertEquals((await bench.post("/drivers/a/retry", "")).status, 202);
  await bench.pass(500);
  assertEquals(bench.states()["a"], "ready");
  await bench.stop();
});

Deno.test("Garbage gets an answer of its own and does no harm", async () => {
  const bench = await running();
  const chance = new Chance(7);
  const pieces = [
    "/",
    "..",
    "%",
    "%00",
    "drivers",
    "a",
    "commands",
    "?",
    "\u00e9",
    "__proto__",
    "constructor",
    "//",
  ];
  for (let round = 0; round < 500; round++) {
    const path = "/" + Array.from(
      { length: chance.integer(1, 8) },
      () => chance.pick(pieces),
    ).join(chance.pick(["/", ""]));
    const method = chance.pick(["GET", "POST", "PUT", "DELETE", "PATCH"]);
    const body = method === "GET" ? {} : { body: chance.bytes(20) };
    const { status } = await bench.http.handle(
      new Request(`http://x${path}`, { method, ...body }),
    );
    assert(status < 500, `${method} ${path} gave ${status}`);
  }
  assertEquals(await errorOf(bench.get("/nothing")), [404, "notFound"]);
  assertEquals(
    await errorOf(bench.get(`/${"x".repeat(URL_LENGTH_MAX)}`)),
    [414, "tooLong"],
  );
  assertEquals(await errorOf(bench.post("/livez", "")), [405, "badMethod"]);
  assertEquals(bench.bugs, []);
  assertEquals((await bench.get("/livez")).status, 200);
  await bench.stop();
});

Deno.test("Metrics are served as text that Prometheus takes", async () => {
  const bench = await running();
  const response = await bench.get("/metrics");
  assertEquals(
    response.headers.get("content-type"),
    "text/plain; version=0.0.4; charset=utf-8",
  );
  assertStringIncludes(
    await response.text(),
    'driverspace_driver_up{driver="a"} 1',
  );
  await bench.stop();
});
