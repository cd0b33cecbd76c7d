/**
 * What a driver moved, as plain JSON: sums since its process began, for whoever
 * draws rates and latencies out of two answers.
 *
 * @module
 */

import {
  DURATION_BOUNDS_MS,
  type HistogramCounts,
} from "../../loop/histogram.ts";
import { hex } from "../../usb.ts";
import type { WireTelemetry } from "../wire_telemetry.ts";
import type { JsonObject } from "./views.ts";

/** Endpoints, latencies and retries; empty before the first heartbeat. */
export function telemetryView(
  telemetry: WireTelemetry | undefined,
): JsonObject {
  const { endpoints = [], latency, retries = {} } = telemetry ?? {};
  return {
    endpoints: endpoints.map((endpoint) => ({
      endpoint: hex(endpoint.endpoint),
      type: endpoint.type,
      ended: endpoint.ended,
      bytes_in: endpoint.bytesIn,
      bytes_out: endpoint.bytesOut,
      in_flight: endpoint.inFlight,
      paused: endpoint.isPaused,
    })),
    handler_latency: histogramView(latency),
    retries,
  };
}

function histogramView(histogram: HistogramCounts | undefined): JsonObject {
  return {
    bounds_ms: DURATION_BOUNDS_MS,
    counts: histogram?.counts ?? [...DURATION_BOUNDS_MS, 0].map(() => 0),
    sum_ms: histogram?.sumMs ?? 0,
  };
}
