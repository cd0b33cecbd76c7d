/**
 * What Linux's usbfs does, as questions with the answers that a 6.1 kernel
 * gives (vhci_hcd, by the lab). The emulation is asked the same, so that it
 * stays what it claims to be. Each question gets a freshly plugged loopback
 * device.
 */

import { URB_FLAG, USBDEVFS } from "../../driver/sim/usbfs_constants.ts";
import {
  fact,
  type FactValue,
  type Probe,
  setup,
  type UsbfsFact,
} from "./usbfs_probe.ts";
import { CLAIM_FACTS, PRIVILEGE_FACTS } from "./usbfs_rights_facts.ts";

const { CLAIMINTERFACE, RELEASEINTERFACE, SETINTERFACE } = USBDEVFS;

const TRANSFERS: readonly UsbfsFact[] = [
  fact(
    "Nothing to reap",
    "EAGAIN",
    (probe) => probe.reapNow(),
  ),
  fact(
    "Echo: an OUT and an IN transfer",
    ["0", "0 (3)", "0 (3)"],
    async (probe) => {
      const out = await probe.submit("BULK", 0x01, Uint8Array.of(1, 2, 3));
      const sent = await probe.reap();
      await probe.bulkIn(0x81, 64);
      return [out.outcome, sent, await probe.reap()];
    },
  ),
  fact(
    "Endpoints that are not there, and one of another alternate setting",
    ["ENOENT", "ENOENT"],
    async (probe) => [
      (await probe.bulkIn(0x8f, 64)).outcome,
      (await probe.bulkIn(0x85, 64)).outcome,
    ],
  ),
  fact(
    "Types that do not fit: interrupt on bulk, isochronous on bulk, bulk on interrupt",
    ["EINVAL", "EINVAL", "0"],
    async (probe) => [
      (await probe.submit("INTERRUPT", 0x81, new Uint8Array(8))).outcome,
      (await probe.submit("ISO", 0x81, new Uint8Array(8), { packets: [8] }))
        .outcome,
      (await probe.bulkIn(0x82, 8)).outcome,
    ],
  ),
  fact(
    "A discarded transfer is reaped; discarding it again or a stranger is refused",
    ["0", "EINVAL", "-ENOENT (0)", "EINVAL"],
    async (probe) => {
      const { address } = await probe.bulkIn(0x81, 64);
      const discard = async (at: bigint): Promise<string> => {
        const [result, errno] = await probe.file.ioctl(
          USBDEVFS.DISCARDURB,
          at,
        );
        return result === 0 ? "0" : errno === 22 ? "EINVAL" : `E${errno}`;
      };
      return [
        await discard(address),
        await discard(address),
        await probe.reap(),
        await discard(probe.file.place(new Uint8Array(56))),
      ];
    },
  ),
  fact(
    "A halted endpoint: the waiting transfer, the next, and after CLEAR_HALT",
    ["0 (0)", "-EPIPE (0)", "-EPIPE (0)", "0", "0 (2)"],
    async (probe) => {
      const halted = await probe.vendor(5, 0, 0x81);
      await probe.bulkIn(0x81, 64);
      const first = await probe.reap();
      await probe.bulkIn(0x81, 64);
      const second = await probe.reap();
      const cleared = await probe.ask(USBDEVFS.CLEAR_HALT, 0x81);
      await probe.submit("BULK", 0x01, Uint8Array.of(1, 2));
      await probe.reap();
      await probe.bulkIn(0x81, 64);
      return [halted, first, second, cleared, await probe.reap()];
    },
  ),
  fact(
    "CLEAR_HALT and RESETEP of an endpoint that is not there",
    ["ENOENT", "ENOENT"],
    async (probe) => [
      await probe.ask(USBDEVFS.CLEAR_HALT, 0x8f),
      await probe.ask(USBDEVFS.RESETEP, 0x8f),
    ],
  ),
  fact(
    "A short packet, where that is an error",
    "-EREMOTEIO (2)",
    async (probe) => {
      await probe.submit("BULK", 0x01, Uint8Array.of(1, 2));
      await probe.reap();
      await probe.submit("BULK", 0x81, new Uint8Array(64), {
        flags: URB_FLAG.SHORT_NOT_OK,
      });
      return await probe.reap();
    },
  ),
  fact(
    "A control request to an interface claims it, one to nowhere is refused, a vendor's passes",
    ["0", "-EPIPE (0)", "ENOENT", "0"],
    async (probe) => {
      const send = async (type: number, index: number): Promise<string> =>
        (await probe.submit("CONTROL", 0, setup(type, 99, { index }))).outcome;
      return [
        await send(0x21, 0),
        await probe.reap(),
        await send(0x21, 9),
        await send(0x41, 9),
      ];
    },
  ),
  fact(
    "SET_CONFIGURATION as a plain control transfer is not refused",
    ["0", "0 (0)"],
    async (probe) => {
      const data = setup(0x00, 9, { value: 1 });
      const { outcome } = await probe.submit("CONTROL", 0, data);
      return [outcome, await probe.reap()];
    },
  ),
  fact(
    "Transfers of 256 KiB in flight before the budget of 16 MiB is used up",
    [63, "ENOMEM"],
    async (probe) => {
      for (let count = 0; count < 100; count++) {
        const { outcome } = await probe.bulkIn(0x81, 256 * 1024);
        if (outcome !== "0") return [count, outcome];
      }
      return [100, "no end"];
    },
  ),
];

const SETTINGS: readonly UsbfsFact[] = [
  fact(
    "SETINTERFACE: known, unknown, and the endpoints that come and go",
    ["0", "EINVAL", "ENOENT", "0"],
    async (probe) => [
      await probe.ask(SETINTERFACE, 0, 1),
      await probe.ask(SETINTERFACE, 0, 7),
      (await probe.bulkIn(0x81, 64)).outcome,
      (await probe.bulkIn(0x85, 64)).outcome,
    ],
  ),
  fact(
    "SETINTERFACE and release end the interface's transfers",
    ["0", "-ENOENT (0)", "0", "-ESHUTDOWN (0)"],
    async (probe) => {
      await probe.bulkIn(0x81, 64);
      const set = await probe.ask(SETINTERFACE, 0, 0);
      const first = await probe.reap();
      await probe.bulkIn(0x81, 64);
      const released = await probe.ask(RELEASEINTERFACE, 0);
      return [set, first, released, await probe.reap()];
    },
  ),
  fact(
    "A release takes the interface back to setting 0",
    ["0", "0", "0 (1)", 0],
    async (probe) => {
      const set = await probe.ask(SETINTERFACE, 0, 1);
      const released = await probe.ask(RELEASEINTERFACE, 0);
      return [set, released, ...await liveSetting(probe)];
    },
  ),
  fact(
    "SETCONFIGURATION: in use, the same, another, an unknown one, none, and the first again",
    ["EBUSY", "0", "0", "EINVAL", "0", "ENOENT", "0"],
    async (probe) => {
      const set = (value: number): Promise<string> =>
        probe.ask(USBDEVFS.SETCONFIGURATION, value);
      await probe.ask(CLAIMINTERFACE, 0);
      const busy = await set(1);
      await probe.ask(RELEASEINTERFACE, 0);
      const results = [busy, await set(1), await set(2), await set(9)];
      const none = await set(-1);
      const claim = await probe.ask(CLAIMINTERFACE, 0);
      return [...results, none, claim, await set(1)];
    },
  ),
];

const ENDS: readonly UsbfsFact[] = [
  fact(
    "RESET: transfers end, claims are lost",
    ["0", "-ESHUTDOWN (0)", "EINVAL", "0"],
    async (probe) => {
      await probe.ask(CLAIMINTERFACE, 0);
      await probe.bulkIn(0x81, 64);
      const reset = await probe.ask(USBDEVFS.RESET);
      const ended = await probe.reap();
      const released = await probe.ask(RELEASEINTERFACE, 0);
      return [reset, ended, released, await probe.ask(CLAIMINTERFACE, 0)];
    },
  ),
  fact(
    "RESET: alternate settings are 0 afterwards",
    ["0", "0 (1)", 0],
    async (probe) => {
      await probe.ask(SETINTERFACE, 0, 1);
      const reset = await probe.ask(USBDEVFS.RESET);
      return [reset, ...await liveSetting(probe)];
    },
  ),
  fact(
    "RESET with a control transfer that waits",
    ["0", "-ESHUTDOWN (0)"],
    async (probe) => {
      const data = setup(0xc0, 2, { value: 3_000, lengthBytes: 1 });
      await probe.submit("CONTROL", 0, data);
      return [await probe.ask(USBDEVFS.RESET), await probe.reap()];
    },
  ),
  fact(
    "Unplug: transfers end, are reaped, then there is no device",
    ["-ESHUTDOWN (0)", "-ESHUTDOWN (0)", "ENODEV", "ENODEV", "ENODEV"],
    async (probe, bus) => {
      await probe.bulkIn(0x81, 64);
      await probe.submit("INTERRUPT", 0x82, new Uint8Array(8));
      await bus.unplug();
      return [
        ...await probe.reapAll(3),
        await probe.ask(USBDEVFS.GET_SPEED),
        await probe.ask(CLAIMINTERFACE, 0),
      ];
    },
  ),
  fact(
    "Unplug with a control transfer that waits",
    ["-ESHUTDOWN (0)", "ENODEV"],
    async (probe, bus) => {
      const data = setup(0xc0, 2, { value: 3_000, lengthBytes: 1 });
      await probe.submit("CONTROL", 0, data);
      await bus.unplug();
      return await probe.reapAll(2);
    },
  ),
];

/** GET_INTERFACE of interface 0: how it ended, and the setting. */
async function liveSetting(probe: Probe): Promise<readonly FactValue[]> {
  const data = setup(0x81, 10, { lengthBytes: 1 });
  const { buffer } = await probe.submit("CONTROL", 0, data);
  const ended = await probe.reap();
  const bytes = await probe.file.look(buffer, 9);
  return [ended, bytes[8] ?? -1];
}

/** All of them. */
export const USBFS_FACTS: readonly UsbfsFact[] = [
  ...CLAIM_FACTS,
  ...PRIVILEGE_FACTS,
  ...TRANSFERS,
  ...SETTINGS,
  ...ENDS,
];
