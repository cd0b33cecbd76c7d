/**
 * The typed face of npm's `@opentelemetry/api`: as much of it as is used here,
 * in one place. Imported when the runtime exports telemetry, and not before.
 *
 * @module
 */

// @ts-types="./opentelemetry_api.d.ts"
export { metrics } from "@opentelemetry/api";
export type {
  Attributes,
  BatchObservableResult,
  Meter,
  MetricOptions,
  Observable,
} from "./opentelemetry_api.d.ts";
