/**
 * What moved over one endpoint since the driver began: transfers by how they
 * ended, bytes, what is with the device now. Counting one transfer is a few
 * additions; sums are made when somebody asks.
 *
 * @module
 */

import type {
  DevicePort,
  InputCounters,
  InputOptions,
  InputRing,
  OutputCounters,
  OutputOptions,
  OutputRing,
  Report,
  TransferOutcome,
  TransferStatus,
} from "../port.ts";
import type { EndpointAddress, TransferType } from "../usb.ts";
import type { Histogram } from "./histogram.ts";

/** How a transfer may end, in the order in which it is shown. */
export const TRANSFER_STATUSES: readonly TransferStatus[] = [
  "completed",
  "timedOut",
  "cancelled",
  "stall",
  "overflow",
  "noDevice",
  "error",
  "noMemory",
];

/** Where the transfers of one endpoint are, at one moment. All but the last two only ever grow. */
export interface EndpointSums {
  /** `bEndpointAddress`; 0 for control transfers. */
  readonly endpoint: EndpointAddress | 0;
  /** In the settings it was used in. */
  readonly type: TransferType;
  /** Transfers that came back, by how they ended. A held report is not back yet. */
  readonly ended: Readonly<Record<TransferStatus, number>>;
  /** Bytes from the device. */
  readonly bytesIn: number;
  /** Bytes to the device. */
  readonly bytesOut: number;
  /** With the device now. */
  readonly inFlight: number;
  /** A report is held, so the host has stopped asking. */
  readonly isPaused: boolean;
}

/** One endpoint of one type; a device may have another type there in another setting. */
export class EndpointCounters {
  readonly endpoint: EndpointAddress | 0;
  readonly type: TransferType;
  readonly #durations: Histogram;
  readonly #ended = noneEnded();
  #bytesIn = 0;
  #bytesOut = 0;
  #inFlight = 0;
  readonly #inputs = new Set<WatchedInput>();
  readonly #outputs = new Set<WatchedOutput>();

  /** `durations` are those of all endpoints of this type. */
  constructor(
    endpoint: EndpointAddress | 0,
    type: TransferType,
    durations: Histogram,
  ) {
    this.endpoint = endpoint;
    this.type = type;
    this.#durations = durations;
  }

  /** A transfer made once was handed to the port. */
  began(): void {
    this.#inFlight++;
  }

  /** It came back, `durationMs` after it was handed over. */
  ended(
    { status, actualLengthBytes }: TransferOutcome,
    isIn: boolean,
    durationMs: number,
  ): void {
    this.#inFlight--;
    this.#ended[status]++;
    if (isIn) this.#bytesIn += actualLengthBytes;
    else this.#bytesOut += actualLengthBytes;
    this.#durations.observe(durationMs);
  }

  /** The port did not take it. */
  refused(): void {
    this.#inFlight--;
  }

  /**
   * Opens a standing input and counts what it reads. Such reads wait for the
   * device by design, so how long they took says nothing and is not counted.
   *
   * @throws {UsbError} As `DevicePort.openInput`.
   */
  openInput(port: DevicePort, options: InputOptions): InputRing {
    const input = new WatchedInput(options, {
      moved: (bytes) => this.#bytesIn += bytes,
      over: (input) => this.#fold(input),
    });
    this.#inputs.add(input);
    try {
      input.open(port);
    } catch (error) {
      this.#inputs.delete(input);
      throw error;
    }
    return input;
  }

  /**
   * Opens a standing output. What it wrote is counted when somebody asks: nothing
   * is added to the way of a transfer.
   *
   * @throws {UsbError} As `DevicePort.openOutput`.
   */
  openOutput(
    port: DevicePort,
    options: OutputOptions,
    onOver: (output: OutputRing) => void,
  ): OutputRing {
    const output = new WatchedOutput(port, options, (over) => {
      this.#past(over);
      onOver(over);
    });
    this.#outputs.add(output);
    return output;
  }

  /** Sums up. */
  get sums(): EndpointSums {
    const ended = { ...this.#ended };
    let inFlight = this.#inFlight;
    let bytesOut = this.#bytesOut;
    let isPaused = false;
    for (const { counters } of this.#inputs) {
      ended.completed += counters.delivered;
      ended.cancelled += counters.cancelled;
      inFlight += counters.inFlight;
      isPaused ||= counters.held > 0;
    }
    for (const { counters } of this.#outputs) {
      ended.completed += counters.delivered;
      ended.cancelled += counters.cancelled;
      inFlight += counters.inFlight;
      bytesOut += counters.transferredBytes;
    }
    return {
      endpoint: this.endpoint,
      type: this.type,
      ended,
      bytesIn: this.#bytesIn,
      bytesOut,
      inFlight,
      isPaused,
    };
  }

  /** An input that is over counts as a sum only. */
  #fold(input: WatchedInput): void {
    if (!this.#inputs.delete(input)) return;
    const { delivered, cancelled, failed } = input.counters;
    this.#ended.completed += delivered;
    this.#ended.cancelled += cancelled;
    this.#ended[failedAs(input.failure)] += failed;
  }

  /** An output that is over counts as a sum only. */
  #past(output: WatchedOutput): void {
    if (!this.#outputs.delete(output)) return;
    const { counters } = output;
    this.#ended.completed += counters.delivered;
    this.#ended.cancelled += counters.cancelled;
    this.#ended[failedAs(output.failure)] += counters.failed;
    this.#bytesOut += counters.transferredBytes;
  }
}

/** What a watched input tells. */
interface InputWatch {
  readonly moved: (bytes: number) => void;
  /** Nothing more will come of it. */
  readonly over: (input: WatchedInput) => void;
}

/** A standing input, its bytes counted as they pass. */
class WatchedInput implements InputRing {
  readonly endpoint: EndpointAddress;
  /** How it ended, when by itself. */
  failure: TransferStatus | undefined;
  readonly #options: InputOptions;
  readonly #watch: InputWatch;
  #ring: InputRing | undefined;

  constructor(options: InputOptions, watch: InputWatch) {
    this.endpoint = options.endpoint;
    this.#options = options;
    this.#watch = watch;
  }

  open(port: DevicePort): void {
    const { sink, onEnd } = this.#options;
    const { moved } = this.#watch;
    this.#ring = port.openInput({
      ...this.#options,
      sink: (report) => {
        const isTaken = sink(report);
        if (isTaken) moved(lengthOf(report));
        return isTaken;
      },
      onEnd: (end) => {
        this.failure = end.status;
        moved(end.actualLengthBytes);
        this.#watch.over(this);
        onEnd(end);
      },
    });
  }

  get counters(): InputCounters {
    return this.#ring?.counters ?? NOTHING;
  }

  resume(): void {
    this.#ring?.resume();
  }

  async stop(): Promise<void> {
    await this.#ring?.stop();
    this.#watch.over(this);
  }
}

/** A standing output that tells when it is over. */
class WatchedOutput implements OutputRing {
  /** How it ended, when by itself. */
  failure: TransferStatus | undefined;
  readonly #ring: OutputRing;
  readonly #onOver: (output: WatchedOutput) => void;

  constructor(
    port: DevicePort,
    options: OutputOptions,
    onOver: (output: WatchedOutput) => void,
  ) {
    this.#onOver = onOver;
    this.#ring = port.openOutput({
      ...options,
      onEnd: (end) => {
        this.failure = end.status;
        onOver(this);
        options.onEnd(end);
      },
    });
  }

  get endpoint(): EndpointAddress {
    return this.#ring.endpoint;
  }

  get counters(): OutputCounters {
    return this.#ring.counters;
  }

  resume(): void {
    this.#ring.resume();
  }

  drained(): Promise<void> {
    return this.#ring.drained();
  }

  async stop(): Promise<void> {
    await this.#ring.stop();
    this.#onOver(this);
  }
}

const NOTHING: InputCounters = {
  submitted: 0,
  completed: 0,
  delivered: 0,
  failed: 0,
  cancelled: 0,
  inFlight: 0,
  held: 0,
};

/**
 * How failed transfers count of an input or output that ended so. How each of
 * them failed is told nowhere: they count as the one that ended it. What its
 * owner stopped, or what ended as `cancelled`, by a close or its own source, was
 * ended by none of them: one that failed on its way back is an `error` then, for
 * what was cancelled is counted by itself.
 */
function failedAs(end: TransferStatus | undefined): TransferStatus {
  return end === undefined || end === "cancelled" ? "error" : end;
}

/** Isochronous data lie in their packets' places, with gaps between them. */
function lengthOf({ data, packets }: Report): number {
  if (packets === undefined) return data.length;
  let lengthBytes = 0;
  for (const packet of packets) lengthBytes += packet.actualLengthBytes;
  return lengthBytes;
}

function noneEnded(): Record<TransferStatus, number> {
  return {
    completed: 0,
    timedOut: 0,
    cancelled: 0,
    stall: 0,
    overflow: 0,
    noDevice: 0,
    error: 0,
    noMemory: 0,
  };
}
