/**
 * Transfers of the simulated port: requests become units, ended units become
 * outcomes.
 *
 * @module
 */

import { UsbError } from "../errors.ts";
import {
  MAX_CONTROL_BYTES,
  MAX_ISOCHRONOUS_PACKETS,
  MAX_TRANSFER_BYTES,
} from "../limits.ts";
import type {
  TransferOutcome,
  TransferRequest,
  TransferStatus,
} from "../port.ts";
import {
  encodeSetup,
  type EndpointAddress,
  endpointAddress,
  type TransferType,
} from "../usb.ts";
import { ERRNO } from "./errno.ts";
import type { TransferUnit, TransferUnitOptions } from "./transfer_unit.ts";
import { receivedData } from "./urb.ts";

/** What a unit is made of, less its end. */
export type UnitParts = Omit<TransferUnitOptions, "onComplete">;

const NO_BYTES = new Uint8Array();

/** Endpoint a request goes to; 0 for control. */
export function endpointOf(request: TransferRequest): EndpointAddress {
  return "endpoint" in request ? request.endpoint : endpointAddress(0);
}

/**
 * The parts of a request's unit; OUT data are copied.
 *
 * @throws {UsbError} `invalidParameter` over a limit.
 */
export function unitParts(
  request: TransferRequest,
  options: { readonly type: TransferType; readonly device: string },
): UnitParts {
  const { type, device } = options;
  const endpoint = endpointOf(request);
  switch (request.type) {
    case "controlIn":
    case "controlOut":
      return controlParts(request, device);
    case "in":
      checkLength(request.lengthBytes, MAX_TRANSFER_BYTES, device);
      return { type, endpoint, data: new Uint8Array(request.lengthBytes) };
    case "out":
      checkLength(request.data.length, MAX_TRANSFER_BYTES, device);
      return {
        type,
        endpoint,
        data: request.data.slice(),
        zeroPacket: request.zeroLengthPacket ?? false,
      };
    case "isochronousIn":
    case "isochronousOut": {
      const { packetLengthsBytes } = request;
      const lengthBytes = packetLengthsBytes.reduce((sum, n) => sum + n, 0);
      checkLength(packetLengthsBytes.length, MAX_ISOCHRONOUS_PACKETS, device);
      checkLength(lengthBytes, MAX_TRANSFER_BYTES, device);
      const data = new Uint8Array(lengthBytes);
      if (request.type === "isochronousOut") {
        if (request.data.length !== lengthBytes) {
          throw new RangeError(
            `Cannot cut ${request.data.length} bytes into packets of ${lengthBytes} in all`,
          );
        }
        data.set(request.data);
      }
      return { type, endpoint, data, packetLengthsBytes };
    }
  }
}

function controlParts(
  request: Extract<TransferRequest, { type: "controlIn" | "controlOut" }>,
  device: string,
): UnitParts {
  const isIn = request.type === "controlIn";
  const lengthBytes = isIn ? request.lengthBytes : request.data.length;
  checkLength(lengthBytes, MAX_CONTROL_BYTES, device);
  const data = new Uint8Array(8 + lengthBytes);
  data.set(encodeSetup(request.setup, isIn ? "in" : "out", lengthBytes));
  if (!isIn) data.set(request.data, 8);
  return { type: "control", endpoint: endpointAddress(0), data };
}

function checkLength(value: number, max: number, device: string): void {
  if (!Number.isInteger(value) || value < 0) {
    throw new RangeError(`Cannot use ${value} as a length`);
  }
  if (value <= max) return;
  throw new UsbError({
    code: "invalidParameter",
    operation: "submit a transfer",
    device,
    reason: `${value} is over the limit of ${max}`,
    advice: "Use several smaller transfers",
  });
}

/** Why a unit was taken back. */
export type CancelReason = "cancelled" | "timedOut";

/** What became of a unit. */
export function outcomeOf(
  unit: TransferUnit,
  reason: CancelReason = "cancelled",
): TransferOutcome {
  return {
    status: statusOf(unit.status, reason),
    data: receivedData(unit).slice(),
    actualLengthBytes: unit.actualLengthBytes,
    ...(unit.packets.length === 0 ? {} : {
      packets: unit.packets.map((packet) => ({
        status: statusOf(packet.status, reason),
        offsetBytes: packet.offsetBytes,
        actualLengthBytes: packet.actualLengthBytes,
      })),
    }),
  };
}

/** An outcome without a transfer. */
export function emptyOutcome(status: TransferStatus): TransferOutcome {
  return { status, data: NO_BYTES.slice(), actualLengthBytes: 0 };
}

/** As libusb maps an URB's status. */
function statusOf(status: number, reason: CancelReason): TransferStatus {
  switch (-status) {
    case 0:
      return "completed";
    case ERRNO.NOENT:
      return reason;
    case ERRNO.PIPE:
      return "stall";
    case ERRNO.OVERFLOW:
      return "overflow";
    case ERRNO.SHUTDOWN:
    case ERRNO.NODEV:
      return "noDevice";
    default:
      return "error";
  }
}
