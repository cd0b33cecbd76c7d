/**
 * Names of configurations and interfaces, read once when a device is opened. A
 * device that fails to give one has none; nothing else depends on them.
 *
 * @module
 */

import { parseStringDescriptor } from "../descriptors.ts";
import type { DevicePort, TransferOutcome } from "../port.ts";
import type { SetupPacket } from "../usb.ts";

const GET_DESCRIPTOR = 6;
const STRING_DESCRIPTOR = 3;
/** `bLength` is a byte. USB 2.0, table 9-16. */
const MAX_STRING_DESCRIPTOR_BYTES = 255;
/** Names are a nicety: a device that does not answer must not hold up `open`. */
const STRING_TIMEOUT_MS = 500;
/** More names than any device's descriptors refer to; bounds a hostile one. */
const MAX_STRINGS = 32;

/** Strings by index, for those the configurations refer to. */
export async function readStrings(
  device: DevicePort,
): Promise<ReadonlyMap<number, string>> {
  const strings = new Map<number, string>();
  const indexes = wantedIndexes(device).slice(0, MAX_STRINGS);
  if (indexes.length === 0) return strings;
  const languages = await read(device, { index: 0, language: 0 });
  if (languages.status !== "completed" || languages.data.length < 4) {
    return strings;
  }
  const { buffer, byteOffset } = languages.data;
  const language = new DataView(buffer, byteOffset).getUint16(2, true);
  for (const index of indexes) {
    const { status, data: bytes } = await read(device, { index, language });
    // A device that hangs once is not asked again.
    if (status !== "completed" && status !== "stall") return strings;
    if (status === "stall") continue;
    try {
      strings.set(index, parseStringDescriptor(bytes));
    } catch {
      // A malformed name is no name.
    }
  }
  return strings;
}

function wantedIndexes({ info }: DevicePort): number[] {
  const indexes = info.configurations.flatMap((c) => [
    c.configurationIndex,
    ...c.interfaces.flatMap((i) => i.alternates.map((a) => a.interfaceIndex)),
  ]);
  return [...new Set(indexes)].filter((index) => index !== 0);
}

async function read(
  device: DevicePort,
  { index, language }: { readonly index: number; readonly language: number },
): Promise<TransferOutcome> {
  const setup: SetupPacket = {
    requestType: "standard",
    recipient: "device",
    request: GET_DESCRIPTOR,
    value: STRING_DESCRIPTOR << 8 | index,
    index: language,
  };
  return await device.transfer({
    type: "controlIn",
    setup,
    lengthBytes: MAX_STRING_DESCRIPTOR_BYTES,
    timeoutMs: STRING_TIMEOUT_MS,
  });
}
