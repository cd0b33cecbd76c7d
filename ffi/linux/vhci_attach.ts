/**
 * Hands vhci_hcd, the kernel's virtual host controller, one end of a Unix
 * socket: a program is then a USB device of its own machine, without TCP and
 * without a tool. Needs root and the module `vhci-hcd`.
 *
 * @module
 */

import { UsbError } from "../../driver/errors.ts";
import type { Speed } from "../../driver/usb.ts";
import { Libc } from "./libc.ts";

const VHCI = "/sys/devices/platform/vhci_hcd.0";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
/** `struct sockaddr_un`: family, then 108 bytes of path. unix(7). */
const SOCKADDR_UN_BYTES = 110;

/** Speeds as the kernel numbers them: `enum usb_device_speed`, include/uapi/linux/usb/ch9.h. */
const SPEED_NUMBERS: Readonly<Record<Speed, number>> = {
  unknown: 3,
  low: 1,
  full: 2,
  high: 3,
  super: 5,
  "super+": 5,
  "super+x2": 5,
};

/** State of a port that has no device: VDEV_ST_NULL. drivers/usb/usbip/usbip_common.h. */
const PORT_IS_FREE = 4;

/** Busid and device number say where a real device was; ours never was anywhere. */
const DEVICE_ID = 1 << 16 | 2;

/** A device attached to this machine. */
export interface VhciAttachment {
  /** Our end: USB/IP's second phase, at once. Closing it unplugs the device. */
  readonly connection: Deno.UnixConn;
  /** Port of the controller, as its `status` numbers them. */
  readonly port: number;
}

/** Where to attach it. */
export interface VhciAttachOptions {
  /** Port of the speed's root hub, from 1; default the first free one. */
  readonly hubPort?: number;
}

/**
 * Attaches a device of this speed and gives the device's end of the connection.
 *
 * @throws {UsbError} `notSupported` without the module, `access` without root,
 *   `busy` when the port, or every port, has a device.
 */
export async function attachToVhci(
  speed: Speed,
  options: VhciAttachOptions = {},
): Promise<VhciAttachment> {
  const port = freePort(readStatus(), speed, options);
  const folder = await Deno.makeTempDir({ prefix: "vhci-" });
  const path = `${folder}/socket`;
  try {
    const { fd, connection } = await socketPair(path);
    try {
      Deno.writeTextFileSync(
        `${VHCI}/attach`,
        `${port} ${fd.number} ${DEVICE_ID} ${SPEED_NUMBERS[speed]}`,
      );
    } catch (cause) {
      connection.close();
      throw failure("access", "the kernel refused it; this needs root", cause);
    } finally {
      // The kernel holds its own reference to the socket from here on.
      fd.close();
    }
    return { connection, port };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function readStatus(): string {
  try {
    return Deno.readTextFileSync(`${VHCI}/status`);
  } catch (cause) {
    throw failure(
      "notSupported",
      "the kernel's virtual host controller is not there",
      cause,
      "Load it: modprobe vhci-hcd",
    );
  }
}

/**
 * A free port for a speed. Lines read `hs  0000 004 000 00000000 000000 0-0`:
 * hub, port, state, speed, device, socket, bus id; a hub's lines are in order.
 */
export function freePort(
  status: string,
  speed: Speed,
  options: VhciAttachOptions = {},
): number {
  const hub = SPEED_NUMBERS[speed] >= SPEED_NUMBERS.super ? "ss" : "hs";
  const lines = status.split("\n").map((line) => line.trim().split(/\s+/))
    .filter(([name]) => name === hub);
  const { hubPort } = options;
  const wanted = hubPort === undefined
    ? lines
    : lines.slice(hubPort - 1, hubPort);
  const free = wanted.find(([, , state]) => Number(state) === PORT_IS_FREE);
  if (free !== undefined) return Number(free[1]);
  throw failure(
    "busy",
    hubPort === undefined
      ? "every port of the controller has a device"
      : `port ${hubPort} has a device, or is not there`,
  );
}

interface RawSocket {
  readonly number: number;
  close(): void;
}

/** A connected pair: one end a bare descriptor for the kernel, the other one Deno's. */
async function socketPair(
  path: string,
): Promise<{ fd: RawSocket; connection: Deno.UnixConn }> {
  using listener = Deno.listen({ transport: "unix", path });
  const libc = Libc.open("libc.so.6");
  const number = libc.call("socket", [AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0]);
  const fd = {
    number,
    close: (): void => {
      if (number >= 0) libc.call("close", [number]);
      libc[Symbol.dispose]();
    },
  };
  const address = new Uint8Array(SOCKADDR_UN_BYTES);
  address[0] = AF_UNIX;
  address.set(new TextEncoder().encode(path), 2);
  // The listener's queue is empty, so this does not wait.
  if (
    number < 0 || libc.call("connect", [number, address, address.length]) < 0
  ) {
    fd.close();
    throw failure("io", "our own socket could not be reached");
  }
  return { fd, connection: await listener.accept() };
}

function failure(
  code: "access" | "busy" | "io" | "notSupported",
  reason: string,
  cause?: unknown,
  advice?: string,
): UsbError {
  return new UsbError({
    code,
    operation: "attach a virtual device to this machine",
    reason,
    cause,
    ...(advice === undefined ? {} : { advice }),
  });
}
