import { assert, assertEquals } from "../../driver/std.ts";
import { codecEventsPerSecond } from "./codec.ts";
import { svg } from "./plots.ts";
import { encodeFrame } from "../../driver/host/wire.ts";
import { ProductReader } from "./product_events.ts";
import { PATH_BEGINS, PATH_ENDS } from "./product_paths.ts";
import { productLines, productVerdicts } from "./product_run.ts";
import { partsOf, profileTable } from "./profile.ts";
import type { ProductFigures } from "./product.ts";
import { standingLines, standings } from "./ahead.ts";
import { median, ratio, summaries, verdicts } from "./report.ts";
import { roundsIn, type Row } from "./rounds.ts";

const CASE = "bulk in 64 B depth 32";

function row(peer: string, round: number, wallNs: number): Row {
  return {
    round,
    peer,
    caseName: CASE,
    measurement: {
      case: "",
      count: 1,
      wallNs,
      cpuNs: wallNs,
      bad: 0,
      p50Ns: 0,
      p99Ns: 0,
    },
  };
}

const OURS = {
  peer: "driverspace",
  against: "C",
  caseName: CASE,
  figure: "throughput",
} as const;

Deno.test("Ratio is the median of ratios within rounds, not of medians", () => {
  const rows = [
    row("C", 0, 100),
    row("driverspace", 0, 200),
    // A disturbed round disturbs both.
    row("C", 1, 1000),
    row("driverspace", 1, 2000),
    row("C", 2, 100),
    row("driverspace", 2, 200),
  ];
  assertEquals(ratio(rows, OURS), 0.5);
});

Deno.test("Ratio leaves out rounds that one of both missed", () => {
  const rows = [
    row("C", 0, 100),
    row("driverspace", 1, 900),
    row("C", 2, 100),
    row("driverspace", 2, 125),
  ];
  assertEquals(ratio(rows, OURS), 0.8);
});

Deno.test("Rounds that were made are counted, not those that were asked for", () => {
  assertEquals(roundsIn([]), 0);
  assertEquals(roundsIn([row("C", 0, 1), row("C", 2, 1)]), 3);
});

Deno.test("Target that nobody measured is not met", () => {
  assert(verdicts([]).every((verdict) => !verdict.isMet));
});

Deno.test("Standing names the points at which a binding is ahead of us", () => {
  const ahead = {
    ...row("python-libusb1", 0, 150),
    caseName: "bulk out 64 B depth 4",
  };
  const all = summaries([
    row("C", 0, 100),
    row("driverspace", 0, 125),
    row("python-libusb1", 0, 500),
    ...[row("C", 0, 100), row("driverspace", 0, 200), ahead]
      .map((one) => ({ ...one, caseName: ahead.caseName })),
  ]);
  const [standing, ...others] = standings(all);
  assertEquals(others, [], "The others were not measured");
  assert(standing !== undefined);
  assertEquals(standing.points, 2);
  assertEquals(standing.behind.map(({ caseName }) => caseName), [
    ahead.caseName,
  ]);
  const line = standingLines([standing]);
  assert(line.startsWith("NOT MET ahead of python-libusb1 at 1 of 2"), line);
  const even = { ...standing, behind: [] };
  assert(standingLines([even]).startsWith("met "));
});

Deno.test("Median of nothing is not a number", () => {
  assert(Number.isNaN(median([])));
});

Deno.test("Plot leaves out what was not measured and escapes names", () => {
  const drawn = svg({
    title: "a < b & c",
    axis: "per second",
    points: ["1", "4"],
    series: [{ name: "C", values: [100, undefined] }],
  });
  assert(drawn.includes("a &lt; b &amp; c"));
  assertEquals(drawn.split("<circle").length - 1, 1);
  assert(!drawn.includes("NaN"));
});

Deno.test("Product's promises are judged by their own limits", () => {
  const figures: ProductFigures = {
    timerLagMs: { p50: 1, p99: 6 },
    growth: { transfers: 1_000, heapBytes: 0, rssBytes: 0 },
    idle: { devices: 64, cpuPart: 0.0005, cpuPartWithout: 0.0004 },
    paths: [],
    costs: { events: 4, metrics: 4, outline: 3, full: 1 },
    streams: {
      input: 1,
      reports: 1,
      readable: 1,
      writable: 1,
      busInput: 400,
      busToFile: 360,
      busToFileByob: 390,
    },
  };
  const judged = productVerdicts(figures, 120_000);
  assertEquals(judged.map((verdict) => verdict.isMet), [
    false,
    true,
    true,
    false,
    true,
  ]);
  const lines = productLines(judged, figures);
  assert(lines.includes("metrics 1.00 of it"), lines);
  assert(lines.includes("full journal 0.25 of it"), lines);
});

Deno.test("Events are those between the marks of a setting, and the last line is the figures", async () => {
  let nowNs = 0;
  const reader = new ProductReader(() => nowNs += 1_000);
  const told = (event: string, stampNs: number): Uint8Array<ArrayBuffer> =>
    encodeFrame({ type: "event", sequence: 1, event, data: { stampNs } });
  const setting = [
    told("report", 0),
    told(PATH_BEGINS, 500),
    told("report", 400),
    told("report", 500),
    told("report", 600),
    told(PATH_ENDS, 700),
    told("report", 800),
  ];
  const figures = new TextEncoder().encode('{"paths":[]}\n');
  await reader.read(ReadableStream.from([...setting, figures]));
  assertEquals(reader.paths, [{
    eventsPerSecond: 2 / 1_500 * 1e9,
    eventMicroseconds: { p50: 1.4, p99: 1.4 },
  }]);
  assertEquals(reader.figures, '{"paths":[]}');
});

Deno.test("Codec passes every event from one end to the other", () => {
  assert(codecEventsPerSecond(1, 2_000) > 0);
});

Deno.test("Profile sums up what functions are for, and what it does not know", () => {
  const frame = (id: number, functionName: string, url: string) => ({
    id,
    callFrame: { functionName, url },
  });
  const parts = partsOf({
    nodes: [
      frame(1, "#look", "file:///a/ffi/event_pump.ts"),
      frame(2, "#run", "file:///a/ffi/event_pump.ts"),
      frame(3, "(idle)", ""),
      frame(4, "read", "ext:deno_web/06_streams.js"),
    ],
    samples: [1, 2, 1, 3, 4],
    timeDeltas: [30, 10, 30, 20, 10],
  });
  assertEquals(parts.map(({ share }) => share), [0.6, 0.2, 0.1, 0.1]);
  assertEquals(parts[0]?.what, "libusb's event handling: poll(2), reaping");
  assertEquals(parts[1]?.what, "waiting");
  const table = profileTable([{ caseName: "one", parts }]);
  assert(table.includes("| waiting | 20 % |"));
  assertEquals(profileTable([]), "");
});
