/**
 * The second way out for metrics: OpenTelemetry, by the runtime's own exporter.
 * Names, labels and values are those of `/metrics`, read from the same registry
 * when the runtime collects; besides them stand what the conventions for
 * hardware have a name for. A collector that is away is the runtime's business:
 * nothing here waits for one.
 *
 * @module
 */

import { hardwareSamples } from "./hardware_metrics.ts";
import type {
  BatchObservableResult,
  Meter,
  Observable,
} from "./opentelemetry_api.ts";
import type { Family, MetricRegistry } from "./registry.ts";

/** How the library is had. */
export type LoadOpenTelemetry = () => Promise<{
  readonly metrics: {
    getMeter(name: string, version?: string): Meter;
  };
}>;

/** What an export is made of. */
export interface OpenTelemetryOptions {
  readonly registry: MetricRegistry;
  /** Of this package. */
  readonly version: string;
  /** Default: npm's package, loaded now. */
  readonly load?: LoadOpenTelemetry;
}

/** An export that is under way. */
export interface OpenTelemetryExport extends Disposable {
  /** Why there is none, in one sentence; absent: there is one. */
  readonly problem?: string;
}

/** Whether the runtime exports telemetry, and is told whose it is. */
export function openTelemetryAsked(
  variable: (name: string) => string | undefined,
): boolean {
  return ["true", "1"].includes(variable("OTEL_DENO") ?? "");
}

/** Begins to export. Never rejects: without its library everything else goes on. */
export async function exportMetrics(
  options: OpenTelemetryOptions,
): Promise<OpenTelemetryExport> {
  const { registry, version, load = loadApi } = options;
  let meter: Meter;
  try {
    meter = (await load()).metrics.getMeter("driverspace", version);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return {
      problem: `OTEL_DENO is set, and OpenTelemetry cannot be had: ${reason}`,
      [Symbol.dispose]: () => {},
    };
  }
  const observables = makeObservables(meter, registry.families);
  const all = [...observables.values()];
  const collect = (result: BatchObservableResult): void =>
    observe(result, registry, observables);
  meter.addBatchObservableCallback(collect, all);
  return {
    [Symbol.dispose]: () => meter.removeBatchObservableCallback(collect, all),
  };
}

// Here and not above: whoever does not export it does not load it.
const loadApi: LoadOpenTelemetry = async () =>
  await import("./opentelemetry_api.ts");

/** A histogram is what it is in `/metrics`: counts by bound, a sum and a count, none of them ever recorded twice. */
function makeObservables(
  meter: Meter,
  families: Iterable<Family>,
): Map<string, Observable> {
  const observables = new Map<string, Observable>();
  const counter = (name: string, description: string): void => {
    const options = { description, ...unitOf(name) };
    observables.set(name, meter.createObservableCounter(name, options));
  };
  const gauge = (name: string, description: string): void => {
    const options = { description, ...unitOf(name) };
    observables.set(name, meter.createObservableGauge(name, options));
  };
  for (const { name, type, help } of families) {
    if (type === "gauge") gauge(name, help);
    else if (type === "counter") counter(name, help);
    else {
      for (const part of ["bucket", "sum", "count"]) {
        counter(`${name}_${part}`, help);
      }
    }
  }
  gauge("hw.status", "1 for the state the device is in.");
  counter("hw.errors", "Transfers of the device that failed.");
  return observables;
}

function observe(
  result: BatchObservableResult,
  registry: MetricRegistry,
  observables: ReadonlyMap<string, Observable>,
): void {
  const put = (
    name: string,
    value: number,
    labels: Readonly<Record<string, string>>,
  ): void => {
    const observable = observables.get(name);
    if (observable !== undefined) result.observe(observable, value, labels);
  };
  for (const { name } of registry.families) {
    for (const sample of registry.samples(name)) {
      put(sample.name, sample.value, sample.labels);
    }
  }
  for (const { name, value, labels } of hardwareSamples(registry)) {
    put(name, value, labels);
  }
}

/** UCUM, as OpenTelemetry has it. */
function unitOf(name: string): { readonly unit?: string } {
  if (/_seconds(_sum)?$/.test(name)) return { unit: "s" };
  return /_bytes_total$/.test(name) ? { unit: "By" } : {};
}
