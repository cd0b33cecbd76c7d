/**
 * What Web IDL asks of every interface: conversions of arguments, the shape of
 * prototypes, and exceptions by name.
 *
 * @module
 */

import { UsbError, type UsbErrorCode } from "../errors.ts";

/** Names of `DOMException` that WebUSB uses. */
export type DomErrorName =
  | "AbortError"
  | "DataError"
  | "IndexSizeError"
  | "InvalidAccessError"
  | "InvalidStateError"
  | "NetworkError"
  | "NotFoundError"
  | "SecurityError"
  | "TimeoutError";

/** A `DOMException`; the failure underneath, if there is one, is its `cause`. */
export function domError(
  name: DomErrorName,
  message: string,
  cause?: unknown,
): DOMException {
  const error = new DOMException(message, name);
  if (cause !== undefined) {
    Object.defineProperty(error, "cause", {
      value: cause,
      configurable: true,
      writable: true,
    });
  }
  return error;
}

const NAMES: Readonly<Partial<Record<UsbErrorCode, DomErrorName>>> = {
  access: "SecurityError",
  noDevice: "NotFoundError",
  notFound: "NotFoundError",
  cancelled: "AbortError",
  timedOut: "TimeoutError",
  state: "InvalidStateError",
};

/** The WebUSB exception for a failure of the port; a bug of ours passes as it is. */
export function fromUsbError(error: unknown): unknown {
  if (!(error instanceof UsbError)) return error;
  return domError(NAMES[error.code] ?? "NetworkError", error.message, error);
}

/** Web IDL `octet`: the number modulo 2^8. */
export function octet(value: unknown, what: string): number {
  return integer(value, what) & 0xff;
}

/** Web IDL `unsigned short`: the number modulo 2^16. */
export function unsignedShort(value: unknown, what: string): number {
  return integer(value, what) & 0xffff;
}

/** Web IDL `unsigned long`: the number modulo 2^32. */
export function unsignedLong(value: unknown, what: string): number {
  return integer(value, what) >>> 0;
}

/** ToNumber, then truncated to an integer modulo 2^32; NaN and infinities are 0. Web IDL, 3.2.4.9. */
function integer(value: unknown, what: string): number {
  if (value === undefined) throw new TypeError(`${what} is required`);
  const asNumber = Number(value as number); // throws for symbols and bigints alike
  if (typeof value === "bigint") {
    throw new TypeError(`${what} cannot be a BigInt`);
  }
  return asNumber | 0 || Math.trunc(asNumber) % 2 ** 32 | 0;
}

/** Web IDL enumeration. */
export function enumeration<Value extends string>(
  value: unknown,
  { what, values }: {
    readonly what: string;
    readonly values: readonly Value[];
  },
): Value {
  const text = String(value);
  const found = values.find((candidate) => candidate === text);
  if (found === undefined) {
    throw new TypeError(
      `${JSON.stringify(text)} is not a value of ${what}: ${values.join(", ")}`,
    );
  }
  return found;
}

/** Web IDL dictionary argument: an object, or nothing, which has no members. */
export function dictionary(
  value: unknown,
  what: string,
): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" && typeof value !== "function") {
    throw new TypeError(`${what} must be an object`);
  }
  return value as Readonly<Record<string, unknown>>;
}

/** Web IDL sequence: anything that can be iterated. */
export function sequence(value: unknown, what: string): readonly unknown[] {
  const isIterable = value !== null && typeof value === "object" &&
    Symbol.iterator in value;
  if (!isIterable) throw new TypeError(`${what} must be a sequence`);
  return [...value as Iterable<unknown>];
}

/** Bytes of a buffer source, copied; those of a detached buffer are none. Web IDL, 3.2.26. */
export function bytesOf(
  value: unknown,
  what: string,
): Uint8Array<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) {
    if (isDetached(value.buffer)) return new Uint8Array();
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      .slice() as Uint8Array<ArrayBuffer>;
  }
  const isBuffer = value instanceof ArrayBuffer ||
    (typeof SharedArrayBuffer !== "undefined" &&
      value instanceof SharedArrayBuffer);
  if (!isBuffer) throw new TypeError(`${what} must be a buffer source`);
  if (isDetached(value)) return new Uint8Array();
  return new Uint8Array(value).slice() as Uint8Array<ArrayBuffer>;
}

function isDetached(buffer: ArrayBufferLike): boolean {
  return buffer instanceof ArrayBuffer && buffer.detached;
}

/**
 * Gives a class the shape Web IDL asks for: enumerable attributes and methods,
 * and its name as string tag.
 */
export function exposeInterface(
  constructor: abstract new (...args: never[]) => object,
): void {
  const { prototype } = constructor as { prototype: object };
  for (const key of Object.getOwnPropertyNames(prototype)) {
    if (key === "constructor") continue;
    const descriptor = Object.getOwnPropertyDescriptor(prototype, key);
    if (descriptor === undefined) continue;
    Object.defineProperty(prototype, key, { ...descriptor, enumerable: true });
  }
  Object.defineProperty(prototype, Symbol.toStringTag, {
    value: constructor.name,
    configurable: true,
  });
}
