/**
 * Large bulk and interrupt transfers, cut into pieces that usbfs has memory for,
 * one after the other: a short packet must end the whole, and what follows it
 * belongs to the next transfer, so the next piece may not be on its way before.
 *
 * When the kernel's transfer memory is used up, pieces get smaller; when even the
 * smallest does not fit, they wait for another large transfer of this device to
 * end. Only where nothing of ours can end, it is told to the caller.
 *
 * @module
 */

import { MAX_TRANSFER_BYTES } from "./limits.ts";
import { liveEndpoint } from "./live_endpoint.ts";
import type { DevicePort, TransferOutcome, TransferRequest } from "./port.ts";
import type { EndpointAddress } from "./usb.ts";

/** A sixteenth of usbfs's default budget; from one to the next passes little beside what it takes. */
export const PIECE_BYTES_MAX = 1024 * 1024;
/** Not cut, and cut no smaller: four of usbfs's own pieces. */
export const PIECE_BYTES_MIN = 64 * 1024;

/** A transfer that may be cut. */
export type DataRequest = Extract<TransferRequest, { type: "in" | "out" }>;

/** Transfers of one device, the large ones in pieces. */
export class LargeTransfers {
  readonly #port: DevicePort;
  /** Where pieces are under way, and when they are over: what comes later must not get between. */
  readonly #lines = new Map<EndpointAddress, Promise<void>>();
  /** With the kernel now. */
  readonly #pieces = new Set<Promise<TransferOutcome>>();

  /** Over an open device. */
  constructor(port: DevicePort) {
    this.#port = port;
  }

  /**
   * As `DevicePort.transfer`. The time limit is for all pieces together, from
   * when the first begins; with one, memory is not waited for.
   */
  transfer(request: DataRequest): Promise<TransferOutcome> {
    const before = this.#lines.get(request.endpoint);
    const lengthBytes = lengthOf(request);
    const isOne = lengthBytes <= PIECE_BYTES_MIN ||
      // The port says what is wrong with it.
      !(lengthBytes <= MAX_TRANSFER_BYTES) ||
      this.#packetBytesOf(request.endpoint) === undefined;
    if (before === undefined && isOne) return this.#port.transfer(request);
    // OUT data are copied when called, as by the port.
    const own = request.type === "out"
      ? { ...request, data: request.data.slice() }
      : request;
    const run = (): Promise<TransferOutcome> =>
      isOne ? this.#port.transfer(own) : this.#run(own);
    const outcome = before === undefined ? run() : before.then(run);
    this.#stand(request.endpoint, outcome);
    return outcome;
  }

  /** What an endpoint moves at a time; `undefined` when it is not there. */
  #packetBytesOf(endpoint: EndpointAddress): number | undefined {
    const found = liveEndpoint(this.#port, endpoint);
    return found && found.maxPacketSize * found.transactionsPerMicroframe;
  }

  #stand(endpoint: EndpointAddress, outcome: Promise<TransferOutcome>): void {
    const over = (): void => {
      if (this.#lines.get(endpoint) === line) this.#lines.delete(endpoint);
    };
    const line = outcome.then(over, over);
    this.#lines.set(endpoint, line);
  }

  async #run(request: DataRequest): Promise<TransferOutcome> {
    const startMs = this.#port.nowMs();
    const packetBytes = this.#packetBytesOf(request.endpoint) ?? 1;
    const whole = new Pieces(request, packetBytes);
    for (;;) {
      const spentMs = this.#port.nowMs() - startMs;
      const piece = whole.next(spentMs);
      if (piece === undefined) return whole.outcome("timedOut");
      const { status, data, actualLengthBytes } = await this.#make(piece);
      if (status === "noMemory") {
        if (whole.makeSmaller() || await this.#waitForMemory(request)) continue;
        return whole.outcome(status);
      }
      whole.moved(data, actualLengthBytes);
      const isShort = actualLengthBytes < lengthOf(piece);
      if (status !== "completed" || isShort || whole.leftBytes === 0) {
        return whole.outcome(status);
      }
    }
  }

  async #make(piece: DataRequest): Promise<TransferOutcome> {
    const flight = this.#port.transfer(piece);
    this.#pieces.add(flight);
    try {
      return await flight;
    } finally {
      this.#pieces.delete(flight);
    }
  }

  /** Whether memory may have come back meanwhile. */
  async #waitForMemory({ signal, timeoutMs }: DataRequest): Promise<boolean> {
    const isLimited = timeoutMs !== undefined && timeoutMs > 0;
    if (this.#pieces.size === 0 || isLimited) return false;
    const aborted = Promise.withResolvers<void>();
    const abort = (): void => aborted.resolve();
    if (signal?.aborted === true) return true;
    signal?.addEventListener("abort", abort, { once: true });
    await Promise.race([...this.#pieces, aborted.promise].map(settled));
    signal?.removeEventListener("abort", abort);
    // A piece with a signal that has fired ends as cancelled.
    return true;
  }
}

/** One large transfer: what of it has moved, and what is next. */
class Pieces {
  readonly #request: DataRequest;
  readonly #packetBytes: number;
  readonly #lengthBytes: number;
  readonly #received: Uint8Array<ArrayBuffer>[] = [];
  #movedBytes = 0;
  #pieceBytes: number;

  constructor(request: DataRequest, packetBytes: number) {
    this.#request = request;
    this.#packetBytes = packetBytes;
    this.#lengthBytes = lengthOf(request);
    this.#pieceBytes = this.#inPackets(PIECE_BYTES_MAX);
  }

  get leftBytes(): number {
    return this.#lengthBytes - this.#movedBytes;
  }

  /** The next piece; `undefined` when the time is over. */
  next(spentMs: number): DataRequest | undefined {
    const request = this.#request;
    const { timeoutMs = 0 } = request;
    if (timeoutMs > 0 && spentMs >= timeoutMs) return undefined;
    const lengthBytes = Math.min(this.leftBytes, this.#pieceBytes);
    const limit = timeoutMs > 0 ? { timeoutMs: timeoutMs - spentMs } : {};
    if (request.type === "in") return { ...request, ...limit, lengthBytes };
    const from = this.#movedBytes;
    const isLast = lengthBytes === this.leftBytes;
    return {
      ...request,
      ...limit,
      data: request.data.subarray(from, from + lengthBytes),
      zeroLengthPacket: isLast && request.zeroLengthPacket === true,
    };
  }

  moved(data: Uint8Array<ArrayBuffer>, actualLengthBytes: number): void {
    if (data.length > 0) this.#received.push(data);
    this.#movedBytes += actualLengthBytes;
  }

  /** Halves the pieces; whether they got smaller. */
  makeSmaller(): boolean {
    const current = Math.min(this.#pieceBytes, this.leftBytes);
    if (current <= PIECE_BYTES_MIN) return false;
    this.#pieceBytes = this.#inPackets(
      Math.max(current / 2, PIECE_BYTES_MIN),
    );
    return true;
  }

  outcome(status: TransferOutcome["status"]): TransferOutcome {
    const actualLengthBytes = this.#movedBytes;
    return { status, data: joined(this.#received), actualLengthBytes };
  }

  /** Anything else would overflow where one piece ends, or end the transfer there. */
  #inPackets(lengthBytes: number): number {
    const packets = Math.floor(lengthBytes / this.#packetBytes);
    return Math.max(packets, 1) * this.#packetBytes;
  }
}

function lengthOf(request: DataRequest): number {
  return request.type === "in" ? request.lengthBytes : request.data.length;
}

function joined(
  parts: readonly Uint8Array<ArrayBuffer>[],
): Uint8Array<ArrayBuffer> {
  const [first = new Uint8Array()] = parts;
  if (parts.length < 2) return first;
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function settled(promise: Promise<unknown>): Promise<void> {
  return promise.then(() => {}, () => {});
}
