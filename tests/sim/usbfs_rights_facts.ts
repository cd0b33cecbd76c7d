/** What Linux's usbfs does about claims, kernel drivers and privileges. */

import { USBDEVFS } from "../../driver/sim/usbfs_constants.ts";
import { fact, Probe, type UsbfsFact } from "./usbfs_probe.ts";

const { CLAIMINTERFACE, RELEASEINTERFACE } = USBDEVFS;

/** Claims and kernel drivers. */
export const CLAIM_FACTS: readonly UsbfsFact[] = [
  fact(
    "A claim: again by its owner, of what is not there, of numbers out of range",
    ["0", "0", "ENOENT", "EINVAL"],
    async (probe) => [
      await probe.ask(CLAIMINTERFACE, 0),
      await probe.ask(CLAIMINTERFACE, 0),
      await probe.ask(CLAIMINTERFACE, 7),
      await probe.ask(CLAIMINTERFACE, 200),
    ],
  ),
  fact(
    "A claim excludes other files until its file is closed",
    ["0", "EBUSY", "0"],
    async (probe, bus) => {
      const mine = await bus.open();
      const claimed = await new Probe(mine).ask(CLAIMINTERFACE, 0);
      const refused = await probe.ask(CLAIMINTERFACE, 0);
      await mine.close();
      return [claimed, refused, await probe.ask(CLAIMINTERFACE, 0)];
    },
  ),
  fact(
    "A release of what is not claimed, and out of range",
    ["EINVAL", "EINVAL"],
    async (probe) => [
      await probe.ask(RELEASEINTERFACE, 0),
      await probe.ask(RELEASEINTERFACE, 200),
    ],
  ),
  fact(
    "A transfer claims the interface that nobody has",
    ["0", "EBUSY"],
    async (probe, bus) => {
      const { outcome } = await probe.bulkIn(0x81, 64);
      const other = await bus.open();
      const refused = await new Probe(other).ask(CLAIMINTERFACE, 0);
      await other.close();
      return [outcome, refused];
    },
  ),
  fact(
    "A driver's name: none, then usbfs",
    ["ENODATA", "usbfs"],
    async (probe) => {
      const none = await probe.read(USBDEVFS.GETDRIVER, new Uint8Array(260));
      await probe.ask(CLAIMINTERFACE, 0);
      const named = await probe.read(USBDEVFS.GETDRIVER, new Uint8Array(260));
      if (typeof none !== "string" || typeof named === "string") {
        return [`${none}`, `${named}`];
      }
      const text = new TextDecoder().decode(Uint8Array.from(named.slice(4)));
      return [none, text.slice(0, text.indexOf("\0"))];
    },
  ),
  fact(
    "Detach with no driver there, and attach with none that fits",
    ["ENODATA", "0", "EINVAL", "ENOTTY"],
    async (probe) => [
      await probe.ask(USBDEVFS.IOCTL, 0, USBDEVFS.DISCONNECT, 0, 0),
      await probe.ask(USBDEVFS.IOCTL, 0, USBDEVFS.CONNECT, 0, 0),
      await probe.ask(USBDEVFS.IOCTL, 7, USBDEVFS.DISCONNECT, 0, 0),
      await probe.ask(USBDEVFS.IOCTL, 0, 0x5599, 0, 0),
    ],
  ),
  fact(
    "Detach takes an interface from usbfs too, and its transfers end",
    ["0", "-ESHUTDOWN (0)", "0"],
    async (probe, bus) => {
      await probe.ask(CLAIMINTERFACE, 0);
      await probe.bulkIn(0x81, 64);
      const other = await bus.open();
      const theirs = new Probe(other);
      const taken = await theirs.ask(
        USBDEVFS.IOCTL,
        0,
        USBDEVFS.DISCONNECT,
        0,
        0,
      );
      const ended = await probe.reap();
      const claimed = await theirs.ask(CLAIMINTERFACE, 0);
      await other.close();
      return [taken, ended, claimed];
    },
  ),
];

/** DROP_PRIVILEGES. */
export const PRIVILEGE_FACTS: readonly UsbfsFact[] = [
  fact(
    "After DROP_PRIVILEGES: claim inside and outside, detach, attach, reset alone",
    ["0", "0", "EACCES", "EACCES", "EACCES", "0"],
    async (probe) => [
      await probe.ask(USBDEVFS.DROP_PRIVILEGES, 0b01),
      await probe.ask(CLAIMINTERFACE, 0),
      await probe.ask(CLAIMINTERFACE, 1),
      await probe.ask(USBDEVFS.IOCTL, 0, USBDEVFS.DISCONNECT, 0, 0),
      await probe.ask(USBDEVFS.IOCTL, 0, USBDEVFS.CONNECT, 0, 0),
      await probe.ask(USBDEVFS.RESET),
    ],
  ),
  fact(
    "DROP_PRIVILEGES only shrinks",
    ["0", "0", "EACCES", "0"],
    async (probe) => [
      await probe.ask(USBDEVFS.DROP_PRIVILEGES, 0b10),
      await probe.ask(USBDEVFS.DROP_PRIVILEGES, 0b11),
      await probe.ask(CLAIMINTERFACE, 0),
      await probe.ask(CLAIMINTERFACE, 1),
    ],
  ),
  fact(
    "After DROP_PRIVILEGES a reset is refused while another file holds an interface",
    ["EACCES", "0"],
    async (probe, bus) => {
      await probe.ask(USBDEVFS.DROP_PRIVILEGES, 0b01);
      const other = await bus.open();
      await new Probe(other).ask(CLAIMINTERFACE, 1);
      const refused = await probe.ask(USBDEVFS.RESET);
      await other.close();
      return [refused, await probe.ask(USBDEVFS.RESET)];
    },
  ),
  fact(
    "DROP_PRIVILEGES leaves SETCONFIGURATION and vendor requests alone",
    ["0", "0", "0 (0)"],
    async (probe) => [
      await probe.ask(USBDEVFS.DROP_PRIVILEGES, 0b01),
      await probe.ask(USBDEVFS.SETCONFIGURATION, 1),
      await probe.vendor(8),
    ],
  ),
  fact(
    "After DROP_PRIVILEGES a transfer to an interface outside is refused",
    ["0", "EACCES"],
    async (probe) => [
      await probe.ask(USBDEVFS.DROP_PRIVILEGES, 0b10),
      (await probe.bulkIn(0x81, 64)).outcome,
    ],
  ),
];
