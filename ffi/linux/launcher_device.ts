/**
 * The device, opened with the launcher's authority: the node is checked on the
 * descriptor, not by its path, since numbers are reused after a replug.
 *
 * @module
 */

import {
  interfaceMask,
  type SandboxPolicy,
} from "../../driver/host/sandbox_policy.ts";
import {
  type LauncherRefusal,
  LaunchRefused,
} from "../../driver/host/sandbox_policy_failures.ts";
import {
  USB_REQUESTS,
  USB_REQUESTS_OF_THE_LAUNCHER,
} from "../../driver/host/sandbox_policy_requests.ts";
import { formatIds, productId, vendorId } from "../../driver/usb.ts";
import { ERRNO, errnoName } from "./errno.ts";
import { AT_FDCWD, fileStatus, openFlags } from "./file_status.ts";
import { cstring, type Libc } from "./libc.ts";

/** Major number of usbfs nodes. Documentation/admin-guide/devices.txt. */
const USB_MAJOR = 189;
/** Device descriptor. USB 2.0, table 9-8. */
const DEVICE_DESCRIPTOR_BYTES = 18;
/** A string descriptor is at most this long. USB 2.0, 9.6.7. */
const STRING_DESCRIPTOR_BYTES = 255;
const CONTROL_TIMEOUT_MS = 1000;
const ENGLISH = 0x0409;

const OPEN_REFUSALS: ReadonlyMap<number, LauncherRefusal> = new Map([
  [ERRNO.ENOENT, "device-missing"],
  [ERRNO.ENODEV, "device-missing"],
  [ERRNO.ENXIO, "device-missing"],
  [ERRNO.ELOOP, "device-symlink"],
  [ERRNO.EIO, "device-io"],
  [ERRNO.EMFILE, "limits"],
  [ERRNO.ENFILE, "limits"],
]);

/**
 * Opens the node and makes sure that it is the device that was asked for.
 *
 * @throws {LaunchRefused} `device-…`, `limits`.
 */
export function openDevice(
  libc: Libc,
  policy: SandboxPolicy,
  options: { readonly isStandIn: boolean },
): number {
  const flags = openFlags(libc);
  const path = policy.nodePath;
  const device = libc.call("openat", [
    AT_FDCWD,
    cstring(path),
    flags.RDWR | flags.CLOEXEC | flags.NOFOLLOW | flags.NOCTTY,
    0,
  ]);
  if (device < 0) {
    throw new LaunchRefused(
      OPEN_REFUSALS.get(-device) ?? "device-access",
      `Cannot open ${path} for ${wantedIds(policy)}: ${errnoName(-device)}`,
    );
  }
  if (options.isStandIn) return device;
  const { type, deviceMajor } = fileStatus(libc, device);
  if (type !== "character" || deviceMajor !== USB_MAJOR) {
    throw new LaunchRefused(
      "device-not-usb",
      `Cannot use ${path}: it is not a USB device node`,
    );
  }
  checkIdentity(libc, device, policy);
  return device;
}

/** Compares the descriptor's own words with what was asked for. */
function checkIdentity(
  libc: Libc,
  device: number,
  policy: SandboxPolicy,
): void {
  const { expect, nodePath } = policy;
  const descriptor = new Uint8Array(DEVICE_DESCRIPTOR_BYTES);
  const SEEK_SET = 0;
  libc.call("lseek", [device, 0, SEEK_SET]);
  const got = libc.call("read", [device, descriptor, descriptor.length]);
  if (got !== DEVICE_DESCRIPTOR_BYTES) {
    const why = got < 0 ? errnoName(-got) : `${got} bytes`;
    throw new LaunchRefused(
      "device-io",
      `Cannot read the device descriptor from ${nodePath}: ${why}`,
    );
  }
  const view = new DataView(descriptor.buffer);
  const vendor = view.getUint16(8, true);
  const product = view.getUint16(10, true);
  if (vendor !== expect.vendorId || product !== expect.productId) {
    const found = formatIds(vendorId(vendor), productId(product));
    throw new LaunchRefused(
      "device-other",
      `Cannot use ${nodePath}: it is ${found}, not ${wantedIds(policy)}`,
    );
  }
  if (expect.serialNumber === undefined) return;
  const serial = readSerial(libc, device, {
    index: descriptor[16] ?? 0,
    nodePath,
  });
  if (serial !== expect.serialNumber.trimEnd()) {
    throw new LaunchRefused(
      "device-other",
      `Cannot use ${nodePath}: its serial number is ${
        JSON.stringify(serial ?? "")
      }, not ${JSON.stringify(expect.serialNumber)}`,
    );
  }
}

function wantedIds({ expect }: SandboxPolicy): string {
  return formatIds(vendorId(expect.vendorId), productId(expect.productId));
}

/** The serial number in the device's first language, as the kernel reads it. */
function readSerial(
  libc: Libc,
  device: number,
  where: { readonly index: number; readonly nodePath: string },
): string | undefined {
  if (where.index === 0) return undefined;
  const languages = readString(libc, device, { ...where, index: 0 }, 0);
  const [language = ENGLISH] = languages;
  const units = readString(libc, device, where, language);
  // The kernel's text ends at a NUL, and readers of its line trim the end.
  const end = units.indexOf(0);
  return String.fromCharCode(...units.slice(0, end < 0 ? units.length : end))
    .trimEnd();
}

/** A string descriptor's 16-bit units. USB 2.0, 9.6.7; GET_DESCRIPTOR, 9.4.3. */
function readString(
  libc: Libc,
  device: number,
  where: { readonly index: number; readonly nodePath: string },
  language: number,
): number[] {
  const data = libc.allocate(new Uint8Array(STRING_DESCRIPTOR_BYTES));
  const transfer = new Uint8Array(24); // struct usbdevfs_ctrltransfer
  const view = new DataView(transfer.buffer);
  view.setUint8(0, 0x80);
  view.setUint8(1, 6); // GET_DESCRIPTOR
  view.setUint16(2, (3 << 8) | where.index, true); // a string
  view.setUint16(4, language, true);
  view.setUint16(6, STRING_DESCRIPTOR_BYTES, true);
  view.setUint32(8, CONTROL_TIMEOUT_MS, true);
  view.setBigUint64(16, data, true);
  const length = libc.call("ioctl", [device, control(), transfer]);
  const bytes = new Uint8Array(STRING_DESCRIPTOR_BYTES);
  libc.peek(data, bytes);
  if (length < 2 || bytes[1] !== 3) {
    throw new LaunchRefused(
      "device-io",
      `Cannot read the serial number from ${where.nodePath}: ${
        length < 0 ? errnoName(-length) : "no string descriptor"
      }`,
    );
  }
  const end = Math.min(length, bytes[0] ?? 0);
  const units: number[] = [];
  for (let at = 2; at + 1 < end; at += 2) {
    units.push((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8));
  }
  return units;
}

function control(): number {
  return requestNumber("CONTROL");
}

function requestNumber(name: string): number {
  const found = USB_REQUESTS.find((request) => request.name === name);
  return found?.number ?? 0;
}

/**
 * Takes the interfaces from kernel drivers if it may, then gives up every other
 * interface of this open file: the drop forbids detaching, hence this order.
 *
 * @throws {LaunchRefused} `interface-busy`, `interface-mask`.
 */
export function takeInterfaces(
  libc: Libc,
  device: number,
  policy: SandboxPolicy,
): void {
  const detached: number[] = [];
  try {
    for (const number of policy.interfaces) {
      const driver = boundDriver(libc, device, number);
      if (driver === undefined) continue;
      // The driver it stands by for: it has none of it before that is gone.
      if (policy.isStandby && driver === "usbfs") continue;
      if (policy.kernelDriver === "refuse" || driver === "usbfs") {
        throw new LaunchRefused(
          "interface-busy",
          `Cannot take interface ${number}: ${driver} holds it`,
        );
      }
      detach(libc, device, { number, driver });
      detached.push(number);
    }
    dropPrivileges(libc, device, policy);
  } catch (error) {
    for (const number of detached) connect(libc, device, number);
    throw error;
  }
}

/** Asks the kernel to give the interfaces back to their kernel drivers; counts those it did. */
export function reattach(
  libc: Libc,
  device: number,
  policy: SandboxPolicy,
): number {
  return policy.interfaces.filter((number) =>
    boundDriver(libc, device, number) === undefined &&
    connect(libc, device, number) >= 0
  ).length;
}

/** Name of the driver bound to an interface; `undefined` when there is none. */
function boundDriver(
  libc: Libc,
  device: number,
  number: number,
): string | undefined {
  const answer = new Uint8Array(260); // struct usbdevfs_getdriver
  new DataView(answer.buffer).setUint32(0, number, true);
  const result = libc.call("ioctl", [
    device,
    requestNumber("GETDRIVER"),
    answer,
  ]);
  if (result === -ERRNO.ENODATA) return undefined;
  if (result < 0) {
    throw new LaunchRefused(
      "device-io",
      `Cannot ask for the driver of interface ${number}: ${errnoName(-result)}`,
    );
  }
  const end = answer.indexOf(0, 4);
  return new TextDecoder().decode(answer.subarray(4, end < 0 ? 260 : end));
}

function detach(
  libc: Libc,
  device: number,
  from: { readonly number: number; readonly driver: string },
): void {
  const { DISCONNECT } = USB_REQUESTS_OF_THE_LAUNCHER;
  const result = tell(libc, device, { number: from.number, code: DISCONNECT });
  if (result < 0 && result !== -ERRNO.ENODATA) {
    throw new LaunchRefused(
      "interface-busy",
      `Cannot detach ${from.driver} from interface ${from.number}: ${
        errnoName(-result)
      }`,
    );
  }
}

function connect(libc: Libc, device: number, number: number): number {
  const { CONNECT } = USB_REQUESTS_OF_THE_LAUNCHER;
  return tell(libc, device, { number, code: CONNECT });
}

/** `struct usbdevfs_ioctl`: interface, request, argument. */
function tell(
  libc: Libc,
  device: number,
  what: { readonly number: number; readonly code: number },
): number {
  const message = new Uint8Array(16);
  const view = new DataView(message.buffer);
  view.setInt32(0, what.number, true);
  view.setInt32(4, what.code, true);
  const { IOCTL } = USB_REQUESTS_OF_THE_LAUNCHER;
  return libc.call("ioctl", [device, IOCTL, message]);
}

function dropPrivileges(
  libc: Libc,
  device: number,
  policy: SandboxPolicy,
): void {
  const { DROP_PRIVILEGES } = USB_REQUESTS_OF_THE_LAUNCHER;
  const mask = new Uint32Array([interfaceMask(policy)]);
  const result = libc.call("ioctl", [device, DROP_PRIVILEGES, mask]);
  if (result < 0) {
    throw new LaunchRefused(
      "interface-mask",
      `Cannot limit the device to interfaces ${policy.interfaces.join(", ")}: ${
        errnoName(-result)
      }`,
    );
  }
}
