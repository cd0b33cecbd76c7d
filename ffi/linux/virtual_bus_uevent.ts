/**
 * The messages by which udev tells programs that a device came or went, as
 * libudev's monitor expects them.
 *
 * @module
 */

/** What happened to a device. */
export type UeventAction = "add" | "remove" | "change";

/** What a message is made of. */
export interface Uevent {
  readonly action: UeventAction;
  /** udev properties, `SUBSYSTEM` and `DEVPATH` among them, without ACTION and SEQNUM. */
  readonly properties: Readonly<Record<string, string>>;
  /** Grows by one with each message. */
  readonly sequence: number;
}

/** Length of `struct udev_monitor_netlink_header`, in bytes. */
const HEADER_BYTES = 40;
/** UDEV_MONITOR_MAGIC, big endian in the message. */
const MAGIC = 0xfeedcafe;

/** Encodes a message: the header, then `KEY=VALUE` strings, each ended by a zero byte. */
export function encodeUevent(event: Uevent): Uint8Array<ArrayBuffer> {
  const { action, properties, sequence } = event;
  const all = { ACTION: action, ...properties, SEQNUM: String(sequence) };
  const body = new TextEncoder().encode(
    Object.entries(all).map(([key, value]) => `${key}=${value}\0`).join(""),
  );
  const message = new Uint8Array(new ArrayBuffer(HEADER_BYTES + body.length));
  message.set(new TextEncoder().encode("libudev\0"));
  message.set(body, HEADER_BYTES);
  const header = new DataView(message.buffer);
  header.setUint32(8, MAGIC);
  header.setUint32(12, HEADER_BYTES, true);
  header.setUint32(16, HEADER_BYTES, true);
  header.setUint32(20, body.length, true);
  // Both hashes are big endian, as socket filters in the kernel compare them.
  header.setUint32(24, murmurHash2(properties.SUBSYSTEM ?? ""));
  const { DEVTYPE: deviceType } = properties;
  if (deviceType !== undefined) header.setUint32(28, murmurHash2(deviceType));
  return message;
}

/** MurmurHash2 (Austin Appleby, public domain), 32 bit, seed 0. */
export function murmurHash2(text: string): number {
  const MULTIPLIER = 0x5bd1e995;
  const bytes = new TextEncoder().encode(text);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let hash = bytes.length;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    let word = Math.imul(view.getUint32(at, true), MULTIPLIER);
    word = Math.imul(word ^ word >>> 24, MULTIPLIER);
    hash = Math.imul(hash, MULTIPLIER) ^ word;
  }
  if (at < bytes.length) {
    for (let i = bytes.length - 1; i >= at; i--) {
      hash ^= view.getUint8(i) << 8 * (i - at);
    }
    hash = Math.imul(hash, MULTIPLIER);
  }
  hash = Math.imul(hash ^ hash >>> 13, MULTIPLIER);
  return (hash ^ hash >>> 15) >>> 0;
}
