/**
 * ioctl requests of usbfs, as data: which a sandboxed driver may make on its
 * device's descriptor, and why. Numbers: include/uapi/linux/usbdevice_fs.h, the
 * same on x86_64 and aarch64.
 *
 * @module
 */

/** A request a driver may make, and what for. */
export interface UsbRequest {
  /** Name in `usbdevice_fs.h`, without `USBDEVFS_`. */
  readonly name: string;
  readonly number: number;
  readonly reason: string;
}

/** `_IOC(direction, 'U', number, size)`. include/uapi/asm-generic/ioctl.h. */
// @__NO_SIDE_EFFECTS__
function usb(direction: 0 | 1 | 2 | 3, number: number, size: number): number {
  return ((direction << 30) | (size << 16) | (0x55 << 8) | number) >>> 0;
}

/**
 * What running transfers takes: exactly what libusb 1.0.26 uses. The first two
 * are most of a driver's calls, so the filter meets them first.
 */
export const USB_REQUESTS: readonly UsbRequest[] = [
  {
    name: "REAPURBNDELAY",
    number: usb(1, 13, 8),
    reason: "fetch completed transfers",
  },
  { name: "SUBMITURB", number: usb(2, 10, 56), reason: "start a transfer" },
  { name: "DISCARDURB", number: usb(0, 11, 0), reason: "cancel a transfer" },
  {
    name: "CONTROL",
    number: usb(3, 0, 24),
    reason: "ask for the active configuration when the descriptor is wrapped",
  },
  {
    name: "CLAIMINTERFACE",
    number: usb(2, 15, 4),
    reason: "claim an interface of the mask",
  },
  {
    name: "RELEASEINTERFACE",
    number: usb(2, 16, 4),
    reason: "give an interface back",
  },
  {
    name: "SETINTERFACE",
    number: usb(2, 4, 8),
    reason: "choose an alternate setting",
  },
  {
    name: "CLEAR_HALT",
    number: usb(2, 21, 4),
    reason: "clear the halt of an endpoint",
  },
  {
    name: "GETDRIVER",
    number: usb(1, 8, 260),
    reason: "tell whether a kernel driver holds an interface",
  },
  {
    name: "CONNECTINFO",
    number: usb(1, 17, 8),
    reason: "learn the device number when the descriptor is wrapped",
  },
  {
    name: "GET_CAPABILITIES",
    number: usb(2, 26, 4),
    reason: "learn what the host controller can do",
  },
  { name: "GET_SPEED", number: usb(0, 31, 0), reason: "learn the bus speed" },
];

/** Granted only to a driver whose `requests` name them. */
export const USB_REQUESTS_ON_DEMAND: Readonly<
  Record<DemandedRequest, readonly UsbRequest[]>
> = {
  setConfiguration: [{
    name: "SETCONFIGURATION",
    number: usb(2, 5, 4),
    reason: "the driver chooses a configuration",
  }],
  reset: [
    {
      name: "RESET",
      number: usb(0, 20, 0),
      reason: "the driver resets its device",
    },
    {
      name: "DISCONNECT_CLAIM",
      number: usb(2, 27, 264),
      reason:
        "libusb claims its interfaces again after a reset; the interface mask keeps it from a kernel driver's",
    },
  ],
  streams: [
    {
      name: "ALLOC_STREAMS",
      number: usb(2, 28, 8),
      reason: "the driver uses bulk streams",
    },
    {
      name: "FREE_STREAMS",
      number: usb(2, 29, 8),
      reason: "the driver uses bulk streams",
    },
  ],
};

/** What a driver's `requests` may name. */
export type DemandedRequest = "setConfiguration" | "reset" | "streams";

/** The launcher's business, before the filter: they take interfaces from kernel drivers. */
export const USB_REQUESTS_OF_THE_LAUNCHER = {
  /** Carries DISCONNECT and CONNECT. */
  IOCTL: usb(3, 18, 16),
  DISCONNECT: usb(0, 22, 0),
  CONNECT: usb(0, 23, 0),
  DROP_PRIVILEGES: usb(1, 30, 4),
} as const;

/** Never granted to anybody; tests hold that. */
export const USB_REQUESTS_NEVER: Readonly<Record<string, number>> = {
  BULK: usb(3, 2, 24),
  RESETEP: usb(2, 3, 4),
  REAPURB: usb(1, 12, 8),
  DISCSIGNAL: usb(2, 14, 16),
  HUB_PORTINFO: usb(2, 19, 128),
  CLAIM_PORT: usb(2, 24, 4),
  RELEASE_PORT: usb(2, 25, 4),
  FORBID_SUSPEND: usb(0, 33, 0),
  ALLOW_SUSPEND: usb(0, 34, 0),
  WAIT_FOR_RESUME: usb(0, 35, 0),
};

/** The requests a driver gets: those of every transfer, then what it demanded. */
export function requestsFor(
  demanded: readonly DemandedRequest[],
): readonly UsbRequest[] {
  return [
    ...USB_REQUESTS,
    ...demanded.flatMap((name) => USB_REQUESTS_ON_DEMAND[name]),
  ];
}
