/**
 * A client of emulated usbfs without a transport: memory of its own, ioctls as
 * libusb makes them.
 */

import { VirtualClock } from "../../driver/loop/clock.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { URB_TYPE, USBDEVFS } from "../../driver/sim/usbfs_constants.ts";
import type {
  Answer,
  ClientMemory,
  Session,
} from "../../driver/sim/usbfs_contract.ts";
import { seededRandom, VirtualBus } from "../../driver/sim/virtual_bus.ts";

/** Where the client's memory begins; addresses below are bad. */
const BASE = 0x10000;

/** What a reap brought. */
export interface Reaped {
  readonly address: bigint;
  readonly status: number;
  readonly actualLengthBytes: number;
  readonly data: Uint8Array<ArrayBuffer>;
  readonly packets: readonly { actualLengthBytes: number; status: number }[];
}

/** What to submit. */
export interface Submission {
  readonly type: number;
  readonly endpoint: number;
  readonly data: Uint8Array;
  readonly flags?: number;
  readonly packetLengthsBytes?: readonly number[];
}

/** One client with one open file. */
export class UsbfsClient implements ClientMemory {
  readonly session: Session;
  readonly #bytes = new Uint8Array(4 * 1024 * 1024);
  readonly #view = new DataView(this.#bytes.buffer);
  #next = 64;

  constructor(session: Session) {
    this.session = session;
  }

  peek(
    address: bigint,
    lengthBytes: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const at = Number(address) - BASE;
    if (at < 0 || at + lengthBytes > this.#bytes.length) {
      return Promise.reject(new Error(`Bad address ${address}`));
    }
    return Promise.resolve(this.#bytes.slice(at, at + lengthBytes));
  }

  poke(address: bigint, data: Uint8Array): void {
    this.#bytes.set(data, Number(address) - BASE);
  }

  /** Memory for `data`. */
  place(data: Uint8Array): bigint {
    const at = this.#next;
    this.#next += (data.length + 15) & ~15;
    this.#bytes.set(data, at);
    return BigInt(at + BASE);
  }

  async ioctl(request: number, argument = 0n): Promise<Answer> {
    return await this.session.ioctl(request, argument, this);
  }

  /** An ioctl whose argument is a struct; gives the answer and the struct after it. */
  async call(
    request: number,
    argument: Uint8Array,
  ): Promise<{ answer: Answer; bytes: Uint8Array<ArrayBuffer> }> {
    const address = this.place(argument);
    const answer = await this.ioctl(request, address);
    return { answer, bytes: await this.peek(address, argument.length) };
  }

  /** SUBMITURB; gives the answer and the URB's address. */
  async submit(
    submission: Submission,
  ): Promise<{ answer: Answer; address: bigint }> {
    const buffer = this.place(submission.data);
    const packets = submission.packetLengthsBytes ?? [];
    const address = this.place(new Uint8Array(56 + 12 * packets.length));
    const at = Number(address) - BASE;
    const view = this.#view;
    view.setUint8(at, submission.type);
    view.setUint8(at + 1, submission.endpoint);
    view.setUint32(at + 8, submission.flags ?? 0, true);
    view.setBigUint64(at + 16, buffer, true);
    view.setInt32(at + 24, submission.data.length, true);
    view.setInt32(at + 36, packets.length, true);
    packets.forEach((lengthBytes, packet) =>
      view.setUint32(at + 56 + 12 * packet, lengthBytes, true)
    );
    return { answer: await this.ioctl(USBDEVFS.SUBMITURB, address), address };
  }

  /** REAPURBNDELAY, or another way to reap. */
  async reap(
    request: number = USBDEVFS.REAPURBNDELAY,
  ): Promise<Reaped | Answer> {
    const pointer = this.place(new Uint8Array(8));
    const answer = await this.ioctl(request, pointer);
    if (answer[1] !== 0) return answer;
    const address = this.#view.getBigUint64(Number(pointer) - BASE, true);
    const at = Number(address) - BASE;
    const view = this.#view;
    const actualLengthBytes = view.getInt32(at + 28, true);
    const count = view.getUint8(at) === 0 ? view.getInt32(at + 36, true) : 0;
    const isControl = view.getUint8(at) === 2;
    const buffer = view.getBigUint64(at + 16, true) + (isControl ? 8n : 0n);
    return {
      address,
      status: view.getInt32(at + 4, true),
      actualLengthBytes,
      data: await this.peek(
        buffer,
        count > 0 ? view.getInt32(at + 24, true) : actualLengthBytes,
      ),
      packets: Array.from({ length: count }, (_, packet) => ({
        actualLengthBytes: view.getInt32(at + 60 + 12 * packet, true),
        status: view.getInt32(at + 64 + 12 * packet, true),
      })),
    };
  }
}

/** Narrows a reap to one that brought an URB. */
export function reaped(result: Reaped | Answer): Reaped {
  if (Array.isArray(result)) {
    throw new Error(`Nothing to reap: errno ${result[1]}`);
  }
  return result as Reaped;
}

/** Four little endian bytes each. */
export function words(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

/** A loopback device on a bus in virtual time. */
export interface UsbfsBench {
  readonly clock: VirtualClock;
  readonly bus: VirtualBus;
  readonly device: Loopback;
  open(): UsbfsClient;
}

/** Makes a bench. */
export function makeBench(
  options: ConstructorParameters<typeof Loopback>[0] = {},
): UsbfsBench {
  const clock = new VirtualClock();
  const bus = new VirtualBus({ clock, random: seededRandom(1) });
  const device = new Loopback(options);
  const plugged = bus.plug(device);
  return { clock, bus, device, open: () => new UsbfsClient(plugged.open()) };
}

/** A bulk OUT transfer to the echo. */
export const BULK_OUT = (data: Uint8Array): Submission => ({
  type: URB_TYPE.BULK,
  endpoint: 0x01,
  data,
});
/** A bulk IN transfer from the echo. */
export const BULK_IN = (lengthBytes: number, endpoint = 0x81): Submission => ({
  type: URB_TYPE.BULK,
  endpoint,
  data: new Uint8Array(lengthBytes),
});

/** A vendor request of the loopback device as an URB. */
function vendorOut(request: number, value = 0, index = 0): Uint8Array {
  return Uint8Array.of(
    0x40,
    request,
    value & 255,
    value >> 8,
    index & 255,
    index >> 8,
    0,
    0,
  );
}

/** Sends a vendor request of the loopback device; gives its status. */
export async function command(
  client: UsbfsClient,
  ...request: Parameters<typeof vendorOut>
): Promise<number> {
  await client.submit({
    type: URB_TYPE.CONTROL,
    endpoint: 0,
    data: vendorOut(...request),
  });
  return reaped(await client.reap()).status;
}
