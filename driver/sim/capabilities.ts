/**
 * The binary object store, read by control transfers. USB 3.2, 9.6.2.
 *
 * @module
 */

import type { TransferOutcome, TransferRequest } from "../port.ts";
import type { DeviceCapability } from "../usb.ts";
import { DESCRIPTOR_TYPE, split } from "./descriptor_tree.ts";
import { STANDARD_REQUEST } from "./standard_requests.ts";

/** Bytes of the store's head: how long it is stands in it. */
const HEAD_BYTES = 5;
/** `bDescriptorType` of a device capability. USB 3.2, table 9-6. */
const DEVICE_CAPABILITY = 16;
/** Capability and request time limit; a descriptor is there at once or not at all. */
const TIMEOUT_MS = 1_000;
/** The most a control transfer takes; longer stores are cut. */
const MAX_STORE_BYTES = 4096;

/** Reads the store; empty where the device stalls or sends nonsense. */
export async function readBinaryObjectStore(
  transfer: (request: TransferRequest) => Promise<TransferOutcome>,
): Promise<readonly DeviceCapability[]> {
  const read = async (lengthBytes: number): Promise<Uint8Array> => {
    const outcome = await transfer({
      type: "controlIn",
      setup: {
        requestType: "standard",
        recipient: "device",
        request: STANDARD_REQUEST.getDescriptor,
        value: DESCRIPTOR_TYPE.binaryObjectStore << 8,
        index: 0,
      },
      lengthBytes,
      timeoutMs: TIMEOUT_MS,
    });
    return outcome.status === "completed" ? outcome.data : new Uint8Array();
  };
  const [, type, low = 0, high = 0] = await read(HEAD_BYTES);
  if (type !== DESCRIPTOR_TYPE.binaryObjectStore) return [];
  const store = await read(Math.min(MAX_STORE_BYTES, low | high << 8));
  return [...split(store.subarray(HEAD_BYTES))]
    .filter((bytes) => bytes.length >= 3 && bytes[1] === DEVICE_CAPABILITY)
    .map((bytes) => ({ capabilityType: bytes[2] ?? 0, bytes: bytes.slice() }));
}
