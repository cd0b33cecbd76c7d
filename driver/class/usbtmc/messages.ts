/**
 * Messages over the bulk endpoints: one message in several transfers, each with
 * its own header and tag. Says what went out of step when it fails; recovery
 * is not its business. USBTMC 1.00, 3.2 and 3.3.
 *
 * @module
 */

import { UsbError } from "../../errors.ts";
import type { EndpointAddress } from "../../usb.ts";
import {
  IN_CHUNK_BYTES,
  MAX_TRANSFERS_PER_MESSAGE,
  MESSAGE_TIME_MAX_MS,
  OUT_CHUNK_BYTES,
} from "./bounds.ts";
import {
  encodeMessageOut,
  encodeRequestMessageIn,
  encodeTrigger,
  nextTag,
} from "./bulk_header.ts";
import { AnswerReader } from "./answer_reader.ts";
import { decodeBlockHeader } from "./block.ts";
import type { Link } from "./link.ts";
import type { Unsettled } from "./recovery.ts";

const LINE_FEED = 0x0a;

/** Limits of one operation. */
export interface MessageOptions {
  /** Time limit of each bulk transfer. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** What was read. */
export interface Answer {
  /** Bytes of the message, without headers. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** The message is over; `false` when `maxBytes` were read before its end. */
  readonly endOfMessage: boolean;
  /** It ended at the term char that was asked for. */
  readonly endedByTermChar: boolean;
}

/** A failure together with what it left out of step. */
export class OutOfStep extends Error {
  override readonly name = "OutOfStep";
  readonly error: UsbError;
  readonly unsettled: Unsettled;

  constructor(error: UsbError, unsettled: Unsettled) {
    super(error.message, { cause: error });
    this.error = error;
    this.unsettled = unsettled;
  }
}

/** Writes and reads messages. One at a time: the caller sees to that. */
export class Messages {
  readonly #link: Link;
  readonly #reader: AnswerReader;
  #tag = 0;

  constructor(link: Link) {
    this.#link = link;
    this.#reader = new AnswerReader(link);
  }

  /** Writes one message, EOM on its last transfer. @throws {OutOfStep} */
  async write(payload: Uint8Array, options: MessageOptions): Promise<void> {
    for (
      let offset = 0;
      offset < payload.length;
      offset += OUT_CHUNK_BYTES
    ) {
      const chunk = payload.subarray(offset, offset + OUT_CHUNK_BYTES);
      const endOfMessage = offset + chunk.length === payload.length;
      const tag = this.#tag = nextTag(this.#tag);
      const bytes = encodeMessageOut(chunk, { tag, endOfMessage });
      await this.#out(bytes, {
        ...options,
        operation: "send a message",
        tag,
        isFirst: offset === 0,
      });
    }
  }

  /** Sends TRIGGER. USB488 1.00, 3.2.1.1. @throws {OutOfStep} */
  async trigger(options: MessageOptions): Promise<void> {
    const tag = this.#tag = nextTag(this.#tag);
    await this.#out(encodeTrigger(tag), {
      ...options,
      operation: "trigger",
      tag,
      isFirst: true,
    });
  }

  /**
   * Reads one message, by as many REQUESTs as it takes, but no more than
   * `maxBytes` of it.
   *
   * @throws {OutOfStep}
   */
  async read(
    maxBytes: number,
    options: MessageOptions & { readonly termChar?: number },
  ): Promise<Answer> {
    const parts: Uint8Array[] = [];
    const untilMs = this.#link.time.nowMs() + MESSAGE_TIME_MAX_MS;
    let length = 0;
    for (let count = 0; count < MAX_TRANSFERS_PER_MESSAGE; count++) {
      const part = await this.#readPart(maxBytes - length, options);
      parts.push(part.data);
      length += part.data.length;
      const isOver = part.endOfMessage && !this.#isBlockCut(parts, length);
      if (isOver || part.endedByTermChar || length >= maxBytes) {
        return {
          data: joined(parts, length),
          endOfMessage: isOver,
          endedByTermChar: part.endedByTermChar,
        };
      }
      if (this.#link.time.nowMs() > untilMs) break;
    }
    const error = this.#link.device.error(
      "protocol",
      "read an answer",
      `it has no end after ${length} bytes`,
    );
    throw new OutOfStep(error, { kind: "all" });
  }

  async #readPart(
    maxBytes: number,
    options: MessageOptions & { readonly termChar?: number },
  ): Promise<Answer> {
    const { quirks } = this.#link;
    const tag = this.#tag = nextTag(this.#tag);
    const asked = Math.min(
      maxBytes,
      IN_CHUNK_BYTES,
      quirks.maxReadBytes ?? IN_CHUNK_BYTES,
    );
    const { termChar } = options;
    const request = encodeRequestMessageIn({
      tag,
      maxBytes: asked,
      ...(termChar === undefined ? {} : { termChar }),
    });
    await this.#out(request, {
      ...options,
      operation: "ask for an answer",
      tag,
      isFirst: true,
    });
    try {
      const part = await this.#reader.read({
        ...options,
        tag,
        asked,
        maxBytes,
      });
      return quirks.noEndOfMessage
        ? { ...part, endOfMessage: hasNaturalEnd(part.data, asked) }
        : part;
    } catch (error) {
      if (!(error instanceof UsbError)) throw error;
      throw new OutOfStep(
        error,
        error.code === "stall"
          ? await this.#afterStall(this.#link.pipes.bulkIn.address)
          : { kind: "in", tag },
      );
    }
  }

  /** A device whose block length is right ended a message in the middle of one. */
  #isBlockCut(parts: readonly Uint8Array[], length: number): boolean {
    const [first] = parts;
    if (!this.#link.quirks.blockLengthWins || first === undefined) return false;
    const header = decodeBlockHeader(first);
    return header?.dataBytes !== undefined &&
      length < header.headerBytes + header.dataBytes;
  }

  async #out(bytes: Uint8Array, out: OutTransfer): Promise<void> {
    const { device, pipes } = this.#link;
    try {
      const { timeoutMs, signal } = out;
      const written = await device.transferOut(pipes.bulkOut.address, bytes, {
        timeoutMs,
        ...(signal === undefined ? {} : { signal }),
      });
      if (written < bytes.length) {
        throw device.error(
          "io",
          out.operation,
          `the device took ${written} of ${bytes.length} bytes`,
        );
      }
    } catch (error) {
      if (!(error instanceof UsbError)) throw error;
      throw new OutOfStep(error, await this.#unsettledBy(error, out));
    }
  }

  /**
   * A stall means that the device refused the header; with the halt cleared it
   * waits for the next one, unless earlier transfers of the message are inside.
   */
  async #unsettledBy(error: UsbError, out: OutTransfer): Promise<Unsettled> {
    const unsettled = { kind: "out", tag: out.tag } as const;
    if (error.code !== "stall") return unsettled;
    const after = await this.#afterStall(this.#link.pipes.bulkOut.address);
    return out.isFirst && after.isCleared
      ? { ...unsettled, refused: true }
      : after;
  }

  /** Ends a halt. Where a stalled endpoint stood in its message only CLEAR can tell. */
  async #afterStall(
    address: EndpointAddress,
  ): Promise<Unsettled & { readonly isCleared: boolean }> {
    try {
      await this.#link.device.clearHalt(address);
      return { kind: "all", isCleared: true };
    } catch (error) {
      if (!(error instanceof UsbError)) throw error;
      return { kind: "all", isCleared: false };
    }
  }
}

interface OutTransfer extends MessageOptions {
  readonly operation: string;
  readonly tag: number;
  readonly isFirst: boolean;
}

/** Where EOM is never set: a transfer that is not full, or a line feed, ends the answer. */
function hasNaturalEnd(data: Uint8Array, asked: number): boolean {
  return data.length < asked || data.at(-1) === LINE_FEED;
}

function joined(
  parts: readonly Uint8Array[],
  length: number,
): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    data.set(part, offset);
    offset += part.length;
  }
  return data;
}
