/**
 * An open device of the simulated port.
 *
 * @module
 */

import { checkOutput } from "../loop/output_check.ts";
import { StandingOutput } from "../loop/standing_output.ts";
import { deviceLabel } from "../match.ts";
import type {
  DeviceInfo,
  DevicePort,
  InputOptions,
  InputRing,
  OpenOptions,
  OutputOptions,
  OutputRing,
  TransferOutcome,
  TransferRequest,
} from "../port.ts";
import {
  type AlternateSetting,
  alternateSetting,
  type ConfigurationDescriptor,
  type ConfigurationValue,
  type DeviceCapability,
  type EndpointAddress,
  hex,
  type InterfaceNumber,
} from "../usb.ts";
import type { BusDevice } from "./bus_device.ts";
import { readBinaryObjectStore } from "./capabilities.ts";
import type { Deliveries } from "./deliveries.ts";
import { URB_OVERHEAD_BYTES } from "./sim_limits.ts";
import { SimulatedAccess } from "./simulated_access.ts";
import { SimulatedInput } from "./simulated_input.ts";
import { simulatedSlots, type SubmitOut } from "./simulated_output.ts";
import {
  type CancelReason,
  emptyOutcome,
  outcomeOf,
  type UnitParts,
  unitParts,
} from "./simulated_transfer.ts";
import { TransferUnit } from "./transfer_unit.ts";
import type { PluggedDevice, VirtualBus } from "./virtual_bus.ts";

/** What a device is opened with. */
export interface SimulatedDeviceOptions {
  readonly bus: VirtualBus;
  readonly plugged: PluggedDevice;
  readonly deliveries: Deliveries;
  readonly kernelDriver: NonNullable<OpenOptions["kernelDriver"]>;
  /** Called once, when it is closed. */
  readonly closed: (device: SimulatedDevice) => void;
}

interface Flight {
  readonly unit: TransferUnit;
  reason: CancelReason;
}

/** An open device. */
export class SimulatedDevice implements DevicePort {
  readonly info: DeviceInfo;
  readonly label: string;
  readonly #options: SimulatedDeviceOptions;
  readonly #device: BusDevice;
  readonly #access: SimulatedAccess;
  readonly #claimed = new Map<InterfaceNumber, AlternateSetting>();
  /** Interfaces whose kernel driver we detached and give back. */
  readonly #detached = new Set<number>();
  readonly #flights = new Set<Flight>();
  readonly #inputs = new Set<SimulatedInput>();
  readonly #outputs = new Set<StandingOutput>();
  #closing: Promise<void> | undefined;

  /** Made by the port. */
  constructor(info: DeviceInfo, options: SimulatedDeviceOptions) {
    this.info = info;
    this.label = deviceLabel(info);
    this.#options = options;
    this.#device = options.plugged.device;
    this.#access = new SimulatedAccess(this.#device, {
      claimed: this.#claimed,
      label: this.label,
    });
  }

  nowMs(): number {
    return this.#options.bus.clock.nowMs();
  }

  get configuration(): ConfigurationDescriptor | undefined {
    return this.#device.activeConfiguration;
  }

  get claimed(): ReadonlyMap<InterfaceNumber, AlternateSetting> {
    return this.#claimed;
  }

  async setConfiguration(value: ConfigurationValue): Promise<void> {
    const operation = `select configuration ${value}`;
    await this.#present(operation);
    if (this.#device.claims.isInUse) {
      throw this.#access.error("busy", operation, "an interface is claimed", {
        advice: "Release every interface first",
      });
    }
    if (!this.#device.configure(value)) {
      throw this.#access.error("notFound", operation, "the device has none");
    }
  }

  async claimInterface(number: InterfaceNumber): Promise<void> {
    const operation = `claim interface ${number}`;
    await this.#present(operation);
    if (this.#claimed.has(number)) return;
    const { claims } = this.#device;
    const isDriven = claims.driver(number) !== undefined &&
      claims.owner(number) === undefined;
    if (isDriven && this.#options.kernelDriver === "detach") {
      claims.detach(number);
      this.#detached.add(number);
    }
    switch (claims.claim(number, this)) {
      case "notFound":
        throw this.#access.error(
          "notFound",
          operation,
          "there is no such interface",
        );
      case "busy":
        throw this.#access.error(
          "busy",
          operation,
          `${claims.driver(number)} holds it`,
          { advice: "Stop what uses it, or open with kernelDriver detach" },
        );
      case "claimed":
        this.#claimed.set(
          number,
          alternateSetting(this.#device.alternateOf(number) ?? 0),
        );
    }
  }

  async releaseInterface(number: InterfaceNumber): Promise<void> {
    await this.#open(`release interface ${number}`);
    if (!this.#claimed.has(number)) return;
    await this.#drain(number);
    this.#release(number);
  }

  async setAlternateSetting(
    number: InterfaceNumber,
    setting: AlternateSetting,
  ): Promise<void> {
    const operation = `select alternate ${setting} of interface ${number}`;
    await this.#present(operation);
    if (!this.#claimed.has(number)) {
      throw this.#access.error(
        "state",
        operation,
        "the interface is not claimed",
      );
    }
    await this.#drain(number);
    await this.#present(operation);
    if (!this.#device.selectAlternate(number, setting)) {
      throw this.#access.error(
        "notFound",
        operation,
        "there is no such setting",
      );
    }
    this.#claimed.set(number, setting);
  }

  async clearHalt(endpoint: EndpointAddress): Promise<void> {
    const operation = `clear the halt of endpoint ${hex(endpoint)}`;
    await this.#present(operation);
    this.#access.endpoint(endpoint, operation);
    this.#device.clearHalt(endpoint);
  }

  async reset(): Promise<void> {
    const operation = "reset the device";
    await this.#present(operation);
    await this.#drain();
    await this.#present(operation);
    this.#device.reset();
    await this.#present(operation);
    for (const [number, setting] of this.#claimed) {
      this.#device.claims.claim(number, this);
      if (setting !== 0) this.#device.selectAlternate(number, setting);
    }
  }

  async kernelDriverActive(number: InterfaceNumber): Promise<boolean> {
    await this.#present(`look for a kernel driver of interface ${number}`);
    const { claims } = this.#device;
    return claims.owner(number) === undefined &&
      claims.driver(number) !== undefined;
  }

  async detachKernelDriver(number: InterfaceNumber): Promise<void> {
    const operation = `detach the kernel driver of interface ${number}`;
    await this.#present(operation);
    if (this.#device.claims.detach(number)) return;
    throw this.#access.error("notFound", operation, "there is none");
  }

  async attachKernelDriver(number: InterfaceNumber): Promise<void> {
    const operation = `attach the kernel driver of interface ${number}`;
    await this.#present(operation);
    const { claims } = this.#device;
    if (claims.driver(number) !== undefined) {
      throw this.#access.error("busy", operation, "the interface is held");
    }
    if (!claims.attach(number)) {
      throw this.#access.error("notFound", operation, "no kernel driver fits");
    }
  }

  async readCapabilities(): Promise<readonly DeviceCapability[]> {
    await this.#present("read the binary object store");
    return await readBinaryObjectStore((request) => this.transfer(request));
  }

  // Every refusal is a rejection, never a throw.
  // deno-lint-ignore require-await
  async transfer(request: TransferRequest): Promise<TransferOutcome> {
    const operation = "submit a transfer";
    this.#checkOpen(operation);
    const parts = unitParts(request, {
      type: this.#access.typeOf(request, operation),
      device: this.label,
    });
    if (request.signal?.aborted === true) return emptyOutcome("cancelled");
    const { promise, resolve } = Promise.withResolvers<TransferOutcome>();
    const { signal, timeoutMs } = request;
    const abort = (): void => flight.cancel("cancelled");
    const flight = this.#submit(parts, (outcome) => {
      signal?.removeEventListener("abort", abort);
      resolve(outcome);
    }, timeoutMs);
    signal?.addEventListener("abort", abort, { once: true });
    return promise;
  }

  openInput(options: InputOptions): InputRing {
    const operation = `open an input on endpoint ${hex(options.endpoint)}`;
    this.#checkOpen(operation);
    const request = this.#access.inputRequest(options, operation);
    const type = this.#access.typeOf(request, operation);
    const input = new SimulatedInput(options, {
      nowMs: () => this.nowMs(),
      submit: (ended) =>
        this.#submit(unitParts(request, { type, device: this.label }), ended),
      finished: (finished) => {
        this.#inputs.delete(finished);
      },
    });
    this.#inputs.add(input);
    return input;
  }

  openOutput(options: OutputOptions): OutputRing {
    const { endpoint, transfersInFlight } = options;
    const operation = `open an output on endpoint ${hex(endpoint)}`;
    this.#checkOpen(operation);
    const descriptor = this.#access.endpoint(endpoint, operation);
    const shape = checkOutput(options, descriptor);
    if ("reason" in shape) {
      throw this.#access.error(shape.code, operation, shape.reason);
    }
    const type = descriptor.transferType;
    const { usbfsMemory } = this.#options.bus;
    const submit: SubmitOut = (lent, ended) => {
      const isRefused = !usbfsMemory.hasRoom(lent.length + URB_OVERHEAD_BYTES);
      if (isRefused) return undefined;
      const unit = { type, endpoint, data: lent.slice() };
      return this.#submit(unit, ended, shape.timeoutMs);
    };
    const output = new StandingOutput({
      options,
      slots: simulatedSlots(transfersInFlight, shape.lengthBytes, submit),
      settles: (back) => back,
      onOver: (done) => void this.#outputs.delete(done),
    });
    this.#outputs.add(output);
    return output;
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    for (const input of this.#inputs) {
      input.end("cancelled", { isClosed: true });
    }
    await this.#drain();
    for (const number of [...this.#claimed.keys()]) this.#release(number);
    this.#options.closed(this);
  }

  /** Starts a unit; its end is delivered later and once. */
  #submit(
    parts: UnitParts,
    ended: (outcome: TransferOutcome) => void,
    timeoutMs = 0,
  ): { cancel(reason?: CancelReason): void } {
    const { bus, deliveries } = this.#options;
    const { endpoint } = parts;
    const chargedBytes = parts.data.length + URB_OVERHEAD_BYTES;
    if (!bus.usbfsMemory.take(chargedBytes)) {
      deliveries.push(endpoint, () => ended(emptyOutcome("noMemory")));
      return { cancel: () => {} };
    }
    const unit = new TransferUnit({
      ...parts,
      onComplete: () => {
        limit?.cancel();
        bus.usbfsMemory.give(chargedBytes);
        deliveries.push(endpoint, () => {
          this.#flights.delete(flight);
          ended(outcomeOf(unit, flight.reason));
        });
      },
    });
    const flight: Flight = { unit, reason: "cancelled" };
    this.#flights.add(flight);
    const cancel = (reason: CancelReason = "cancelled"): void => {
      if (unit.isDone) return;
      flight.reason = reason;
      this.#device.cancel(unit);
    };
    const limit = timeoutMs > 0
      ? bus.clock.setTimer(timeoutMs, () => cancel("timedOut"))
      : undefined;
    this.#device.submit(unit);
    return { cancel };
  }

  /** Cancels the transfers of an interface, or all, and waits until they are back. */
  async #drain(number?: InterfaceNumber): Promise<void> {
    const flights = [...this.#flights].filter(({ unit }) =>
      number === undefined ||
      (unit.type !== "control" &&
        this.#device.interfaceOf(unit.endpoint) === number)
    );
    for (const ring of [...this.#inputs, ...this.#outputs]) {
      const at = this.#device.interfaceOf(ring.endpoint);
      if (number === undefined || at === number) ring.end("cancelled");
    }
    for (const { unit } of flights) this.#device.cancel(unit);
    while (flights.some((flight) => this.#flights.has(flight))) {
      await new Promise<void>((resolve) =>
        this.#options.deliveries.push(-1, resolve)
      );
    }
  }

  #release(number: InterfaceNumber): void {
    this.#claimed.delete(number);
    const { claims } = this.#device;
    if (this.#device.isGone) return;
    claims.release(number, this);
    if (this.#device.alternateOf(number) !== 0) {
      this.#device.selectAlternate(number, 0);
    }
    if (this.#detached.delete(number)) claims.attach(number);
  }

  #checkOpen(operation: string): void {
    if (this.#closing === undefined) return;
    throw this.#access.error("state", operation, "the device is closed");
  }

  // deno-lint-ignore require-await -- every refusal is a rejection, never a throw
  async #open(operation: string): Promise<void> {
    this.#checkOpen(operation);
  }

  async #present(operation: string): Promise<void> {
    await this.#open(operation);
    if (!this.#device.isGone) return;
    throw this.#access.error("noDevice", operation, "the device is gone");
  }
}
