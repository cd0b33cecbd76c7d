/**
 * What Web IDL asks of every interface: conversions of arguments, the shape of
 * prototypes, and exceptions by name.
 *
 * @module
 */

import type { UsbError, UsbErrorCode } from "../errors.ts";

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
  noDevice: "NotFoundError",
  notFound: "NotFoundError",
  cancelled: "AbortError",
  timedOut: "TimeoutError",
  state: "InvalidStateError",
};

/** The WebUSB exception for a failure of the port; a refusal to open is a matter of rights. */
export function fromUsbError(
  error: UsbError,
  { isOpening }: { readonly isOpening: boolean },
): DOMException {
  const isRefusal = isOpening && error.code === "access";
  const name = isRefusal ? "SecurityError" : NAMES[error.code];
  return domError(name ?? "NetworkError", error.message, error);
}

/** @throws {TypeError} When a method was called with fewer arguments than it has to have. */
export function requireArguments(
  given: { readonly length: number },
  needed: number,
): void {
  if (given.length >= needed) return;
  throw new TypeError(
    `${needed} argument${
      needed === 1 ? "" : "s"
    } required, but only ${given.length} present`,
  );
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

/** ToNumber, truncated, modulo 2^32; NaN and infinities are 0. Web IDL, 3.2.4.9. */
function integer(value: unknown, what: string): number {
  if (typeof value === "bigint" || typeof value === "symbol") {
    throw new TypeError(`${what} cannot be a ${typeof value}`);
  }
  return Number(value) | 0;
}

/** Web IDL enumeration. */
export function enumeration<Value extends string>(
  value: unknown,
  { what, values }: {
    readonly what: string;
    readonly values: readonly Value[];
  },
): Value {
  const text = domString(value);
  const found = values.find((candidate) => candidate === text);
  if (found === undefined) {
    throw new TypeError(
      `${JSON.stringify(text)} is not a value of ${what}: ${values.join(", ")}`,
    );
  }
  return found;
}

/** Web IDL `DOMString`: ToString. @throws {TypeError} For a symbol. */
export function domString(value: unknown): string {
  return `${value as string}`;
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

/** Web IDL sequence: any object that can be iterated. */
export function sequence(value: unknown, what: string): readonly unknown[] {
  const isObject = (value !== null && typeof value === "object") ||
    typeof value === "function";
  if (!isObject || !(Symbol.iterator in value)) {
    throw new TypeError(`${what} must be a sequence`);
  }
  return [...value as Iterable<unknown>];
}

/**
 * Bytes of a buffer source, copied; those of a detached buffer are none. Web
 * IDL, 3.2.26: shared and resizable memory is refused, since it could change
 * under the hands of whoever converts it.
 *
 * @throws {TypeError} When it is none.
 */
export function bytesOf(
  value: unknown,
  what: string,
): Uint8Array<ArrayBuffer> {
  const buffer = ArrayBuffer.isView(value) ? value.buffer : value;
  if (!(buffer instanceof ArrayBuffer)) {
    throw new TypeError(`${what} must be an ArrayBuffer or a view of one`);
  }
  if (buffer.detached) return new Uint8Array();
  if (buffer.resizable) throw new TypeError(`${what} must not be resizable`);
  return ArrayBuffer.isView(value)
    ? new Uint8Array(buffer, value.byteOffset, value.byteLength).slice()
    : new Uint8Array(buffer.slice());
}

/**
 * Gives a class the shape Web IDL asks for: enumerable attributes and methods,
 * and its name as string tag. What is `hidden` is no part of the interface.
 */
export function exposeInterface(
  constructor: abstract new (...args: never[]) => object,
  hidden: readonly string[] = [],
): void {
  const { prototype } = constructor as { prototype: object };
  for (const key of Object.getOwnPropertyNames(prototype)) {
    if (key === "constructor" || hidden.includes(key)) continue;
    const descriptor = Object.getOwnPropertyDescriptor(prototype, key);
    if (descriptor === undefined) continue;
    Object.defineProperty(prototype, key, { ...descriptor, enumerable: true });
  }
  Object.defineProperty(prototype, Symbol.toStringTag, {
    value: constructor.name,
    configurable: true,
  });
}
