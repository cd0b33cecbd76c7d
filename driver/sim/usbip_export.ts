/**
 * A virtual device exported by USB/IP: it is plugged in by connecting to a host,
 * and unplugged by ending the connection.
 *
 * @module
 */

import type { Clock, Timer } from "../loop/clock.ts";
import type { Speed } from "../usb.ts";
import { BusDevice } from "./bus_device.ts";
import { UsbipLink } from "./usbip_link.ts";
import type { VirtualDevice } from "./virtual_device.ts";

/** A connection, as sockets have it. */
export interface ByteStream {
  readonly readable: ReadableStream<Uint8Array>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** What an export needs of its surroundings. */
export interface UsbipExportOptions {
  readonly clock: Clock;
  /** From 0 up to 1; seeded. */
  readonly random: () => number;
  /** Attaches a device of this speed to a host and gives our end of the connection. */
  readonly connect: (speed: Speed) => Promise<ByteStream>;
}

/** One virtual device on a host's bus. */
export class UsbipExport implements AsyncDisposable {
  readonly #options: UsbipExportOptions;
  #virtual: VirtualDevice;
  #attached: Attachment | undefined;
  #returning: Timer | undefined;
  #isClosed = false;

  /** `plug` attaches it. */
  constructor(virtual: VirtualDevice, options: UsbipExportOptions) {
    this.#virtual = virtual;
    this.#options = options;
  }

  /** The device's core while it is attached: faults, transfers. */
  get device(): BusDevice | undefined {
    return this.#attached?.device;
  }

  /** Attaches the device; a no-op when it is attached or the export is closed. */
  async plug(): Promise<void> {
    if (this.#attached !== undefined || this.#isClosed) return;
    const { clock, connect, random } = this.#options;
    const virtual = this.#virtual;
    const device = new BusDevice(virtual, {
      clock,
      random,
      unplug: () => void this.unplug(),
      replug: (afterMs, as) => this.replug(afterMs, as),
      configured: () => {},
    });
    const attachment = new Attachment(
      device,
      await connect(virtual.descriptors.speed),
      (ended) => {
        if (this.#attached === ended) this.#attached = undefined;
      },
    );
    this.#attached = attachment;
    device.plug();
    attachment.serve();
  }

  /** Ends the connection: for the host the device is gone. */
  async unplug(): Promise<void> {
    this.#returning?.cancel();
    const attached = this.#attached;
    this.#attached = undefined;
    await attached?.end();
  }

  /** Leaves, and comes back after `afterMs`, as another device if given. */
  replug(afterMs: number, as: VirtualDevice = this.#virtual): void {
    const left = this.unplug();
    this.#returning = this.#options.clock.setTimer(afterMs, () => {
      this.#virtual = as;
      void left.then(() => this.plug());
    });
  }

  /** Unplugs for good. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.unplug();
  }

  /** Unplugs at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A device on one connection. */
class Attachment {
  readonly device: BusDevice;
  readonly #stream: ByteStream;
  readonly #link: UsbipLink;
  readonly #onEnd: (ended: Attachment) => void;
  #sent: Promise<void> = Promise.resolve();
  #served: Promise<void> = Promise.resolve();
  #hasEnded = false;

  constructor(
    device: BusDevice,
    stream: ByteStream,
    onEnd: (ended: Attachment) => void,
  ) {
    this.device = device;
    this.#stream = stream;
    this.#onEnd = onEnd;
    // Messages in flight are bounded by the link's transfers in flight.
    this.#link = new UsbipLink(device, (message) => {
      this.#sent = this.#sent.then(() => this.#send(message));
    });
  }

  /** Reads until either end closes. */
  serve(): void {
    this.#served = this.#serve();
  }

  /** Ends the connection and the device's transfers. */
  async end(): Promise<void> {
    this.#finish();
    await this.#served;
  }

  async #serve(): Promise<void> {
    try {
      for await (const chunk of this.#stream.readable) {
        if (this.#hasEnded) return;
        this.#link.receive(chunk);
      }
    } catch {
      // A host that breaks the protocol, or its socket, has unplugged us.
    } finally {
      this.#finish();
    }
  }

  async #send(message: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < message.length && !this.#hasEnded;) {
        at += await this.#stream.write(message.subarray(at));
      }
    } catch {
      this.#finish();
    }
  }

  #finish(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#link.close();
    this.device.kill();
    this.#stream.close();
    this.#onEnd(this);
  }
}
