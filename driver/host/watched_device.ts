/**
 * A device as whoever watches the bus tells of it, as ports tell of devices.
 * What is not told is left out: endpoints, and descriptors of no meaning to
 * whoever only chooses.
 *
 * @module
 */

import type { DeviceInfo } from "../port.ts";
import {
  alternateSetting,
  type ConfigurationDescriptor,
  configurationValue,
  type InterfaceDescriptor,
  interfaceNumber,
} from "../usb.ts";
import type { WatchDevice, WatchedConfiguration } from "./watch_frames.ts";

/** The device. Its configurations have interfaces and their classes only. */
export function deviceOf(told: WatchDevice): DeviceInfo {
  const active = told.configurationValue;
  return {
    id: told.id,
    busNumber: told.busNumber,
    deviceAddress: told.deviceAddress,
    portPath: told.portPath,
    speed: told.speed,
    descriptor: told.descriptor,
    manufacturer: told.manufacturer,
    product: told.product,
    serialNumber: told.serialNumber,
    // Value 0 is that of no configuration. USB 2.0, 9.4.7.
    configurations: told.configurations.filter(({ value }) => value > 0)
      .map(configurationOf),
    configurationValue: active === undefined || active === 0
      ? undefined
      : configurationValue(active),
    nodePath: told.nodePath,
  };
}

function configurationOf(
  { value, classes }: WatchedConfiguration,
): ConfigurationDescriptor {
  const numbers = [...new Set(classes.map(([number]) => number))];
  return {
    configurationValue: configurationValue(value),
    configurationIndex: 0,
    attributes: 0,
    maxPowerMilliamperes: 0,
    interfaces: numbers.map((number) => interfaceOf(number, classes)),
    associations: [],
    extra: [],
    bytes: new Uint8Array(),
  };
}

function interfaceOf(
  number: number,
  classes: WatchedConfiguration["classes"],
): InterfaceDescriptor {
  const own = classes.filter(([other]) => other === number);
  return {
    interfaceNumber: interfaceNumber(number),
    alternates: own.map(([, first, second, third], index) => ({
      interfaceNumber: interfaceNumber(number),
      alternateSetting: alternateSetting(index),
      interfaceClass: first,
      interfaceSubclass: second,
      interfaceProtocol: third,
      interfaceIndex: 0,
      endpoints: [],
      extra: [],
    })),
  };
}
