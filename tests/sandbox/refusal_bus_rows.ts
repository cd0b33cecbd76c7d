/**
 * Starts that must not happen because of what a device of a virtual bus is, or
 * what the kernel answers of it: each with the refusal and words that must follow.
 */

import type { LauncherRefusal } from "../../driver/host/sandbox_policy_failures.ts";
import {
  USB_REQUESTS,
  USB_REQUESTS_OF_THE_LAUNCHER,
} from "../../driver/host/sandbox_policy_requests.ts";
import type { BusRun } from "./bus_run.ts";
import type { RefusedCall } from "./poorer_kernel.ts";

/** One start that must be refused. */
export interface BusRefusal {
  readonly name: string;
  readonly wanted: LauncherRefusal;
  /** What its sentence says. */
  readonly words: string;
  readonly run: BusRun;
}

/** `errno` of Linux, include/uapi/asm-generic. */
const [EIO, EBUSY, ENOTTY, EPIPE] = [5, 16, 25, 32];
const KERNEL_DRIVER = { kernelDrivers: { 0: "usbhid" } } as const;
const { DROP_PRIVILEGES, IOCTL } = USB_REQUESTS_OF_THE_LAUNCHER;

/** Each is tried on bus B. */
export const BUS_REFUSAL_ROWS: readonly BusRefusal[] = [
  {
    name: "another product is behind the node",
    wanted: "device-other",
    words: "it is 1209:0001, not 1209:0002",
    run: { policy: { expect: { vendorId: 0x1209, productId: 2 } } },
  },
  {
    name: "another of the same product is behind the node",
    wanted: "device-other",
    words: 'its serial number is "0001", not "0002"',
    run: {
      policy: {
        expect: { vendorId: 0x1209, productId: 1, serialNumber: "0002" },
      },
    },
  },
  {
    name: "a kernel driver holds the interface",
    wanted: "interface-busy",
    words: "usbhid holds it",
    run: { device: KERNEL_DRIVER },
  },
  {
    name: "a kernel driver does not let go of the interface",
    wanted: "interface-busy",
    words: "Cannot detach usbhid from interface 0: EBUSY",
    run: {
      device: KERNEL_DRIVER,
      policy: { kernelDriver: "detach" },
      kernelRefuses: [request(IOCTL, EBUSY)],
    },
  },
  {
    name: "the kernel cannot limit a device to interfaces",
    wanted: "interface-mask",
    words: "Cannot limit the device to interfaces 0: ENOTTY",
    run: { kernelRefuses: [request(DROP_PRIVILEGES, ENOTTY)] },
  },
  {
    name: "the device does not tell its serial number",
    wanted: "device-io",
    words: "Cannot read the serial number",
    run: { kernelRefuses: [request(numberOf("CONTROL"), EPIPE)] },
  },
  {
    name: "the kernel does not tell who holds an interface",
    wanted: "device-io",
    words: "Cannot ask for the driver of interface 0: EIO",
    run: { kernelRefuses: [request(numberOf("GETDRIVER"), EIO)] },
  },
];

/** A usbfs request that fails. */
function request(number: number, errno: number): RefusedCall {
  return { call: "ioctl", errno, only: { argument: 1, value: number } };
}

function numberOf(name: string): number {
  return USB_REQUESTS.find((entry) => entry.name === name)?.number ?? NaN;
}
