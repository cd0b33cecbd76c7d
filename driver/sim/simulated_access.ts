/**
 * What an open device may use: live endpoints of claimed interfaces.
 *
 * @module
 */

import { UsbError, type UsbErrorCode } from "../errors.ts";
import { checkInput } from "../loop/input_check.ts";
import type { InputOptions, TransferRequest } from "../port.ts";
import {
  directionOf,
  type EndpointAddress,
  type EndpointDescriptor,
  hex,
  type InterfaceNumber,
  interfaceNumber,
} from "../usb.ts";
import type { BusDevice } from "./bus_device.ts";
import { endpointOf } from "./simulated_transfer.ts";

/** Checks requests of one open device. */
export class SimulatedAccess {
  readonly #device: BusDevice;
  readonly #claimed: ReadonlyMap<InterfaceNumber, unknown>;
  readonly #label: string;

  /** `claimed` is the open device's own, live. */
  constructor(
    device: BusDevice,
    options: {
      readonly claimed: ReadonlyMap<InterfaceNumber, unknown>;
      readonly label: string;
    },
  ) {
    this.#device = device;
    this.#claimed = options.claimed;
    this.#label = options.label;
  }

  /**
   * The transfer an input makes over and over.
   *
   * @throws {UsbError} `notFound`, `state`, `invalidParameter`.
   */
  inputRequest(options: InputOptions, operation: string): TransferRequest {
    const { endpoint } = options;
    const shape = checkInput(options, this.endpoint(endpoint, operation));
    if ("reason" in shape) {
      throw this.error(shape.code, operation, shape.reason);
    }
    const { lengthBytes, packets } = shape;
    return packets === undefined
      ? { type: "in", endpoint, lengthBytes }
      : { type: "isochronousIn", endpoint, packetLengthsBytes: packets };
  }

  /** The type of a request's endpoint. @throws {UsbError} `notFound`, `state`, `busy`. */
  typeOf(
    request: TransferRequest,
    operation: string,
  ): EndpointDescriptor["transferType"] {
    if (!("endpoint" in request)) return this.#checkRecipient(request);
    const endpoint = endpointOf(request);
    const { transferType } = this.endpoint(endpoint, operation);
    const isIn = request.type === "in" || request.type === "isochronousIn";
    const isIsochronous = request.type === "isochronousIn" ||
      request.type === "isochronousOut";
    const fits = isIn === (directionOf(endpoint) === "in") &&
      isIsochronous === (transferType === "isochronous");
    if (!fits) {
      throw this.error(
        "notFound",
        operation,
        `endpoint ${hex(endpoint)} is not for this kind of transfer`,
      );
    }
    return transferType;
  }

  /** Requests to an interface that another holds are refused, as the kernel does. */
  #checkRecipient(
    request: Extract<TransferRequest, { setup: unknown }>,
  ): "control" {
    const { recipient, requestType, index } = request.setup;
    if (requestType === "vendor") return "control";
    const number = recipient === "interface"
      ? index & 0xff
      : recipient === "endpoint"
      ? this.#device.interfaceOf(index & 0xff)
      : undefined;
    if (number === undefined || this.#claimed.has(interfaceNumber(number))) {
      return "control";
    }
    const holder = this.#device.claims.driver(number);
    if (holder === undefined) return "control";
    throw this.error("busy", "submit a transfer", `${holder} holds it`);
  }

  /** A live endpoint of a claimed interface. @throws {UsbError} `notFound`, `state`. */
  endpoint(
    endpoint: EndpointAddress,
    operation: string,
  ): EndpointDescriptor {
    const descriptor = this.#device.endpoint(endpoint);
    if (descriptor === undefined) {
      throw this.error(
        "notFound",
        operation,
        `there is no endpoint ${hex(endpoint)} in the live settings`,
      );
    }
    const number = this.#device.interfaceOf(endpoint);
    if (number === undefined || !this.#claimed.has(interfaceNumber(number))) {
      throw this.error(
        "state",
        operation,
        `interface ${number} is not claimed`,
        { advice: "Claim it first" },
      );
    }
    return descriptor;
  }

  /** An error of this device. */
  error(
    code: UsbErrorCode,
    operation: string,
    reason: string,
    extra: { readonly advice?: string } = {},
  ): UsbError {
    return new UsbError({
      code,
      operation,
      reason,
      device: this.#label,
      ...extra,
    });
  }
}
