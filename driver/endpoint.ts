/**
 * One endpoint of an open device as a flow: reports one by one, or streams.
 * Slow readers slow the device down; nothing is dropped and nothing grows.
 *
 * @module
 */

import type { Device } from "./device.ts";
import type { ReadableOptions, ReadingPlace } from "./endpoint_input.ts";
import { type ReaderOptions, ReportReader } from "./endpoint_reader.ts";
import { EndpointSource } from "./endpoint_source.ts";
import { EndpointWriter, type WriterOptions } from "./endpoint_writer.ts";
import { liveEndpoint } from "./live_endpoint.ts";
import type { Report } from "./port.ts";
import {
  directionOf,
  type EndpointAddress,
  type EndpointDescriptor,
  hex,
} from "./usb.ts";

/** Bytes asked for at a time on a bulk IN endpoint: a multiple of every packet size. */
const BULK_READ_BYTES = 16 * 1024;
/**
 * What a stream asks for on a bus of 400 MB/s and more. All of it is as much as
 * such a bus brings in 3 ms: so long may a file or a collection of garbage take,
 * and it is a sixteenth of the memory that usbfs has for all.
 */
const SUPER_SPEED_STREAM = {
  transferLengthBytes: 64 * 1024,
  transfersInFlight: 16,
} as const;

/** Reports and streams of one endpoint. One reader and one writer at a time. */
export class Endpoint {
  /** `bEndpointAddress`. */
  readonly address: EndpointAddress;
  readonly #device: Device;
  #reader: ReportReader | EndpointSource | undefined;
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #writable: WritableStream<Uint8Array> | undefined;

  /** Made by `device.endpoint(address)`. */
  constructor(device: Device, address: EndpointAddress) {
    this.#device = device;
    this.address = address;
  }

  /** The device it belongs to. */
  get device(): Device {
    return this.#device;
  }

  /** Its descriptor in the live setting of its interface; `undefined` when it has none there. */
  get descriptor(): EndpointDescriptor | undefined {
    return liveEndpoint(this.#device.port, this.address);
  }

  /**
   * Reads one transfer after the other, several in flight. Each report is the
   * caller's own. When the caller is slow, the host stops asking and the device
   * waits. Ends when the signal fires, or behind the last report when the device
   * is closed, by whomever; `break` stops the reading and drops what was read
   * ahead.
   *
   * ```ts ignore
   * import type { Device } from "./device.ts";
   *
   * async function logReports(device: Device): Promise<void> {
   *   for await (const report of device.endpoint(0x81).reports()) {
   *     console.log(report.data);
   *   }
   * }
   * ```
   *
   * @throws {UsbError} From the iteration: `stall`, `overflow`, `io`, and `noDevice` at an unplug,
   *   after every report that came before; `busy` when it is being read already.
   * @throws {TypeError} When it is an OUT endpoint.
   */
  reports(options: ReaderOptions = {}): AsyncIterable<Report> {
    this.#expect("in", "read from");
    return { [Symbol.asyncIterator]: () => this.#read(options) };
  }

  /**
   * Its bytes as a stream, for readers with buffers of their own (BYOB) as well:
   * such a buffer is filled with all that waited, so that a large one makes few
   * steps. It ends when the device is closed, by whomever, behind all that came
   * before. Boundaries of transfers are not kept; where they matter, use `reports`.
   * After an error or a cancel the next one is a new stream.
   *
   * @throws {TypeError} When it is an OUT endpoint.
   */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable ??= this.openReadable();
  }

  /** Its writer as a stream, with the default options; see `openWritable`. */
  get writable(): WritableStream<Uint8Array> {
    return this.#writable ??= this.openWritable();
  }

  /** As `readable`, with transfers as asked for, and not kept. @throws {TypeError} As `readable`. */
  openReadable(
    options: ReadableOptions = {},
  ): ReadableStream<Uint8Array<ArrayBuffer>> {
    this.#expect("in", "read from");
    let source: EndpointSource | undefined;
    const forget = (): void => void (this.#readable = undefined);
    return new ReadableStream({
      type: "bytes",
      pull: async (controller): Promise<void> => {
        try {
          source ??= this.#readBytes(options, forget);
          await source.pull(controller);
        } catch (error) {
          forget();
          throw error;
        }
      },
      cancel: async (): Promise<void> => {
        forget();
        await source?.cancel();
      },
    });
  }

  /**
   * A stream that writes: each chunk becomes one or more transfers, in order,
   * several in flight. A write resolves when the chunk is on its way; `close`
   * when everything has arrived; `abort` cancels what has not.
   *
   * A failure cancels what is behind it and fails the stream: the next write
   * rejects with its `UsbError`, and so does the writer's `closed`. A
   * `close` of a stream that has failed already rejects with a `TypeError`, as
   * streams do. Behind any failure but a stall a packet of what follows may have
   * reached the device: where a gap does harm, keep one transfer in flight.
   *
   * @throws {TypeError} When it is an IN endpoint.
   */
  openWritable(options: WriterOptions = {}): WritableStream<Uint8Array> {
    this.#expect("out", "write to");
    const writer = new EndpointWriter(this.#device, this.address, options);
    const forget = (): void => void (this.#writable = undefined);
    return new WritableStream({
      start: (controller): void => {
        writer.onFailure((error) => {
          forget();
          controller.error(error);
        });
        // At once: `abort` below is not called before the write that waits is over.
        const { signal } = controller;
        signal.addEventListener("abort", () => writer.cancel(signal.reason));
      },
      write: async (chunk): Promise<void> => {
        try {
          await writer.write(chunk);
        } catch (error) {
          forget();
          throw error;
        }
      },
      close: async (): Promise<void> => {
        forget();
        await writer.drain();
      },
      abort: async (reason): Promise<void> => {
        forget();
        await writer.cancel(reason);
      },
    });
  }

  #read(options: ReaderOptions): ReportReader {
    const reader = new ReportReader(this.#place, {
      ...this.#prepared(options),
      onOver: () => this.#readerIsOver(reader),
    });
    this.#reader = reader;
    reader.start();
    return reader;
  }

  #readBytes(options: ReadableOptions, onOver: () => void): EndpointSource {
    const source = new EndpointSource(this.#place, {
      ...this.#prepared({ ...this.#streamDefaults(), ...options }),
      onOver: () => {
        onOver();
        this.#readerIsOver(source);
      },
    });
    this.#reader = source;
    source.start();
    return source;
  }

  #streamDefaults(): ReadableOptions {
    const isBulk = this.descriptor?.transferType === "bulk";
    const isSuper = this.#device.info.speed.startsWith("super");
    return isBulk && isSuper ? SUPER_SPEED_STREAM : {};
  }

  get #place(): ReadingPlace {
    return { device: this.#device, endpoint: this.address };
  }

  #readerIsOver(reader: ReportReader | EndpointSource): void {
    if (this.#reader === reader) this.#reader = undefined;
  }

  /** Options with what the endpoint's type suggests. @throws {UsbError} `busy` when it is being read. */
  #prepared<T extends ReadableOptions>(options: T): T {
    if (this.#reader !== undefined) {
      throw this.#device.error(
        "busy",
        `read from endpoint ${hex(this.address)}`,
        "it is being read already",
        "Read it in one place, or end the other reader first",
      );
    }
    const isBulk = this.descriptor?.transferType === "bulk";
    return isBulk && options.transferLengthBytes === undefined
      ? { ...options, transferLengthBytes: BULK_READ_BYTES }
      : options;
  }

  #expect(direction: "in" | "out", what: string): void {
    if (directionOf(this.address) === direction) return;
    throw new TypeError(
      `Cannot ${what} endpoint ${hex(this.address)}: it is an ${
        direction === "in" ? "OUT" : "IN"
      } endpoint`,
    );
  }
}
