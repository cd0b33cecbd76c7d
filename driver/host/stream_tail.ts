/**
 * The last of what a process says on its error output, for diagnosis.
 *
 * @module
 */

import { joinedBytes } from "./joined_bytes.ts";

/** Bytes kept. */
export const TAIL_BYTES_MAX = 16 * 1024;

/** Reads a stream to its end and gives its last bytes as text; may hold anything. Never throws. */
export async function readTail(
  stream: ReadableStream<Uint8Array> | undefined,
): Promise<string> {
  if (stream === undefined) return "";
  let tail = new Uint8Array();
  try {
    for await (const piece of stream) {
      tail = joinedBytes(tail, piece).slice(-TAIL_BYTES_MAX);
    }
  } catch {
    // What was read is what there is.
  }
  return new TextDecoder().decode(tail);
}
