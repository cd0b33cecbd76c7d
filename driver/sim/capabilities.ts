/**
 * The binary object store, read by control transfers. USB 3.2, 9.6.2.
 *
 * @module
 */

import {
  BOS_DESCRIPTOR_BYTES,
  DescriptorType,
  parseCapabilities,
} from "../descriptors.ts";
import type { TransferOutcome, TransferRequest } from "../port.ts";
import type { DeviceCapability } from "../usb.ts";
import { STANDARD_REQUEST } from "./standard_requests.ts";

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
        value: DescriptorType.bos << 8,
        index: 0,
      },
      lengthBytes,
      timeoutMs: TIMEOUT_MS,
    });
    return outcome.status === "completed" ? outcome.data : new Uint8Array();
  };
  const head = await read(BOS_DESCRIPTOR_BYTES);
  const [, type, low = 0, high = 0] = head;
  const isStore = head.length === BOS_DESCRIPTOR_BYTES &&
    type === DescriptorType.bos;
  if (!isStore) return [];
  const store = await read(Math.min(MAX_STORE_BYTES, low | high << 8));
  return store.length < BOS_DESCRIPTOR_BYTES ? [] : parseCapabilities(store);
}
