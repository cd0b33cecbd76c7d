/**
 * Devices that break the protocol, as data: what each does and what the driver
 * does about it. Collected from the field: vendors' errata, Linux's usbtmc, the
 * quirk table of python-usbtmc and issues of pyvisa-py.
 *
 * @module
 */

/** What is odd about a device. Everything absent is as the specification says. */
export interface UsbtmcQuirks {
  /** Only the first transfer of an answer has a header; a second REQUEST restarts the answer. */
  readonly headerOnce?: boolean;
  /** The length of an IEEE 488.2 block is right where `TransferSize` and EOM are not. */
  readonly blockLengthWins?: boolean;
  /** `TransferSize` counts padding, or bytes that never come: a short packet ends the transfer anyway. */
  readonly sizeUnreliable?: boolean;
  /** Text ends with NULs, which are not part of it. */
  readonly trailingNuls?: boolean;
  /** A transfer of whole packets is not ended by a short one: `TransferSize` ends it. */
  readonly noShortPacket?: boolean;
  /** INITIATE_CLEAR is not there, or hangs the device: never sent. */
  readonly noClear?: boolean;
  /** CLEAR halts the bulk IN endpoint as well. */
  readonly clearHaltsBulkIn?: boolean;
  /** CLEAR has nothing to drain, whatever it says: reading would hang. */
  readonly clearWithoutDrain?: boolean;
  /** The most one REQUEST may ask for. */
  readonly maxReadBytes?: number;
  /** EOM is never set: an answer ends with a transfer that is not full, or with a line feed. */
  readonly noEndOfMessage?: boolean;
  /** Must be put into remote state before it talks. */
  readonly remoteAtOpen?: boolean;
  /** Bulk OUT is dead after TRIGGER until CLEAR. */
  readonly clearAfterTrigger?: boolean;
}

/** Devices and their quirks. */
export interface QuirkEntry {
  readonly vendorId: number;
  /** Absent: every product of the vendor. */
  readonly productId?: number;
  readonly device: string;
  readonly quirks: UsbtmcQuirks;
}

const RIGOL: UsbtmcQuirks = {
  headerOnce: true,
  noShortPacket: true,
  trailingNuls: true,
};

/** Every device known to need help. The first entry that fits counts. */
export const QUIRKS: readonly QuirkEntry[] = [
  {
    vendorId: 0x1ab1,
    productId: 0x04ce,
    device: "Rigol DS1000Z, DS1054Z, MSO1000Z",
    quirks: { ...RIGOL, blockLengthWins: true },
  },
  {
    vendorId: 0x1ab1,
    productId: 0x0588,
    device: "Rigol DS1000D/E",
    quirks: RIGOL,
  },
  {
    // DS1102Z-E and relatives: pyvisa-py #463, #472.
    vendorId: 0x1ab1,
    device: "Rigol, other models",
    quirks: { noShortPacket: true, trailingNuls: true },
  },
  {
    vendorId: 0xf4ec,
    productId: 0xee38,
    device: "Siglent SDS1204X-E",
    quirks: {
      noClear: true,
      sizeUnreliable: true,
      blockLengthWins: true,
      trailingNuls: true,
    },
  },
  {
    vendorId: 0x1313,
    productId: 0x8078,
    device: "Thorlabs PM100D",
    quirks: { clearHaltsBulkIn: true },
  },
  {
    vendorId: 0x1313,
    productId: 0x8076,
    device: "Thorlabs PM101U",
    quirks: { clearHaltsBulkIn: true, clearWithoutDrain: true },
  },
  {
    vendorId: 0x1334,
    device: "Advantest, ADCMT",
    quirks: { maxReadBytes: 63, noEndOfMessage: true, remoteAtOpen: true },
  },
];

/**
 * TinyUSB firmware built before the fix (hathach/tinyusb #3821) has no id of
 * its own: anyone's device may run it. Given by hand where it is known; an OUT
 * time-out after TRIGGER ends in CLEAR anyway.
 */
export const TINYUSB_BEFORE_FIX: UsbtmcQuirks = { clearAfterTrigger: true };

/** The quirks of a device; none where the table does not know it. */
export function findQuirks(
  device: { readonly vendorId: number; readonly productId: number },
): UsbtmcQuirks {
  const entry = QUIRKS.find((candidate) =>
    candidate.vendorId === device.vendorId &&
    (candidate.productId ?? device.productId) === device.productId
  );
  return entry?.quirks ?? {};
}

/** A vendor request of a boot sequence, as data. */
export interface BootStep {
  /** `wIndex`. */
  readonly index: number;
  /** IN requests: bytes to read. */
  readonly lengthBytes?: number;
  /** OUT requests: bytes to write. */
  readonly data?: readonly number[];
}

/** A device that wakes up in a boot mode and must be told to start its firmware. */
export interface BootEntry {
  readonly vendorId: number;
  readonly productId: number;
  readonly device: string;
  /** `idProduct` it comes back with. */
  readonly becomes: number;
  /** How long that may take. */
  readonly withinMs: number;
  /** `bRequest` of every step; vendor requests to the device, `wValue` 0. */
  readonly request: number;
  readonly steps: readonly BootStep[];
}

/** Agilent U27xx: five reads whose values nobody uses, then the start. */
const agilentBoot = (
  productId: number,
  becomes: number,
  thirdIndex: number,
): BootEntry => ({
  vendorId: 0x0957,
  productId,
  device: "Agilent U2700 series in boot mode",
  becomes,
  withinMs: 20_000,
  request: 0x0c,
  steps: [
    { index: 0x047e, lengthBytes: 1 },
    { index: 0x047d, lengthBytes: 6 },
    { index: thirdIndex, lengthBytes: 5 },
    { index: 0x0472, lengthBytes: 12 },
    { index: 0x047a, lengthBytes: 1 },
    { index: 0x0475, data: [0, 0, 1, 1, 0, 0, 8, 1] },
  ],
});

/** Devices that must be booted before they speak USBTMC. */
export const BOOT_MODES: readonly BootEntry[] = [
  agilentBoot(0x2818, 0x2918, 0x0484),
  agilentBoot(0x4218, 0x4118, 0x0487),
  agilentBoot(0x4418, 0x4318, 0x0487),
];
