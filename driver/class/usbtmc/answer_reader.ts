/**
 * Reads what one REQUEST brings: a header, its payload, and whatever ends it.
 * Here live the quirks of where an answer ends. USBTMC 1.00, 3.3.
 *
 * @module
 */

import { UsbError } from "../../errors.ts";
import { IN_CHUNK_BYTES, MAX_TRANSFERS_PER_MESSAGE } from "./bounds.ts";
import { decodeBlockHeader } from "./block.ts";
import {
  answerBufferBytes,
  decodeMessageIn,
  HEADER_BYTES,
  type MessageInHeader,
} from "./bulk_header.ts";
import type { Link } from "./link.ts";
import type { Answer, MessageOptions } from "./messages.ts";

/** What was asked for. */
export interface ReadRequest extends MessageOptions {
  readonly tag: number;
  /** Payload bytes the REQUEST named. */
  readonly asked: number;
  /** Payload bytes the caller can take: more than `asked` only where one REQUEST brings all. */
  readonly maxBytes: number;
}

const OPERATION = "read an answer";

/** Reads answers, and learns when a device never ends a transfer by a short packet. */
export class AnswerReader {
  readonly #link: Link;
  /** Whether the device is known to end full transfers without a short packet. */
  #isHeaderFirst: boolean;

  constructor(link: Link) {
    this.#link = link;
    this.#isHeaderFirst = link.quirks.noShortPacket === true;
  }

  /**
   * Reads the answer to one REQUEST.
   *
   * @throws {UsbError} As the transfers; `protocol` when the bytes are no answer to it.
   */
  async read(request: ReadRequest): Promise<Answer> {
    const first = await this.#readFirst(request);
    const header = this.#header(first, request);
    const isOnce = this.#link.quirks.headerOnce === true;
    const expected = isOnce
      ? this.#wholeLength(first, header, request)
      : header.transferSize;
    const bytes = await this.#readOn(first, HEADER_BYTES + expected, request);
    this.#checkExcess(bytes, expected);
    const data = bytes.slice(HEADER_BYTES, HEADER_BYTES + expected);
    const endOfMessage = header.endOfMessage || isOnce;
    if (data.length === 0 && !endOfMessage) {
      throw this.#error("it is empty and not the last one");
    }
    return { data, endOfMessage, endedByTermChar: header.endedByTermChar };
  }

  /**
   * The first transfer. Less than a header is what an earlier answer left
   * behind: the empty packet that ended it, or a line feed after a block.
   */
  async #readFirst(request: ReadRequest): Promise<Uint8Array<ArrayBuffer>> {
    const { maxPacketSize } = this.#link.pipes.bulkIn;
    const lengthBytes = this.#isHeaderFirst
      ? maxPacketSize
      : answerBufferBytes(request.asked, maxPacketSize);
    let bytes = await this.#transfer(lengthBytes, request);
    if (bytes.length < HEADER_BYTES && this.#isHeaderFirst) {
      bytes = await this.#transfer(lengthBytes, request);
    }
    return bytes;
  }

  #header(first: Uint8Array, request: ReadRequest): MessageInHeader {
    // Where one REQUEST brings the whole answer, its size may exceed what was asked for.
    const isOnce = this.#link.quirks.headerOnce === true;
    const header = decodeMessageIn(first, {
      tag: request.tag,
      maxBytes: isOnce ? 0xffff_ffff : request.asked,
    });
    if (typeof header === "string") {
      throw this.#error(`its header is wrong: ${header}`, first);
    }
    return header;
  }

  /** Length of an answer whose header comes once and may lie about a block. */
  #wholeLength(
    first: Uint8Array,
    header: MessageInHeader,
    request: ReadRequest,
  ): number {
    const block = this.#link.quirks.blockLengthWins
      ? decodeBlockHeader(first.subarray(HEADER_BYTES))
      : undefined;
    const length = block?.dataBytes === undefined
      ? header.transferSize
      : block.headerBytes + block.dataBytes;
    if (length > request.maxBytes) {
      throw this.#error(
        `it has ${length} bytes, ${request.maxBytes} can be taken`,
        first,
      );
    }
    return length;
  }

  /**
   * Reads until `wanted` bytes are there: a wrong packet size in the
   * descriptor, or a device that sends an answer in pieces, ends transfers early.
   */
  async #readOn(
    first: Uint8Array<ArrayBuffer>,
    wanted: number,
    request: ReadRequest,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (first.length >= wanted) return first;
    const { maxPacketSize } = this.#link.pipes.bulkIn;
    // The rest is whole packets then: what a short packet ends, or what was cut after the header.
    const isWhole = first.length % maxPacketSize === 0;
    if (this.#link.quirks.sizeUnreliable && !isWhole) return first;
    const bytes = new Uint8Array(wanted + maxPacketSize);
    bytes.set(first);
    let length = first.length;
    for (
      let count = 0;
      length < wanted && count < MAX_TRANSFERS_PER_MESSAGE;
      count++
    ) {
      const rest = Math.min(wanted - length, IN_CHUNK_BYTES);
      const part = await this.#transferMore(
        Math.ceil(rest / maxPacketSize) * maxPacketSize,
        { request, wanted, sofar: bytes.subarray(0, length) },
      );
      bytes.set(part.subarray(0, bytes.length - length), length);
      length += part.length;
    }
    return bytes.subarray(0, Math.min(length, bytes.length));
  }

  async #transferMore(
    lengthBytes: number,
    context: {
      readonly request: ReadRequest;
      readonly wanted: number;
      readonly sofar: Uint8Array;
    },
  ): Promise<Uint8Array> {
    const { request, wanted, sofar } = context;
    const isCut = `it ended after ${sofar.length} of ${wanted} bytes`;
    try {
      const part = await this.#transfer(lengthBytes, request);
      if (part.length === 0) throw this.#error(isCut, sofar);
      return part;
    } catch (error) {
      const isTimeOut = error instanceof UsbError && error.code === "timedOut";
      throw isTimeOut ? this.#error(isCut, sofar) : error;
    }
  }

  /** One transfer; a time-out after a complete answer teaches that no short packet comes. */
  async #transfer(
    lengthBytes: number,
    request: ReadRequest,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { device, pipes } = this.#link;
    const { timeoutMs, signal } = request;
    try {
      return await device.transferIn(pipes.bulkIn.address, lengthBytes, {
        timeoutMs,
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      if (!(error instanceof UsbError) || error.code !== "timedOut") {
        throw error;
      }
      const bytes = Uint8Array.from(error.data ?? []);
      if (!this.#isComplete(bytes, request)) throw error;
      this.#isHeaderFirst = true;
      return bytes;
    }
  }

  #isComplete(bytes: Uint8Array, request: ReadRequest): boolean {
    const { maxPacketSize } = this.#link.pipes.bulkIn;
    const header = decodeMessageIn(bytes, {
      tag: request.tag,
      maxBytes: request.asked,
    });
    return typeof header !== "string" && bytes.length % maxPacketSize === 0 &&
      bytes.length >= HEADER_BYTES + header.transferSize;
  }

  /** Alignment bytes fill the last packet at most. USBTMC 1.00, 3.3. */
  #checkExcess(bytes: Uint8Array, expected: number): void {
    const { sizeUnreliable, headerOnce } = this.#link.quirks;
    if (sizeUnreliable || headerOnce) return;
    const excess = bytes.length - HEADER_BYTES - expected;
    if (excess >= this.#link.pipes.bulkIn.maxPacketSize) {
      throw this.#error(`${excess} bytes more than its header says`, bytes);
    }
  }

  #error(reason: string, data?: Uint8Array): UsbError {
    const { device } = this.#link;
    return data === undefined
      ? device.error("protocol", OPERATION, reason)
      : new UsbError({
        code: "protocol",
        operation: OPERATION,
        reason,
        device: device.label,
        data: data.slice(),
      });
  }
}
