/**
 * Results of transfers, as WebUSB names them. They can be constructed by
 * anyone, as the interface says.
 *
 * @module
 */

import { enumeration, exposeInterface, sequence, unsignedLong } from "./idl.ts";

/** How a transfer ended, where it did not reject. */
export type USBTransferStatus = "ok" | "stall" | "babble";

const STATUSES: readonly USBTransferStatus[] = ["ok", "stall", "babble"];

function status(value: unknown): USBTransferStatus {
  return enumeration(value, { what: "USBTransferStatus", values: STATUSES });
}

function view(value: unknown): DataView | null {
  if (value === null || value === undefined) return null;
  if (!(value instanceof DataView)) {
    throw new TypeError("data must be a DataView");
  }
  return value;
}

function items<T>(
  value: unknown,
  type: abstract new (...args: never[]) => T,
): readonly T[] {
  const all = sequence(value, "packets");
  for (const item of all) {
    if (!(item instanceof type)) {
      throw new TypeError(`packets must be ${type.name} objects`);
    }
  }
  return Object.freeze([...all]) as readonly T[];
}

/** Result of an IN transfer. */
export class USBInTransferResult {
  readonly #status: USBTransferStatus;
  readonly #data: DataView | null;

  /** @throws {TypeError} When the status is none of WebUSB's. */
  constructor(statusText: USBTransferStatus, data: DataView | null = null) {
    this.#status = status(statusText);
    this.#data = view(data);
  }

  /** What arrived; transfers of ours always give a view, of length 0 if nothing did. */
  get data(): DataView | null {
    return this.#data;
  }

  /** How it ended. */
  get status(): USBTransferStatus {
    return this.#status;
  }
}

/** Result of an OUT transfer. */
export class USBOutTransferResult {
  readonly #status: USBTransferStatus;
  readonly #bytesWritten: number;

  /** @throws {TypeError} When the status is none of WebUSB's. */
  constructor(statusText: USBTransferStatus, bytesWritten = 0) {
    this.#status = status(statusText);
    this.#bytesWritten = unsignedLong(bytesWritten, "bytesWritten");
  }

  /** Bytes the device took. */
  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  /** How it ended. */
  get status(): USBTransferStatus {
    return this.#status;
  }
}

/** One packet of an isochronous IN transfer; shares the buffer of the result. */
export class USBIsochronousInTransferPacket {
  readonly #status: USBTransferStatus;
  readonly #data: DataView | null;

  /** @throws {TypeError} When the status is none of WebUSB's. */
  constructor(statusText: USBTransferStatus, data: DataView | null = null) {
    this.#status = status(statusText);
    this.#data = view(data);
  }

  /** What arrived in this packet. */
  get data(): DataView | null {
    return this.#data;
  }

  /** How it ended. */
  get status(): USBTransferStatus {
    return this.#status;
  }
}

/** Result of an isochronous IN transfer. */
export class USBIsochronousInTransferResult {
  readonly #packets: readonly USBIsochronousInTransferPacket[];
  readonly #data: DataView | null;

  /** @throws {TypeError} When `packets` are not packets. */
  constructor(
    packets: readonly USBIsochronousInTransferPacket[],
    data: DataView | null = null,
  ) {
    this.#packets = items(packets, USBIsochronousInTransferPacket);
    this.#data = view(data);
  }

  /** The whole buffer: packet i begins at the sum of the lengths asked for before it. */
  get data(): DataView | null {
    return this.#data;
  }

  /** One for each length asked for; frozen. */
  get packets(): readonly USBIsochronousInTransferPacket[] {
    return this.#packets;
  }
}

/** One packet of an isochronous OUT transfer. */
export class USBIsochronousOutTransferPacket {
  readonly #status: USBTransferStatus;
  readonly #bytesWritten: number;

  /** @throws {TypeError} When the status is none of WebUSB's. */
  constructor(statusText: USBTransferStatus, bytesWritten = 0) {
    this.#status = status(statusText);
    this.#bytesWritten = unsignedLong(bytesWritten, "bytesWritten");
  }

  /** Bytes of this packet that were sent. */
  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  /** How it ended. */
  get status(): USBTransferStatus {
    return this.#status;
  }
}

/** Result of an isochronous OUT transfer. */
export class USBIsochronousOutTransferResult {
  readonly #packets: readonly USBIsochronousOutTransferPacket[];

  /** @throws {TypeError} When `packets` are not packets. */
  constructor(packets: readonly USBIsochronousOutTransferPacket[]) {
    this.#packets = items(packets, USBIsochronousOutTransferPacket);
  }

  /** One for each length given; frozen. */
  get packets(): readonly USBIsochronousOutTransferPacket[] {
    return this.#packets;
  }
}

for (
  const type of [
    USBInTransferResult,
    USBOutTransferResult,
    USBIsochronousInTransferPacket,
    USBIsochronousInTransferResult,
    USBIsochronousOutTransferPacket,
    USBIsochronousOutTransferResult,
  ]
) exposeInterface(type);
