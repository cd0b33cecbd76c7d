/**
 * What a virtual instrument says it is: one USB488 interface with bulk OUT, bulk
 * IN and interrupt IN. USBTMC 1.00, 5; USB488 1.00, 5.
 *
 * @module
 */

import type { Capabilities } from "../../class/usbtmc/capabilities.ts";
import { NOTIFICATION_BYTES } from "../../class/usbtmc/notification.ts";
import {
  INTERFACE_CLASS,
  INTERFACE_SUBCLASS,
  PROTOCOL_USB488,
} from "../../class/usbtmc/pipes.ts";
import { type EndpointAddress, endpointAddress } from "../../usb.ts";
import {
  configurationDescriptor,
  deviceDescriptor,
  endpointDescriptor,
  interfaceDescriptor,
} from "../descriptor_bytes.ts";
import type { VirtualDescriptors } from "../virtual_device.ts";

/** `idVendor` of pid.codes, whose first product ids are for tests. */
export const MULTIMETER_VENDOR_ID = 0x1209;
/** `idProduct` of the multimeter. */
export const MULTIMETER_PRODUCT_ID = 0x0002;

/** Bulk OUT. */
export const BULK_OUT: EndpointAddress = endpointAddress(0x01);
/** Bulk IN. */
export const BULK_IN: EndpointAddress = endpointAddress(0x82);
/** Interrupt IN. */
export const INTERRUPT_IN: EndpointAddress = endpointAddress(0x83);

/** Speeds with bulk endpoints that the instruments have. */
export type InstrumentSpeed = "full" | "high";

/** `wMaxPacketSize` of the bulk endpoints. USB 2.0, 5.8.3. */
export const BULK_PACKET_BYTES: Readonly<Record<InstrumentSpeed, number>> = {
  full: 64,
  high: 512,
};

/** Everything USB488 offers, and SCPI. */
export const FULL_CAPABILITIES: Capabilities = {
  usbtmcVersion: 0x0100,
  listenOnly: false,
  talkOnly: false,
  indicatorPulse: true,
  termChar: true,
  usb488Version: 0x0100,
  trigger: true,
  remoteLocal: true,
  is4882: true,
  dt1: true,
  rl1: true,
  sr1: true,
  scpi: true,
};

/** What differs between instruments. */
export interface InstrumentDescriptorOptions {
  readonly vendorId: number;
  readonly productId: number;
  readonly product: string;
  readonly serialNumber: string;
  readonly speed: InstrumentSpeed;
  /** Default 0. */
  readonly interfaceNumber?: number;
}

/** Descriptors of an instrument. */
export function instrumentDescriptors(
  options: InstrumentDescriptorOptions,
): VirtualDescriptors {
  const packetSize = BULK_PACKET_BYTES[options.speed];
  const configuration = configurationDescriptor(
    { value: 1, interfaceCount: 1, attributes: 0xc0, maxPowerMilliamperes: 2 },
    interfaceDescriptor({
      number: options.interfaceNumber ?? 0,
      endpointCount: 3,
      class: [INTERFACE_CLASS, INTERFACE_SUBCLASS, PROTOCOL_USB488],
    }),
    endpointDescriptor({ address: BULK_OUT, type: "bulk", packetSize }),
    endpointDescriptor({ address: BULK_IN, type: "bulk", packetSize }),
    endpointDescriptor({
      address: INTERRUPT_IN,
      type: "interrupt",
      packetSize: NOTIFICATION_BYTES,
      // 8 microframes at high speed, 4 frames at full speed: 1 to 4 ms.
      interval: 4,
    }),
  );
  return {
    speed: options.speed,
    device: deviceDescriptor({
      vendorId: options.vendorId,
      productId: options.productId,
    }),
    configurations: [configuration],
    strings: ["Driver Space", options.product, options.serialNumber],
  };
}
