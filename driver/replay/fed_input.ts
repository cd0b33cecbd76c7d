/**
 * A standing input of a replay: its sink is offered what it was offered then.
 *
 * @module
 */

import type { Json } from "../driver.ts";
import type { JournalEvent } from "../loop/journal.ts";
import type {
  InputCounters,
  InputOptions,
  InputRing,
  PacketOutcome,
  Report,
  TransferOutcome,
  TransferStatus,
} from "../port.ts";
import type { EndpointAddress } from "../usb.ts";
import { listOf, membersOf } from "./fed_calls.ts";

/** What the input's calls come to. */
export interface FedInputCalls {
  /** Offers what was offered within the call. */
  readonly resume: () => void;
  /** Resolves when it did. */
  readonly stop: () => Promise<void>;
  /** Reports it held then, if it is resumed next. */
  readonly held: () => number;
}

/** A standing input of a replay. */
export class FedInput implements InputRing {
  readonly #options: InputOptions;
  readonly #calls: FedInputCalls;

  /** `options` are the driver's. */
  constructor(options: InputOptions, calls: FedInputCalls) {
    this.#options = options;
    this.#calls = calls;
  }

  /** The endpoint it read. */
  get endpoint(): EndpointAddress {
    return this.#options.endpoint;
  }

  /** What it held is in the journal, bounded as a port bounds it; the rest nobody knows any more. */
  get counters(): InputCounters {
    return {
      submitted: 0,
      completed: 0,
      delivered: 0,
      failed: 0,
      cancelled: 0,
      inFlight: 0,
      held: Math.min(this.#calls.held(), this.#options.transfersInFlight),
    };
  }

  /** Offers as was offered. */
  resume(): void {
    this.#calls.resume();
  }

  /** Resolves when it did. */
  stop(): Promise<void> {
    return this.#calls.stop();
  }

  /** A report came. Always `true`: every input takes one. */
  offer(event: JournalEvent): boolean {
    this.#options.sink(reportOf(event, event.detail));
    return true;
  }

  /** It ended by itself. */
  over(event: JournalEvent, outcome: TransferOutcome): void {
    const isClosed = membersOf(event.detail)["isClosed"] === true;
    this.#options.onEnd(isClosed ? { ...outcome, isClosed } : outcome);
  }
}

/** A report as it was recorded. */
export function reportOf(
  event: JournalEvent,
  detail: Json | undefined,
): Report {
  const { timestampMs, packets } = membersOf(detail);
  return {
    data: (event.payload ?? new Uint8Array()).slice(),
    timestampMs: Number(timestampMs ?? 0),
    ...(packets === undefined ? {} : { packets: packetsOf(packets) }),
  };
}

/** Packets as they were recorded. */
export function packetsOf(value: Json): PacketOutcome[] {
  return listOf(value).map((entry) => {
    const [status, offsetBytes, actualLengthBytes] = listOf(entry);
    return {
      status: String(status) as TransferStatus,
      offsetBytes: Number(offsetBytes),
      actualLengthBytes: Number(actualLengthBytes),
    };
  });
}
