/**
 * usbfs as a client sees it, whoever is behind it: the emulation or a kernel.
 * What is asked of both stands in `usbfs_facts.ts`.
 */

import { URB, URB_TYPE, USBDEVFS } from "../../driver/sim/usbfs_constants.ts";

/** Result and error number, as text that reads well in a failure: `0`, `EBUSY`. */
export type Outcome = string;

/** One open file of a device node. Addresses are those of the client's memory. */
export interface UsbfsFileUnderTest {
  /** Memory for these bytes, for as long as the file is open. */
  place(bytes: Uint8Array<ArrayBuffer>): bigint;
  look(
    address: bigint,
    lengthBytes: number,
  ): Promise<Uint8Array<ArrayBuffer>>;
  ioctl(
    request: number,
    argument: bigint,
  ): Promise<readonly [result: number, errno: number]>;
  /** Lets time pass, a few milliseconds. */
  pause(): Promise<void>;
  close(): Promise<void>;
}

/** A loopback device on a bus. */
export interface UsbfsUnderTest {
  open(): Promise<UsbfsFileUnderTest>;
  unplug(): Promise<void>;
}

/** A transfer that was submitted. */
export interface Submitted {
  readonly outcome: Outcome;
  readonly address: bigint;
  readonly buffer: bigint;
}

/** How often to look, a few milliseconds apart, before giving up. */
const PAUSES = 400;

/** Asks questions of one open file. */
export class Probe {
  readonly file: UsbfsFileUnderTest;

  constructor(file: UsbfsFileUnderTest) {
    this.file = file;
  }

  /** An ioctl whose argument is 32-bit words, or nothing. */
  async ask(request: number, ...values: number[]): Promise<Outcome> {
    const argument = values.length === 0 ? 0n : this.file.place(words(values));
    return outcome(await this.file.ioctl(request, argument));
  }

  /** An ioctl that fills a struct; the struct, or the error. */
  async read(
    request: number,
    struct: Uint8Array<ArrayBuffer>,
  ): Promise<readonly number[] | Outcome> {
    const address = this.file.place(struct);
    const [result, errno] = await this.file.ioctl(request, address);
    if (result < 0) return outcome([result, errno]);
    return [...await this.file.look(address, struct.length)];
  }

  /** SUBMITURB. */
  async submit(
    type: keyof typeof URB_TYPE,
    endpoint: number,
    data: Uint8Array<ArrayBuffer>,
    options: { flags?: number; packets?: readonly number[] } = {},
  ): Promise<Submitted> {
    const { flags = 0, packets = [] } = options;
    const buffer = data.length === 0 ? 0n : this.file.place(data);
    const struct = new Uint8Array(URB.sizeBytes + 12 * packets.length);
    const view = new DataView(struct.buffer);
    struct[URB.type] = URB_TYPE[type];
    struct[URB.endpoint] = endpoint;
    // What libusb never sees, as it looks only at ended transfers.
    view.setInt32(URB.status, -1, true);
    view.setUint32(URB.flags, flags, true);
    view.setBigUint64(URB.buffer, buffer, true);
    view.setInt32(URB.bufferLength, data.length, true);
    view.setInt32(URB.numberOfPackets, packets.length, true);
    packets.forEach((length, index) =>
      view.setUint32(URB.packets + 12 * index, length, true)
    );
    const address = this.file.place(struct);
    const answer = await this.file.ioctl(USBDEVFS.SUBMITURB, address);
    return { outcome: outcome(answer), address, buffer };
  }

  /** A bulk IN transfer. */
  bulkIn(endpoint: number, lengthBytes: number): Promise<Submitted> {
    return this.submit("BULK", endpoint, new Uint8Array(lengthBytes));
  }

  /** A vendor request of the loopback device, to its end. */
  async vendor(request: number, value = 0, index = 0): Promise<Outcome> {
    const data = setup(0x40, request, { value, index });
    const { outcome: submitted } = await this.submit("CONTROL", 0, data);
    return submitted === "0" ? await this.reap() : submitted;
  }

  /** REAPURBNDELAY, once. */
  async reapNow(): Promise<Outcome> {
    const pointer = this.file.place(new Uint8Array(8));
    const answer = await this.file.ioctl(USBDEVFS.REAPURBNDELAY, pointer);
    if (answer[0] < 0) return outcome(answer);
    const address = toBigInt(await this.file.look(pointer, 8));
    return await this.#ended(address);
  }

  /** REAPURBNDELAY until there is something: `0 (8)`, `-EPIPE (0)`. */
  async reap(): Promise<Outcome> {
    for (let pause = 0; pause < PAUSES; pause++) {
      const ended = await this.reapNow();
      if (ended !== "EAGAIN") return ended;
      await this.file.pause();
    }
    return "nothing";
  }

  /** Reaps this many, in order of their coming. */
  async reapAll(count: number): Promise<readonly Outcome[]> {
    const ended: Outcome[] = [];
    for (let index = 0; index < count; index++) ended.push(await this.reap());
    return ended;
  }

  async #ended(address: bigint): Promise<Outcome> {
    const bytes = await this.file.look(address, URB.sizeBytes);
    const view = new DataView(bytes.buffer);
    const status = view.getInt32(URB.status, true);
    const name = status < 0 ? `-${errnoName(-status)}` : `${status}`;
    return `${name} (${view.getInt32(URB.actualLength, true)})`;
  }
}

/** A setup stage; nothing behind it. */
export function setup(
  requestType: number,
  request: number,
  options: { value?: number; index?: number; lengthBytes?: number } = {},
): Uint8Array<ArrayBuffer> {
  const { value = 0, index = 0, lengthBytes = 0 } = options;
  const bytes = new Uint8Array(8 + lengthBytes);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, requestType);
  view.setUint8(1, request);
  view.setUint16(2, value, true);
  view.setUint16(4, index, true);
  view.setUint16(6, lengthBytes, true);
  return bytes;
}

function outcome([result, errno]: readonly [number, number]): Outcome {
  return result < 0 ? errnoName(errno) : `${result}`;
}

/** Error numbers of x86-64 and aarch64. include/uapi/asm-generic/errno.h. */
const ERRNO_NAMES: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  5: "EIO",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  14: "EFAULT",
  16: "EBUSY",
  18: "EXDEV",
  19: "ENODEV",
  22: "EINVAL",
  25: "ENOTTY",
  28: "ENOSPC",
  32: "EPIPE",
  61: "ENODATA",
  71: "EPROTO",
  75: "EOVERFLOW",
  90: "EMSGSIZE",
  104: "ECONNRESET",
  108: "ESHUTDOWN",
  110: "ETIMEDOUT",
  113: "EHOSTUNREACH",
  121: "EREMOTEIO",
};

function errnoName(errno: number): string {
  return ERRNO_NAMES[errno] ?? `E${errno}`;
}

/** 32-bit words, little endian. */
export function words(values: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) =>
    view.setUint32(4 * index, value >>> 0, true)
  );
  return bytes;
}

function toBigInt(bytes: Uint8Array<ArrayBuffer>): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
}

/** Text, numbers and lists of them. */
export type FactValue = string | number | readonly FactValue[];

/** A question and its answer. */
export interface UsbfsFact {
  readonly name: string;
  readonly ask: (bus: UsbfsUnderTest) => Promise<FactValue>;
  readonly answer: FactValue;
}

/** A question to one open file. */
export function fact(
  name: string,
  answer: FactValue,
  ask: (probe: Probe, bus: UsbfsUnderTest) => Promise<FactValue>,
): UsbfsFact {
  return {
    name,
    answer,
    ask: (bus) => withFile(bus, (file) => ask(new Probe(file), bus)),
  };
}

async function withFile<T>(
  bus: UsbfsUnderTest,
  use: (file: UsbfsFileUnderTest) => Promise<T>,
): Promise<T> {
  const file = await bus.open();
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}
