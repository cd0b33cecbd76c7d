/**
 * One endpoint of an open device as a flow: reports one by one, or streams.
 * Slow readers slow the device down; nothing is dropped and nothing grows.
 *
 * @module
 */

import type { Device } from "./device.ts";
import type { EndpointAddress } from "./usb.ts";

/** Reports and streams of one endpoint. */
export class Endpoint {
  /** `bEndpointAddress`. */
  readonly address: EndpointAddress;
  readonly #device: Device;

  /** Made by `device.endpoint(address)`. */
  constructor(device: Device, address: EndpointAddress) {
    this.#device = device;
    this.address = address;
  }

  /** The device it belongs to. */
  get device(): Device {
    return this.#device;
  }
}
