/**
 * Assertions about our own code. A failed one is a bug of ours, is never caught
 * and ends the driver process; what the world does wrong is a {@linkcode UsbError}.
 *
 * @module
 */

/** A broken promise of our own code: always a bug, never handled. */
export class AssertionError extends Error {
  /** For `error.name` in logs. */
  override readonly name = "AssertionError";
}

/**
 * Holds that `condition` is true.
 *
 * @throws {AssertionError} When it is not.
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/**
 * Marks a branch the types say cannot be reached.
 *
 * @throws {AssertionError} Always.
 */
export function unreachable(value: never): never {
  throw new AssertionError(`Unreachable: ${String(value)}`);
}
