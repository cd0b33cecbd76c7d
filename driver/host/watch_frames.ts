/**
 * The frames of the process that watches the bus: one JSON object a line. A
 * list is one frame that says how many devices follow, then a frame for each.
 * Whoever lists devices reads their descriptors with native code and may be
 * captured by one of them, so what it says is read as hostile input, and holds
 * what a supervisor decides by and no more: no endpoints, no descriptors.
 *
 * @module
 */

import type { DeviceInfo } from "../port.ts";
import {
  type DeviceDescriptor,
  productId,
  type Speed,
  vendorId,
} from "../usb.ts";
import {
  type Checker,
  count,
  integer,
  list,
  oneOf,
  optional,
  shape,
  text,
  upTo,
  WireError,
} from "./wire_check.ts";

/** Both ends must speak the same version; the first frame says it. */
export const WATCH_VERSION = 1;
/** Longer than a frame about any device. */
export const WATCH_LINE_BYTES_MAX = 16 * 1024;
/** More than any machine of ours has; a list that is longer is none. */
export const WATCHED_DEVICES_MAX = 1_024;
/** Interfaces of a device that are told, alternate settings of other classes counted: no device has as many. */
const CLASSES_MAX = 256;
/** A string descriptor holds 126 units. USB 2.0, 9.6.7. */
const TEXT_LENGTH_MAX = 128;

/** The library that lists, and where it runs. */
export interface WatchHello {
  readonly type: "hello";
  readonly watch: number;
  readonly pid: number;
  /** Of libusb, as permissions must name it. */
  readonly libraryPath: string;
  /** `1.0.26`. */
  readonly libraryVersion: string;
  /** Id of this boot of the system, for lines of logs. */
  readonly boot: string;
}

/** `count` frames about devices follow, which are all there are. */
export interface WatchList {
  readonly type: "list";
  /** +1 for each list. */
  readonly sequence: number;
  readonly count: number;
}

/** An interface in one of its classes: number, class, subclass, protocol. */
export type WatchedClass = readonly [number, number, number, number];

/** A configuration: its value and what its interfaces are. */
export interface WatchedConfiguration {
  readonly value: number;
  readonly classes: readonly WatchedClass[];
}

/** One device of the list. */
export interface WatchDevice {
  readonly type: "device";
  readonly id: string;
  readonly busNumber: number;
  readonly deviceAddress: number;
  readonly portPath: string;
  readonly speed: Speed;
  readonly descriptor: DeviceDescriptor;
  readonly manufacturer?: string;
  readonly product?: string;
  readonly serialNumber?: string;
  readonly configurationValue?: number;
  readonly nodePath?: string;
  readonly configurations: readonly WatchedConfiguration[];
}

/** Sent after each look at the bus, changed or not. */
export interface WatchBeat {
  readonly type: "beat";
  readonly sequence: number;
}

/** Last frame of one that cannot watch. */
export interface WatchFailed {
  readonly type: "failed";
  /** A `UsbErrorCode`, or `bug`. */
  readonly code: string;
  readonly message: string;
  readonly advice?: string;
}

/** What a watching process sends. */
export type WatchFrame =
  | WatchHello
  | WatchList
  | WatchDevice
  | WatchBeat
  | WatchFailed;

/** As one line, newline included. */
export function encodeWatchFrame(frame: WatchFrame): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${JSON.stringify(frame)}\n`);
}

/**
 * Reads one line.
 *
 * @throws {WireError} When it is not a frame of this version, whole and sound.
 */
export function decodeWatchFrame(line: Uint8Array): WatchFrame {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(line));
  } catch {
    throw new WireError("notJson", "Cannot read a frame: it is no JSON");
  }
  const { type } = TYPE(value, "frame");
  return FRAMES[type](value, type);
}

/** A device as a frame. */
export function watchedDevice(info: DeviceInfo): WatchDevice {
  const { manufacturer, product, serialNumber, nodePath } = info;
  let left = CLASSES_MAX;
  const configurations = info.configurations.map((configuration) => {
    const classes = classesOf(configuration).slice(0, left);
    left -= classes.length;
    return { value: Number(configuration.configurationValue), classes };
  });
  return {
    type: "device",
    id: info.id,
    busNumber: info.busNumber,
    deviceAddress: info.deviceAddress,
    portPath: info.portPath,
    speed: info.speed,
    descriptor: info.descriptor,
    ...clipped({ manufacturer, product, serialNumber }),
    ...(nodePath === undefined ? {} : { nodePath }),
    ...(info.configurationValue === undefined
      ? {}
      : { configurationValue: Number(info.configurationValue) }),
    configurations,
  };
}

/** Each class of each interface once: alternate settings mostly share theirs. */
function classesOf(
  { interfaces }: DeviceInfo["configurations"][number],
): WatchedClass[] {
  const seen = new Map<string, WatchedClass>();
  for (const { interfaceNumber, alternates } of interfaces) {
    for (const alternate of alternates) {
      const found: WatchedClass = [
        interfaceNumber,
        alternate.interfaceClass,
        alternate.interfaceSubclass,
        alternate.interfaceProtocol,
      ];
      seen.set(found.join(), found);
    }
  }
  return [...seen.values()];
}

function clipped(
  texts: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(texts).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value.slice(0, TEXT_LENGTH_MAX)]]
    ),
  );
}

const TYPE = shape({
  type: oneOf("hello", "list", "device", "beat", "failed"),
});

/** Text of a form, so that it can stand in a command line or a path. */
function formed(pattern: RegExp): Checker<string> {
  const check = text(TEXT_LENGTH_MAX);
  return (value, where) => {
    const read = check(value, where);
    if (pattern.test(read)) return read;
    throw new WireError("badMember", `Cannot read ${where}: ${pattern} is due`);
  };
}

const DESCRIPTOR: Checker<DeviceDescriptor> = (value, where) => {
  const read = RAW_DESCRIPTOR(value, where);
  return {
    ...read,
    vendorId: vendorId(read.vendorId),
    productId: productId(read.productId),
  };
};

const RAW_DESCRIPTOR = shape({
  usbVersion: upTo(0xffff),
  deviceClass: upTo(0xff),
  deviceSubclass: upTo(0xff),
  deviceProtocol: upTo(0xff),
  maxPacketSize0: upTo(0xff),
  vendorId: upTo(0xffff),
  productId: upTo(0xffff),
  deviceVersion: upTo(0xffff),
  manufacturerIndex: upTo(0xff),
  productIndex: upTo(0xff),
  serialNumberIndex: upTo(0xff),
  configurationCount: upTo(0xff),
});

const CLASS: Checker<WatchedClass> = (value, where) => {
  const [number, first, second, third, ...rest] = list(upTo(0xff), 4)(
    value,
    where,
  );
  const isWhole = number !== undefined && first !== undefined &&
    second !== undefined && third !== undefined && rest.length === 0;
  if (isWhole) return [number, first, second, third];
  throw new WireError(
    "badMember",
    `Cannot read ${where}: four numbers are due`,
  );
};

const FRAMES: {
  readonly [Type in WatchFrame["type"]]: Checker<
    Extract<WatchFrame, { readonly type: Type }>
  >;
} = {
  hello: shape({
    type: oneOf("hello"),
    watch: oneOf(WATCH_VERSION),
    pid: count,
    libraryPath: text(4096),
    libraryVersion: text(64),
    boot: text(64),
  }),
  list: shape({
    type: oneOf("list"),
    sequence: count,
    count: upTo(WATCHED_DEVICES_MAX),
  }),
  device: shape({
    type: oneOf("device"),
    id: formed(/^[0-9.#-]+$/),
    busNumber: integer,
    deviceAddress: integer,
    portPath: formed(/^(\d+-\d+(\.\d+)*)?$/),
    speed: oneOf(
      "unknown",
      "low",
      "full",
      "high",
      "super",
      "super+",
      "super+x2",
    ),
    descriptor: DESCRIPTOR,
    manufacturer: optional(text(TEXT_LENGTH_MAX)),
    product: optional(text(TEXT_LENGTH_MAX)),
    serialNumber: optional(text(TEXT_LENGTH_MAX)),
    configurationValue: optional(upTo(0xff)),
    nodePath: optional(formed(/^\/dev\/bus\/usb\/\d{3}\/\d{3}$/)),
    configurations: list(
      shape({ value: upTo(0xff), classes: list(CLASS, CLASSES_MAX) }),
      0xff,
    ),
  }),
  beat: shape({ type: oneOf("beat"), sequence: count }),
  failed: shape({
    type: oneOf("failed"),
    code: text(64),
    message: text(8192),
    advice: optional(text(8192)),
  }),
};
