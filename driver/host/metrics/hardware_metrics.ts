/**
 * What OpenTelemetry's conventions for hardware say of a driver's device, made
 * of the metrics that are there: `hw.status` and `hw.errors`. There are no
 * attributes for USB in the conventions; ours begin with `driverspace.usb.`.
 *
 * @module
 */

import type { DriverState } from "../supervisor/driver_states.ts";
import type { Labels, MetricRegistry, Sample } from "./registry.ts";

/** A value under a name of the conventions. */
export interface HardwareSample {
  readonly name: "hw.status" | "hw.errors";
  readonly labels: Labels;
  readonly value: number;
}

/** Not in the list of the conventions, which leaves room for others. */
const TYPE = "usb_device";

/** What a state of a driver says of its device. One that is not wanted, or away, is in no state. */
const STATUSES: Readonly<Partial<Record<DriverState, string>>> = {
  "starting": "degraded",
  "ready": "ok",
  "stopping": "degraded",
  "backoff": "degraded",
  "quarantined": "failed",
  "failed": "failed",
  "unkillable": "failed",
};

/** Ends of transfers that are no error of the device. */
const FINE: readonly string[] = ["completed", "cancelled"];

/** Gives all of them. */
export function hardwareSamples(registry: MetricRegistry): HardwareSample[] {
  const devices = new Map(
    [...registry.samples("driverspace_driver_info")].map(({ labels }) => [
      labels["driver"] ?? "",
      deviceLabels(labels),
    ]),
  );
  const of = ({ labels }: Sample): Labels => {
    const id = labels["driver"] ?? "";
    return { "hw.id": id, "hw.type": TYPE, ...devices.get(id) };
  };
  return [...statuses(registry, of), ...errors(registry, of)];
}

function* statuses(
  registry: MetricRegistry,
  of: (sample: Sample) => Labels,
): Generator<HardwareSample> {
  const all = [...registry.samples("driverspace_driver_state")];
  for (const sample of all.filter(({ value }) => value === 1)) {
    const is = STATUSES[sample.labels["state"] as DriverState];
    for (const state of ["ok", "degraded", "failed"]) {
      const labels = { ...of(sample), "hw.state": state };
      yield { name: "hw.status", labels, value: state === is ? 1 : 0 };
    }
  }
}

/** All endpoints of a device together. */
function errors(
  registry: MetricRegistry,
  of: (sample: Sample) => Labels,
): Iterable<HardwareSample> {
  const sums = new Map<string, HardwareSample>();
  for (const sample of registry.samples("driverspace_transfers_total")) {
    const { driver = "", status = "" } = sample.labels;
    if (FINE.includes(status)) continue;
    const key = JSON.stringify([driver, status]);
    const value = (sums.get(key)?.value ?? 0) + sample.value;
    const labels = { ...of(sample), "error.type": status };
    sums.set(key, { name: "hw.errors", labels, value });
  }
  return sums.values();
}

function deviceLabels(labels: Labels): Labels {
  return {
    "driverspace.usb.vendor_id": labels["vendor_id"] ?? "",
    "driverspace.usb.product_id": labels["product_id"] ?? "",
    "driverspace.usb.port": labels["port"] ?? "",
  };
}
