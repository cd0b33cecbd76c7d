/**
 * The small ioctls of usbfs: an argument in, an answer out, no transfer.
 *
 * @module
 */

import type { BusDevice } from "./bus_device.ts";
import { ERRNO } from "./errno.ts";
import { words } from "./urb.ts";
import { answer, failed, OK, type UsbfsClaims } from "./usbfs_claims.ts";
import {
  CAPABILITY,
  CONNINFO_EX_NUMBER,
  sizeOfIoctl,
  SPEED_NUMBER,
  USBDEVFS,
} from "./usbfs_constants.ts";
import type { Answer, ClientMemory } from "./usbfs_contract.ts";

/** What the requests work on. */
export interface RequestContext {
  readonly device: BusDevice;
  readonly claims: UsbfsClaims;
  readonly busNumber: number;
  readonly deviceAddress: number;
  /** Ports from the root hub on. */
  readonly ports: readonly number[];
}

/** Answers a request; ENOTTY for those usbfs does not know. */
export async function answerRequest(
  request: number,
  argument: bigint,
  options: { readonly context: RequestContext; readonly memory: ClientMemory },
): Promise<Answer> {
  const { context, memory } = options;
  const { device } = context;
  const { speed } = device.descriptors;
  if ((request & 0xff) === CONNINFO_EX_NUMBER && request >>> 30 === 2) {
    const size = Math.min(sizeOfIoctl(request), CONNINFO_BYTES);
    memory.poke(argument, connectionInfo(context).subarray(0, size));
    return OK;
  }
  switch (request) {
    case USBDEVFS.GET_CAPABILITIES:
      memory.poke(argument, words(CAPABILITIES));
      return OK;
    case USBDEVFS.GET_SPEED:
      return [SPEED_NUMBER[speed], 0];
    case USBDEVFS.CONNECTINFO:
      memory.poke(
        argument,
        words(context.deviceAddress, Number(speed === "low")),
      );
      return OK;
  }
  const size = ARGUMENT_BYTES.get(request);
  if (size === undefined) return failed(ERRNO.NOTTY);
  const bytes = await memory.peek(argument, size);
  // The device may have left while the client was read.
  if (device.isGone) return failed(ERRNO.NODEV);
  if (request === USBDEVFS.GETDRIVER) {
    return driverName(
      bytes,
      device,
      (data) => memory.poke(argument + 4n, data),
    );
  }
  return withArgument(request, bytes, context);
}

function withArgument(
  request: number,
  bytes: Uint8Array<ArrayBuffer>,
  { claims, device }: RequestContext,
): Answer {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = view.getUint32(0, true);
  const second = bytes.length >= 8 ? view.getUint32(4, true) : 0;
  switch (request) {
    case USBDEVFS.CLAIMINTERFACE:
      return answer(claims.claim(first));
    case USBDEVFS.RELEASEINTERFACE:
      return answer(claims.release(first));
    case USBDEVFS.SETINTERFACE:
      return answer(claims.setInterface(first, second));
    case USBDEVFS.SETCONFIGURATION:
      return answer(claims.setConfiguration(first | 0));
    case USBDEVFS.CLEAR_HALT:
    case USBDEVFS.RESETEP:
      return clear(request, first, { claims, device });
    case USBDEVFS.IOCTL:
      return claims.driverIoctl(first, second);
    case USBDEVFS.DISCONNECT_CLAIM: {
      const name = new TextDecoder().decode(bytes.subarray(8));
      const driver = name.slice(0, Math.max(0, name.indexOf("\0")));
      return answer(claims.disconnectClaim(first, second, driver));
    }
    default:
      claims.drop(first);
      return OK;
  }
}

function driverName(
  bytes: Uint8Array<ArrayBuffer>,
  device: BusDevice,
  poke: (data: Uint8Array) => void,
): Answer {
  const number = new DataView(bytes.buffer).getUint32(0, true);
  const name = device.claims.driver(number);
  if (name === undefined) return failed(ERRNO.NODATA);
  poke(new TextEncoder().encode(`${name.slice(0, MAX_DRIVER_NAME)}\0`));
  return OK;
}

function clear(
  request: number,
  address: number,
  { claims, device }: Pick<RequestContext, "claims" | "device">,
): Answer {
  const errno = claims.checkEndpoint(address);
  if (errno !== 0) return failed(errno);
  const isDone = request === USBDEVFS.CLEAR_HALT
    ? device.clearHalt(address)
    : device.resetEndpoint(address);
  return isDone ? OK : failed(ERRNO.NOENT);
}

function connectionInfo(context: RequestContext): Uint8Array {
  const bytes = new Uint8Array(CONNINFO_BYTES);
  const speed = SPEED_NUMBER[context.device.descriptors.speed];
  const { busNumber, deviceAddress, ports } = context;
  bytes.set(words(CONNINFO_BYTES, busNumber, deviceAddress, speed));
  bytes[16] = ports.length;
  bytes.set(ports.slice(0, MAX_CONNINFO_PORTS), 17);
  return bytes;
}

/** `char driver[USBDEVFS_MAXDRIVERNAME + 1]`, its end included. */
const MAX_DRIVER_NAME = 255;
/** `struct usbdevfs_conninfo_ex`. */
const CONNINFO_BYTES = 24;
/** Ports that fit into it, as many tiers as USB has. */
const MAX_CONNINFO_PORTS = 7;

/** mmap (0x20) and suspend (0x100) are not offered. */
const CAPABILITIES = CAPABILITY.ZERO_PACKET | CAPABILITY.NO_PACKET_SIZE_LIM |
  CAPABILITY.BULK_SCATTER_GATHER | CAPABILITY.REAP_AFTER_DISCONNECT |
  CAPABILITY.DROP_PRIVILEGES | CAPABILITY.CONNINFO_EX;

/** How much of an argument is read. */
const ARGUMENT_BYTES: ReadonlyMap<number, number> = new Map<number, number>([
  [USBDEVFS.CLAIMINTERFACE, 4],
  [USBDEVFS.RELEASEINTERFACE, 4],
  [USBDEVFS.SETINTERFACE, 8],
  [USBDEVFS.SETCONFIGURATION, 4],
  [USBDEVFS.CLEAR_HALT, 4],
  [USBDEVFS.RESETEP, 4],
  [USBDEVFS.GETDRIVER, 4],
  [USBDEVFS.IOCTL, 8],
  [USBDEVFS.DISCONNECT_CLAIM, 264],
  [USBDEVFS.DROP_PRIVILEGES, 4],
]);
