/**
 * The root hub of a virtual bus. libusb looks up every device's parent by name,
 * so there has to be one; nothing ever drives it.
 *
 * @module
 */

import { type VirtualDescriptors, VirtualDevice } from "./virtual_device.ts";

/** A high speed root hub: Linux Foundation 1d6b:0002. */
export class RootHub extends VirtualDevice {
  override readonly descriptors: VirtualDescriptors = {
    speed: "high",
    // deno-fmt-ignore
    device: Uint8Array.of(
      18, 1, 0x00, 0x02, 9, 0, 1, 64,
      0x6b, 0x1d, 0x02, 0x00, 0x06, 0x06, 3, 2, 1, 1,
    ),
    // deno-fmt-ignore
    configurations: [Uint8Array.of(
      9, 2, 25, 0, 1, 1, 0, 0xe0, 0,
      9, 4, 0, 0, 1, 9, 0, 0, 0,
      7, 5, 0x81, 3, 4, 0, 12,
    )],
    strings: ["virtual:00.0", "Virtual Host Controller", "Driver Space"],
    kernelDrivers: { 0: "hub" },
  };
}
