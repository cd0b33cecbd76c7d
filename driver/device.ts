/**
 * An open device as programs and drivers use it: transfers that give bytes or
 * throw a {@linkcode UsbError} that says what happened, to which device, in
 * which state, and what to do next.
 *
 * @module
 */

import { Endpoint } from "./endpoint.ts";
import { UsbError, type UsbErrorCode } from "./errors.ts";
import { LargeTransfers } from "./large_transfers.ts";
import { CONTROL_TIMEOUT_MS, MAX_TIMEOUT_MS } from "./limits.ts";
import type {
  DeviceInfo,
  DevicePort,
  PacketOutcome,
  TransferOptions,
  TransferOutcome,
  TransferRequest,
  TransferStatus,
} from "./port.ts";
import {
  type AlternateSetting,
  alternateSetting,
  configurationValue,
  type DeviceCapability,
  type EndpointAddress,
  endpointAddress,
  hex,
  type InterfaceNumber,
  interfaceNumber,
  type SetupPacket,
} from "./usb.ts";

/** Isochronous data with what became of each packet. */
export interface IsochronousData {
  /** IN: the whole buffer; packet data begin at their offsets. OUT: empty. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** One for each length given, in order. */
  readonly packets: readonly PacketOutcome[];
}

const NO_BYTES = new Uint8Array();

/** An open device. Closing cancels, drains and releases; closing twice is a no-op. */
export class Device implements AsyncDisposable {
  /** The contract underneath, for those who want outcomes instead of exceptions. */
  readonly port: DevicePort;
  readonly #state: () => string | undefined;
  readonly #large: LargeTransfers;
  readonly #endpoints = new Map<EndpointAddress, Endpoint>();

  /** `state` names the state we are in, for messages: a driver's session gives its own. */
  constructor(
    port: DevicePort,
    state: () => string | undefined = () => undefined,
  ) {
    this.port = port;
    this.#state = state;
    this.#large = new LargeTransfers(port);
  }

  /** Where it is and what it says it is. */
  get info(): DeviceInfo {
    return this.port.info;
  }

  /** `0957:1755@1-4`. */
  get label(): string {
    return this.port.label;
  }

  /** Claimed interfaces with their live alternate setting. */
  get claimed(): ReadonlyMap<InterfaceNumber, AlternateSetting> {
    return this.port.claimed;
  }

  /**
   * Claims an interface. A no-op if it is ours already.
   *
   * @throws {UsbError} `busy` when a kernel driver or another process holds it, `notFound`, `noDevice`.
   */
  async claimInterface(number: number): Promise<void> {
    await this.port.claimInterface(interfaceNumber(number));
  }

  /** Gives an interface back. */
  async releaseInterface(number: number): Promise<void> {
    await this.port.releaseInterface(interfaceNumber(number));
  }

  /** Selects an alternate setting by its `bAlternateSetting`, not by index. */
  async setAlternateSetting(number: number, setting: number): Promise<void> {
    await this.port.setAlternateSetting(
      interfaceNumber(number),
      alternateSetting(setting),
    );
  }

  /** Selects a configuration by its `bConfigurationValue`. */
  async setConfiguration(value: number): Promise<void> {
    await this.port.setConfiguration(configurationValue(value));
  }

  /** Clears the halt of an endpoint at both ends. */
  async clearHalt(endpoint: number): Promise<void> {
    await this.port.clearHalt(endpointAddress(endpoint));
  }

  /** Resets the device's port. */
  reset(): Promise<void> {
    return this.port.reset();
  }

  /** Binary object store capabilities; empty where the device has none. */
  readCapabilities(): Promise<readonly DeviceCapability[]> {
    return this.port.readCapabilities();
  }

  /**
   * Reads by a control transfer. Default time limit CONTROL_TIMEOUT_MS.
   *
   * @throws {UsbError} With what had arrived in `data`.
   */
  async controlIn(
    setup: SetupPacket,
    lengthBytes: number,
    options: TransferOptions = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    const request: TransferRequest = {
      type: "controlIn",
      setup,
      lengthBytes,
      ...withControlTimeout(options),
    };
    return (await this.#completed(
      request,
      `read control request ${hex(setup.request)}`,
    )).data;
  }

  /**
   * Writes by a control transfer; gives the bytes written. Default time limit CONTROL_TIMEOUT_MS.
   *
   * @throws {UsbError} With how much was written in `transferredBytes`.
   */
  async controlOut(
    setup: SetupPacket,
    data: Uint8Array = NO_BYTES,
    options: TransferOptions = {},
  ): Promise<number> {
    const request: TransferRequest = {
      type: "controlOut",
      setup,
      data,
      ...withControlTimeout(options),
    };
    return (await this.#completed(
      request,
      `write control request ${hex(setup.request)}`,
    )).actualLengthBytes;
  }

  /**
   * Reads from a bulk or interrupt endpoint, until `lengthBytes` or a short packet.
   * Large ones are made in pieces that the kernel has memory for, and the next
   * transfer of the endpoint waits for them.
   *
   * @throws {UsbError} With what had arrived in `data`.
   */
  async transferIn(
    endpoint: number,
    lengthBytes: number,
    options: TransferOptions = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    const request: TransferRequest = {
      type: "in",
      endpoint: endpointAddress(endpoint),
      lengthBytes,
      ...checked(options),
    };
    return (await this.#completed(
      request,
      `read from endpoint ${hex(endpoint)}`,
    )).data;
  }

  /**
   * Writes to a bulk or interrupt endpoint; gives the bytes written. Large ones
   * are made in pieces, as by `transferIn`.
   *
   * @throws {UsbError} With how much was written in `transferredBytes`.
   */
  async transferOut(
    endpoint: number,
    data: Uint8Array,
    options: TransferOptions & { readonly zeroLengthPacket?: boolean } = {},
  ): Promise<number> {
    const request: TransferRequest = {
      type: "out",
      endpoint: endpointAddress(endpoint),
      data,
      ...checked(options),
    };
    return (await this.#completed(
      request,
      `write to endpoint ${hex(endpoint)}`,
    )).actualLengthBytes;
  }

  /** Reads isochronous packets; packets fail singly, the transfer as a whole rarely. */
  async isochronousIn(
    endpoint: number,
    packetLengthsBytes: readonly number[],
    options: TransferOptions = {},
  ): Promise<IsochronousData> {
    const address = endpointAddress(endpoint);
    const request: TransferRequest = {
      type: "isochronousIn",
      endpoint: address,
      packetLengthsBytes,
      ...checked(options),
    };
    const outcome = await this.#completed(
      request,
      `read packets from endpoint ${hex(endpoint)}`,
    );
    return { data: outcome.data, packets: outcome.packets ?? [] };
  }

  /** Writes isochronous packets; `data` is their concatenation. */
  async isochronousOut(
    endpoint: number,
    data: Uint8Array,
    packetLengthsBytes: readonly number[],
    options: TransferOptions = {},
  ): Promise<IsochronousData> {
    const address = endpointAddress(endpoint);
    const request: TransferRequest = {
      type: "isochronousOut",
      endpoint: address,
      data,
      packetLengthsBytes,
      ...checked(options),
    };
    const outcome = await this.#completed(
      request,
      `write packets to endpoint ${hex(endpoint)}`,
    );
    return { data: outcome.data, packets: outcome.packets ?? [] };
  }

  /** Reports and streams of one endpoint. */
  endpoint(address: number): Endpoint {
    const checkedAddress = endpointAddress(address);
    let endpoint = this.#endpoints.get(checkedAddress);
    if (endpoint === undefined) {
      endpoint = new Endpoint(this, checkedAddress);
      this.#endpoints.set(checkedAddress, endpoint);
    }
    return endpoint;
  }

  /** An error of this device, for drivers that check what it sends. */
  error(
    code: UsbErrorCode,
    operation: string,
    reason: string,
    advice?: string,
  ): UsbError {
    const state = this.#state();
    return new UsbError({
      code,
      operation,
      reason,
      device: this.label,
      ...(state === undefined ? {} : { state }),
      ...(advice === undefined ? {} : { advice }),
    });
  }

  /** The error for a transfer that did not complete; keeps its bytes. */
  transferError(outcome: TransferOutcome, operation: string): UsbError {
    const [code, reason, advice] = FAILURES[outcome.status];
    const state = this.#state();
    return new UsbError({
      code,
      operation,
      reason,
      device: this.label,
      data: outcome.data,
      transferredBytes: outcome.actualLengthBytes,
      ...(state === undefined ? {} : { state }),
      ...(advice === undefined ? {} : { advice }),
    });
  }

  /** Cancels, drains, releases, closes. Readers of its endpoints end, writers fail with `cancelled`. */
  close(): Promise<void> {
    return this.port.close();
  }

  /** Closes the device at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #completed(
    request: TransferRequest,
    operation: string,
  ): Promise<TransferOutcome> {
    const outcome = request.type === "in" || request.type === "out"
      ? await this.#large.transfer(request)
      : await this.port.transfer(request);
    if (outcome.status !== "completed") {
      throw this.transferError(outcome, operation);
    }
    return outcome;
  }
}

type Failure = readonly [code: UsbErrorCode, reason: string, advice?: string];

const FAILURES: Readonly<Record<TransferStatus, Failure>> = {
  completed: ["io", "it completed"],
  timedOut: ["timedOut", "the time limit passed"],
  cancelled: ["cancelled", "it was cancelled"],
  stall: ["stall", "stalled", "Clear the halt before the next transfer"],
  overflow: [
    "overflow",
    "the device sent more than was asked for",
    "Ask for a multiple of the packet size",
  ],
  noDevice: ["noDevice", "the device is gone"],
  error: ["io", "bus error", "Check cable and hub, then try again"],
  noMemory: [
    "noMemory",
    "the kernel's memory for transfers is used up",
    "Use fewer or smaller transfers, or raise /sys/module/usbcore/parameters/usbfs_memory_mb",
  ],
};

function withControlTimeout(options: TransferOptions): TransferOptions {
  return { timeoutMs: CONTROL_TIMEOUT_MS, ...checked(options) };
}

function checked<Options extends TransferOptions>(options: Options): Options {
  const { timeoutMs } = options;
  if (
    timeoutMs !== undefined && !(timeoutMs >= 0 && timeoutMs <= MAX_TIMEOUT_MS)
  ) {
    throw new RangeError(
      `Cannot use ${timeoutMs} as a time limit: it must be 0 to ${MAX_TIMEOUT_MS} ms`,
    );
  }
  return options;
}
