/**
 * What a program may touch. `open`: everything the system lets it. `web`: what a
 * page in a browser may, without the classes that carry input, storage and the
 * like, and without security keys.
 *
 * @module
 */

import type { DeviceInfo } from "../port.ts";
import { BLOCKLIST, type BlocklistEntry } from "./blocklist.ts";

/** How much of a device a program may use. */
export type WebUsbPolicy = "open" | "web";

/** Interface classes a page may not claim. WebUSB, "Protected interface classes". */
export const PROTECTED_CLASSES: ReadonlyMap<number, string> = new Map([
  [0x01, "audio"],
  [0x03, "HID"],
  [0x08, "mass storage"],
  [0x0b, "smart card"],
  [0x0e, "video"],
  [0x10, "audio/video"],
  [0xe0, "wireless controller"],
]);

/** Whether the `web` policy hides the device: up to and including the listed version. */
export function isBlocklisted(
  device: Pick<DeviceInfo, "descriptor">,
  list: readonly BlocklistEntry[] = BLOCKLIST,
): boolean {
  const { vendorId, productId, deviceVersion } = device.descriptor;
  return list.some(([vendor, product, versionMax]) =>
    vendor === vendorId && product === productId &&
    deviceVersion <= versionMax
  );
}
