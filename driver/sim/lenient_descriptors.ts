/**
 * What a virtual device says of itself may be malformed on purpose; the bus
 * reads of it what there is, as the kernel does.
 *
 * @module
 */

import {
  DescriptorType,
  DEVICE_DESCRIPTOR_BYTES,
  parseDeviceDescriptor,
} from "../descriptors.ts";
import type { DeviceDescriptor } from "../usb.ts";

/** Reads a device descriptor that may be cut or of another type: missing bytes read as zero. */
export function lenientDeviceDescriptor(bytes: Uint8Array): DeviceDescriptor {
  const whole = new Uint8Array(DEVICE_DESCRIPTOR_BYTES);
  whole.set(bytes.subarray(0, whole.length));
  whole[1] = DescriptorType.device;
  return parseDeviceDescriptor(whole);
}
