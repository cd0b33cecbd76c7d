/**
 * Two pieces of a stream as one.
 *
 * @module
 */

/** A copy of both, one behind the other. */
export function joinedBytes(
  first: Uint8Array,
  second: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
