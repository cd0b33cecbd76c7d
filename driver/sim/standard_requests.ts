/**
 * Standard requests, answered for every virtual device. USB 2.0, 9.4.
 *
 * @module
 */

import {
  type ConfigurationDescriptor,
  configurationValue,
  type DecodedSetup,
} from "../usb.ts";
import { DescriptorType } from "../descriptors.ts";
import { type ControlReply, STALL } from "./virtual_device.ts";
import type { VirtualDescriptors } from "./virtual_device.ts";

/** `bRequest` of the standard requests. USB 2.0, table 9-4. */
export const STANDARD_REQUEST = {
  getStatus: 0,
  clearFeature: 1,
  setFeature: 3,
  setAddress: 5,
  getDescriptor: 6,
  setDescriptor: 7,
  getConfiguration: 8,
  setConfiguration: 9,
  getInterface: 10,
  setInterface: 11,
  synchFrame: 12,
} as const;

/** ENDPOINT_HALT. USB 2.0, table 9-6. */
const FEATURE_ENDPOINT_HALT = 0;
/** DEVICE_REMOTE_WAKEUP. USB 2.0, table 9-6. */
const FEATURE_REMOTE_WAKEUP = 1;
/** `bmAttributes` of a configuration. USB 2.0, table 9-10. */
const ATTRIBUTE_SELF_POWERED = 0x40;
const ATTRIBUTE_REMOTE_WAKEUP = 0x20;
/** English (United States), the language of all strings. */
const LANGUAGE_ID = 0x0409;
/** UTF-16 code units that fit behind the two header bytes of a 255 byte descriptor. */
const MAX_STRING_UNITS = 126;

/** Not a standard request the bus answers: the device is asked. */
export const UNKNOWN_REQUEST: unique symbol = Symbol("unknown request");

/** What standard requests read and change. */
export interface StandardTarget {
  /** What the device says it is. */
  readonly descriptors: VirtualDescriptors;
  /** `undefined` when not configured. */
  readonly activeConfiguration: ConfigurationDescriptor | undefined;
  /** DEVICE_REMOTE_WAKEUP. USB 2.0, 9.4.5. */
  isRemoteWakeupOn: boolean;
  /** The live setting, or `undefined` where there is no such interface. */
  alternateOf(interfaceNumber: number): number | undefined;
  /** Halted or not; `undefined` where there is no such endpoint now. */
  isHalted(address: number): boolean | undefined;
  /** Halts, or clears the halt at the device's end. */
  setHalt(address: number, isHalted: boolean): void;
  /** `false` when there is none of this value. */
  configure(value: number): boolean;
  /** `false` when there is no such interface or setting. */
  selectAlternate(interfaceNumber: number, setting: number): boolean;
  /** Number of the (micro)frame. */
  frameNumber(): number;
}

/** Answers a standard request, or says that the device has to. */
export function answerStandard(
  target: StandardTarget,
  setup: DecodedSetup,
): ControlReply | typeof UNKNOWN_REQUEST {
  if (setup.requestType !== "standard") return UNKNOWN_REQUEST;
  return setup.direction === "in"
    ? answerIn(target, setup)
    : answerOut(target, setup);
}

function answerIn(
  target: StandardTarget,
  setup: DecodedSetup,
): ControlReply | typeof UNKNOWN_REQUEST {
  switch (setup.request) {
    case STANDARD_REQUEST.getStatus:
      return status(target, setup);
    case STANDARD_REQUEST.getDescriptor:
      return setup.recipient === "device"
        ? descriptor(target.descriptors, setup)
        : UNKNOWN_REQUEST;
    case STANDARD_REQUEST.getConfiguration:
      return Uint8Array.of(target.activeConfiguration?.configurationValue ?? 0);
    case STANDARD_REQUEST.getInterface: {
      const setting = target.alternateOf(setup.index);
      return setting === undefined ? STALL : Uint8Array.of(setting);
    }
    case STANDARD_REQUEST.synchFrame:
      return u16(target.frameNumber() & 0x7ff);
    default:
      return UNKNOWN_REQUEST;
  }
}

function answerOut(
  target: StandardTarget,
  setup: DecodedSetup,
): ControlReply | typeof UNKNOWN_REQUEST {
  switch (setup.request) {
    case STANDARD_REQUEST.clearFeature:
    case STANDARD_REQUEST.setFeature:
      return feature(target, setup);
    case STANDARD_REQUEST.setConfiguration:
      return target.configure(setup.value & 0xff) ? undefined : STALL;
    case STANDARD_REQUEST.setInterface:
      return target.selectAlternate(setup.index, setup.value)
        ? undefined
        : STALL;
    // Addresses are the bus's to give; a client that sends one is wrong.
    case STANDARD_REQUEST.setAddress:
      return STALL;
    default:
      return UNKNOWN_REQUEST;
  }
}

function status(target: StandardTarget, setup: DecodedSetup): ControlReply {
  switch (setup.recipient) {
    case "device": {
      const attributes = target.activeConfiguration?.attributes ?? 0;
      const selfPowered = (attributes & ATTRIBUTE_SELF_POWERED) !== 0;
      return u16(Number(selfPowered) | Number(target.isRemoteWakeupOn) << 1);
    }
    case "interface":
      return target.alternateOf(setup.index & 0xff) === undefined
        ? STALL
        : u16(0);
    case "endpoint": {
      const isHalted = target.isHalted(setup.index & 0xff);
      return isHalted === undefined ? STALL : u16(Number(isHalted));
    }
    default:
      return STALL;
  }
}

function feature(target: StandardTarget, setup: DecodedSetup): ControlReply {
  const on = setup.request === STANDARD_REQUEST.setFeature;
  if (setup.recipient === "endpoint") {
    const address = setup.index & 0xff;
    const isKnown = target.isHalted(address) !== undefined;
    if (setup.value !== FEATURE_ENDPOINT_HALT || !isKnown) return STALL;
    return target.setHalt(address, on);
  }
  const canWake = ((target.activeConfiguration?.attributes ?? 0) &
    ATTRIBUTE_REMOTE_WAKEUP) !==
    0;
  const isWakeup = setup.recipient === "device" &&
    setup.value === FEATURE_REMOTE_WAKEUP;
  if (!isWakeup || !canWake) return STALL;
  target.isRemoteWakeupOn = on;
  return undefined;
}

function descriptor(
  descriptors: VirtualDescriptors,
  setup: DecodedSetup,
): ControlReply {
  const type = setup.value >> 8;
  const index = setup.value & 0xff;
  switch (type) {
    case DescriptorType.device:
      return descriptors.device;
    case DescriptorType.configuration:
      return descriptors.configurations[index] ?? STALL;
    case DescriptorType.string:
      return string(descriptors.strings, index, setup.index);
    case DescriptorType.deviceQualifier:
      return qualifier(descriptors);
    case DescriptorType.otherSpeedConfiguration:
      return otherSpeed(descriptors, index);
    case DescriptorType.bos:
      return descriptors.bos ?? STALL;
    default:
      return STALL;
  }
}

function string(
  strings: readonly string[],
  index: number,
  language: number,
): ControlReply {
  if (index === 0) {
    return Uint8Array.of(4, DescriptorType.string, ...u16(LANGUAGE_ID));
  }
  // Many hosts ask with language 0 first; devices answer, so this one does.
  const text = strings[index - 1];
  if (text === undefined || (language !== LANGUAGE_ID && language !== 0)) {
    return STALL;
  }
  const units = Math.min(text.length, MAX_STRING_UNITS);
  const bytes = new Uint8Array(2 + 2 * units);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, bytes.length);
  view.setUint8(1, DescriptorType.string);
  for (let at = 0; at < units; at++) {
    view.setUint16(2 + 2 * at, text.charCodeAt(at), true);
  }
  return bytes;
}

/** Only devices that know high speed have a qualifier. USB 2.0, 9.6.2. */
function qualifier({ device, speed }: VirtualDescriptors): ControlReply {
  if (speed !== "high" || device.length < 18) return STALL;
  const bytes = new Uint8Array(10);
  bytes.set(device.subarray(0, 8));
  bytes[0] = bytes.length;
  bytes[1] = DescriptorType.deviceQualifier;
  bytes[8] = device[17] ?? 0;
  return bytes;
}

function otherSpeed(
  { configurations, speed }: VirtualDescriptors,
  index: number,
): ControlReply {
  const configuration = configurations[index];
  if (speed !== "high" || configuration === undefined) return STALL;
  const bytes = configuration.slice();
  bytes[1] = DescriptorType.otherSpeedConfiguration;
  return bytes;
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, value >> 8);
}

/** The first configuration's value, which hosts select; 0 when there is none. */
export function firstConfigurationValue(
  configurations: readonly ConfigurationDescriptor[],
): number {
  return configurations[0]?.configurationValue ?? configurationValue(0);
}
