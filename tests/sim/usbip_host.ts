/** A host's side of USB/IP, and a small device: what its tests share. */

import {
  HEADER_BYTES,
  PACKET_BYTES,
  URB_FLAG,
} from "../../driver/sim/usbip_codec.ts";
import {
  type VirtualDescriptors,
  VirtualDevice,
} from "../../driver/sim/virtual_device.ts";
import { endpointAddress } from "../../driver/usb.ts";

/** Echoes to {@linkcode BULK_IN}. */
export const BULK_OUT = endpointAddress(0x01);
export const BULK_IN = endpointAddress(0x81);
export const ISO_IN = 0x83;

/** One interface: bulk 0x01 and 0x81 echo, isochronous IN 0x83 counts frames. */
export class Echo extends VirtualDevice {
  readonly descriptors: VirtualDescriptors = {
    speed: "high",
    // deno-fmt-ignore
    device: Uint8Array.of(18, 1, 0, 2, 0xff, 0, 0, 64, 0x09, 0x12, 1, 0, 0, 1, 0, 0, 0, 1),
    // deno-fmt-ignore
    configurations: [Uint8Array.of(
      9, 2, 39, 0, 1, 1, 0, 0x80, 50,
      9, 4, 0, 0, 3, 0xff, 0, 0, 0,
      7, 5, 0x01, 2, 0, 2, 0,
      7, 5, 0x81, 2, 0, 2, 0,
      7, 5, 0x83, 1, 4, 0, 1,
    )],
    strings: [],
  };
  isUnplugged = false;

  override out(_endpoint: number, data: Uint8Array): void {
    this.host.send(BULK_IN, data);
  }

  override isochronousIn(lengthBytes: number): Uint8Array {
    return new Uint8Array([1, 2, 3]).subarray(0, lengthBytes);
  }

  override unplugged(): void {
    super.unplugged();
    this.isUnplugged = true;
  }
}

export interface Submit {
  readonly sequence: number;
  readonly endpoint: number;
  readonly lengthBytes?: number;
  readonly data?: Uint8Array;
  readonly setup?: readonly number[];
  readonly packets?: readonly (readonly [offset: number, length: number])[];
}

/** CMD_SUBMIT as Linux's vhci_hcd writes it. */
export function submit(options: Submit): Uint8Array<ArrayBuffer> {
  const { packets = [], data = new Uint8Array() } = options;
  const bytes = new Uint8Array(
    HEADER_BYTES + data.length + packets.length * PACKET_BYTES,
  );
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 1);
  view.setUint32(4, options.sequence);
  view.setUint32(8, 0x10002);
  view.setUint32(12, options.endpoint >> 7);
  view.setUint32(16, options.endpoint & 0x0f);
  view.setUint32(20, packets.length > 0 ? URB_FLAG.ISO_ASAP : 0);
  view.setUint32(24, options.lengthBytes ?? data.length);
  view.setUint32(32, packets.length);
  bytes.set(options.setup ?? [], 40);
  bytes.set(data, HEADER_BYTES);
  packets.forEach(([offset, length], index) => {
    const at = HEADER_BYTES + data.length + index * PACKET_BYTES;
    view.setUint32(at, offset);
    view.setUint32(at + 4, length);
  });
  return bytes;
}

/** CMD_UNLINK. */
export function unlink(
  sequence: number,
  target: number,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 2);
  view.setUint32(4, sequence);
  view.setUint32(20, target);
  return bytes;
}

/** What a host reads in an answer. */
export interface Answer {
  readonly code: number;
  readonly sequence: number;
  readonly status: number;
  readonly actualLengthBytes: number;
  readonly rest: readonly number[];
}

export function readAnswer(bytes: Uint8Array): Answer {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    code: view.getUint32(0),
    sequence: view.getUint32(4),
    status: view.getInt32(20),
    actualLengthBytes: view.getUint32(24),
    rest: [...bytes.subarray(HEADER_BYTES)],
  };
}
