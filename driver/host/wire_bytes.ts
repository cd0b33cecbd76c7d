/**
 * Bytes in frames: base64 text.
 *
 * @module
 */

import { WireError } from "./wire_check.ts";

/** Bytes as base64 text, without line breaks. */
export function encodeBytes(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(binary);
}

/**
 * Bytes from base64 text.
 *
 * @throws {WireError} `badMember` when the text is not base64.
 */
export function decodeBytes(text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    throw new WireError("badMember", "Cannot read bytes: not base64");
  }
}
