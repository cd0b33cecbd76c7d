/**
 * Which device on the bus is meant, over unplug and replug: by vendor, product
 * and serial number, else by port path; never by the device number, which
 * changes. Where two fit, both are reported and neither is guessed.
 *
 * @module
 */

import { deviceLabel, type DeviceMatch, matches } from "../../match.ts";
import type { DeviceInfo } from "../../port.ts";

/** What a look at the bus gave. */
export type Identification =
  | { readonly kind: "absent" }
  | { readonly kind: "one"; readonly device: DeviceInfo }
  | { readonly kind: "several"; readonly devices: readonly DeviceInfo[] };

/** Which device is wanted. */
export interface Wanted {
  /** As configured. */
  readonly match: DeviceMatch;
  /** As the driver declares: any of these. */
  readonly driverMatch: readonly DeviceMatch[];
}

/** Finds the device. */
export function identify(
  wanted: Wanted,
  devices: readonly DeviceInfo[],
): Identification {
  const found = devices.filter((device) =>
    matches(device, wanted.match) &&
    wanted.driverMatch.some((match) => matches(device, match))
  );
  const [device, second] = found;
  if (device === undefined) return { kind: "absent" };
  if (second !== undefined) return { kind: "several", devices: found };
  return { kind: "one", device };
}

/** The sentence for people when two fit. */
export function describeSeveral(devices: readonly DeviceInfo[]): string {
  const labels = devices.map(deviceLabel).join(", ");
  const serials = new Set(devices.map(({ serialNumber }) => serialNumber));
  const [serial] = serials;
  const isTwin = serials.size === 1 && serial !== undefined;
  const why = isTwin
    ? "they bear the same serial number; name the port"
    : "name the serial number or the port";
  return `${devices.length} devices fit (${labels}): ${why}`;
}
