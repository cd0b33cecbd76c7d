/** Drivers as a supervisor shows them, for tests. */

import type {
  DriverFacts,
  DriverNews,
  UsbFacts,
} from "../../../driver/host/mqtt/driver_facts.ts";

/** A meter on its port. */
export const METER: UsbFacts = {
  vendorId: "0957",
  productId: "1755",
  port: "1-4.2",
  serial: "MY47000001",
  manufacturer: "Agilent",
  product: "U2751A",
  version: "1.00",
};

/** A ready driver of it. */
export function driverFacts(parts: Partial<DriverFacts> = {}): DriverFacts {
  return {
    name: "dmm",
    driver: "usbtmc",
    state: "ready",
    since: "2026-01-01T00:00:00.000Z",
    cause: null,
    device: METER,
    values: [],
    specs: {
      reading: {
        value: { description: "Reading", type: "number", unitFrom: "unit" },
      },
    },
    commands: [
      { name: "query", hasParameters: true },
      { name: "read-status-byte", hasParameters: false },
    ],
    ...parts,
  };
}

/** An event of a driver. */
export function eventNews(
  parts: Partial<DriverNews & { readonly kind: "event" }> = {},
): DriverNews & { readonly kind: "event" } {
  return {
    kind: "event",
    driver: "dmm",
    event: "reading",
    sequence: 1,
    at: "2026-01-01T00:00:01.000Z",
    data: { value: 5, unit: "V" },
    ...parts,
  };
}
