/**
 * The device as a driver gets it: the port, with the session's hand on it. Every
 * transfer ends with the handler that made it, is counted, and tells the session
 * when the device is gone; what the driver did not declare is refused.
 *
 * @module
 */

import type { Driver } from "../driver.ts";
import { UsbError } from "../errors.ts";
import type {
  DeviceInfo,
  DevicePort,
  InputOptions,
  InputRing,
  OutputOptions,
  OutputRing,
  TransferOutcome,
  TransferRequest,
} from "../port.ts";
import {
  type AlternateSetting,
  type ConfigurationDescriptor,
  type ConfigurationValue,
  type DeviceCapability,
  type EndpointAddress,
  hex,
  type InterfaceNumber,
} from "../usb.ts";
import { EndpointCounters } from "./endpoint_counters.ts";
import { Histogram } from "./histogram.ts";
import type { Journal } from "./journal.ts";
import { findEndpoint } from "./selectors.ts";
import type { Telemetry } from "./telemetry.ts";
import { transferBytes, transferName } from "./transfer_words.ts";

type Requests = NonNullable<Driver["requests"]>;

/**
 * Where the driver's own transfers are, standing inputs and outputs left out. At any time
 * `submitted = completed + failed + cancelled + refused + inFlight`.
 */
export interface TransferCounters {
  /** Handed to the port. */
  submitted: number;
  /** Ended with `completed`. */
  completed: number;
  /** Ended with a status other than `completed` and `cancelled`. */
  failed: number;
  /** Ended with `cancelled`. */
  cancelled: number;
  /** Not taken by the port at all. */
  refused: number;
  /** With the device now. */
  inFlight: number;
}

/** What a guard asks and tells. */
export interface GuardOptions {
  /** What the driver declares. */
  readonly requests: Requests;
  /** The signal of the handler at work, for transfers that name none. */
  readonly signal: () => AbortSignal;
  readonly nowMs: () => number;
  readonly telemetry: Telemetry;
  readonly journal: Pick<Journal, "record">;
  /** A transfer found the device gone. */
  readonly onGone: () => void;
}

/** A device port under a session's guard. */
export class GuardedPort implements DevicePort {
  /** Where the driver's own transfers are. */
  readonly counters: TransferCounters = noTransfers();
  #lastTransferMs: number | undefined;
  readonly #port: DevicePort;
  readonly #options: GuardOptions;
  /** Standing outputs, and how many transfers of each had ended at the last look. */
  readonly #outputs = new Map<OutputRing, number>();
  /** Of the live settings. */
  readonly #endpoints = new Map<EndpointAddress, EndpointCounters>();
  readonly #control: EndpointCounters;
  /** Of what no live setting has: the port refuses it. */
  readonly #nowhere = new EndpointCounters(0, "bulk", new Histogram());

  /** The session keeps the port itself, and closes it. */
  constructor(port: DevicePort, options: GuardOptions) {
    this.#port = port;
    this.#options = options;
    this.#control = options.telemetry.endpoint(0, "control");
  }

  /** With the device now, those of standing outputs too. */
  get inFlight(): number {
    let inFlight = this.counters.inFlight;
    for (const { counters } of this.#outputs.keys()) {
      inFlight += counters.inFlight;
    }
    return inFlight;
  }

  /**
   * When a transfer last ended; `undefined` before the first. Those of standing
   * outputs are seen when somebody looks: a transfer of theirs tells nobody.
   */
  lastTransferMs(): number | undefined {
    for (const [output, seen] of this.#outputs) {
      const { completed } = output.counters;
      if (completed === seen) continue;
      this.#outputs.set(output, completed);
      this.#lastTransferMs = this.#options.nowMs();
    }
    return this.#lastTransferMs;
  }

  /** Where it is and what it says it is. */
  get info(): DeviceInfo {
    return this.#port.info;
  }

  /** `0957:1755@1-4`. */
  get label(): string {
    return this.#port.label;
  }

  /** The active configuration. */
  get configuration(): ConfigurationDescriptor | undefined {
    return this.#port.configuration;
  }

  /** Claimed interfaces with their live alternate setting. */
  get claimed(): ReadonlyMap<InterfaceNumber, AlternateSetting> {
    return this.#port.claimed;
  }

  /** The port's clock. */
  nowMs(): number {
    return this.#port.nowMs();
  }

  /** @throws {UsbError} `notSupported` unless the driver declares it. */
  async setConfiguration(value: ConfigurationValue): Promise<void> {
    this.#demand("setConfiguration");
    this.#endpoints.clear();
    await this.#watched(this.#port.setConfiguration(value));
  }

  /** Claims a further interface. */
  claimInterface(number: InterfaceNumber): Promise<void> {
    return this.#watched(this.#port.claimInterface(number));
  }

  /** Gives an interface back. */
  releaseInterface(number: InterfaceNumber): Promise<void> {
    return this.#watched(this.#port.releaseInterface(number));
  }

  /** Selects an alternate setting. */
  setAlternateSetting(
    number: InterfaceNumber,
    setting: AlternateSetting,
  ): Promise<void> {
    this.#endpoints.clear();
    return this.#watched(this.#port.setAlternateSetting(number, setting));
  }

  /** Clears the halt of an endpoint. */
  clearHalt(endpoint: EndpointAddress): Promise<void> {
    return this.#watched(this.#port.clearHalt(endpoint));
  }

  /** @throws {UsbError} `notSupported` unless the driver declares it. */
  async reset(): Promise<void> {
    this.#demand("reset");
    await this.#watched(this.#port.reset());
  }

  /** Whether a kernel driver is bound. */
  kernelDriverActive(number: InterfaceNumber): Promise<boolean> {
    return this.#watched(this.#port.kernelDriverActive(number));
  }

  /** Detaches the kernel driver. */
  detachKernelDriver(number: InterfaceNumber): Promise<void> {
    return this.#watched(this.#port.detachKernelDriver(number));
  }

  /** Attaches the kernel driver again. */
  attachKernelDriver(number: InterfaceNumber): Promise<void> {
    return this.#watched(this.#port.attachKernelDriver(number));
  }

  /** Binary object store. */
  readCapabilities(): Promise<readonly DeviceCapability[]> {
    return this.#watched(this.#port.readCapabilities());
  }

  /** One transfer, which ends when its handler does, unless it names a signal itself. */
  async transfer(request: TransferRequest): Promise<TransferOutcome> {
    const { counters } = this;
    const { nowMs, journal } = this.#options;
    const endpoint = "endpoint" in request
      ? this.#endpoint(request.endpoint)
      : this.#control;
    const startedMs = nowMs();
    counters.submitted++;
    counters.inFlight++;
    endpoint.began();
    const name = transferName(request);
    journal.record("call", name, transferBytes(request));
    try {
      const outcome = await this.#port.transfer(
        request.signal === undefined
          ? { ...request, signal: this.#options.signal() }
          : request,
      );
      const endedMs = nowMs();
      this.#lastTransferMs = endedMs;
      endpoint.ended(outcome, isIn(request), endedMs - startedMs);
      if (outcome.status === "completed") counters.completed++;
      else if (outcome.status === "cancelled") counters.cancelled++;
      else counters.failed++;
      if (outcome.status === "noDevice") this.#options.onGone();
      journal.record(
        "done",
        `${name} ${outcome.status}`,
        outcome.actualLengthBytes,
      );
      return outcome;
    } catch (error) {
      counters.refused++;
      endpoint.refused();
      journal.record("done", `${name} refused`);
      this.#look(error);
      throw error;
    } finally {
      counters.inFlight--;
    }
  }

  /** A standing input of the driver's own, which the session does not tend. */
  openInput(options: InputOptions): InputRing {
    const name = `input ${hex(options.endpoint)}`;
    return this.#opened(
      name,
      () =>
        this.#endpoint(options.endpoint).openInput(this.#port, {
          ...options,
          onEnd: this.#told(name, options.onEnd),
        }),
    );
  }

  /** A standing output of the driver's own. It ends with the session at the latest. */
  openOutput(options: OutputOptions): OutputRing {
    const name = `output ${hex(options.endpoint)}`;
    const output = this.#opened(
      name,
      () =>
        this.#endpoint(options.endpoint).openOutput(
          this.#port,
          { ...options, onEnd: this.#told(name, options.onEnd) },
          (over) => {
            this.lastTransferMs();
            this.#outputs.delete(over);
          },
        ),
    );
    this.#outputs.set(output, 0);
    return output;
  }

  /** Opens a standing input or output; a refusal may say that the device is gone. */
  #opened<Ring>(name: string, open: () => Ring): Ring {
    try {
      const ring = open();
      this.#options.journal.record("call", name);
      return ring;
    } catch (error) {
      this.#look(error);
      throw error;
    }
  }

  /** Its end, told to the session before it is to the driver. */
  #told<End extends TransferOutcome>(
    name: string,
    onEnd: (end: End) => void,
  ): (end: End) => void {
    const { journal, onGone } = this.#options;
    return (end) => {
      journal.record("over", `${name} ${end.status}`, end.actualLengthBytes);
      if (end.status === "noDevice") onGone();
      onEnd(end);
    };
  }

  /** @throws {UsbError} `state`, always: the session closes the device. */
  close(): Promise<void> {
    return Promise.reject(
      new UsbError({
        code: "state",
        operation: "close the device",
        device: this.label,
        reason: "it belongs to the driver's session",
        advice: "Let the handler throw, or the driver be stopped",
      }),
    );
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Looked up once for each setting. */
  #endpoint(address: EndpointAddress): EndpointCounters {
    const known = this.#endpoints.get(address);
    if (known !== undefined) return known;
    const found = findEndpoint(this.#port, address);
    if (found === undefined) return this.#nowhere;
    const { telemetry } = this.#options;
    const counters = telemetry.endpoint(address, found.transferType);
    this.#endpoints.set(address, counters);
    return counters;
  }

  #demand(request: Requests[number]): void {
    if (this.#options.requests.includes(request)) return;
    throw new UsbError({
      code: "notSupported",
      operation: `use ${request}`,
      device: this.label,
      reason: "the driver does not declare it",
      advice: `Add "${request}" to its requests`,
    });
  }

  async #watched<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      this.#look(error);
      throw error;
    }
  }

  #look(error: unknown): void {
    if (error instanceof UsbError && error.code === "noDevice") {
      this.#options.onGone();
    }
  }
}

function isIn({ type }: TransferRequest): boolean {
  return type === "controlIn" || type === "in" || type === "isochronousIn";
}

/** The counters before the first transfer. */
export function noTransfers(): TransferCounters {
  return {
    submitted: 0,
    completed: 0,
    failed: 0,
    cancelled: 0,
    refused: 0,
    inFlight: 0,
  };
}
