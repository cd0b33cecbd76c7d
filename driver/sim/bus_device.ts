/**
 * A virtual device on a bus: the one core behind usbfs emulation, USB/IP and the
 * simulated port. Takes transfer units, runs the device, ends the units.
 *
 * @module
 */

import { parseConfigurations } from "../descriptors.ts";
import type { Clock, Timer } from "../loop/clock.ts";
import {
  alternateSetting,
  type ConfigurationDescriptor,
  configurationValue,
  decodeSetup,
  type DeviceDescriptor,
  type EndpointAddress,
  endpointAddress,
  type EndpointDescriptor,
  interfaceNumber,
} from "../usb.ts";
import { Claims } from "./claims.ts";
import { ControlQueue } from "./control_queue.ts";
import { InQueue, OutQueue, type QueueHost } from "./endpoint_queue.ts";
import { ERRNO } from "./errno.ts";
import { FaultSchedule } from "./faults.ts";
import { FrameClock, IsochronousQueue } from "./isochronous.ts";
import { lenientDeviceDescriptor } from "./lenient_descriptors.ts";
import {
  answerStandard,
  firstConfigurationValue,
  type StandardTarget,
  UNKNOWN_REQUEST,
} from "./standard_requests.ts";
import type { TransferUnit } from "./transfer_unit.ts";
import type {
  DeviceHost,
  VirtualDescriptors,
  VirtualDevice,
} from "./virtual_device.ts";

/** What a device needs of the bus it is on. */
export interface BusPlace {
  /** The bus's time. */
  readonly clock: Clock;
  /** From 0 up to 1; seeded. */
  random(): number;
  /** Takes the device off the bus. */
  unplug(): void;
  /** Takes it off and brings it, or another, back. */
  replug(afterMs: number, as?: VirtualDevice): void;
  /** The active configuration changed. */
  configured(value: number): void;
}

type Queue = InQueue | OutQueue | IsochronousQueue;

/** A virtual device while it is plugged in. */
export class BusDevice implements QueueHost, StandardTarget {
  /** What its author wrote. */
  readonly virtual: VirtualDevice;
  /** The descriptors as they were when it was plugged in. */
  readonly descriptors: VirtualDescriptors;
  /** The device descriptor, read. */
  readonly deviceDescriptor: DeviceDescriptor;
  /** Configurations that could be read. */
  readonly configurations: readonly ConfigurationDescriptor[];
  /** Who holds which interface. */
  readonly claims: Claims;
  /** What is to go wrong. */
  readonly faults: FaultSchedule;
  /** DEVICE_REMOTE_WAKEUP. USB 2.0, 9.4.5. */
  isRemoteWakeupOn = false;
  readonly #place: BusPlace;
  readonly #frames: FrameClock;
  readonly #control: ControlQueue;
  readonly #alternates = new Map<number, number>();
  readonly #queues = new Map<number, Queue>();
  readonly #timers = new Set<Timer>();
  #activeConfiguration: ConfigurationDescriptor | undefined;
  #state: "present" | "suspended" | "gone" = "present";
  #submitted = 0;

  /** Puts a device at a place; `plug` starts it. */
  constructor(virtual: VirtualDevice, place: BusPlace) {
    this.virtual = virtual;
    this.descriptors = virtual.descriptors;
    this.#place = place;
    this.deviceDescriptor = lenientDeviceDescriptor(this.descriptors.device);
    this.configurations = this.descriptors.configurations
      .flatMap((bytes) => parseConfigurations(bytes, 1));
    this.claims = new Claims(
      this.descriptors.kernelDrivers ?? {},
      (number) => this.alternateOf(number) !== undefined,
    );
    this.faults = new FaultSchedule(() => place.random());
    this.#frames = new FrameClock(place.clock, this.descriptors.speed);
    this.#control = new ControlQueue(
      this,
      (setup, data) => {
        const reply = answerStandard(this, setup);
        return reply === UNKNOWN_REQUEST
          ? this.virtual.control(setup, data)
          : reply;
      },
    );
  }

  /** Tells the device where it is and selects the first configuration, as hosts do. */
  plug(): void {
    this.virtual.plugged(this.#deviceHost());
    this.configure(firstConfigurationValue(this.configurations));
  }

  /** It is off the bus. */
  get isGone(): boolean {
    return this.#state === "gone";
  }

  /** It sleeps: no transfer can be submitted. */
  get isSuspended(): boolean {
    return this.#state === "suspended";
  }

  /** Transfers submitted so far. */
  get submitted(): number {
    return this.#submitted;
  }

  /** The configuration in force; `undefined` when not configured. */
  get activeConfiguration(): ConfigurationDescriptor | undefined {
    return this.#activeConfiguration;
  }

  /** A live endpoint. */
  endpoint(address: number): EndpointDescriptor | undefined {
    return this.#queues.get(address)?.descriptor;
  }

  /** The interface an endpoint belongs to, in any alternate setting of the active configuration. */
  interfaceOf(address: number): number | undefined {
    return this.#activeConfiguration?.interfaces.find((i) =>
      i.alternates.some((a) =>
        a.endpoints.some((e) => e.endpointAddress === address)
      )
    )?.interfaceNumber;
  }

  /** Begins a transfer; it ends through its `complete`. */
  submit(unit: TransferUnit): void {
    this.#submitted++;
    if (this.isGone) return unit.complete(-ERRNO.SHUTDOWN);
    if (this.isSuspended) return unit.complete(-ERRNO.HOSTUNREACH);
    if (unit.type === "control") {
      const setup = decodeSetup(unit.data);
      unit.fault = this.faults.forTransfer({
        endpoint: endpointAddress(setup?.direction === "in" ? 0x80 : 0),
        ...(setup === undefined ? {} : { request: setup.request }),
      });
      return this.#control.submit(unit);
    }
    const queue = this.#queues.get(unit.endpoint);
    if (queue === undefined) return unit.complete(-ERRNO.NOENT);
    unit.fault = this.faults.forTransfer({ endpoint: unit.endpoint });
    queue.submit(unit);
  }

  /** Discards a transfer; what has arrived of it is kept. */
  cancel(unit: TransferUnit): void {
    this.endUnit(unit, -ERRNO.NOENT);
  }

  /** Ends a transfer from the host's side and lets the next go on. */
  endUnit(unit: TransferUnit, status: number): void {
    unit.complete(status);
    if (unit.type === "control") this.#control.pump();
    else this.#queues.get(unit.endpoint)?.pump();
  }

  /** Ends every transfer of an interface's endpoints. */
  endInterface(number: number, status: number): void {
    for (const [address, queue] of this.#queues) {
      if (this.interfaceOf(address) === number) queue.endAll(status);
    }
  }

  /** Clears a halt at both ends, as the kernel does. `false`: no such endpoint. */
  clearHalt(address: number): boolean {
    const queue = this.#queues.get(address);
    if (queue === undefined) return false;
    if (!(queue instanceof IsochronousQueue)) queue.clearHostEnd();
    this.setHalt(address, false);
    return true;
  }

  /** Resets the host's data toggle alone. `false`: no such endpoint. */
  resetEndpoint(address: number): boolean {
    const queue = this.#queues.get(address);
    if (queue === undefined) return false;
    if (!(queue instanceof IsochronousQueue)) queue.clearHostEnd();
    return true;
  }

  /**
   * Resets the port: transfers end, halts and alternate settings are as at
   * first, the configuration stays. USB 2.0, 9.1.1.5 and hosts' habit.
   * Transfers end with `status`.
   */
  reset(status: number = -ERRNO.NOENT): void {
    const value = this.#activeConfiguration?.configurationValue ?? 0;
    this.#endAll(status);
    this.#state = "present";
    this.isRemoteWakeupOn = false;
    this.#rebuild(value);
    this.virtual.reset();
  }

  /** Suspends: transfers end, and none can be submitted until `resume`. */
  suspend(): void {
    if (this.#state !== "present") return;
    this.#state = "suspended";
    this.#endAll(-ERRNO.SHUTDOWN);
    this.virtual.suspended(true);
  }

  /** Wakes it. */
  resume(): void {
    if (this.#state !== "suspended") return;
    this.#state = "present";
    this.virtual.suspended(false);
  }

  /** Takes it off the bus: every transfer ends. Called by the bus, once is enough. */
  kill(): void {
    if (this.isGone) return;
    this.#state = "gone";
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    this.#endAll(-ERRNO.SHUTDOWN);
    this.virtual.unplugged();
  }

  // What standard requests read and change.

  /** The live setting of an interface. */
  alternateOf(number: number): number | undefined {
    return this.#alternates.get(number);
  }

  /** Whether a live endpoint answers with stalls. */
  isHalted(address: number): boolean | undefined {
    // Endpoint 0 can be asked; it never stays halted.
    if ((address & 0x7f) === 0) return false;
    const queue = this.#queues.get(address);
    if (queue === undefined) return undefined;
    return queue instanceof IsochronousQueue ? false : queue.isHalted;
  }

  /** Halts an endpoint, or clears the halt at the device's end. */
  setHalt(address: number, isHalted: boolean): void {
    const queue = this.#queues.get(address);
    if (queue === undefined || queue instanceof IsochronousQueue) return;
    if (isHalted) return queue.halt();
    queue.clearDeviceEnd();
    this.virtual.haltCleared(endpointAddress(address));
  }

  /** SET_CONFIGURATION; `false` when there is none of this value. */
  configure(value: number): boolean {
    const isKnown = this.configurations.some((c) =>
      c.configurationValue === value
    );
    if (value !== 0 && !isKnown) return false;
    for (const queue of this.#queues.values()) queue.endAll(-ERRNO.SHUTDOWN);
    this.#rebuild(value);
    this.#place.configured(value);
    this.virtual.configured(configurationValue(value));
    return true;
  }

  /** SET_INTERFACE; `false` when there is no such setting. */
  selectAlternate(number: number, setting: number): boolean {
    const found = this.#activeConfiguration?.interfaces
      .find((i) => i.interfaceNumber === number)?.alternates
      .find((a) => a.alternateSetting === setting);
    if (found === undefined) return false;
    for (const [address, queue] of this.#queues) {
      if (this.interfaceOf(address) !== number) continue;
      queue.endAll(-ERRNO.NOENT);
      this.#queues.delete(address);
    }
    this.#alternates.set(number, setting);
    for (const endpoint of found.endpoints) this.#open(endpoint);
    this.virtual.alternateSelected(
      interfaceNumber(number),
      alternateSetting(setting),
    );
    return true;
  }

  /** The (micro)frame that runs now. */
  frameNumber(): number {
    return this.#frames.now();
  }

  // What queues ask.

  /** Calls `fire` after `delayMs`, unless the device is gone by then. */
  later(delayMs: number, fire: () => void): void {
    const timer = this.#place.clock.setTimer(delayMs, () => {
      this.#timers.delete(timer);
      fire();
    });
    this.#timers.add(timer);
  }

  /** Takes the device off the bus. */
  disconnect(): void {
    this.#place.unplug();
  }

  #endAll(status: number): void {
    this.#control.endAll(status);
    for (const queue of this.#queues.values()) queue.endAll(status);
  }

  /** Endpoints of a configuration with every alternate setting 0. */
  #rebuild(value: number): void {
    this.#queues.clear();
    this.#alternates.clear();
    this.#activeConfiguration = this.configurations.find((c) =>
      c.configurationValue === value
    );
    for (const { alternates } of this.#activeConfiguration?.interfaces ?? []) {
      // The kernel takes the first where a device has no setting 0.
      const first = alternates.find((a) => a.alternateSetting === 0) ??
        alternates[0];
      if (first === undefined) continue;
      this.#alternates.set(first.interfaceNumber, first.alternateSetting);
      for (const endpoint of first.endpoints) this.#open(endpoint);
    }
  }

  #open(descriptor: EndpointDescriptor): void {
    const { endpointAddress: address, direction, transferType } = descriptor;
    const { virtual } = this;
    if (transferType === "control") return;
    const queue = transferType === "isochronous"
      ? new IsochronousQueue(descriptor, this, {
        frames: this.#frames,
        device: {
          packetIn: (lengthBytes, frame) =>
            virtual.isochronousIn(address, lengthBytes, frame),
          packetOut: (data, frame) =>
            virtual.isochronousOut(address, data, frame),
        },
      })
      : direction === "in"
      ? new InQueue(
        descriptor,
        this,
        (lengthBytes) => virtual.wanted(address, lengthBytes),
      )
      : new OutQueue(descriptor, this, (data) => virtual.out(address, data));
    this.#queues.set(address, queue);
  }

  #deviceHost(): DeviceHost {
    const inQueue = (address: EndpointAddress): InQueue | undefined => {
      const queue = this.#queues.get(address);
      return queue instanceof InQueue ? queue : undefined;
    };
    return {
      clock: this.#place.clock,
      random: () => this.#place.random(),
      send: (address, data) =>
        !this.isGone && (inQueue(address)?.send(data) ?? false),
      flush: (address) => inQueue(address)?.flush(),
      halt: (address) => this.setHalt(address, true),
      inject: (rule) => this.faults.add(rule),
      clearFaults: () => this.faults.clear(),
      unplug: () => this.#place.unplug(),
      replug: (afterMs, as) => this.#place.replug(afterMs, as),
    };
  }
}
