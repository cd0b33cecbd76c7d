/**
 * Errors as data and back: what a recorded call ended with must end the same
 * call of a replay, with the same words.
 *
 * @module
 */

import type { Json } from "../driver.ts";
import {
  UsbError,
  type UsbErrorCode,
  type UsbErrorDetails,
} from "../errors.ts";
import { toHex } from "./recording.ts";

/** Characters of a message kept; a handler's own may have any length. */
const MESSAGE_MAX = 2_000;
/** Bytes kept of what had arrived before a failure. */
const DATA_BYTES_MAX = 4_096;

/** An error as data. What is no error is kept as text. */
export function errorData(error: unknown): { readonly [key: string]: Json } {
  if (error instanceof UsbError) return usbErrorData(error);
  if (error instanceof Error) {
    return { name: error.name, message: cut(error.message) };
  }
  return { name: "", message: cut(String(error)) };
}

/** The sentence of an error that was kept as data, as logs have it. */
export function errorText(data: Json | undefined): string {
  const { name, message } = membersOf(data);
  if (name === "UsbError") return textOf(message);
  return name === "" || name === undefined
    ? `Thrown: ${textOf(message)}`
    : `${textOf(name)}: ${textOf(message)}`;
}

/** An error made of data, which may say anything. */
export function errorOf(data: Json | undefined): unknown {
  const members = membersOf(data);
  const { name, message } = members;
  const text = textOf(message);
  if (name === "UsbError") return usbErrorOf(members);
  if (name === "") return text;
  const kind = Object.hasOwn(BUILT_IN, String(name))
    ? BUILT_IN[String(name)]
    : undefined;
  const error = kind === undefined ? new Error(text) : new kind(text);
  if (kind === undefined) error.name = textOf(name);
  return error;
}

const BUILT_IN: Readonly<Record<string, ErrorConstructor>> = {
  Error,
  TypeError: TypeError as ErrorConstructor,
  RangeError: RangeError as ErrorConstructor,
  SyntaxError: SyntaxError as ErrorConstructor,
};

function usbErrorData(error: UsbError): { readonly [key: string]: Json } {
  const { code, operation, device, state, advice, native, data } = error;
  return {
    name: "UsbError",
    message: cut(error.message),
    code,
    operation: cut(operation),
    reason: cut(reasonOf(error)),
    ...(device === undefined ? {} : { device }),
    ...(state === undefined ? {} : { state }),
    ...(advice === undefined ? {} : { advice: cut(advice) }),
    ...(native === undefined ? {} : { native: { ...native } }),
    ...(data === undefined
      ? {}
      : { data: toHex(data.subarray(0, DATA_BYTES_MAX)) }),
    transferredBytes: error.transferredBytes,
  };
}

/** The message without what it is composed of besides. */
function reasonOf(
  { message, state, advice, operation, device }: UsbError,
): string {
  const start = `Cannot ${operation}`;
  let reason = message.startsWith(start)
    ? message.slice(start.length)
    : message;
  const where = ` on ${device}`;
  if (device !== undefined && reason.startsWith(where)) {
    reason = reason.slice(where.length);
  }
  if (reason.startsWith(": ")) reason = reason.slice(2);
  const next = advice === undefined ? "" : `. ${advice}`;
  const when = state === undefined ? "" : ` while ${state}`;
  const end = `${when}${next}`;
  return reason.endsWith(end)
    ? reason.slice(0, reason.length - end.length)
    : reason;
}

function usbErrorOf(members: Members): UsbError {
  const { code, operation, reason, device, state, advice, native, data } =
    members;
  const bytes = bytesOf(data);
  const number = membersOf(native)["number"];
  const source = membersOf(native)["source"];
  const details: UsbErrorDetails = {
    code: textOf(code) as UsbErrorCode,
    operation: textOf(operation),
    reason: textOf(reason),
    ...(device === undefined ? {} : { device: textOf(device) }),
    ...(state === undefined ? {} : { state: textOf(state) }),
    ...(advice === undefined ? {} : { advice: textOf(advice) }),
    ...(typeof number !== "number" ? {} : {
      native: {
        source: textOf(source) as "libusb" | "errno" | "status",
        number,
      },
    }),
    ...(bytes === undefined ? {} : { data: bytes }),
    ...(typeof members["transferredBytes"] !== "number"
      ? {}
      : { transferredBytes: members["transferredBytes"] }),
  };
  return new UsbError(details);
}

type Members = Readonly<Record<string, Json | undefined>>;

function membersOf(data: Json | undefined): Members {
  return typeof data === "object" && data !== null && !Array.isArray(data)
    ? data as Members
    : {};
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

function bytesOf(value: Json | undefined): Uint8Array | undefined {
  if (typeof value !== "string" || !/^(?:[0-9a-f]{2})*$/.test(value)) {
    return undefined;
  }
  return Uint8Array.from(
    value.match(/../g) ?? [],
    (digits) => parseInt(digits, 16),
  );
}

function cut(text: string): string {
  return text.slice(0, MESSAGE_MAX);
}
