/**
 * From a request to what libusb needs to know: checked lengths, type, flags.
 *
 * @module
 */

import { UsbError } from "../driver/errors.ts";
import {
  MAX_CONTROL_BYTES,
  MAX_ISOCHRONOUS_PACKETS,
  MAX_TIMEOUT_MS,
  MAX_TRANSFER_BYTES,
} from "../driver/limits.ts";
import type { TransferRequest } from "../driver/port.ts";
import {
  type Direction,
  directionOf,
  encodeSetup,
  type EndpointAddress,
  type EndpointDescriptor,
  hex,
  type TransferType,
} from "../driver/usb.ts";
import {
  LIBUSB_CONTROL_SETUP_SIZE,
  LIBUSB_TRANSFER_ADD_ZERO_PACKET,
  LIBUSB_TRANSFER_TYPE,
} from "./libusb_constants.ts";

/** A request, checked and in libusb's terms. */
export interface TransferPlan {
  /** 0 for control. */
  readonly endpoint: number;
  /** `LIBUSB_TRANSFER_TYPE_*`. */
  readonly type: number;
  readonly flags: number;
  readonly direction: Direction;
  /** With the setup of a control transfer. */
  readonly lengthBytes: number;
  /** In front of the data: the setup of a control transfer. */
  readonly headBytes: Uint8Array | undefined;
  /** Behind the head: OUT data. */
  readonly data: Uint8Array | undefined;
  readonly packetLengthsBytes: readonly number[] | undefined;
}

/** What a request is checked against. */
export interface PlanContext {
  /** For errors. */
  readonly device: string;
  /** Gives a usable endpoint; throws when it cannot be used for the request. */
  readonly lookup: (
    address: EndpointAddress,
    request: TransferRequest,
  ) => EndpointDescriptor;
}

/**
 * Checks a request against the limits and the device. Every transfer comes
 * through here: no text is made and nothing is copied unless it fails.
 *
 * @throws {UsbError} `invalidParameter`, and what `lookup` throws.
 */
export function planTransfer(
  request: TransferRequest,
  context: PlanContext,
): TransferPlan {
  const refuse: Refuse = (reason) =>
    new UsbError({
      code: "invalidParameter",
      device: context.device,
      operation: operationOf(request),
      reason,
    });
  const timeoutMs = request.timeoutMs ?? 0;
  if (!(timeoutMs >= 0 && timeoutMs <= MAX_TIMEOUT_MS)) {
    throw refuse(`a time limit is 0 to ${MAX_TIMEOUT_MS} ms`);
  }
  if (request.type === "controlIn" || request.type === "controlOut") {
    return planControl(request, refuse);
  }
  const endpoint = context.lookup(request.endpoint, request);
  const direction = request.type === "in" || request.type === "isochronousIn"
    ? "in"
    : "out";
  if (directionOf(request.endpoint) !== direction) {
    throw refuse(`the endpoint is for ${endpoint.direction} transfers`);
  }
  const isIsochronous = endpoint.transferType === "isochronous";
  if (request.type === "isochronousIn" || request.type === "isochronousOut") {
    if (!isIsochronous) throw refuse("the endpoint is not isochronous");
    return planIsochronous(request, refuse);
  }
  if (isIsochronous) throw refuse("the endpoint is isochronous");
  return planData(request, endpoint, refuse);
}

/** Number of a transfer type in libusb. */
export function nativeType(type: TransferType): number {
  return NATIVE_TYPES[type];
}

const NATIVE_TYPES: Readonly<Record<TransferType, number>> = {
  control: LIBUSB_TRANSFER_TYPE.CONTROL,
  isochronous: LIBUSB_TRANSFER_TYPE.ISOCHRONOUS,
  bulk: LIBUSB_TRANSFER_TYPE.BULK,
  interrupt: LIBUSB_TRANSFER_TYPE.INTERRUPT,
};

type Refuse = (reason: string) => UsbError;
type ControlRequest = Extract<
  TransferRequest,
  { type: "controlIn" | "controlOut" }
>;
type DataRequest = Extract<TransferRequest, { type: "in" | "out" }>;
type IsochronousRequest = Extract<
  TransferRequest,
  { type: "isochronousIn" | "isochronousOut" }
>;

function planControl(request: ControlRequest, refuse: Refuse): TransferPlan {
  const isIn = request.type === "controlIn";
  const lengthBytes = isIn ? request.lengthBytes : request.data.length;
  if (!isLength(lengthBytes, MAX_CONTROL_BYTES)) {
    throw refuse(`a control transfer carries 0 to ${MAX_CONTROL_BYTES} bytes`);
  }
  const direction: Direction = isIn ? "in" : "out";
  return {
    endpoint: 0,
    type: LIBUSB_TRANSFER_TYPE.CONTROL,
    flags: 0,
    direction,
    lengthBytes: LIBUSB_CONTROL_SETUP_SIZE + lengthBytes,
    headBytes: encodeSetup(request.setup, direction, lengthBytes),
    data: isIn ? undefined : request.data,
    packetLengthsBytes: undefined,
  };
}

function planData(
  request: DataRequest,
  endpoint: EndpointDescriptor,
  refuse: Refuse,
): TransferPlan {
  const isIn = request.type === "in";
  const lengthBytes = isIn ? request.lengthBytes : request.data.length;
  if (!isLength(lengthBytes, MAX_TRANSFER_BYTES)) {
    throw refuse(`a transfer carries 0 to ${MAX_TRANSFER_BYTES} bytes`);
  }
  const hasZeroPacket = !isIn && request.zeroLengthPacket === true;
  return {
    endpoint: endpoint.endpointAddress,
    type: nativeType(endpoint.transferType),
    flags: hasZeroPacket ? LIBUSB_TRANSFER_ADD_ZERO_PACKET : 0,
    direction: isIn ? "in" : "out",
    lengthBytes,
    headBytes: undefined,
    data: isIn ? undefined : request.data,
    packetLengthsBytes: undefined,
  };
}

function planIsochronous(
  request: IsochronousRequest,
  refuse: Refuse,
): TransferPlan {
  const lengths = request.packetLengthsBytes;
  if (lengths.length < 1 || lengths.length > MAX_ISOCHRONOUS_PACKETS) {
    throw refuse(
      `an isochronous transfer has 1 to ${MAX_ISOCHRONOUS_PACKETS} packets`,
    );
  }
  if (!lengths.every((length) => isLength(length, MAX_PACKET_BYTES))) {
    throw refuse(`an isochronous packet has 0 to ${MAX_PACKET_BYTES} bytes`);
  }
  const lengthBytes = lengths.reduce((sum, length) => sum + length, 0);
  const data = request.type === "isochronousOut" ? request.data : undefined;
  if (data !== undefined && data.length !== lengthBytes) {
    throw refuse(
      `the packets take ${lengthBytes} bytes and there are ${data.length}`,
    );
  }
  return {
    endpoint: request.endpoint,
    type: LIBUSB_TRANSFER_TYPE.ISOCHRONOUS,
    flags: 0,
    direction: data === undefined ? "in" : "out",
    lengthBytes,
    headBytes: undefined,
    data,
    packetLengthsBytes: [...lengths],
  };
}

/** usbfs takes no larger isochronous packet (Linux 5.2, drivers/usb/core/devio.c). */
const MAX_PACKET_BYTES = 98_304;

function isLength(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}

/** What a request is about, for errors: `read from endpoint 0x82`. */
export function operationOf(request: TransferRequest): string {
  switch (request.type) {
    case "controlIn":
      return `read control request ${hex(request.setup.request)}`;
    case "controlOut":
      return `write control request ${hex(request.setup.request)}`;
    case "in":
      return `read from endpoint ${hex(request.endpoint)}`;
    case "out":
      return `write to endpoint ${hex(request.endpoint)}`;
    case "isochronousIn":
      return `read packets from endpoint ${hex(request.endpoint)}`;
    case "isochronousOut":
      return `write packets to endpoint ${hex(request.endpoint)}`;
  }
}
