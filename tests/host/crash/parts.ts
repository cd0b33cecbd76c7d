/** Parts of a crash bundle, of a driver that nobody has. */

import type { BundleParts } from "../../../driver/host/crash/bundle_text.ts";
import { FlightRecorder } from "../../../driver/host/crash/flight_recorder.ts";
import type { DriverProcessEnd } from "../../../driver/host/driver_process.ts";
import { manifestOf } from "../../../driver/host/manifest.ts";
import type { RecentLine } from "../../../driver/host/supervisor/recent_log.ts";
import type { JournalEvent } from "../../../driver/loop/journal.ts";
import { encodeEvent } from "../../../driver/loop/recording.ts";
import type { Json } from "../../../driver/driver.ts";
import { fakeDevice, METER_DRIVER } from "../../cli/fake_parts.ts";
import { beat, READY } from "../fake_process.ts";

/** A driver that crashed in native code. */
export const CRASHED: DriverProcessEnd = {
  exitClass: "native-crash",
  code: 139,
  signal: "SIGSEGV",
  message: "native code crashed",
  failure: undefined,
  safeState: undefined,
  stderrTail: "last words\n",
  isRefused: false,
  wasReady: true,
  readyMs: 1234.5,
};

/** A report of the journal. */
export function reportEvent(
  sequence: number,
  more: Partial<JournalEvent> = {},
): JournalEvent {
  return {
    sequence,
    timeMs: sequence,
    epoch: 0,
    kind: "report",
    name: "0x81",
    sizeBytes: 8,
    ...more,
  };
}

/** A line of the log. */
export function logLine(sequence: number, message: string): RecentLine {
  return {
    sequence,
    atMs: sequence,
    driver: "dmm",
    level: "info",
    event: "dmm.said",
    message,
    fields: {},
    from: "driver",
  };
}

/** A flight of these events. */
export function flightOf(
  events: readonly JournalEvent[],
  content: "outline" | "full" = "outline",
): BundleParts["flight"] {
  const recorder = new FlightRecorder();
  recorder.take({
    type: "hello",
    wire: 1,
    driver: "usbtmc",
    instance: "dmm",
    pid: 4711,
    versions: { libusb: "1.0.26" },
    journal: { content, seed: 7, nowMs: 0, wallMs: 1_000 },
  });
  recorder.take(READY);
  recorder.take({ type: "state", state: "ready" });
  recorder.take(beat(3));
  for (const event of events) {
    recorder.take({ type: "journal", lines: encodeEvent(event) });
  }
  return recorder.landed();
}

/** All parts. */
export function partsOf(more: Partial<BundleParts> = {}): BundleParts {
  return {
    instance: "dmm",
    driver: "usbtmc",
    manifestHash: "00",
    manifest: manifestOf(METER_DRIVER) as unknown as Json,
    options: { poll: "READ?" },
    end: CRASHED,
    flight: flightOf([reportEvent(0), reportEvent(1)]),
    device: fakeDevice(),
    states: [{ from: "starting", to: "ready", cause: undefined, atMs: 5 }],
    log: { lines: [logLine(1, "hello")], dropped: 3 },
    versions: { driverspace: "0.1.0" },
    system: { kernel: "6.18" },
    atMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    ...more,
  };
}
