/** A driver's counters as hostile input. */

import {
  decodeDriverFrame,
  type DriverFrame,
  encodeFrame,
  WireError,
} from "../../driver/host/wire.ts";
import {
  TOLD_ENDPOINTS_MAX,
  wireTelemetry,
} from "../../driver/host/wire_telemetry.ts";
import { Telemetry, TRANSFER_TYPES } from "../../driver/loop/telemetry.ts";
import type { TransferStatus } from "../../driver/port.ts";
import { type EndpointAddress, endpointAddress } from "../../driver/usb.ts";
import {
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertThrows,
} from "../../driver/std.ts";
import { beat, TELEMETRY } from "./fake_process.ts";

const OTHER = {
  refused: { commands: 0, events: 0 },
  logged: { lines: {}, dropped: 0 },
};

/** Decodes a heartbeat with these counters. */
function decode(telemetry: unknown): DriverFrame {
  const frame = JSON.stringify({ ...beat(1), telemetry });
  return decodeDriverFrame(new TextEncoder().encode(frame));
}

Deno.test("A driver's counters come out as they went in, without what is 0", () => {
  const telemetry = new Telemetry();
  telemetry.endpoint(0, "control").began();
  const told = wireTelemetry(telemetry.sums([]), OTHER);
  assertEquals(told.endpoints[0]?.ended, {});
  assertEquals(decode(told), { ...beat(1), telemetry: told } as DriverFrame);
});

Deno.test("Counters of a driver that used every endpoint in every way fit into 32 KiB", () => {
  const huge = Number.MAX_SAFE_INTEGER;
  const ended = {} as Record<TransferStatus, number>;
  for (const { ended: some } of TELEMETRY.endpoints) Object.assign(ended, some);
  for (
    const status of [
      "completed",
      "timedOut",
      "cancelled",
      "stall",
      "overflow",
      "noDevice",
      "error",
      "noMemory",
    ] as const
  ) ended[status] = huge;
  const endpoints = Array.from({ length: 200 }, (_, at) => ({
    endpoint: endpointAddress(0x80 | (at % 15 + 1)),
    type: "isochronous" as const,
    ended,
    bytesIn: huge,
    bytesOut: huge,
    inFlight: huge,
    isPaused: true,
  }));
  const counts = new Array(15).fill(huge);
  const histogram = { counts, sumMs: 1e300 };
  const told = wireTelemetry({
    endpoints,
    drops: endpoints.map(({ endpoint }: { endpoint: EndpointAddress }) => ({
      endpoint,
      dropped: { keepLatest: huge, dropOldest: huge, stale: huge },
    })),
    durations: Object.fromEntries(
      TRANSFER_TYPES.map((type) => [type, histogram]),
    ),
    latency: histogram,
    retries: {},
  }, OTHER);
  assertEquals(told.endpoints.length, TOLD_ENDPOINTS_MAX);
  const frame = { ...beat(1), telemetry: told } as DriverFrame;
  assertLess(encodeFrame(frame).length, 32 * 1024);
  assertEquals(decode(told), frame);
});

Deno.test("Counters that are none are refused, and unknown names are dropped", () => {
  const { latency } = TELEMETRY;
  const [endpoint] = TELEMETRY.endpoints;
  const wrong: readonly object[] = [
    { endpoints: "none" },
    { endpoints: new Array(TOLD_ENDPOINTS_MAX + 1).fill(endpoint) },
    { endpoints: [{ ...endpoint, endpoint: 256 }] },
    { endpoints: [{ ...endpoint, endpoint: -1 }] },
    { endpoints: [{ ...endpoint, type: "telepathic" }] },
    { endpoints: [{ ...endpoint, ended: { completed: -1 } }] },
    { endpoints: [{ ...endpoint, ended: { completed: 1.5 } }] },
    { endpoints: [{ ...endpoint, ended: { completed: 1e300 } }] },
    { endpoints: [{ ...endpoint, isPaused: 1 }] },
    { drops: [{ endpoint: 0x81 }] },
    { latency: { ...latency, counts: latency.counts.slice(1) } },
    { latency: { ...latency, counts: [...latency.counts, 1] } },
    { latency: { ...latency, sumMs: -0.1 } },
    { latency: { ...latency, sumMs: null } },
    { durations: { bulk: {} } },
    { retries: [] },
    { refused: { commands: 1 } },
    { logged: { lines: { info: "many" }, dropped: 0 } },
  ];
  for (const part of wrong) {
    const error = assertThrows(() => decode({ ...TELEMETRY, ...part }));
    assertInstanceOf(error, WireError, JSON.stringify(part));
  }
  const more = {
    ...TELEMETRY,
    retries: { ...TELEMETRY.retries, boredom: 1 },
    mood: "good",
  };
  assertEquals(
    decode(more),
    { ...beat(1), telemetry: TELEMETRY } as DriverFrame,
  );
});
