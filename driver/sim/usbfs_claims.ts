/**
 * Rights of one open file of usbfs: claims, kernel drivers, dropped privileges.
 * Linux, drivers/usb/core/devio.c: `claimintf`, `checkintf`, `proc_ioctl`.
 *
 * @module
 */

import type { BusDevice } from "./bus_device.ts";
import { ERRNO } from "./errno.ts";
import { DISCONNECT_CLAIM_FLAG, USBDEVFS } from "./usbfs_constants.ts";
import type { Answer } from "./usbfs_contract.ts";

/** Bits of `ifclaimed`, one file's claims in the kernel: numbers from here on are invalid. */
const MAX_CLAIMS = 64;

/** Success without a result. */
export const OK: Answer = [0, 0];

/** Failure with an error number. */
export function failed(errno: number): Answer {
  return [-1, errno];
}

/** An error number as an answer. */
export function answer(errno: number): Answer {
  return errno === 0 ? OK : failed(errno);
}

/** Claims of one open file. Methods give 0 or an error number. */
export class UsbfsClaims {
  readonly #device: BusDevice;
  readonly #owner: object;
  /** Interfaces left after DROP_PRIVILEGES; `undefined`: not dropped. */
  #allowed: number | undefined;

  /** `owner` is the open file. */
  constructor(device: BusDevice, owner: object) {
    this.#device = device;
    this.#owner = owner;
  }

  /** CLAIMINTERFACE. */
  claim(number: number): number {
    if (number >= MAX_CLAIMS) return ERRNO.INVAL;
    const isAllowed = this.#allowed === undefined ||
      (number < 32 && (this.#allowed >>> number & 1) === 1);
    if (!isAllowed) return ERRNO.ACCES;
    switch (this.#device.claims.claim(number, this.#owner)) {
      case "claimed":
        return 0;
      case "notFound":
        return ERRNO.NOENT;
      case "busy":
        return ERRNO.BUSY;
    }
  }

  /**
   * RELEASEINTERFACE. The kernel shuts endpoints down, as it does for every
   * driver it unbinds, and sets alternate 0.
   */
  release(number: number): number {
    const device = this.#device;
    if (!device.claims.release(number, this.#owner)) return ERRNO.INVAL;
    device.endInterface(number, -ERRNO.SHUTDOWN);
    if (device.alternateOf(number) !== 0) device.selectAlternate(number, 0);
    return 0;
  }

  /** Releases all, as closing the file does. */
  releaseAll(): void {
    for (const number of this.#device.claims.of(this.#owner)) {
      this.release(number);
    }
  }

  /** May the file use an interface? Claims it when nobody did, as the kernel does. */
  check(number: number): number {
    return this.#device.claims.owner(number) === this.#owner
      ? 0
      : this.claim(number);
  }

  /** May the file use an endpoint? */
  checkEndpoint(address: number): number {
    const number = this.#device.interfaceOf(address);
    if (number === undefined) return ERRNO.NOENT;
    const errno = this.check(number);
    if (errno !== 0) return errno;
    return this.#device.endpoint(address) === undefined ? ERRNO.NOENT : 0;
  }

  /** May the file send this control request? `check_ctrlrecip`. */
  checkRecipient(setup: Uint8Array): number {
    const [bmRequestType = 0, bRequest = 0, , , wIndex = 0] = setup;
    const isVendor = (bmRequestType & 0x60) === 0x40;
    // Printers' GET_DEVICE_ID has the interface elsewhere in wIndex.
    const isPrinter = bmRequestType === 0xa1 && bRequest === 0;
    if (isVendor || isPrinter) return 0;
    switch (bmRequestType & 0x1f) {
      case 1:
        return this.check(wIndex);
      case 2:
        return this.#checkWindowsEndpoint(wIndex);
      default:
        return 0;
    }
  }

  /** SETINTERFACE: transfers of the interface end first. */
  setInterface(number: number, setting: number): number {
    const errno = this.check(number);
    if (errno !== 0) return errno;
    this.#device.endInterface(number, -ERRNO.NOENT);
    return this.#device.selectAlternate(number, setting) ? 0 : ERRNO.INVAL;
  }

  /** SETCONFIGURATION; 0 and below leave the device unconfigured. */
  setConfiguration(value: number): number {
    if (this.#device.claims.isInUse) return ERRNO.BUSY;
    return this.#device.configure(Math.max(0, value)) ? 0 : ERRNO.INVAL;
  }

  /** IOCTL with DISCONNECT or CONNECT. */
  driverIoctl(number: number, code: number): Answer {
    const { claims } = this.#device;
    if (this.#allowed !== undefined) return failed(ERRNO.ACCES);
    if (this.#device.activeConfiguration === undefined) {
      return failed(ERRNO.HOSTUNREACH);
    }
    if (this.#device.alternateOf(number) === undefined) {
      return failed(ERRNO.INVAL);
    }
    switch (code) {
      case USBDEVFS.DISCONNECT:
        return this.#unbind(number) ? OK : failed(ERRNO.NODATA);
      case USBDEVFS.CONNECT:
        if (claims.driver(number) !== undefined) return failed(ERRNO.BUSY);
        return claims.attach(number) ? [1, 0] : OK;
      default:
        return failed(ERRNO.NOTTY);
    }
  }

  /** DISCONNECT_CLAIM: unbinds, then claims. */
  disconnectClaim(number: number, flags: number, driver: string): number {
    if (this.#device.alternateOf(number) === undefined) return ERRNO.INVAL;
    const bound = this.#device.claims.driver(number);
    if (bound !== undefined) {
      if (this.#allowed !== undefined) return ERRNO.ACCES;
      const { IF_DRIVER, EXCEPT_DRIVER } = DISCONNECT_CLAIM_FLAG;
      const isSame = bound === driver;
      if ((flags & IF_DRIVER) !== 0 && !isSame) return ERRNO.BUSY;
      if ((flags & EXCEPT_DRIVER) !== 0 && isSame) return ERRNO.BUSY;
      this.#unbind(number);
    }
    return this.claim(number);
  }

  /** DROP_PRIVILEGES: one way, the mask only shrinks. */
  drop(mask: number): void {
    this.#allowed = (this.#allowed ?? ~0) & mask;
  }

  /** RESET is refused when privileges were dropped and another holds an interface. */
  checkReset(): number {
    const { claims, activeConfiguration } = this.#device;
    if (this.#allowed === undefined) return 0;
    const isForeign = activeConfiguration?.interfaces.some((i) =>
      claims.driver(i.interfaceNumber) !== undefined &&
      claims.owner(i.interfaceNumber) !== this.#owner
    );
    return isForeign ? ERRNO.ACCES : 0;
  }

  #unbind(number: number): boolean {
    const { claims } = this.#device;
    const owner = claims.owner(number);
    if (owner === undefined) return claims.detach(number);
    this.#device.endInterface(number, -ERRNO.SHUTDOWN);
    return claims.release(number, owner);
  }

  /** As the kernel: Windows programs give the number where the address belongs. */
  #checkWindowsEndpoint(address: number): number {
    if ((address & 0x7f) === 0) return 0;
    const number = this.#device.interfaceOf(address) ??
      this.#device.interfaceOf(address ^ 0x80);
    return number === undefined ? ERRNO.NOENT : this.check(number);
  }
}
