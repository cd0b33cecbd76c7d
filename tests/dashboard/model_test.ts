/** What the page knows: told by status after status, and by what drivers say. */

import {
  inTurn,
  LINES_MAX,
  Model,
} from "../../driver/host/dashboard/page/model.js";
import {
  headlineOf,
  readingsOf,
} from "../../driver/host/dashboard/page/readings.js";
import {
  driverHash,
  routeOf,
  tokenOf,
} from "../../driver/host/dashboard/page/route.js";
import {
  canRetry,
  exitTone,
  exitWord,
  needsAttention,
  restartReasons,
  shownState,
  shownStateName,
  summaryOf,
} from "../../driver/host/dashboard/page/states.js";
import type {
  DetailView,
  DriverView,
  LogLine,
  StatusView,
} from "../../driver/host/dashboard/page/words.d.ts";
import { EXIT_SENTENCES } from "../../driver/host/exit_class.ts";
import { DRIVER_STATES } from "../../driver/host/supervisor/driver_states.ts";
import { assert, assertEquals } from "../../driver/std.ts";

function view(parts: Partial<DriverView> = {}): DriverView {
  return {
    name: "dmm",
    driver: "usbtmc",
    required: true,
    state: "ready",
    since: "2026-11-30T12:00:00.000Z",
    cause: null,
    degraded: null,
    device: null,
    pid: 1,
    standby: false,
    starts: 1,
    failures: 0,
    next_attempt_ms: null,
    heartbeat_age_ms: 100,
    loop_lag_ms: 1,
    reports: 0,
    dropped: 0,
    in_flight: 0,
    mailbox: { control: 0, commands: 1, reports: 2 },
    queued_commands: 3,
    safe_state: null,
    last_exit: null,
    exit_counts: {},
    ...parts,
  };
}

function status(uptimeMs: number, ...drivers: DriverView[]): StatusView {
  return { version: "0", uptime_ms: uptimeMs, stopping: false, drivers };
}

function line(sequence: number): LogLine {
  return {
    sequence,
    at: "2026-11-30T12:00:00.000Z",
    level: "info",
    from: "driver",
    event: "x",
    message: String(sequence),
    fields: {},
  };
}

Deno.test("Status after status becomes rates, queues and states over time", () => {
  const model = new Model();
  for (let second = 0; second <= 3; second++) {
    const told = status(second * 1_000, view({ reports: second * 8 }));
    assertEquals(model.take(told, 50_000 + second * 1_000), false);
  }
  const driver = model.drivers.get("dmm");
  assertEquals(driver?.rate.points.map(({ value }) => value), [null, 8, 8, 8]);
  assertEquals(driver?.queue.last, { atMs: 53_000, value: 6 });
  assertEquals(driver?.lag.last?.value, 1);
  assertEquals(driver?.states.stretches[0]?.toMs, 53_000);
});

Deno.test("A driver that is away has no rate; an end is marked, an orderly one is not", () => {
  const model = new Model();
  model.take(status(0, view()), 1_000);
  const away = { state: "backoff", pid: null, cause: "it <b>crashed</b>\x1b" };
  const changed = model.take(
    status(1_000, view({ ...away, exit_counts: { fault: 1 } })),
    2_000,
  );
  assertEquals(changed, true);
  const driver = model.drivers.get("dmm");
  assertEquals(driver?.ends, [2_000]);
  assertEquals(driver?.rate.last?.value, null);
  assertEquals(driver?.queue.last?.value, null);
  assertEquals(model.takeNews(), [
    "dmm: Restarting: it <b>crashed</b>\\u{1b}",
  ]);
  assertEquals(model.takeNews(), []);
  model.take(
    status(2_000, view({ exit_counts: { fault: 1, clean: 4 } })),
    3_000,
  );
  assertEquals(driver?.ends, [2_000]);
});

Deno.test("A driver that left the configuration is forgotten, another supervisor's lines too", () => {
  const model = new Model();
  model.take(status(5_000, view(), view({ name: "old" })), 1_000);
  model.drivers.get("dmm")?.takeLines([line(7)]);
  model.take(status(6_000, view()), 2_000);
  assertEquals([...model.drivers.keys()], ["dmm"]);
  assertEquals(model.drivers.get("dmm")?.lines.length, 1);
  model.take(status(10, view()), 3_000);
  assertEquals(model.drivers.get("dmm")?.lines, []);
});

Deno.test("Lines come in any order and twice, and are kept once, in order, the last of them", () => {
  const model = new Model();
  model.take(status(0, view()), 0);
  const driver = model.drivers.get("dmm");
  driver?.takeLines([line(5), line(3)]);
  driver?.takeLines([line(4), line(5)]);
  const sequences = driver?.lines.map(({ sequence }) => sequence);
  assertEquals(sequences, [3, 4, 5]);
  const version = driver?.linesVersion;
  driver?.takeLines([line(4)]);
  assertEquals(driver?.linesVersion, version, "nothing new");
  driver?.takeLines(
    Array.from({ length: 3 * LINES_MAX }, (_, index) => line(100 + index)),
  );
  assertEquals(driver?.lines.length, LINES_MAX);
  assertEquals(driver?.lines[0]?.sequence, 100 + 2 * LINES_MAX);
});

function detail(parts: Partial<DetailView>): DetailView {
  return {
    ...view(),
    values: [],
    value_specs: null,
    endpoints: [],
    handler_latency: { bounds_ms: [], counts: [] },
    retries: {},
    transitions: [],
    exits: [],
    commands: [],
    ...parts,
  };
}

function said(
  event: string,
  data: DetailView["values"][number]["data"],
  ageMs = 0,
): DetailView["values"][number] {
  return { event, data, at: "", age_ms: ageMs, stale: false };
}

Deno.test("Readings are what the driver declares, else what looks like a value", () => {
  const readings = readingsOf(detail({
    values: [
      said("moved", { x: 3, y: 4 }, 5),
      said("climate", { t: 21.5, open: true, unit: "Cel", note: "<b>" }),
      said("reading", { value: 5.000004, unit: "V" }),
    ],
    value_specs: {
      climate: {
        t: { description: "Temperature", type: "number", unitFrom: "unit" },
        open: { description: "Window open", type: "boolean" },
        gone: { description: "Not said", type: "number", unit: "V" },
      },
    },
  }));
  assertEquals(
    readings.map(({ label, text, isValue, number }) => [
      label,
      text,
      isValue,
      number,
    ]),
    [
      ["Temperature", "21.5 °C", true, 21.5],
      ["Window open", "yes", true, null],
      ["reading", "5.000004 V", true, 5.000004],
      ["moved", "x 3, y 4", false, 3],
    ],
  );
  assertEquals(headlineOf(readings)?.label, "Temperature");
  assertEquals(headlineOf([]), undefined);
});

Deno.test("Readings of hostile names and data are texts like others, and bounded", () => {
  const values = JSON.parse(
    '[{"event":"__proto__","data":{"value":1,"unit":"<i>"},"at":"","age_ms":1,"stale":false},' +
      '{"event":"constructor","data":{"\\u001b":[]},"at":"","age_ms":9,"stale":true}]',
  );
  const specs = JSON.parse(
    '{"toString":{"value":{"description":"x","type":"number"}}}',
  );
  const readings = readingsOf(detail({ values, value_specs: specs }));
  assertEquals(readings.map(({ text }) => text), ["1 <i>", "\\u{1b} []"]);
  const many = Array.from({ length: 500 }, (_, at) => said(`e${at}`, {}));
  assert(readingsOf(detail({ values: many })).length <= 32);
});

Deno.test("Numbers of readings are remembered, while they are vouched for", () => {
  const model = new Model();
  model.take(status(0, view()), 0);
  const driver = model.drivers.get("dmm");
  const value = said("reading", { value: 1, unit: "V" });
  driver?.takeDetail(detail({ values: [value] }), 1_000);
  driver?.takeDetail(detail({ values: [{ ...value, stale: true }] }), 2_000);
  assertEquals(driver?.values.get("reading")?.points, [
    { atMs: 1_000, value: 1 },
    { atMs: 2_000, value: null },
  ]);
  const many = Array.from({ length: 30 }, (_, at) => said(`e${at}`, { n: 1 }));
  driver?.takeDetail(detail({ values: many }), 3_000);
  assert((driver?.values.size ?? 99) <= 12);
});

Deno.test("Bytes and waiting times become rates and quantiles, from one process only", () => {
  const model = new Model();
  model.take(status(0, view()), 0);
  const driver = model.drivers.get("dmm");
  for (let second = 0; second < 4; second++) {
    driver?.takeDetail(
      detail({
        pid: second < 3 ? 1 : 2,
        endpoints: [0x01, 0x81].map((endpoint) => ({
          endpoint: String(endpoint),
          type: "bulk",
          ended: {},
          bytes_in: second * 500,
          bytes_out: second * 10,
          in_flight: 0,
          paused: false,
        })),
        handler_latency: {
          bounds_ms: [1, 2],
          counts: [second * 10, second, 0],
        },
      }),
      second * 1_000,
    );
  }
  const valuesOf = (series?: { points: readonly { value: number | null }[] }) =>
    series?.points.map(({ value }) => value);
  assertEquals(valuesOf(driver?.bytesIn), [null, 1_000, 1_000, null]);
  assertEquals(valuesOf(driver?.bytesOut), [null, 20, 20, null]);
  assertEquals(valuesOf(driver?.median), [null, 0.55, 0.55, null]);
  assert((driver?.high.points[2]?.value ?? 0) > 1.8);
});

Deno.test("Every state and every class of ends has words of its own", () => {
  const words = DRIVER_STATES.map((state) => shownStateName(state).word);
  assertEquals(new Set(words).size, DRIVER_STATES.length);
  for (const state of DRIVER_STATES) {
    assert(shownStateName(state).meaning.length > 0, state);
  }
  const exits = Object.keys(EXIT_SENTENCES);
  assertEquals(new Set(exits.map(exitWord)).size, exits.length);
  for (const exitClass of exits) assert(exitWord(exitClass) !== exitClass);
  assertEquals(exitWord("toString"), "toString", "of a newer supervisor");
  assertEquals(shownStateName("toString").word, "toString");
  assertEquals([exitTone("clean"), exitTone("hang")], ["off", "bad"]);
});

Deno.test("The worst comes first, and what needs a person is counted", () => {
  const drivers = [
    view(),
    view({ name: "b" }),
    view({ name: "c", state: "quarantined" }),
    view({ name: "d", degraded: "its loop is 900 ms late" }),
    view({ name: "e", state: "waiting-device" }),
  ];
  assertEquals(
    summaryOf(drivers).map(({ shown, count }) => `${count} ${shown.word}`),
    ["1 Quarantine", "1 Degraded", "1 No device", "2 Ready"],
  );
  assertEquals(drivers.filter(needsAttention).length, 2);
  assertEquals(drivers.filter(canRetry).length, 1);
  assertEquals(shownState(view({ degraded: "late" })).tone, "warn");
  assertEquals(restartReasons({ clean: 9, fault: 1, hang: 2 }), [
    { exitClass: "hang", count: 2 },
    { exitClass: "fault", count: 1 },
  ]);
});

Deno.test("Addresses lead to drivers of any name and back; tokens are taken as they are made", () => {
  for (const name of ["dmm", "a/b", "%", "<b>", "é"]) {
    assertEquals(routeOf(driverHash(name)), { kind: "driver", name });
  }
  for (const hash of ["", "#", "#/", "#/drivers/", "#/drivers/%E0", "#x/y"]) {
    assertEquals(routeOf(hash), { kind: "all" });
  }
  assertEquals(tokenOf(`#token=${"a1_-".repeat(8)}`), "a1_-".repeat(8));
  for (
    const hash of ["#token=", "#token=short", "#token=a b c d e f g h i j"]
  ) {
    assertEquals(tokenOf(hash), undefined);
  }
});

Deno.test("Many drivers are asked in turn, none left out", () => {
  const names = Array.from({ length: 20 }, (_, index) => `d${index}`);
  const asked = new Set(
    [0, 1, 2].flatMap((turn) => inTurn(names, turn, 8)),
  );
  assertEquals(asked.size, 20);
  assertEquals(inTurn(names, 0, 8).length, 8);
  assertEquals(inTurn(["a"], 7, 8), ["a"]);
  assertEquals(inTurn([], 7, 8), []);
});
