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

/** As WebUSB's types have it; at run time `null` where there is none, as its interface says. */
type Data = DataView | undefined;

function view(value: unknown): Data {
  if (value === null || value === undefined) return null as unknown as Data;
  if (!(value instanceof DataView)) {
    throw new TypeError("data must be a DataView");
  }
  return value;
}

function items<T>(value: unknown, isPacket: (item: unknown) => boolean): T[] {
  const all = sequence(value, "packets");
  if (!all.every(isPacket)) {
    throw new TypeError("packets must be packets of an isochronous transfer");
  }
  return Object.freeze([...all]) as T[];
}

// Packets are known by their private parts, which each class alone can see.
let isInPacket: (item: unknown) => boolean;
let isOutPacket: (item: unknown) => boolean;

/** Result of an IN transfer. */
export class USBInTransferResult {
  readonly #status: USBTransferStatus;
  readonly #data: Data;

  /**
   * A result of this status.
   *
   * @throws {TypeError} When the status is none of WebUSB's.
   */
  constructor(
    statusText: USBTransferStatus,
    data: DataView | null | undefined = undefined,
  ) {
    this.#status = status(statusText);
    this.#data = view(data);
  }

  /** What arrived; transfers of ours always give a view, of length 0 if nothing did. */
  get data(): DataView | undefined {
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

  /**
   * A result of this status.
   *
   * @throws {TypeError} When the status is none of WebUSB's.
   */
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
  readonly #data: Data;

  /**
   * A result of this status.
   *
   * @throws {TypeError} When the status is none of WebUSB's.
   */
  constructor(
    statusText: USBTransferStatus,
    data: DataView | null | undefined = undefined,
  ) {
    this.#status = status(statusText);
    this.#data = view(data);
  }

  /** What arrived in this packet. */
  get data(): DataView | undefined {
    return this.#data;
  }

  /** How it ended. */
  get status(): USBTransferStatus {
    return this.#status;
  }

  static {
    isInPacket = (item) =>
      typeof item === "object" && item !== null && #status in item;
  }
}

/** Result of an isochronous IN transfer. */
export class USBIsochronousInTransferResult {
  readonly #packets: USBIsochronousInTransferPacket[];
  readonly #data: Data;

  /**
   * A result of these packets.
   *
   * @throws {TypeError} When `packets` are not packets.
   */
  constructor(
    packets: readonly USBIsochronousInTransferPacket[],
    data: DataView | null | undefined = undefined,
  ) {
    this.#packets = items(packets, isInPacket);
    this.#data = view(data);
  }

  /** The whole buffer: packet i begins at the sum of the lengths asked for before it. */
  get data(): DataView | undefined {
    return this.#data;
  }

  /** One for each length asked for; frozen. */
  get packets(): USBIsochronousInTransferPacket[] {
    return this.#packets;
  }
}

/** One packet of an isochronous OUT transfer. */
export class USBIsochronousOutTransferPacket {
  readonly #status: USBTransferStatus;
  readonly #bytesWritten: number;

  /**
   * A result of this status.
   *
   * @throws {TypeError} When the status is none of WebUSB's.
   */
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

  static {
    isOutPacket = (item) =>
      typeof item === "object" && item !== null && #status in item;
  }
}

/** Result of an isochronous OUT transfer. */
export class USBIsochronousOutTransferResult {
  readonly #packets: USBIsochronousOutTransferPacket[];

  /**
   * A result of these packets.
   *
   * @throws {TypeError} When `packets` are not packets.
   */
  constructor(packets: readonly USBIsochronousOutTransferPacket[]) {
    this.#packets = items(packets, isOutPacket);
  }

  /** One for each length given; frozen. */
  get packets(): USBIsochronousOutTransferPacket[] {
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
