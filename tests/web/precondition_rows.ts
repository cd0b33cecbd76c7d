/**
 * Every method in every state: which error, in which order of checks. The table
 * is the checklist's section 3.3 with the common errors of section 1.
 */

import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { assertEquals, fail } from "../../driver/std.ts";
import type { USBDevice } from "../../driver/web/webusb.ts";
import { type Row, WebBench } from "./bench.ts";

/** What a device can be in when a method is called. */
const STATES = [
  "gone",
  "forgotten",
  "device changing",
  "interface 0 changing",
  "interface 1 changing",
  "closed",
  "unconfigured",
  "unclaimed",
  "claimed",
] as const;

type State = typeof STATES[number];

const setup = {
  requestType: "vendor",
  request: 7,
  value: 0,
} as const;

type Call = (device: USBDevice) => Promise<unknown>;

/** Short names of errors, so that the table can be read. */
const ERRORS: Readonly<Record<string, string>> = {
  NF: "NotFoundError",
  IS: "InvalidStateError",
  SZ: "IndexSizeError",
  DA: "DataError",
  IA: "InvalidAccessError",
  TY: "TypeError",
  ok: "ok",
};

const MIB_32 = 32 * 1024 * 1024;

/** Expected endings, in the order of STATES. */
const TABLE: readonly (readonly [string, Call, string])[] = [
  ["open()", (d) => d.open(), "NF NF IS IS IS ok ok ok ok"],
  ["close()", (d) => d.close(), "NF NF IS IS IS ok ok ok ok"],
  ["forget()", (d) => d.forget(), "ok ok ok ok ok ok ok ok ok"],
  ["reset()", (d) => d.reset(), "NF NF IS IS IS IS ok ok ok"],
  [
    "selectConfiguration(1)",
    (d) => d.selectConfiguration(1),
    "NF NF IS IS IS IS ok ok ok",
  ],
  [
    "selectConfiguration(9), unknown",
    (d) => d.selectConfiguration(9),
    "NF NF IS IS IS IS NF NF NF",
  ],
  [
    "claimInterface(0)",
    (d) => d.claimInterface(0),
    "NF NF IS IS ok IS IS ok ok",
  ],
  [
    "claimInterface(9), unknown",
    (d) => d.claimInterface(9),
    "NF NF IS NF NF IS IS NF NF",
  ],
  [
    "releaseInterface(0)",
    (d) => d.releaseInterface(0),
    "NF NF IS IS ok IS IS ok ok",
  ],
  [
    "releaseInterface(9), unknown",
    (d) => d.releaseInterface(9),
    "NF NF IS NF NF IS IS NF NF",
  ],
  [
    "selectAlternateInterface(0, 1)",
    (d) => d.selectAlternateInterface(0, 1),
    "NF NF IS IS ok IS IS IS ok",
  ],
  [
    "selectAlternateInterface(0, 9), unknown",
    (d) => d.selectAlternateInterface(0, 9),
    "NF NF IS IS NF IS IS IS NF",
  ],
  [
    "controlTransferIn() to the device",
    (d) => d.controlTransferIn({ ...setup, recipient: "device", index: 0 }, 32),
    "NF NF IS IS IS IS ok ok ok",
  ],
  [
    "controlTransferIn() to others",
    (d) => d.controlTransferIn({ ...setup, recipient: "other", index: 0 }, 32),
    "NF NF IS IS IS IS ok ok ok",
  ],
  [
    "controlTransferIn() to interface 0",
    (d) =>
      d.controlTransferIn({ ...setup, recipient: "interface", index: 0 }, 32),
    "NF NF IS IS IS IS IS IS ok",
  ],
  [
    "controlTransferIn() to interface 9, unknown",
    (d) =>
      d.controlTransferIn({ ...setup, recipient: "interface", index: 9 }, 32),
    "NF NF IS IS IS IS IS NF NF",
  ],
  [
    "controlTransferIn() to endpoint 0x81",
    (d) =>
      d.controlTransferIn({ ...setup, recipient: "endpoint", index: 0x81 }, 32),
    "NF NF IS IS IS IS IS NF ok",
  ],
  [
    "controlTransferIn() to endpoint 0x8f, unknown",
    (d) =>
      d.controlTransferIn({ ...setup, recipient: "endpoint", index: 0x8f }, 32),
    "NF NF IS IS IS IS IS NF NF",
  ],
  [
    "controlTransferOut() to the device",
    (d) =>
      d.controlTransferOut({
        ...setup,
        request: 8,
        recipient: "device",
        index: 0,
      }),
    "NF NF IS IS IS IS ok ok ok",
  ],
  [
    "controlTransferOut() of more than 32 MiB, to interface 9",
    (d) =>
      d.controlTransferOut(
        { ...setup, recipient: "interface", index: 9 },
        new Uint8Array(MIB_32 + 1),
      ),
    "NF NF IS IS IS IS DA DA DA",
  ],
  [
    'clearHalt("in", 1)',
    (d) => d.clearHalt("in", 1),
    "NF NF IS NF ok IS IS NF ok",
  ],
  [
    'clearHalt("in", 0)',
    (d) => d.clearHalt("in", 0),
    "NF NF IS SZ SZ IS IS SZ SZ",
  ],
  [
    'clearHalt("out", 16)',
    (d) => d.clearHalt("out", 16),
    "NF NF IS SZ SZ IS IS SZ SZ",
  ],
  [
    "transferIn(3, 64)",
    (d) => d.transferIn(3, 64),
    "NF NF IS NF ok IS IS NF ok",
  ],
  [
    "transferIn(16, 64)",
    (d) => d.transferIn(16, 64),
    "NF NF IS SZ SZ IS IS SZ SZ",
  ],
  [
    "transferIn(5, 64), of another setting",
    (d) => d.transferIn(5, 64),
    "NF NF IS NF NF IS IS NF NF",
  ],
  [
    "transferIn(3) of more than 32 MiB",
    (d) => d.transferIn(3, MIB_32 + 1),
    "NF NF IS NF DA IS IS NF DA",
  ],
  [
    "transferOut(3, data)",
    (d) => d.transferOut(3, new Uint8Array(4)),
    "NF NF IS NF ok IS IS NF ok",
  ],
  [
    "transferOut(0, data)",
    (d) => d.transferOut(0, new Uint8Array(4)),
    "NF NF IS SZ SZ IS IS SZ SZ",
  ],
  [
    "transferOut(3) of more than 32 MiB",
    (d) => d.transferOut(3, new Uint8Array(MIB_32 + 1)),
    "NF NF IS NF DA IS IS NF DA",
  ],
  [
    "isochronousTransferIn(3, [64]), a bulk endpoint",
    (d) => d.isochronousTransferIn(3, [64]),
    "NF NF IS NF IA IS IS NF IA",
  ],
  [
    "isochronousTransferIn(3) of more than 32 MiB: before the type",
    (d) => d.isochronousTransferIn(3, [MIB_32, 1]),
    "NF NF IS NF DA IS IS NF DA",
  ],
  [
    "isochronousTransferIn(17, [64])",
    (d) => d.isochronousTransferIn(17, [64]),
    "NF NF IS SZ SZ IS IS SZ SZ",
  ],
  [
    "isochronousTransferOut(3, data, [4]), a bulk endpoint",
    (d) => d.isochronousTransferOut(3, new Uint8Array(4), [4]),
    "NF NF IS NF IA IS IS NF IA",
  ],
  [
    "isochronousTransferOut(3) whose lengths do not add up: before the type",
    (d) => d.isochronousTransferOut(3, new Uint8Array(4), [5]),
    "NF NF IS NF DA IS IS NF DA",
  ],
  [
    "transferIn() with too few arguments: before everything",
    (d) => (d.transferIn as (n: number) => Promise<unknown>)(1),
    "TY TY TY TY TY TY TY TY TY",
  ],
  [
    "clearHalt() with no direction: before everything",
    (d) => d.clearHalt("sideways" as "in", 1),
    "TY TY TY TY TY TY TY TY TY",
  ],
];

/** One row for each method, in all states. */
export const PRECONDITION_ROWS: readonly Row[] = TABLE.map(
  ([name, call, endings]) => ({
    section: "3.3",
    item: `${name}: ${endings.replaceAll(" ", ", ")} in all states`,
    run: async () => {
      const expected = endings.split(" ").map((short) =>
        ERRORS[short] ?? fail(`${short} is no error`)
      );
      const actual: Record<string, string> = {};
      for (const state of STATES) actual[state] = await endingIn(state, call);
      assertEquals(
        actual,
        Object.fromEntries(STATES.map((state, at) => [state, expected[at]])),
      );
    },
  }),
);

async function endingIn(state: State, call: Call): Promise<string> {
  await using bench = new WebBench();
  const virtual = new Loopback();
  if (state === "unconfigured") {
    const plugged = bench.bus.plug(virtual);
    plugged.device.configure(0);
  }
  const device = state === "unconfigured"
    ? (await bench.usb.getDevices())[0] ?? fail("It is not listed")
    : await bench.plug(virtual);
  if (state !== "closed") await bench.within(device.open());
  if (state !== "closed" && state !== "unconfigured" && state !== "unclaimed") {
    await bench.within(device.claimInterface(0));
  }
  const { change } = await enter(state, { bench, device, virtual });
  const ending = await bench.ending(call(device));
  await bench.ending(change);
  return ending;
}

/** Gives the change that goes on meanwhile; in an object, so that nobody waits for it. */
async function enter(
  state: State,
  { bench, device, virtual }: {
    readonly bench: WebBench;
    readonly device: USBDevice;
    readonly virtual: Loopback;
  },
): Promise<{ readonly change: Promise<unknown> }> {
  const change = (): Promise<unknown> => {
    if (state === "device changing") return device.reset();
    if (state === "interface 0 changing") {
      return device.selectAlternateInterface(0, 0);
    }
    return state === "interface 1 changing"
      ? device.claimInterface(1)
      : Promise.resolve();
  };
  if (state === "gone") {
    bench.bus.unplug(virtual);
    await bench.usb.getDevices();
  }
  if (state === "forgotten") await bench.within(device.forget());
  return { change: change() };
}
