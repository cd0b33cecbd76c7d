/**
 * The device's side of USBTMC and USB488: bulk messages, class requests, status
 * bytes and service requests, for any instrument behind it. It checks the host
 * as strictly as the specifications let it. USBTMC 1.00; USB488 1.00.
 *
 * @module
 */

import {
  decodeOut,
  encodeMessageIn,
  HEADER_BYTES,
  MessageId,
  type OutHeader,
} from "../../class/usbtmc/bulk_header.ts";
import {
  type Capabilities,
  encodeCapabilities,
} from "../../class/usbtmc/capabilities.ts";
import {
  encodeCheckAbort,
  RequestCode,
  Status,
} from "../../class/usbtmc/control_requests.ts";
import {
  encodeNotification,
  SERVICE_REQUEST_TAG,
  STATUS_TAG_MAX,
  STATUS_TAG_MIN,
} from "../../class/usbtmc/notification.ts";
import type { DecodedSetup } from "../../usb.ts";
import { type ControlReply, STALL } from "../virtual_device.ts";
import type { MultimeterInstrument } from "./multimeter_instrument.ts";

/** Payload of one answer at most: an instrument's buffer. Longer answers take several. */
export const ANSWER_CHUNK_BYTES = 64 * 1024;

/** The instrument behind the interface. */
export interface MessageHandler {
  /** Answer bytes that wait. */
  readonly waitingBytes: number;
  /** An answer is being worked on. */
  readonly isBusy: boolean;
  receive(bytes: Uint8Array, endOfMessage: boolean): void;
  take(lengthBytes: number, termChar?: number): Uint8Array;
  /** An answer is wanted, none waits and none is coming. */
  unterminated(): void;
  trigger(): void;
  deviceClear(): void;
  /** Status byte with RQS, which it withdraws. */
  serialPoll(): number;
}

/** The cable. */
export interface FunctionWire {
  /** One bulk IN transfer, to be ended by a short packet. */
  send(transfer: Uint8Array, about: AnswerAbout): void;
  /** `false`: the interrupt endpoint is full. */
  notify(notification: Uint8Array): boolean;
  /** Drops what was not fetched of bulk IN. */
  flushIn(): void;
  /** Halts bulk OUT. */
  haltOut(): void;
}

/** What an answer is, for those who tamper with it. */
export interface AnswerAbout {
  readonly tag: number;
  readonly endOfMessage: boolean;
}

/** Numbers of the interface. */
export interface FunctionNumbers {
  readonly interfaceNumber: number;
  readonly bulkOut: number;
  readonly bulkIn: number;
}

/** Front panel and remote state. USB488 1.00, 4.3.2 to 4.3.4. */
export type PanelState = "local" | "remote" | "lockout";

/** One USBTMC interface, seen from inside the device. */
export class UsbtmcFunction {
  readonly #numbers: FunctionNumbers;
  readonly #capabilities: Capabilities;
  readonly #handler: MessageHandler;
  readonly #wire: FunctionWire;
  /** The OUT transfer whose payload is not all here. */
  #incoming:
    | { header: OutHeader; missing: number; received: number }
    | undefined;
  /** The REQUEST that waits for an answer. */
  #request: OutHeader | undefined;
  /** Tag of the answer that was sent last, until the host goes on. */
  #answeredTag: number | undefined;
  #panel: PanelState = "local";
  #isRemoteEnabled = false;
  #indicatorPulses = 0;

  /** An interface that waits for its first message. */
  constructor(
    numbers: FunctionNumbers,
    options: {
      readonly capabilities: Capabilities;
      readonly handler: MessageHandler;
      readonly wire: FunctionWire;
    },
  ) {
    this.#numbers = numbers;
    this.#capabilities = options.capabilities;
    this.#handler = options.handler;
    this.#wire = options.wire;
  }

  /** Who operates the front panel. */
  get panel(): PanelState {
    return this.#panel;
  }

  /** How often the host asked the device to show itself. */
  get indicatorPulses(): number {
    return this.#indicatorPulses;
  }

  /** A REQUEST waits. */
  get isAnswerWanted(): boolean {
    return this.#request !== undefined;
  }

  /** A class request; anything else, or another interface's, stalls. */
  control(setup: DecodedSetup): ControlReply {
    if (setup.requestType !== "class" || setup.direction !== "in") return STALL;
    const reply = setup.recipient === "endpoint"
      ? this.#endpointRequest(setup)
      : this.#interfaceRequest(setup);
    return reply?.subarray(0, setup.lengthBytes) ?? STALL;
  }

  /** One bulk OUT transfer: a header, its payload or a part of it. */
  out(data: Uint8Array): void | typeof STALL {
    if (this.#incoming !== undefined) return this.#goOn(data);
    const header = decodeOut(data);
    if (header === undefined) return STALL;
    switch (header.messageId) {
      case MessageId.deviceMessageOut:
        return this.#begin(header, data);
      case MessageId.deviceMessageIn:
        return this.#requested(header);
      case MessageId.trigger:
        if (!this.#capabilities.trigger) return STALL;
        this.#answeredTag = undefined;
        return this.#handler.trigger();
      default:
        return STALL;
    }
  }

  /** An answer is there: sends what a waiting REQUEST wants of it. */
  answer(): void {
    const request = this.#request;
    if (request === undefined || this.#handler.waitingBytes === 0) return;
    this.#request = undefined;
    const payload = this.#handler.take(
      Math.min(request.transferSize, ANSWER_CHUNK_BYTES),
      this.#capabilities.termChar ? request.termChar : undefined,
    );
    const endOfMessage = this.#handler.waitingBytes === 0;
    const endedByTermChar = request.termChar !== undefined &&
      payload.at(-1) === request.termChar;
    const { tag } = request;
    this.#answeredTag = tag;
    const transfer = encodeMessageIn(payload, {
      tag,
      endOfMessage,
      endedByTermChar,
    });
    this.#wire.send(transfer, { tag, endOfMessage });
  }

  /** Asks for service. USB488 1.00, 3.4.1. */
  requestService(statusByte: number): void {
    this.#wire.notify(encodeNotification(SERVICE_REQUEST_TAG, statusByte));
  }

  /** The port was reset: class state is gone. */
  reset(): void {
    this.#forget();
    this.#isRemoteEnabled = false;
    this.#panel = "local";
  }

  #begin(header: OutHeader, data: Uint8Array): void | typeof STALL {
    if (header.transferSize === 0) return STALL;
    this.#answeredTag = undefined;
    // A message while an answer is wanted ends the wait: the answer is lost.
    this.#request = undefined;
    const payload = data.subarray(
      HEADER_BYTES,
      HEADER_BYTES + header.transferSize,
    );
    const missing = header.transferSize - payload.length;
    if (missing > 0) {
      this.#incoming = { header, missing, received: payload.length };
      if (payload.length > 0) this.#handler.receive(payload, false);
      return;
    }
    if (this.#isRemoteEnabled && this.#panel === "local") {
      this.#panel = "remote";
    }
    this.#handler.receive(payload, header.endOfMessage);
    this.answer();
  }

  /** Payload that came in a further USB transfer, alignment bytes dropped. */
  #goOn(data: Uint8Array): void {
    const incoming = this.#incoming;
    if (incoming === undefined) return;
    const payload = data.subarray(0, incoming.missing);
    incoming.missing -= payload.length;
    incoming.received += payload.length;
    const isOver = incoming.missing === 0;
    if (isOver) this.#incoming = undefined;
    this.#handler.receive(payload, isOver && incoming.header.endOfMessage);
    this.answer();
  }

  #requested(header: OutHeader): void | typeof STALL {
    if (header.transferSize === 0 || this.#request !== undefined) return STALL;
    this.#answeredTag = undefined;
    this.#request = header;
    if (this.#handler.waitingBytes > 0) return this.answer();
    if (!this.#handler.isBusy) this.#handler.unterminated();
  }

  #endpointRequest(setup: DecodedSetup): Uint8Array | undefined {
    const { bulkIn, bulkOut } = this.#numbers;
    const isIn = setup.index === bulkIn;
    if (!isIn && setup.index !== bulkOut) return undefined;
    switch (setup.request) {
      case RequestCode.initiateAbortBulkOut:
        return isIn ? undefined : this.#abortOut(setup.value);
      case RequestCode.initiateAbortBulkIn:
        return isIn ? this.#abortIn(setup.value) : undefined;
      case RequestCode.checkAbortBulkOutStatus:
        return isIn ? undefined : aborted();
      case RequestCode.checkAbortBulkInStatus:
        return isIn ? aborted() : undefined;
      default:
        return undefined;
    }
  }

  #interfaceRequest(setup: DecodedSetup): Uint8Array | undefined {
    const isOurs = setup.recipient === "interface" &&
      setup.index === this.#numbers.interfaceNumber;
    if (!isOurs) return undefined;
    switch (setup.request) {
      case RequestCode.initiateClear:
        this.#forget();
        this.#handler.deviceClear();
        this.#wire.flushIn();
        this.#wire.haltOut();
        return Uint8Array.of(Status.success);
      case RequestCode.checkClearStatus:
        return Uint8Array.of(Status.success, 0);
      case RequestCode.getCapabilities:
        return encodeCapabilities(this.#capabilities, Status.success);
      case RequestCode.indicatorPulse:
        if (!this.#capabilities.indicatorPulse) return undefined;
        this.#indicatorPulses++;
        return Uint8Array.of(Status.success);
      case RequestCode.readStatusByte:
        return this.#readStatusByte(setup.value);
      default:
        return this.#remoteRequest(setup);
    }
  }

  #remoteRequest(setup: DecodedSetup): Uint8Array | undefined {
    if (!this.#capabilities.remoteLocal) return undefined;
    switch (setup.request) {
      case RequestCode.renControl:
        this.#isRemoteEnabled = setup.value !== 0;
        // Remote begins with the first message; releasing it ends lockout as well.
        if (!this.#isRemoteEnabled) this.#panel = "local";
        else if (this.#panel === "local") this.#panel = "remote";
        return Uint8Array.of(Status.success);
      case RequestCode.goToLocal:
        if (this.#panel !== "lockout") this.#panel = "local";
        return Uint8Array.of(Status.success);
      case RequestCode.localLockout:
        if (!this.#isRemoteEnabled) return Uint8Array.of(Status.failed);
        this.#panel = "lockout";
        return Uint8Array.of(Status.success);
      default:
        return undefined;
    }
  }

  /** The byte itself goes by the interrupt endpoint. USB488 1.00, 4.3.1. */
  #readStatusByte(tag: number): Uint8Array {
    if (tag < STATUS_TAG_MIN || tag > STATUS_TAG_MAX) {
      return Uint8Array.of(Status.failed, tag, 0);
    }
    const statusByte = this.#handler.serialPoll();
    const isSent = this.#wire.notify(encodeNotification(tag, statusByte));
    const status = isSent ? Status.success : Status.interruptInBusy;
    return Uint8Array.of(status, tag, 0);
  }

  #abortOut(tag: number): Uint8Array {
    const incoming = this.#incoming;
    if (incoming === undefined) return Uint8Array.of(Status.failed, 0);
    if (incoming.header.tag !== tag) {
      return Uint8Array.of(Status.transferNotInProgress, incoming.header.tag);
    }
    this.#incoming = undefined;
    this.#handler.deviceClear();
    this.#wire.haltOut();
    return Uint8Array.of(Status.success, tag);
  }

  #abortIn(tag: number): Uint8Array {
    const current = this.#request?.tag ?? this.#answeredTag;
    if (current === undefined) return Uint8Array.of(Status.failed, 0);
    if (current !== tag) {
      return Uint8Array.of(Status.transferNotInProgress, current);
    }
    this.#request = undefined;
    this.#answeredTag = undefined;
    this.#wire.flushIn();
    // The host reads until a short packet. USBTMC 1.00, 4.2.1.4.
    this.#wire.send(new Uint8Array(), { tag, endOfMessage: true });
    return Uint8Array.of(Status.success, tag);
  }

  #forget(): void {
    this.#incoming = undefined;
    this.#request = undefined;
    this.#answeredTag = undefined;
  }
}

/** An instrument as the interface sees it. */
export function messageHandler(
  instrument: MultimeterInstrument,
): MessageHandler {
  return {
    get waitingBytes(): number {
      return instrument.output.lengthBytes;
    },
    get isBusy(): boolean {
      return instrument.isBusy;
    },
    receive: (bytes, endOfMessage) => instrument.receive(bytes, endOfMessage),
    take: (lengthBytes, termChar) => instrument.take(lengthBytes, termChar),
    unterminated: () => instrument.unterminated(),
    trigger: () => instrument.trigger(),
    deviceClear: () => instrument.deviceClear(),
    serialPoll: () => instrument.status.serialPoll(),
  };
}

function aborted(): Uint8Array {
  return encodeCheckAbort({
    status: Status.success,
    hasQueuedData: false,
    transferredBytes: 0,
  });
}
