/**
 * Starts instruments that wake up in a boot mode and speak USBTMC only after a
 * vendor's sequence, under another product id.
 *
 * @module
 */

import type { Device } from "../../device.ts";
import { BOOT_MODES, type BootEntry } from "./quirks.ts";

/** The boot mode a device is in, if it is one that is known. */
export function findBootMode(
  device: { readonly vendorId: number; readonly productId: number },
): BootEntry | undefined {
  return BOOT_MODES.find((entry) =>
    entry.vendorId === device.vendorId && entry.productId === device.productId
  );
}

/**
 * Sends the boot sequence. Afterwards the device leaves the bus and comes back
 * with `becomes` as its product id, within `withinMs`: close it and find it anew.
 *
 * @throws {UsbError} As the transfers; `noDevice` from the last step means that it left already.
 */
export async function boot(device: Device, entry: BootEntry): Promise<void> {
  for (const step of entry.steps) {
    const setup = {
      requestType: "vendor",
      recipient: "device",
      request: entry.request,
      value: 0,
      index: step.index,
    } as const;
    if (step.data === undefined) {
      await device.controlIn(setup, step.lengthBytes ?? 0);
    } else {
      await device.controlOut(setup, Uint8Array.from(step.data));
    }
  }
}
