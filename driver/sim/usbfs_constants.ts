/**
 * Numbers and layouts of usbfs. include/uapi/linux/usbdevice_fs.h; the structs
 * are those of a 64-bit client.
 *
 * @module
 */

import type { Speed } from "../usb.ts";

/** ioctl requests: `_IOC(direction, 'U', number, size)`. */
export const USBDEVFS = {
  CONTROL: 0xc0185500,
  BULK: 0xc0185502,
  RESETEP: 0x80045503,
  SETINTERFACE: 0x80085504,
  SETCONFIGURATION: 0x80045505,
  GETDRIVER: 0x41045508,
  SUBMITURB: 0x8038550a,
  DISCARDURB: 0x550b,
  REAPURB: 0x4008550c,
  REAPURBNDELAY: 0x4008550d,
  CLAIMINTERFACE: 0x8004550f,
  RELEASEINTERFACE: 0x80045510,
  CONNECTINFO: 0x40085511,
  IOCTL: 0xc0105512,
  RESET: 0x5514,
  CLEAR_HALT: 0x80045515,
  DISCONNECT: 0x5516,
  CONNECT: 0x5517,
  GET_CAPABILITIES: 0x8004551a,
  DISCONNECT_CLAIM: 0x8108551b,
  DROP_PRIVILEGES: 0x4004551e,
  GET_SPEED: 0x551f,
} as const;

/** CONNINFO_EX has the client's size in its number: `_IOC(_IOC_READ, 'U', 32, size)`. */
export const CONNINFO_EX_NUMBER = 32;

/** The size of a request's argument, bits 29..16 of its number. */
export function sizeOfIoctl(request: number): number {
  return request >>> 16 & 0x3fff;
}

/** Capability bits of GET_CAPABILITIES. */
export const CAPABILITY = {
  ZERO_PACKET: 0x01,
  NO_PACKET_SIZE_LIM: 0x04,
  BULK_SCATTER_GATHER: 0x08,
  REAP_AFTER_DISCONNECT: 0x10,
  DROP_PRIVILEGES: 0x40,
  CONNINFO_EX: 0x80,
} as const;

/** `type` of struct usbdevfs_urb. */
export const URB_TYPE = { ISO: 0, INTERRUPT: 1, CONTROL: 2, BULK: 3 } as const;

/** `flags` of struct usbdevfs_urb. */
export const URB_FLAG = {
  SHORT_NOT_OK: 0x01,
  ISO_ASAP: 0x02,
  BULK_CONTINUATION: 0x04,
  ZERO_PACKET: 0x40,
  NO_INTERRUPT: 0x80,
} as const;

/** All flags the kernel takes. */
export const URB_FLAGS_KNOWN = 0x01 | 0x02 | 0x04 | 0x40 | 0x80;

/** `struct usbdevfs_urb` without its packets, and where its members lie. */
export const URB = {
  type: 0,
  endpoint: 1,
  status: 4,
  flags: 8,
  buffer: 16,
  bufferLength: 24,
  actualLength: 28,
  startFrame: 32,
  numberOfPackets: 36,
  errorCount: 40,
  packets: 56,
  sizeBytes: 56,
} as const;

/** `struct usbdevfs_iso_packet_desc`: length, actual_length, status. */
export const ISO_PACKET_BYTES = 12;

/** `flags` of struct usbdevfs_disconnect_claim. */
export const DISCONNECT_CLAIM_FLAG = {
  IF_DRIVER: 1,
  EXCEPT_DRIVER: 2,
} as const;

/** Longest transfer devio.c takes: `USBFS_XFER_MAX`. */
export const USBFS_TRANSFER_BYTES_MAX = 0x7fffffff - 1_000_000;

/** `enum usb_device_speed`, as GET_SPEED and CONNINFO_EX answer. */
export const SPEED_NUMBER: Readonly<Record<Speed, number>> = {
  unknown: 0,
  low: 1,
  full: 2,
  high: 3,
  super: 5,
  "super+": 6,
  "super+x2": 6,
};
