/**
 * A device port of a few lines, for tests of the loop alone: interface 0 with
 * interrupt IN 0x81, bulk IN 0x82, bulk OUT 0x02 and isochronous IN 0x83.
 * Transfers end when the test says so; `sim/simulated_port.ts` is the real thing.
 */

import { UsbError } from "../../driver/errors.ts";
import type { Clock } from "../../driver/loop/clock.ts";
import type {
  DeviceInfo,
  DevicePort,
  InputCounters,
  InputEnd,
  InputOptions,
  InputRing,
  OutputOptions,
  OutputRing,
  Report,
  TransferOutcome,
  TransferRequest,
  TransferStatus,
} from "../../driver/port.ts";
import {
  type AlternateSetting,
  alternateSetting,
  type ConfigurationDescriptor,
  configurationValue,
  type DeviceCapability,
  type EndpointAddress,
  endpointAddress,
  type EndpointDescriptor,
  type InterfaceNumber,
  interfaceNumber,
  productId,
  type TransferType,
  vendorId,
} from "../../driver/usb.ts";
import { FakeOutput } from "./fake_output.ts";

export const INTERRUPT_IN = endpointAddress(0x81);
export const BULK_IN = endpointAddress(0x82);
export const ISOCHRONOUS_IN = endpointAddress(0x83);

/** Answers a transfer; by default control and OUT transfers complete at once and IN waits. */
export type Answer = (
  request: TransferRequest,
) => TransferOutcome | Promise<TransferOutcome> | undefined;

export function outcomeOf(
  status: TransferStatus,
  data: Uint8Array<ArrayBuffer> = new Uint8Array(),
): TransferOutcome {
  return { status, data, actualLengthBytes: data.length };
}

/** One standing input of the fake. */
export class FakeRing implements InputRing {
  readonly endpoint: EndpointAddress;
  readonly options: InputOptions;
  readonly #clock: Clock;
  readonly #held: Report[] = [];
  #submitted: number;
  #delivered = 0;
  #failed = 0;
  #cancelled = 0;
  #inFlight: number;
  /** What it tells when nothing is held any more. */
  #end: InputEnd | undefined;
  isOver = false;

  constructor(options: InputOptions, clock: Clock) {
    this.options = options;
    this.endpoint = options.endpoint;
    this.#clock = clock;
    this.#submitted = options.transfersInFlight;
    this.#inFlight = options.transfersInFlight;
  }

  get counters(): InputCounters {
    return {
      submitted: this.#submitted,
      completed: this.#submitted - this.#inFlight,
      delivered: this.#delivered,
      failed: this.#failed,
      cancelled: this.#cancelled,
      inFlight: this.#inFlight,
      held: this.#held.length,
    };
  }

  get held(): number {
    return this.#held.length;
  }

  /** The device sends a report: `false` when the host asks for none (NAK). */
  send(...bytes: number[]): boolean {
    if (this.isOver || this.#inFlight === 0) return false;
    this.#inFlight--;
    this.#held.push({
      data: Uint8Array.from(bytes),
      timestampMs: this.#clock.nowMs(),
    });
    if (this.#held.length === 1) this.resume();
    return true;
  }

  /** Delivers although it is over, as a port with a bug might. */
  sendLate(...bytes: number[]): boolean {
    this.#submitted++;
    this.#delivered++;
    const data = Uint8Array.from(bytes);
    return this.options.sink({ data, timestampMs: this.#clock.nowMs() });
  }

  resume(): void {
    while (this.#held.length > 0) {
      const report = this.#held[0] as Report;
      if (!this.options.sink(report)) return;
      this.#held.shift();
      this.#delivered++;
      if (this.isOver) continue;
      this.#submitted++;
      this.#inFlight++;
    }
    this.#tellEnd();
  }

  /** Its device is closed. */
  leave(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#cancelled += this.#inFlight;
    this.#inFlight = 0;
    this.#end = { ...outcomeOf("cancelled"), isClosed: true };
    if (this.#held.length === 0) this.#tellEnd();
  }

  /** The input ends by itself, which is told when nothing is held. */
  end(status: TransferStatus): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#failed++;
    this.#cancelled += this.#inFlight - 1;
    this.#inFlight = 0;
    this.#end = outcomeOf(status);
    if (this.#held.length === 0) this.#tellEnd();
  }

  stop(): Promise<void> {
    this.isOver = true;
    this.#end = undefined;
    this.#cancelled += this.#inFlight + this.#held.length;
    this.#inFlight = 0;
    this.#held.length = 0;
    return Promise.resolve();
  }

  #tellEnd(): void {
    const end = this.#end;
    this.#end = undefined;
    if (end !== undefined) this.options.onEnd(end);
  }
}

/** The fake. */
export class FakeDevice implements DevicePort {
  info: DeviceInfo = INFO;
  readonly label = "0957:1755@1-4";
  readonly configuration: ConfigurationDescriptor = CONFIGURATION;
  readonly claimed = new Map<InterfaceNumber, AlternateSetting>();
  /** Every ring opened, in order. */
  readonly rings: FakeRing[] = [];
  /** Every output opened, in order. */
  readonly outputs: FakeOutput[] = [];
  readonly requests: TransferRequest[] = [];
  readonly calls: string[] = [];
  readonly #clock: Clock;
  answer: Answer = () => undefined;
  isGone = false;
  isClosed = false;
  /** What the named call does instead of succeeding. */
  readonly failures = new Map<string, () => Promise<void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  /** The live ring of an endpoint. */
  ring(endpoint: EndpointAddress = INTERRUPT_IN): FakeRing {
    const ring = this.rings.findLast((r) => r.endpoint === endpoint);
    if (ring === undefined) throw new Error(`No input of ${endpoint} is open`);
    return ring;
  }

  /** Leaves the bus: everything in flight ends with `noDevice`. */
  unplug(): void {
    this.isGone = true;
    for (const ring of this.rings) ring.end("noDevice");
  }

  setConfiguration(): Promise<void> {
    return this.#call("setConfiguration");
  }
  async claimInterface(number: InterfaceNumber): Promise<void> {
    await this.#call("claimInterface");
    this.claimed.set(number, alternateSetting(0));
  }
  async releaseInterface(number: InterfaceNumber): Promise<void> {
    await this.#call("releaseInterface");
    this.claimed.delete(number);
  }
  setAlternateSetting(): Promise<void> {
    return this.#call("setAlternateSetting");
  }
  clearHalt(): Promise<void> {
    return this.#call("clearHalt");
  }
  reset(): Promise<void> {
    return this.#call("reset");
  }
  kernelDriverActive(): Promise<boolean> {
    return Promise.resolve(false);
  }
  detachKernelDriver(): Promise<void> {
    return this.#call("detachKernelDriver");
  }
  attachKernelDriver(): Promise<void> {
    return this.#call("attachKernelDriver");
  }
  readCapabilities(): Promise<readonly DeviceCapability[]> {
    return Promise.resolve([]);
  }

  transfer(request: TransferRequest): Promise<TransferOutcome> {
    this.requests.push(request);
    if (this.isGone) return Promise.resolve(outcomeOf("noDevice"));
    const answer = this.answer(request);
    if (answer !== undefined) return Promise.resolve(answer);
    if (request.type === "in") return this.#wait(request);
    return Promise.resolve(outcomeOf("completed"));
  }

  openInput(options: InputOptions): InputRing {
    if (this.isGone) throw gone("open an input");
    const ring = new FakeRing(options, this.#clock);
    this.rings.push(ring);
    return ring;
  }

  openOutput(options: OutputOptions): OutputRing {
    if (this.isGone) throw gone("open an output");
    const output = new FakeOutput(this, options);
    this.outputs.push(output);
    return output;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    for (const output of this.outputs) output.leave();
    for (const ring of this.rings) ring.leave();
    await this.#call("close");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Ends with its time limit or its signal. */
  #wait(request: TransferRequest): Promise<TransferOutcome> {
    const { promise, resolve } = Promise.withResolvers<TransferOutcome>();
    const { signal, timeoutMs = 0 } = request;
    if (signal?.aborted) return Promise.resolve(outcomeOf("cancelled"));
    signal?.addEventListener("abort", () => resolve(outcomeOf("cancelled")));
    if (timeoutMs > 0) {
      this.#clock.setTimer(timeoutMs, () => resolve(outcomeOf("timedOut")));
    }
    return promise;
  }

  #call(name: string): Promise<void> {
    this.calls.push(name);
    const failure = this.failures.get(name);
    if (failure !== undefined) return failure();
    if (this.isGone && name !== "close") return Promise.reject(gone(name));
    return Promise.resolve();
  }
}

export function gone(operation: string): UsbError {
  return new UsbError({
    code: "noDevice",
    operation,
    device: "0957:1755@1-4",
    reason: "the device is gone",
  });
}

function endpoint(
  address: EndpointAddress,
  transferType: TransferType,
  maxPacketSize: number,
): EndpointDescriptor {
  return {
    endpointAddress: address,
    direction: (address & 0x80) !== 0 ? "in" : "out",
    transferType,
    attributes: 0,
    maxPacketSize,
    transactionsPerMicroframe: 1,
    interval: 1,
    extra: [],
  };
}

const CONFIGURATION: ConfigurationDescriptor = {
  configurationValue: configurationValue(1),
  configurationIndex: 0,
  attributes: 0x80,
  maxPowerMilliamperes: 100,
  interfaces: [{
    interfaceNumber: interfaceNumber(0),
    alternates: [{
      interfaceNumber: interfaceNumber(0),
      alternateSetting: alternateSetting(0),
      interfaceClass: 0xff,
      interfaceSubclass: 0,
      interfaceProtocol: 0,
      interfaceIndex: 0,
      endpoints: [
        endpoint(INTERRUPT_IN, "interrupt", 8),
        endpoint(BULK_IN, "bulk", 512),
        endpoint(endpointAddress(0x02), "bulk", 512),
        endpoint(ISOCHRONOUS_IN, "isochronous", 192),
      ],
      extra: [],
    }],
  }],
  associations: [],
  extra: [],
  bytes: new Uint8Array(),
};

const INFO: DeviceInfo = {
  id: "1-4#2",
  busNumber: 1,
  deviceAddress: 2,
  portPath: "1-4",
  speed: "high",
  descriptor: {
    usbVersion: 0x0200,
    deviceClass: 0,
    deviceSubclass: 0,
    deviceProtocol: 0,
    maxPacketSize0: 64,
    vendorId: vendorId(0x0957),
    productId: productId(0x1755),
    deviceVersion: 0x0100,
    manufacturerIndex: 0,
    productIndex: 0,
    serialNumberIndex: 0,
    configurationCount: 1,
  },
  manufacturer: undefined,
  product: undefined,
  serialNumber: undefined,
  configurations: [CONFIGURATION],
  configurationValue: configurationValue(1),
  nodePath: undefined,
};
