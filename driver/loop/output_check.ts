/**
 * What a standing output may be asked for, the same for every port.
 *
 * @module
 */

import type { UsbErrorCode } from "../errors.ts";
import { isIntegerIn } from "../integer_bounds.ts";
import {
  MAX_TIMEOUT_MS,
  MAX_TRANSFER_BYTES,
  MAX_TRANSFERS_IN_FLIGHT,
} from "../limits.ts";
import type { OutputOptions } from "../port.ts";
import type { EndpointDescriptor } from "../usb.ts";

/** What an output works with, checked. */
export interface OutputShape {
  /** Of each buffer. */
  readonly lengthBytes: number;
  /** 0: none. */
  readonly timeoutMs: number;
}

/** Why a standing input or output is refused. */
export interface Refusal {
  readonly code: UsbErrorCode;
  readonly reason: string;
}

/** Checks the options of an output on an endpoint. */
export function checkOutput(
  options: Omit<OutputOptions, "endpoint" | "source" | "onEnd">,
  endpoint: EndpointDescriptor,
): OutputShape | Refusal {
  if (endpoint.direction !== "out") {
    return { code: "notFound", reason: "it is no OUT endpoint" };
  }
  const refuse = (reason: string): Refusal => ({
    code: "invalidParameter",
    reason,
  });
  if (endpoint.transferType === "isochronous") {
    return refuse(
      "a standing output is for bulk and interrupt endpoints, and this one is isochronous",
    );
  }
  if (!isIntegerIn(options.transfersInFlight, 1, MAX_TRANSFERS_IN_FLIGHT)) {
    return refuse(`transfers in flight are 1 to ${MAX_TRANSFERS_IN_FLIGHT}`);
  }
  const lengthBytes = options.transferLengthBytes ??
    endpoint.maxPacketSize * endpoint.transactionsPerMicroframe;
  if (!isIntegerIn(lengthBytes, 1, MAX_TRANSFER_BYTES)) {
    return refuse(`a transfer carries 1 to ${MAX_TRANSFER_BYTES} bytes`);
  }
  const timeoutMs = options.timeoutMs ?? 0;
  if (!(timeoutMs >= 0 && timeoutMs <= MAX_TIMEOUT_MS)) {
    return refuse(`a time limit is 0 to ${MAX_TIMEOUT_MS} ms`);
  }
  return { lengthBytes, timeoutMs };
}
