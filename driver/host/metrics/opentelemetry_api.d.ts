// Types of the part of `@opentelemetry/api` that this project imports.

/** What a value is of. */
export type Attributes = Readonly<Record<string, string>>;

/** A metric whose value is asked for. */
export interface Observable {
  readonly kind?: never;
}

/** Takes values while metrics are collected. */
export interface BatchObservableResult {
  observe(metric: Observable, value: number, attributes?: Attributes): void;
}

/** Makes metrics. */
export interface Meter {
  createObservableCounter(name: string, options: MetricOptions): Observable;
  createObservableGauge(name: string, options: MetricOptions): Observable;
  addBatchObservableCallback(
    callback: (result: BatchObservableResult) => void,
    observables: Observable[],
  ): void;
  removeBatchObservableCallback(
    callback: (result: BatchObservableResult) => void,
    observables: Observable[],
  ): void;
}

/** Description and unit. */
export interface MetricOptions {
  readonly description: string;
  readonly unit?: string;
}

/** Where meters come from. */
export declare const metrics: {
  getMeter(name: string, version?: string): Meter;
};
