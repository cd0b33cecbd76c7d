/**
 * Arguments of transfers: WebUSB's, converted as Web IDL asks, and our
 * extension; and what becomes of aborted transfers nobody waits for.
 *
 * @module
 */

import { MAX_TIMEOUT_MS } from "../limits.ts";
import type { TransferOptions } from "../port.ts";
import {
  dictionary,
  enumeration,
  octet,
  sequence,
  unsignedLong,
  unsignedShort,
} from "./idl.ts";

/** Setup of a control transfer. WebUSB, `USBControlTransferParameters`. */
export interface USBControlTransferParameters {
  /** Bits 6..5 of `bmRequestType`. */
  readonly requestType: "standard" | "class" | "vendor";
  /** Bits 4..0 of `bmRequestType`. */
  readonly recipient: "device" | "interface" | "endpoint" | "other";
  /** `bRequest`. */
  readonly request: number;
  /** `wValue`. */
  readonly value: number;
  /** `wIndex`. */
  readonly index: number;
}

/** An extension of ours: a transfer may be cancelled and may have a time limit. */
export type TransferExtension = Pick<TransferOptions, "signal" | "timeoutMs">;

const REQUEST_TYPES = ["standard", "class", "vendor"] as const;
const RECIPIENTS = ["device", "interface", "endpoint", "other"] as const;

/**
 * Converts the setup of a control transfer, members in alphabetical order.
 *
 * @throws {TypeError} When a member is missing or wrong.
 */
export function controlParameters(
  value: unknown,
): USBControlTransferParameters {
  const setup = dictionary(value, "setup");
  const required = (member: string): unknown => {
    const given = setup[member];
    if (given === undefined) {
      throw new TypeError(`setup.${member} is required`);
    }
    return given;
  };
  return {
    index: unsignedShort(required("index"), "setup.index"),
    recipient: enumeration(required("recipient"), {
      what: "USBRecipient",
      values: RECIPIENTS,
    }),
    request: octet(required("request"), "setup.request"),
    requestType: enumeration(required("requestType"), {
      what: "USBRequestType",
      values: REQUEST_TYPES,
    }),
    value: unsignedShort(required("value"), "setup.value"),
  };
}

/** Converts packet lengths. @throws {TypeError} When they are no sequence of numbers. */
export function lengthsOf(value: unknown): readonly number[] {
  return sequence(value, "packetLengths").map((length) =>
    unsignedLong(length, "a packet length")
  );
}

/**
 * Checks our extension; other members are not looked at.
 *
 * @throws {TypeError} When the signal is none.
 * @throws {RangeError} When the time limit is no number of milliseconds up to a day.
 */
export function extensionOf(value: unknown): TransferExtension {
  const { signal, timeoutMs } = dictionary(value, "extension");
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError("signal must be an AbortSignal");
  }
  if (timeoutMs !== undefined) checkTimeout(timeoutMs);
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(timeoutMs === undefined ? {} : { timeoutMs: Number(timeoutMs) }),
  };
}

function checkTimeout(value: unknown): void {
  const isTimeout = typeof value === "number" && value >= 0 &&
    value <= MAX_TIMEOUT_MS;
  if (!isTimeout) {
    throw new RangeError(`timeoutMs must be 0 to ${MAX_TIMEOUT_MS}`);
  }
}

/**
 * Runs a transfer; refusals are rejections, never thrown. A transfer that a
 * close aborts counts as heard even if nobody waits for it: a page would go on,
 * and a program must not die of it.
 */
export function abortable<T>(work: () => Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const fail = (error: unknown): void => {
    const isAbort = error instanceof DOMException &&
      error.name === "AbortError";
    if (isAbort) promise.catch(() => {});
    reject(error);
  };
  try {
    work().then(resolve, fail);
  } catch (error) {
    fail(error);
  }
  return promise;
}
