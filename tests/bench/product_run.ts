/** Runs `product.ts` over the fake device, and judges its figures. */

import { findLibrary, monotonicClock } from "./client_support.ts";
import type { FiguresInside, ProductFigures } from "./product.ts";
import { type PathOutside, ProductReader } from "./product_events.ts";
import type { PathFigures, PathInside, Spread } from "./product_paths.ts";
import { scopedDeno } from "./peers.ts";

/** A promise about a figure that is no ratio to C. */
export interface ProductVerdict {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly atMost?: number;
  readonly atLeast?: number;
  readonly isMet: boolean;
}

/** One hung client must not hold the bench. */
const TIMEOUT_MS = 180_000;
const TIMER_LAG_MS_MAX = 5;
const IDLE_CPU_PART_MAX = 0.001;
/** Nothing may grow with ten million transfers; what collectors leave lying for a while is less than this. */
const GROWTH_MB_MAX = 5;
/** As for the bus model itself. */
const PIPE_PART_MIN = 0.97;
const CODEC_EVENTS_PER_SECOND_MIN = 100_000;

/** The figures, or why there are none. */
export async function runProduct(
  fake: string,
  effort: number,
): Promise<ProductFigures | string> {
  const library = findLibrary();
  if (library === undefined) return "libusb-1.0 is not installed";
  const file = await Deno.makeTempFile({ prefix: "driverspace-bench-" });
  try {
    return await figuresWith(fake, library, { effort, file });
  } finally {
    await Deno.remove(file);
  }
}

async function figuresWith(
  fake: string,
  library: string,
  of: { readonly effort: number; readonly file: string },
): Promise<ProductFigures | string> {
  const child = new Deno.Command(
    new URL("./with_fake.sh", import.meta.url).pathname,
    {
      args: [
        fake,
        ...scopedDeno(library, "product.ts", { files: [of.file] }),
        library,
        String(of.effort),
        of.file,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    },
  ).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
  const reader = new ProductReader(monotonicClock(library));
  const [, error, { success }] = await Promise.all([
    reader.read(child.stdout),
    new Response(child.stderr).text(),
    child.status,
  ]);
  clearTimeout(timer);
  if (!success) return `failed: ${error.trim().slice(0, 600)}`;
  const inside = JSON.parse(reader.figures) as FiguresInside;
  return {
    ...inside,
    paths: inside.paths.map((path, n) => joined(path, reader.paths[n])),
  };
}

function joined(
  inside: PathInside,
  outside: PathOutside | undefined,
): PathFigures {
  if (outside === undefined) throw new Error("a setting was not told");
  return { ...inside, ...outside };
}

/** Every such promise with its figure. */
export function productVerdicts(
  figures: ProductFigures,
  codecEventsPerSecond: number,
): ProductVerdict[] {
  const { growth, idle, timerLagMs, streams } = figures;
  const pipe = streams.busToFile / streams.busInput;
  return [
    atMost("lag p99 of a 1 ms timer under load", timerLagMs.p99, {
      unit: "ms",
      limit: TIMER_LAG_MS_MAX,
    }),
    atMost(
      `CPU of ${idle.devices} idle devices (of none: ${
        (idle.cpuPartWithout * 100).toPrecision(2)
      } %)`,
      idle.cpuPart * 100,
      { unit: "%", limit: IDLE_CPU_PART_MAX * 100 },
    ),
    atMost(
      `heap growth over ${growth.transfers} transfers (resident: ${
        (growth.rssBytes / 1e6).toFixed(1)
      } MB)`,
      growth.heapBytes / 1e6,
      { unit: "MB", limit: GROWTH_MB_MAX },
    ),
    {
      what: "a pipe to a file beside the input of a SuperSpeed bus",
      value: pipe,
      unit: "of it",
      atLeast: PIPE_PART_MIN,
      isMet: pipe >= PIPE_PART_MIN,
    },
    {
      what: "frame codec",
      value: codecEventsPerSecond,
      unit: "events/s",
      atLeast: CODEC_EVENTS_PER_SECOND_MIN,
      isMet: codecEventsPerSecond >= CODEC_EVENTS_PER_SECOND_MIN,
    },
  ];
}

function atMost(
  what: string,
  value: number,
  of: { readonly unit: string; readonly limit: number },
): ProductVerdict {
  return {
    what,
    value,
    unit: of.unit,
    atMost: of.limit,
    isMet: value <= of.limit,
  };
}

/** One line per promise, and the paths. */
export function productLines(
  verdicts: readonly ProductVerdict[],
  figures: ProductFigures,
): string {
  const lines = verdicts.map((v) =>
    `${v.isMet ? "met    " : "NOT MET"} ${v.value.toPrecision(3)} ${v.unit}, ` +
    `${v.atMost === undefined ? "at least" : "at most"} ${
      v.atMost ?? v.atLeast
    }: ${v.what}`
  );
  const paths = figures.paths.map((p) =>
    `  ${p.devices} devices, a report each ${p.periodMicroseconds} µs: ` +
    `${p.reportsPerSecond.toFixed(0)} reports/s, handler ${
      spreadText(p.handlerMicroseconds)
    }; ${p.eventsPerSecond.toFixed(0)} events/s, ${
      spreadText(p.eventMicroseconds)
    }${p.eventsDropped === 0 ? "" : `, ${p.eventsDropped} dropped`}`
  );
  const rates = Object.entries({
    "input": figures.streams.input,
    "reports": figures.streams.reports,
    "readable": figures.streams.readable,
    "writable": figures.streams.writable,
    "input of a SuperSpeed bus": figures.streams.busInput,
    "the same piped to a file": figures.streams.busToFile,
    "and through one buffer": figures.streams.busToFileByob,
  })
    .map(([name, rate]) => `${name} ${rate.toFixed(0)}`).join(", ");
  const { events, metrics, outline, full } = figures.costs;
  const part = (rate: number): string => `${(rate / events).toFixed(2)} of it`;
  return [
    ...lines,
    "",
    "interrupt to handler, and to whoever reads the event in another process:",
    ...paths,
    "",
    `a driver that tells its events alone: ${events.toFixed(0)} reports/s; ` +
    `with metrics ${part(metrics)}, and the journal's outline ${
      part(outline)
    }, ` +
    `or a full journal ${part(full)}`,
    "",
    `streams, MB/s: ${rates}`,
  ].join("\n");
}

function spreadText({ p50, p99 }: Spread): string {
  return `p50 ${p50.toFixed(0)} p99 ${p99.toFixed(0)} µs`;
}
