/**
 * A standing output of a replay: its source is asked when it was asked then, and
 * what it gives goes nowhere.
 *
 * @module
 */

import { MAX_TRANSFERS_IN_FLIGHT } from "../limits.ts";
import type { JournalEvent } from "../loop/journal.ts";
import type {
  OutputCounters,
  OutputOptions,
  OutputRing,
  TransferOutcome,
} from "../port.ts";
import type { EndpointAddress } from "../usb.ts";
import { errorIn, membersOf } from "./fed_calls.ts";

/** One packet of an output that says nothing else: three transactions of 1024 bytes. USB 2.0, 5.9.1. */
const PACKET_BYTES_MAX = 3 * 1024;

/** What the output's calls come to. */
export interface FedOutputCalls {
  /** Asks as often as was asked within the call. */
  readonly resume: () => void;
  /** Waits for what came of the call that is being made. */
  readonly called: () => Promise<unknown>;
}

/** A standing output of a replay. */
export class FedOutput implements OutputRing {
  readonly #options: OutputOptions;
  readonly #calls: FedOutputCalls;
  /** A source may build on what is in a buffer. */
  readonly #buffers = new Map<number, Uint8Array>();

  /** `options` are the driver's. */
  constructor(options: OutputOptions, calls: FedOutputCalls) {
    this.#options = options;
    this.#calls = calls;
  }

  /** The endpoint it wrote to. */
  get endpoint(): EndpointAddress {
    return this.#options.endpoint;
  }

  /** Nobody knows any more. */
  get counters(): OutputCounters {
    return {
      submitted: 0,
      completed: 0,
      delivered: 0,
      failed: 0,
      cancelled: 0,
      inFlight: 0,
      transferredBytes: 0,
    };
  }

  /** Asks as it was asked. */
  resume(): void {
    this.#calls.resume();
  }

  /** Resolves when it did. */
  async drained(): Promise<void> {
    await this.#calls.called();
  }

  /** As `drained`. */
  async stop(): Promise<void> {
    await this.#calls.called();
  }

  /** The source is asked. `false`: not in a way that an output asks. */
  ask(event: JournalEvent): boolean {
    const buffer = this.#buffer(event);
    if (buffer === undefined) return false;
    try {
      this.#options.source(buffer);
    } catch {
      // As then, or else the tape has noticed: it ended the output, which is told next.
    }
    return true;
  }

  /** It ended by itself. */
  over(event: JournalEvent, outcome: TransferOutcome): void {
    const failure = errorIn(event);
    this.#options.onEnd(
      failure === undefined ? outcome : { ...outcome, error: failure.error },
    );
  }

  #buffer({ detail }: JournalEvent): Uint8Array | undefined {
    const { buffer, lengthBytes } = membersOf(detail);
    // A journal is read as what a stranger wrote; the driver's own word bounds it.
    const most = this.#options.transferLengthBytes ?? PACKET_BYTES_MAX;
    const isOurs = isUpTo(buffer, MAX_TRANSFERS_IN_FLIGHT) &&
      isUpTo(lengthBytes, most);
    if (!isOurs) return undefined;
    let bytes = this.#buffers.get(buffer);
    if (bytes === undefined || bytes.length !== lengthBytes) {
      bytes = new Uint8Array(lengthBytes);
      this.#buffers.set(buffer, bytes);
    }
    return bytes;
  }
}

function isUpTo(value: unknown, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 &&
    (value as number) <= most;
}
