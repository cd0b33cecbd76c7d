/** Metrics by OpenTelemetry: a real child of the real runtime, and a small collector. */

import { FAMILIES } from "../../../driver/host/metrics/families.ts";
import { DriverMetrics } from "../../../driver/host/metrics/driver_metrics.ts";
import { hardwareSamples } from "../../../driver/host/metrics/hardware_metrics.ts";
import {
  exportMetrics,
  openTelemetryAsked,
} from "../../../driver/host/metrics/open_telemetry.ts";
import { MetricRegistry } from "../../../driver/host/metrics/registry.ts";
import type { DriverFrame } from "../../../driver/host/wire.ts";
import { VirtualClock } from "../../../driver/loop/clock.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../../driver/std.ts";
import { until } from "../../until.ts";
import { beat, READY, TELEMETRY } from "../fake_process.ts";

/** Far more than it takes, on a busy machine. */
const LIMIT_MS = 60_000;
/** The runtime sends what it has at its end; where it hangs in that, it is killed. */
const EXIT_MS = 5_000;
const FIXTURE = new URL("./open_telemetry_fixture.ts", import.meta.url)
  .pathname;

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string };
}

interface Point {
  readonly attributes?: readonly Attribute[];
  readonly asDouble?: number;
  readonly asInt?: number | string;
}

/** As much of OTLP's JSON as is looked at. */
interface Metrics {
  readonly resourceMetrics: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeMetrics: readonly {
      readonly metrics: readonly {
        readonly name: string;
        readonly sum?: { readonly dataPoints: readonly Point[] };
        readonly gauge?: { readonly dataPoints: readonly Point[] };
      }[];
    }[];
  }[];
}

/** `name{label="value"} number`, as `/metrics` writes it. */
function linesOf(metrics: Metrics): Set<string> {
  const lines = new Set<string>();
  for (const { scopeMetrics } of metrics.resourceMetrics) {
    for (const { name, sum, gauge } of scopeMetrics.flatMap((s) => s.metrics)) {
      for (const point of (sum ?? gauge)?.dataPoints ?? []) {
        const labels = (point.attributes ?? [])
          .map(({ key, value }) => `${key}="${value.stringValue}"`).sort();
        const value = Number(point.asDouble ?? point.asInt);
        lines.add(`${name}{${labels.join(",")}} ${value}`);
      }
    }
  }
  return lines;
}

interface Outcome {
  readonly status: number;
  readonly warnings: readonly string[];
}

/** Runs the service until `isSeen`, exporting to `endpoint` if one is given. */
async function serve(
  endpoint?: string,
  isSeen: () => Promise<void> = () => Promise.resolve(),
): Promise<Outcome> {
  const folder = await Deno.makeTempDir();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", FIXTURE, folder],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env: endpoint === undefined ? {} : {
      OTEL_DENO: "true",
      OTEL_SERVICE_NAME: "driverspace",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_METRIC_EXPORT_INTERVAL: "200",
    },
  }).spawn();
  const kill = (): void => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
  };
  let limit = setTimeout(kill, LIMIT_MS);
  try {
    const stderr = new Response(child.stderr).text();
    const said = linesFrom(child.stdout);
    assert((await said.next()).value === "ready", "It did not begin");
    await isSeen();
    await child.stdin.close();
    const { value: line = "" } = await said.next();
    await said.return(undefined);
    // All is done and said. The runtime's exporter may keep it from ending.
    clearTimeout(limit);
    limit = setTimeout(kill, EXIT_MS);
    assert(line !== "", await stderr);
    await child.status;
    return JSON.parse(line);
  } finally {
    clearTimeout(limit);
    kill();
    await child.status;
    await Deno.remove(folder, { recursive: true });
  }
}

/** The lines that a program says. */
async function* linesFrom(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<string, undefined> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

Deno.test("A collector gets the metrics under the names of /metrics, and those of the hardware conventions", async () => {
  const received: Metrics[] = [];
  await using collector = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const body = await request.text();
      if (new URL(request.url).pathname === "/v1/metrics") {
        received.push(JSON.parse(body));
      }
      return Response.json({});
    },
  );
  const device = 'driverspace.usb.port="1-1",' +
    'driverspace.usb.product_id="1755",driverspace.usb.vendor_id="0957"';
  const wanted = [
    'driverspace_driver_up{driver="a"} 1',
    'driverspace_transfers_total{driver="a",endpoint="0x81",status="completed",type="interrupt"} 2',
    'driverspace_handler_latency_seconds_bucket{driver="a",le="0.00005"} 1',
    'driverspace_handler_latency_seconds_bucket{driver="a",le="+Inf"} 2',
    'driverspace_handler_latency_seconds_count{driver="a"} 2',
    `hw.status{${device},hw.id="a",hw.state="ok",hw.type="usb_device"} 1`,
    `hw.status{${device},hw.id="a",hw.state="failed",hw.type="usb_device"} 0`,
    `hw.errors{${device},error.type="stall",hw.id="a",hw.type="usb_device"} 1`,
  ];
  const lines = () => new Set(received.flatMap((one) => [...linesOf(one)]));
  const { port } = collector.addr;
  const outcome = await serve(
    `http://127.0.0.1:${port}`,
    () =>
      until(
        wanted.join("\n"),
        () => wanted.every((line) => lines().has(line)),
        () => [...lines()].join("\n"),
      ),
  );
  assertEquals(outcome, { status: 200, warnings: [] });
  const ours = received.filter(({ resourceMetrics }) =>
    JSON.stringify(resourceMetrics).includes("driverspace_driver_up")
  );
  const service = ours[0]?.resourceMetrics[0]?.resource.attributes
    .find(({ key }) => key === "service.name");
  assertEquals(service?.value.stringValue, "driverspace");
});

Deno.test("A collector that is away harms no supervision", async () => {
  // No test beside this one listens there, as it might on a port that was free.
  const { status } = await serve(
    "http://127.0.0.1:1",
    // A few exports in vain.
    () => new Promise((resolve) => setTimeout(resolve, 1_000)),
  );
  assertEquals(status, 200);
});

Deno.test("Without OTEL_DENO nothing is loaded and nothing said", async () => {
  assertEquals(await serve(), { status: 200, warnings: [] });
  const asked = (value?: string) => openTelemetryAsked(() => value);
  assertEquals(
    [asked(), asked(""), asked("false"), asked("true"), asked("1")],
    [false, false, false, true, true],
  );
});

Deno.test("A library that cannot be had is a warning, and no more", async () => {
  using exported = await exportMetrics({
    registry: new MetricRegistry(FAMILIES),
    version: "0.1.0",
    load: () => Promise.reject(new Error("the network is down")),
  });
  assertStringIncludes(exported.problem ?? "", "the network is down");
});

Deno.test("What OpenTelemetry is given is every sample of /metrics, and no other of ours", async () => {
  const registry = new MetricRegistry(FAMILIES);
  const clock = new VirtualClock();
  const metrics = new DriverMetrics(registry, { driver: "dmm", clock });
  metrics.frame(READY);
  metrics.frame({ ...beat(1), telemetry: TELEMETRY } as DriverFrame);
  const names: string[] = [];
  const observed: string[] = [];
  let callbacks = 0;
  const make = (name: string) => {
    names.push(name);
    return { name } as never;
  };
  const exported = await exportMetrics({
    registry,
    version: "0.1.0",
    load: () =>
      Promise.resolve({
        metrics: {
          getMeter: () => ({
            createObservableCounter: make,
            createObservableGauge: make,
            addBatchObservableCallback: (collect) => {
              callbacks++;
              collect({
                observe: (metric, value, labels = {}) => {
                  const { name } = metric as unknown as { name: string };
                  if (name.startsWith("hw.")) return;
                  const pairs = Object.entries(labels).map(([label, text]) =>
                    `${label}="${text}"`
                  ).join(",");
                  const braces = pairs === "" ? "" : `{${pairs}}`;
                  observed.push(`${name}${braces} ${value}`);
                },
              });
            },
            removeBatchObservableCallback: () => void callbacks--,
          }),
        },
      }),
  });
  const shown = registry.exposition().split("\n").filter((line) =>
    line !== "" && !line.startsWith("#")
  );
  assertEquals(observed, shown);
  assertEquals(new Set(names).size, names.length);
  exported[Symbol.dispose]();
  assertEquals(callbacks, 0);
});

Deno.test("A device that is away is in no state, and one that cannot be helped has failed", () => {
  const registry = new MetricRegistry(FAMILIES);
  const clock = new VirtualClock();
  const metrics = new DriverMetrics(registry, { driver: "dmm", clock });
  const states = () =>
    Object.fromEntries(
      hardwareSamples(registry).filter(({ name }) => name === "hw.status")
        .map(({ labels, value }) => [labels["hw.state"], value]),
    );
  const cause = undefined;
  metrics.transition({ from: "stopped", to: "waiting-device", cause, atMs: 0 });
  assertEquals(states(), { ok: 0, degraded: 0, failed: 0 });
  metrics.transition({ from: "backoff", to: "quarantined", cause, atMs: 0 });
  assertEquals(states(), { ok: 0, degraded: 0, failed: 1 });
});
