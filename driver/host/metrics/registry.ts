/**
 * Counters, gauges and histograms in memory, and the Prometheus text format
 * 0.0.4 they are read in. Reading touches nothing but memory.
 *
 * @module
 */

import { assert } from "../../assert.ts";

/** Label names to values, in the order of the family's labels. */
export type Labels = Readonly<Record<string, string>>;

/** What a family of series is. Names and labels are an interface: a change is a breaking change. */
export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** One sentence. */
  readonly help: string;
  readonly labels: readonly string[];
  /** Histogram: upper bounds, ascending, without infinity. */
  readonly buckets?: readonly number[];
}

/** One value under its full name: `_bucket`, `_sum` and `_count` of a histogram are three. */
export interface Sample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

/** Series of one family: 64 drivers with 33 endpoints that end in 8 ways. What a driver may add is bounded before. */
export const SERIES_MAX = 20_000;

interface Series {
  readonly labels: Labels;
  value: number;
  /** Histogram: counts by bucket, infinity last; `value` is the sum. */
  readonly counts: number[];
}

/** A set of families. */
export class MetricRegistry {
  readonly #families = new Map<string, Family>();
  readonly #series = new Map<string, Map<string, Series>>();

  /** With these families, in the order in which they are shown. */
  constructor(families: readonly Family[]) {
    for (const family of families) {
      assert(isName(family.name), `${family.name} is no name of a metric`);
      assert(!this.#families.has(family.name), "A metric has one family");
      this.#families.set(family.name, family);
      this.#series.set(family.name, new Map());
    }
  }

  /** Makes a series appear, as 0 if it is new. */
  touch(name: string, labels: Labels = {}): void {
    this.#find(name, labels);
  }

  /** Counts up. */
  add(name: string, labels: Labels = {}, amount = 1): void {
    assert(amount >= 0, "A counter never goes down");
    const series = this.#find(name, labels);
    if (series !== undefined) series.value += amount;
  }

  /** Sets a gauge; or a counter that is counted elsewhere, which never goes down. */
  set(name: string, labels: Labels, value: number): void {
    const series = this.#find(name, labels);
    if (series === undefined) return;
    const isCounter = this.#families.get(name)?.type === "counter";
    series.value = isCounter ? Math.max(series.value, value) : value;
  }

  /** Puts a value into a histogram. */
  observe(name: string, labels: Labels, value: number): void {
    const series = this.#find(name, labels);
    if (series === undefined || !Number.isFinite(value)) return;
    const buckets = this.#families.get(name)?.buckets ?? [];
    const found = buckets.findIndex((bound) => value <= bound);
    const at = found === -1 ? buckets.length : found;
    series.counts[at] = (series.counts[at] ?? 0) + 1;
    series.value += value;
  }

  /** Adds to a histogram what was counted elsewhere: by bucket, and their sum. */
  addCounts(
    name: string,
    labels: Labels,
    added: { readonly counts: readonly number[]; readonly sum: number },
  ): void {
    assert(added.sum >= 0, "A sum of durations never goes down");
    const series = this.#find(name, labels);
    if (series === undefined) return;
    for (const at of series.counts.keys()) {
      series.counts[at] = (series.counts[at] ?? 0) + (added.counts[at] ?? 0);
    }
    series.value += added.sum;
  }

  /** A series' value; a histogram's sum. For tests and status. */
  value(name: string, labels: Labels = {}): number | undefined {
    return this.#series.get(name)?.get(keyOf(labels))?.value;
  }

  /** Forgets every series of a family that bears these labels. */
  forget(labels: Labels, name?: string): void {
    for (const [familyName, series] of this.#series) {
      if (name !== undefined && name !== familyName) continue;
      for (const [key, { labels: given }] of series) {
        const bears = Object.entries(labels).every(([label, value]) =>
          given[label] === value
        );
        if (bears) series.delete(key);
      }
    }
  }

  /** What there is, in the order in which it is shown. */
  get families(): Iterable<Family> {
    return this.#families.values();
  }

  /** Every value of a family. */
  *samples(name: string): Generator<Sample> {
    const family = this.#families.get(name);
    assert(family !== undefined, `No metric ${name}`);
    for (const series of this.#series.get(name)?.values() ?? []) {
      yield* samplesOf(family, series);
    }
  }

  /** Everything as text. Families without a series are left out. */
  exposition(): string {
    const lines: string[] = [];
    for (const family of this.#families.values()) {
      const series = [...this.#series.get(family.name)?.values() ?? []];
      if (series.length === 0) continue;
      lines.push(
        `# HELP ${family.name} ${escapeHelp(family.help)}`,
        `# TYPE ${family.name} ${family.type}`,
      );
      for (const one of series) {
        for (const { name, labels, value } of samplesOf(family, one)) {
          lines.push(`${name}${braces(labels)} ${value}`);
        }
      }
    }
    return lines.map((line) => `${line}\n`).join("");
  }

  #find(name: string, labels: Labels): Series | undefined {
    const family = this.#families.get(name);
    const all = this.#series.get(name);
    assert(family !== undefined && all !== undefined, `No metric ${name}`);
    const given = Object.keys(labels);
    assert(
      given.length === family.labels.length &&
        family.labels.every((label) => Object.hasOwn(labels, label)),
      `${name} has the labels ${family.labels.join(", ")}`,
    );
    const key = keyOf(labels);
    const known = all.get(key);
    if (known !== undefined || all.size >= SERIES_MAX) return known;
    const made: Series = {
      labels: Object.fromEntries(
        family.labels.map((label) => [label, labels[label] ?? ""]),
      ),
      value: 0,
      counts: new Array((family.buckets?.length ?? -1) + 1).fill(0),
    };
    all.set(key, made);
    return made;
  }
}

function* samplesOf(family: Family, series: Series): Generator<Sample> {
  const { name, type, buckets = [] } = family;
  const { labels, value, counts } = series;
  if (type !== "histogram") {
    yield { name, labels, value };
    return;
  }
  let total = 0;
  for (const [index, bound] of [...buckets, Infinity].entries()) {
    total += counts[index] ?? 0;
    const le = bound === Infinity ? "+Inf" : String(bound);
    yield { name: `${name}_bucket`, labels: { ...labels, le }, value: total };
  }
  yield { name: `${name}_sum`, labels, value };
  yield { name: `${name}_count`, labels, value: total };
}

function braces(labels: Labels): string {
  const pairs = Object.entries(labels).map(([label, value]) =>
    `${label}="${escapeLabel(value)}"`
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')
    .replaceAll("\n", "\\n");
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function keyOf(labels: Labels): string {
  return JSON.stringify(
    Object.entries(labels).sort(([a], [b]) => a < b ? -1 : 1),
  );
}

function isName(name: string): boolean {
  return /^[a-z_][a-z0-9_]*$/.test(name);
}
