/**
 * Every mischief the field knows: the client copes, or fails with the right
 * error, and in the end is in step again without a power cycle.
 */

import type { UsbtmcOptions } from "../../../driver/class/usbtmc/options.ts";
import {
  findQuirks,
  TINYUSB_BEFORE_FIX,
  type UsbtmcQuirks,
} from "../../../driver/class/usbtmc/quirks.ts";
import type { Usbtmc } from "../../../driver/class/usbtmc/usbtmc.ts";
import { UsbError, type UsbErrorCode } from "../../../driver/errors.ts";
import {
  MisbehavingInstrument,
  MISCHIEF_NAMES,
  type MischiefName,
} from "../../../driver/sim/devices/misbehaving.ts";
import { blockByte } from "../../../driver/sim/devices/multimeter_measuring.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../../../driver/std.ts";
import { openClient } from "./bench.ts";

/** What a client does while the instrument misbehaves. */
type Action = (client: Usbtmc) => Promise<unknown>;

/** A mischief, what is done meanwhile, and how it must end. */
interface Case {
  readonly mischief: MischiefName;
  readonly action?: Action;
  readonly ends: "well" | UsbErrorCode;
  readonly quirks?: UsbtmcQuirks;
  /** How far recovery must go; nothing where none is needed. */
  readonly recovery?: "abort" | "clear" | "reset";
  readonly name?: string;
}

const TIMEOUT = { timeoutMs: 500 } as const;
const IDENTITY = "Driver Space,MISCHIEF,DS0666,0.1";
const RIGOL = findQuirks({ vendorId: 0x1ab1, productId: 0x04ce });
const SIGLENT = findQuirks({ vendorId: 0xf4ec, productId: 0xee38 });
const ADVANTEST = findQuirks({ vendorId: 0x1334, productId: 1 });
const PM100D = findQuirks({ vendorId: 0x1313, productId: 0x8078 });
const PM101U = findQuirks({ vendorId: 0x1313, productId: 0x8076 });

const identify: Action = async (client) => {
  assertEquals(await client.query("*IDN?", TIMEOUT), IDENTITY);
};
const readNothing: Action = (client) => client.read(TIMEOUT);
const readStatus: Action = (client) => client.readStatusByte();
const clear: Action = (client) => client.clear();
const readBlock: Action = async (client) => {
  const block = await client.queryBlock("DATA:BLOC? 1000", TIMEOUT);
  assertEquals(block.length, 1000);
  assert(block.every((byte, index) => byte === blockByte(index)));
};
const triggerThenAsk: Action = async (client) => {
  await client.trigger(TIMEOUT);
  await client.query("*OPC?", TIMEOUT);
};

const CASES: readonly Case[] = [
  // Answers that lie.
  { mischief: "wrongTag", ends: "protocol", recovery: "abort" },
  { mischief: "wrongInverseTag", ends: "protocol", recovery: "abort" },
  { mischief: "wrongMessageId", ends: "protocol", recovery: "abort" },
  { mischief: "sizeTooLarge", ends: "protocol", recovery: "abort" },
  { mischief: "sizeOverRequest", ends: "protocol", recovery: "abort" },
  { mischief: "sizeTooSmall", ends: "protocol", recovery: "abort" },
  { mischief: "shortHeader", ends: "protocol", recovery: "abort" },
  { mischief: "emptyTransfer", ends: "protocol", recovery: "abort" },
  { mischief: "emptyAnswer", ends: "protocol", recovery: "abort" },
  // Answers that do not end, come late or never.
  { mischief: "neverEndOfMessage", ends: "timedOut", recovery: "abort" },
  { mischief: "endless", ends: "overflow", recovery: "clear" },
  { mischief: "silent", ends: "timedOut", recovery: "abort" },
  { mischief: "late", ends: "timedOut", recovery: "abort" },
  { mischief: "stallIn", ends: "stall", recovery: "clear" },
  { mischief: "noShortPacket", ends: "well", name: "which is learned" },
  { mischief: "smallPackets", ends: "well" },
  { mischief: "smallPackets", ends: "well", action: readBlock, name: "block" },
  // Habits of known instruments, with their quirks.
  { mischief: "noShortPacket", ends: "well", quirks: { noShortPacket: true } },
  { mischief: "headerOnce", ends: "well", quirks: RIGOL },
  {
    mischief: "headerOnce",
    ends: "well",
    quirks: RIGOL,
    action: readBlock,
    name: "block",
  },
  { mischief: "trailingNuls", ends: "well", quirks: RIGOL },
  { mischief: "trailingNuls", ends: "well", quirks: SIGLENT, name: "Siglent" },
  { mischief: "sizeCountsMore", ends: "well", quirks: SIGLENT },
  { mischief: "smallReads", ends: "well", quirks: ADVANTEST },
  { mischief: "clearHaltsBulkIn", ends: "well", quirks: PM100D, action: clear },
  { mischief: "clearDrainHangs", ends: "well", quirks: PM101U, action: clear },
  { mischief: "clearDrainHangs", ends: "well", action: clear, name: "unknown" },
  {
    mischief: "deadAfterTrigger",
    ends: "well",
    quirks: TINYUSB_BEFORE_FIX,
    action: triggerThenAsk,
  },
  {
    mischief: "deadAfterTrigger",
    ends: "timedOut",
    recovery: "clear",
    action: triggerThenAsk,
    name: "unknown",
  },
  // Aborts and CLEAR that go wrong.
  {
    mischief: "abortRefused",
    ends: "timedOut",
    recovery: "clear",
    action: readNothing,
  },
  {
    mischief: "abortStalls",
    ends: "timedOut",
    recovery: "clear",
    action: readNothing,
  },
  {
    mischief: "abortPending",
    ends: "timedOut",
    recovery: "clear",
    action: readNothing,
  },
  {
    mischief: "abortFlood",
    ends: "timedOut",
    recovery: "clear",
    action: readNothing,
  },
  {
    mischief: "shortAnswer",
    ends: "timedOut",
    recovery: "clear",
    action: readNothing,
  },
  { mischief: "clearPending", ends: "well", action: clear, name: "by reset" },
  { mischief: "clearRefused", ends: "well", action: clear, name: "by reset" },
  { mischief: "clearPendingWithData", ends: "well", action: clear },
  // Messages out.
  { mischief: "stallOut", ends: "stall", recovery: "abort" },
  { mischief: "deadOut", ends: "timedOut", recovery: "abort" },
  { mischief: "deadOutUntilClear", ends: "timedOut", recovery: "clear" },
  // Status bytes.
  { mischief: "statusBusy", ends: "well", action: readStatus },
  { mischief: "statusAlwaysBusy", ends: "protocol", action: readStatus },
  { mischief: "statusStalls", ends: "stall", action: readStatus },
  { mischief: "statusRefused", ends: "protocol", action: readStatus },
  { mischief: "notificationLost", ends: "timedOut", action: readStatus },
  { mischief: "serviceRequestFirst", ends: "well", action: readStatus },
  { mischief: "badNotification", ends: "well", action: readStatus },
];

/** Those that have tests of their own below: they concern the opening, or the end. */
const APART: readonly MischiefName[] = [
  "capabilitiesGarbage",
  "capabilitiesShort",
  "capabilitiesStall",
  "clearStalls",
  "diesMidTransfer",
];

for (const test of CASES) {
  const { mischief, ends, quirks } = test;
  const known = quirks === undefined ? "" : ", its quirk known";
  const detail = test.name === undefined ? "" : ` (${test.name})`;
  const outcome = ends === "well" ? "copes with" : `fails by ${ends} with`;
  Deno.test(`Client ${outcome} ${mischief}${known}${detail}, and is in step after it`, async () => {
    const instrument = new MisbehavingInstrument();
    const steps: string[] = [];
    const options: Partial<UsbtmcOptions> = {
      onRecovery: ({ step }) => void steps.push(step),
      ...(quirks === undefined ? {} : { quirks }),
    };
    await using bench = await openClient(instrument, options);
    const { client, run, clock } = bench;
    instrument.choose(mischief);
    const action = (test.action ?? identify)(client);
    if (ends === "well") await run(action);
    else {
      const error = await run(assertRejects(() => action, UsbError));
      assertEquals(error.code, ends, error.message);
    }
    assert(instrument.incidents > 0, "It must have misbehaved");
    assertEquals(steps, test.recovery === undefined ? [] : [test.recovery]);
    // Late answers come in the meantime; one of them may spoil one more query.
    await clock.advance(5_000);
    if (mischief === "late") await run(identify(client).catch(() => {}));
    await run(identify(client));
  });
}

Deno.test("Every mischief has a test", () => {
  const tested = new Set([...CASES.map((test) => test.mischief), ...APART]);
  assertEquals(MISCHIEF_NAMES.filter((name) => !tested.has(name)), []);
});

for (
  const mischief of [
    "capabilitiesGarbage",
    "capabilitiesShort",
    "capabilitiesStall",
  ] as const
) {
  Deno.test(`Client opens an instrument with ${mischief}, and promises nothing`, async () => {
    const instrument = new MisbehavingInstrument({ mischief });
    await using bench = await openClient(instrument);
    const { client, run } = bench;
    assertEquals(client.capabilities.trigger, false);
    assertEquals(client.capabilities.usb488Version, 0);
    const error = await run(assertRejects(() => client.trigger(), UsbError));
    assertEquals(error.code, "notSupported");
    assertStringIncludes(error.message, "*TRG");
    await run(identify(client));
  });
}

Deno.test("Client says that the instrument is gone when it dies in an answer", async () => {
  const instrument = new MisbehavingInstrument();
  await using bench = await openClient(instrument);
  const { client, run } = bench;
  instrument.choose("diesMidTransfer");
  const error = await run(assertRejects(() => client.query("*IDN?"), UsbError));
  assertEquals(error.code, "noDevice");
  const next = await run(assertRejects(() => client.query("*IDN?"), UsbError));
  assertEquals(next.code, "noDevice");
});

Deno.test("Client learns that no short packet comes, and waits for it once only", async () => {
  const instrument = new MisbehavingInstrument();
  await using bench = await openClient(instrument);
  const { client, run, clock } = bench;
  instrument.choose("noShortPacket");
  await run(client.query("*IDN?"));
  const before = clock.nowMs();
  for (let count = 0; count < 5; count++) await run(identify(client));
  assert(clock.nowMs() - before < 500);
});

Deno.test("Client does not open an instrument that knows no CLEAR, unless its quirk says so", async () => {
  const error = await assertRejects(
    () => openClient(new MisbehavingInstrument({ mischief: "clearStalls" })),
    UsbError,
  );
  assertEquals(error.code, "stall");
  const siglent = new MisbehavingInstrument({
    mischief: "clearStalls",
    vendorId: 0xf4ec,
    productId: 0xee38,
  });
  await using bench = await openClient(siglent);
  await bench.run(identify(bench.client));
});

Deno.test("Client puts an instrument that needs it into remote state at open", async () => {
  const advantest = new MisbehavingInstrument({ vendorId: 0x1334 });
  await using bench = await openClient(advantest);
  assertEquals(bench.client.remoteState, "remote");
});

Deno.test("Client is told what to choose by vendor request, as programs in other languages are", async () => {
  const instrument = new MisbehavingInstrument();
  await using bench = await openClient(instrument);
  const { client, device, run } = bench;
  const vendor = {
    requestType: "vendor",
    recipient: "device",
    index: 0,
  } as const;
  const value = MISCHIEF_NAMES.indexOf("wrongTag");
  await run(device.controlOut({ ...vendor, request: 1, value }));
  await run(assertRejects(() => identify(client), UsbError, "another tag"));
  const count = await run(
    device.controlIn({ ...vendor, request: 2, value: 0 }, 4),
  );
  assertEquals([...count], [1, 0, 0, 0]);
  await run(assertRejects(
    () => device.controlOut({ ...vendor, request: 1, value: 999 }),
    UsbError,
    "stalled",
  ));
});
