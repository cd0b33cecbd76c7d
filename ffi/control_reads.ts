/**
 * What is read from the device itself by control transfers: strings and the
 * binary object store. libusb's own functions for them run its event loop on
 * their thread, which would take completions from the pump.
 *
 * @module
 */

import {
  BOS_DESCRIPTOR_BYTES,
  DescriptorType,
  parseCapabilities,
  parseLanguageIds,
  parseStringDescriptor,
} from "../driver/descriptors.ts";
import { UsbError } from "../driver/errors.ts";
import { MAX_CONTROL_BYTES } from "../driver/limits.ts";
import type { DeviceInfo, DevicePort } from "../driver/port.ts";
import type { DeviceCapability } from "../driver/usb.ts";

/** GET_DESCRIPTOR. USB 2.0, 9.4.3. */
const GET_DESCRIPTOR = 6;
/** Longest string descriptor: `bLength` is a byte. */
const STRING_BYTES_MAX = 255;
/** Devices answer in milliseconds; one that does not is used without its strings. */
const DESCRIPTOR_TIMEOUT_MS = 1_000;
/** BOS exists from USB 2.01 on. USB 3.2, 9.6.2. */
const BOS_VERSION_MIN = 0x0201;
/** English (United States): what nearly every device has. */
const ENGLISH = 0x0409;

/**
 * Capabilities of a device; empty where it has none.
 *
 * @throws {UsbError} `protocol` when what it sends is none, `noDevice`.
 */
export async function readCapabilities(
  device: DevicePort,
): Promise<readonly DeviceCapability[]> {
  if (device.info.descriptor.usbVersion < BOS_VERSION_MIN) return [];
  const type = DescriptorType.bos;
  const head = await readDescriptor(device, {
    type,
    lengthBytes: BOS_DESCRIPTOR_BYTES,
  });
  if (head === undefined) return [];
  const total = (head[2] ?? 0) | (head[3] ?? 0) << 8;
  const whole = await readDescriptor(device, {
    type,
    lengthBytes: Math.min(Math.max(total, head.length), MAX_CONTROL_BYTES),
  });
  return parseCapabilities(whole ?? head);
}

/** The strings an open device tells; those that cannot be read are absent. */
export async function readStrings(
  device: DevicePort,
): Promise<Partial<Pick<DeviceInfo, StringName>>> {
  const { descriptor } = device.info;
  const wanted: [StringName, number][] = [
    ["manufacturer", descriptor.manufacturerIndex],
    ["product", descriptor.productIndex],
    ["serialNumber", descriptor.serialNumberIndex],
  ];
  if (wanted.every(([, index]) => index === 0)) return {};
  const language = await readLanguage(device);
  const found: { -readonly [Name in StringName]?: string } = {};
  if (language === undefined) return found;
  for (const [name, index] of wanted) {
    if (index === 0) continue;
    const bytes = await readString(device, { index, language });
    const text = bytes && parsed(() => parseStringDescriptor(bytes));
    if (text !== undefined) found[name] = text;
  }
  return found;
}

type StringName = "manufacturer" | "product" | "serialNumber";

async function readLanguage(device: DevicePort): Promise<number | undefined> {
  const bytes = await readString(device, { index: 0, language: 0 });
  const languages = bytes && parsed(() => parseLanguageIds(bytes));
  if (languages === undefined) return undefined;
  return languages.includes(ENGLISH) ? ENGLISH : languages[0];
}

function readString(
  device: DevicePort,
  which: { readonly index: number; readonly language: number },
): Promise<Uint8Array | undefined> {
  return readDescriptor(device, {
    type: DescriptorType.string,
    index: which.index,
    language: which.language,
    lengthBytes: STRING_BYTES_MAX,
  });
}

interface WantedDescriptor {
  readonly type: number;
  readonly index?: number;
  readonly language?: number;
  readonly lengthBytes: number;
}

/** `undefined` when the device has none, or does not answer in time. */
async function readDescriptor(
  device: DevicePort,
  wanted: WantedDescriptor,
): Promise<Uint8Array | undefined> {
  const outcome = await device.transfer({
    type: "controlIn",
    setup: {
      requestType: "standard",
      recipient: "device",
      request: GET_DESCRIPTOR,
      value: wanted.type << 8 | (wanted.index ?? 0),
      index: wanted.language ?? 0,
    },
    lengthBytes: wanted.lengthBytes,
    timeoutMs: DESCRIPTOR_TIMEOUT_MS,
  });
  if (outcome.status === "noDevice") {
    throw new UsbError({
      code: "noDevice",
      device: device.label,
      operation: "read a descriptor",
      reason: "the device is gone",
    });
  }
  return outcome.status === "completed" ? outcome.data : undefined;
}

function parsed<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof UsbError) return undefined;
    throw error;
  }
}
