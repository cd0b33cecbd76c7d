import {
  decodeBlock,
  decodeBlockHeader,
  encodeBlockHeader,
} from "../../../driver/class/usbtmc/block.ts";
import {
  CAPABILITIES_BYTES,
  decodeCapabilities,
  encodeCapabilities,
  NO_CAPABILITIES,
} from "../../../driver/class/usbtmc/capabilities.ts";
import {
  checkAbortBulkInStatus,
  checkAbortBulkOutStatus,
  checkClearStatus,
  type ClassRequest,
  decodeCheckAbort,
  decodeCheckClear,
  decodeInitiateAbort,
  decodeStatus,
  decodeStatusByte,
  encodeCheckAbort,
  getCapabilities,
  goToLocal,
  indicatorPulse,
  initiateAbortBulkIn,
  initiateAbortBulkOut,
  initiateClear,
  localLockout,
  readStatusByte,
  renControl,
  statusName,
} from "../../../driver/class/usbtmc/control_requests.ts";
import {
  decodeNotification,
  encodeNotification,
  nextStatusTag,
} from "../../../driver/class/usbtmc/notification.ts";
import {
  BOOT_MODES,
  findQuirks,
  QUIRKS,
} from "../../../driver/class/usbtmc/quirks.ts";
import {
  decodeText,
  encodeText,
  parseIdentity,
  parseNumbers,
  parseScpiError,
  unitOf,
} from "../../../driver/class/usbtmc/scpi_answer.ts";
import { assert, assertEquals, assertThrows } from "../../../driver/std.ts";
import { encodeSetup } from "../../../driver/usb.ts";
import { forAll } from "./seeded.ts";

const ascii = (text: string): Uint8Array<ArrayBuffer> => encodeText(text);

Deno.test("Every request is the specification's eight bytes, with the interface or endpoint in wIndex", () => {
  const cases: readonly [ClassRequest, readonly number[]][] = [
    [initiateAbortBulkOut(7, 0x01), [0xa2, 1, 7, 0, 1, 0, 2, 0]],
    [checkAbortBulkOutStatus(0x01), [0xa2, 2, 0, 0, 1, 0, 8, 0]],
    [initiateAbortBulkIn(255, 0x82), [0xa2, 3, 255, 0, 0x82, 0, 2, 0]],
    [checkAbortBulkInStatus(0x82), [0xa2, 4, 0, 0, 0x82, 0, 8, 0]],
    [initiateClear(3), [0xa1, 5, 0, 0, 3, 0, 1, 0]],
    [checkClearStatus(3), [0xa1, 6, 0, 0, 3, 0, 2, 0]],
    [getCapabilities(3), [0xa1, 7, 0, 0, 3, 0, 24, 0]],
    [indicatorPulse(3), [0xa1, 64, 0, 0, 3, 0, 1, 0]],
    [readStatusByte(127, 3), [0xa1, 128, 127, 0, 3, 0, 3, 0]],
    [renControl(true, 3), [0xa1, 160, 1, 0, 3, 0, 1, 0]],
    [renControl(false, 3), [0xa1, 160, 0, 0, 3, 0, 1, 0]],
    [goToLocal(3), [0xa1, 161, 0, 0, 3, 0, 1, 0]],
    [localLockout(3), [0xa1, 162, 0, 0, 3, 0, 1, 0]],
  ];
  for (const [request, bytes] of cases) {
    assertEquals(
      [...encodeSetup(request.setup, "in", request.lengthBytes)],
      bytes,
      request.name,
    );
  }
});

Deno.test("Answers are read with what is there: short ones give no more than they say", () => {
  assertEquals(decodeStatus(Uint8Array.of(0x80)), { status: 0x80 });
  assertEquals(decodeStatus(new Uint8Array()), undefined);
  assertEquals(decodeInitiateAbort(Uint8Array.of(0x81, 9)), {
    status: 0x81,
    tag: 9,
  });
  assertEquals(decodeInitiateAbort(Uint8Array.of(1)), { status: 1, tag: 0 });
  assertEquals(decodeCheckClear(Uint8Array.of(2, 1)), {
    status: 2,
    hasQueuedData: true,
  });
  assertEquals(decodeCheckAbort(Uint8Array.of(2)), {
    status: 2,
    hasQueuedData: false,
    transferredBytes: 0,
  });
  assertEquals(decodeStatusByte(Uint8Array.of(1, 2)), undefined);
  assertEquals(decodeStatusByte(Uint8Array.of(0x20, 2, 0x40)), {
    status: 0x20,
    tag: 2,
    statusByte: 0x40,
  });
  assertEquals(statusName(0x81), "transfer not in progress");
  assertEquals(statusName(0x55), "status 0x55");
});

Deno.test("CHECK_ABORT answers come back as they went", () => {
  forAll((chance) => {
    const answer = {
      status: chance.integer(0, 255),
      hasQueuedData: chance.next() < 0.5,
      transferredBytes: chance.integer(0, 2 ** 32 - 1),
    };
    assertEquals(decodeCheckAbort(encodeCheckAbort(answer)), answer);
  });
});

Deno.test("Capabilities of USB488 are read from bytes 14 and 15, not from byte 4", () => {
  // USBTMC 1.0, pulse, term char; USB488 1.0, 488.2, REN, TRIGGER; SCPI, SR1, RL1, DT1.
  const bytes = new Uint8Array(CAPABILITIES_BYTES);
  bytes.set([1, 0, 0x00, 0x01, 0x04, 0x01]);
  bytes.set([0x00, 0x01, 0x07, 0x0f], 12);
  assertEquals(decodeCapabilities(bytes), {
    usbtmcVersion: 0x0100,
    listenOnly: false,
    talkOnly: false,
    indicatorPulse: true,
    termChar: true,
    usb488Version: 0x0100,
    trigger: true,
    remoteLocal: true,
    is4882: true,
    dt1: true,
    rl1: true,
    sr1: true,
    scpi: true,
  });
});

Deno.test("Capabilities come back as they went, and short answers promise nothing", () => {
  forAll((chance) => {
    const bytes = chance.bytes(CAPABILITIES_BYTES);
    const capabilities = decodeCapabilities(bytes);
    assertEquals(
      decodeCapabilities(encodeCapabilities(capabilities, 1)),
      capabilities,
    );
    assertEquals(decodeCapabilities(bytes.subarray(0, 2)), NO_CAPABILITIES);
  });
});

Deno.test("Notifications are told apart by tag; other bytes are none", () => {
  assertEquals(decodeNotification(Uint8Array.of(0x81, 0x60)), {
    type: "serviceRequest",
    statusByte: 0x60,
  });
  assertEquals(decodeNotification(Uint8Array.of(0xff, 0x10)), {
    type: "statusByte",
    tag: 127,
    statusByte: 0x10,
  });
  for (const bytes of [[], [0x81], [0x01, 0x40], [0x80, 0x40], [0, 0]]) {
    assertEquals(decodeNotification(Uint8Array.from(bytes)), undefined);
  }
  assertEquals([...encodeNotification(2, 0x50)], [0x82, 0x50]);
  assertThrows(() => encodeNotification(128, 0), RangeError, "1 to 127");
});

Deno.test("Tags of READ_STATUS_BYTE run 2..127 and never take the service request's", () => {
  const tags = new Set<number>();
  let tag = 0;
  for (let index = 0; index < 1000; index++) tags.add(tag = nextStatusTag(tag));
  assertEquals([Math.min(...tags), Math.max(...tags), tags.size], [
    2,
    127,
    126,
  ]);
});

Deno.test("A block is its data, whatever follows it", () => {
  assertEquals(decodeBlock(ascii("#15hello\n")), ascii("hello"));
  assertEquals(decodeBlock(ascii("#3005hello\0\0\0")), ascii("hello"));
  assertEquals(decodeBlock(ascii("#0hello\n")), ascii("hello"));
  assertEquals(decodeBlock(ascii("#0\n")), ascii(""));
  assertEquals(decodeBlock(ascii("#10")), ascii(""));
});

Deno.test("Bytes that are not one whole block are none", () => {
  for (
    const text of ["", "#", "#1", "#2", "#21", "#16hello", "1.0", "#A5hello"]
  ) {
    assertEquals(decodeBlock(ascii(text)), undefined, text);
  }
  assertThrows(() => encodeBlockHeader(1e9), RangeError, "999999999");
  assertThrows(() => encodeBlockHeader(-1), RangeError);
});

Deno.test("Block headers come back as they went, and no bytes make the reader throw", () => {
  forAll((chance) => {
    const dataBytes = chance.integer(0, 999_999_999);
    const header = encodeBlockHeader(dataBytes);
    assertEquals(decodeBlockHeader(header), {
      headerBytes: header.length,
      dataBytes,
    });
    const garbage = chance.bytes(chance.integer(0, 16));
    garbage[0] = 0x23;
    const block = decodeBlock(garbage);
    if (block !== undefined) assert(block.length <= garbage.length);
  });
});

Deno.test("Numbers are read as instruments write them; overload is no number", () => {
  assertEquals(parseNumbers("+1.25000000E-03\n"), [0.00125]);
  assertEquals(parseNumbers("1, -2.5 ,.5,3."), [1, -2.5, 0.5, 3]);
  assertEquals(parseNumbers("9.90000000E+37,-9.9E37,9.91E37"), [
    null,
    null,
    null,
  ]);
  for (const text of ["", "abc", "1,,2", "0x10", "1e999999", "1 2"]) {
    assertEquals(parseNumbers(text), undefined, text);
  }
});

Deno.test("Identities and error queue entries are read with what is there", () => {
  assertEquals(parseIdentity("Maker,Model 1,SN 2,1.0,extra\n"), {
    manufacturer: "Maker",
    model: "Model 1",
    serialNumber: "SN 2",
    firmware: "1.0,extra",
  });
  assertEquals(parseIdentity("").model, "");
  assertEquals(parseScpiError('-113,"Undefined header"\n'), {
    number: -113,
    message: "Undefined header",
  });
  assertEquals(parseScpiError('+0,"No error"')?.number, 0);
  assertEquals(parseScpiError("0")?.number, 0);
  assertEquals(
    parseScpiError('-224,"a ""quoted"" word"')?.message,
    'a "quoted" word',
  );
  assertEquals(parseScpiError("No error"), undefined);
});

Deno.test("Text keeps every byte, and a character of more than one byte is refused", () => {
  forAll((chance) => {
    const bytes = chance.bytes(chance.integer(0, 300));
    assertEquals(encodeText(decodeText(bytes)), bytes);
  });
  assertEquals(decodeText(new Uint8Array(100_000)).length, 100_000);
  assertThrows(() => encodeText("5 \u2126"), RangeError, "single bytes");
});

Deno.test("The unit follows from what is measured", () => {
  assertEquals(unitOf("MEAS:VOLT:DC?"), "V");
  assertEquals(unitOf("measure:fresistance?"), "Ohm");
  assertEquals(unitOf("READ?"), "");
});

Deno.test("The quirk table knows each device of the field reports, and no other", () => {
  const flags = (vendorId: number, productId: number): readonly string[] =>
    Object.keys(findQuirks({ vendorId, productId })).sort();
  assert(findQuirks({ vendorId: 0x1ab1, productId: 0x04ce }).blockLengthWins);
  assert(findQuirks({ vendorId: 0x1ab1, productId: 0x0588 }).headerOnce);
  assertEquals(flags(0x1ab1, 0x0517), ["noShortPacket", "trailingNuls"]);
  assert(findQuirks({ vendorId: 0xf4ec, productId: 0xee38 }).noClear);
  assertEquals(flags(0x1313, 0x8078), ["clearHaltsBulkIn"]);
  assertEquals(flags(0x1313, 0x8076), [
    "clearHaltsBulkIn",
    "clearWithoutDrain",
  ]);
  assertEquals(findQuirks({ vendorId: 0x1334, productId: 1 }).maxReadBytes, 63);
  assertEquals(flags(0x0957, 0x1755), []);
  assertEquals(
    new Set(QUIRKS.map((entry) => entry.device)).size,
    QUIRKS.length,
  );
});

Deno.test("Boot modes lead to ids that are not boot modes themselves", () => {
  const ids = new Set(BOOT_MODES.map((entry) => entry.productId));
  for (const entry of BOOT_MODES) assert(!ids.has(entry.becomes));
  assertEquals([...ids], [0x2818, 0x4218, 0x4418]);
});
