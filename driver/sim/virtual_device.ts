/**
 * What the author of a virtual device writes: descriptors, answers to control
 * requests, what happens on OUT data, and when there is something to send.
 *
 * @module
 */

import type { Clock } from "../loop/clock.ts";
import type {
  AlternateSetting,
  ConfigurationValue,
  DecodedSetup,
  EndpointAddress,
  InterfaceNumber,
  Speed,
} from "../usb.ts";
import type { FaultRule } from "./faults.ts";

/** Answers a control request or an OUT transfer with a stall. */
export const STALL: unique symbol = Symbol("stall");

/** IN data, nothing (an OUT request that was accepted), or a stall. */
export type ControlReply = Uint8Array | void | typeof STALL;

/** What a device says it is. */
export interface VirtualDescriptors {
  /** The speed it is plugged in at. */
  readonly speed: Speed;
  /** 18 bytes, or malformed on purpose. */
  readonly device: Uint8Array;
  /** Whole configurations, `wTotalLength` bytes each. */
  readonly configurations: readonly Uint8Array[];
  /** String descriptors from index 1 on. */
  readonly strings: readonly string[];
  /** Binary object store, whole. */
  readonly bos?: Uint8Array;
  /** Kernel drivers bound at plug, by interface number: `cdc_acm`, `usbhid`. */
  readonly kernelDrivers?: Readonly<Record<number, string>>;
}

/** What the bus does for a device that is plugged into it. */
export interface DeviceHost {
  /** The bus's time: all a device may know of it. */
  readonly clock: Clock;
  /** From 0 up to 1; seeded, so that a run can be repeated. */
  random(): number;
  /**
   * Queues data of an IN endpoint. They go out in packets of the endpoint's
   * size, and a packet shorter than that ends the host's transfer; so data that
   * fill their last packet end it only when it is full, and an empty array sends
   * the zero-length packet that ends it otherwise (USB 2.0, 5.8.3). The data are
   * copied. Gives `false`, and queues nothing, when the endpoint holds
   * MAX_QUEUED_BYTES already, or is not in a live alternate setting; `wanted` is
   * called once there is room again and the host asks.
   */
  send(endpoint: EndpointAddress, data: Uint8Array): boolean;
  /** Drops what is queued on an IN endpoint and was not fetched. */
  flush(endpoint: EndpointAddress): void;
  /** Halts an endpoint: waiting and new transfers stall until CLEAR_FEATURE. */
  halt(endpoint: EndpointAddress): void;
  /** Adds a fault rule for this device, behind those there are. @throws {RangeError} When it makes no sense. */
  inject(rule: FaultRule): void;
  /** Takes all fault rules of this device back. */
  clearFaults(): void;
  /** Leaves the bus. */
  unplug(): void;
  /** Leaves and comes back after `afterMs`, with other descriptors if given. */
  replug(afterMs: number, as?: VirtualDevice): void;
}

/** Base of every virtual device. Standard requests are answered by the bus. */
export abstract class VirtualDevice {
  /** What it says it is; read when it is plugged in. */
  abstract readonly descriptors: VirtualDescriptors;
  #host: DeviceHost | undefined;

  /** The bus it is plugged into. @throws {Error} Before `plugged`. */
  protected get host(): DeviceHost {
    if (this.#host === undefined) {
      throw new Error("The device is not plugged in");
    }
    return this.#host;
  }

  /** Called by the bus when the device is plugged in. */
  plugged(host: DeviceHost): void {
    this.#host = host;
  }

  /** Called by the bus when it is gone; timers must be cancelled here. */
  unplugged(): void {
    this.#host = undefined;
  }

  /**
   * Class and vendor requests, and standard ones the bus does not know. May take
   * its time: the transfer waits. Default: stall.
   */
  control(
    _setup: DecodedSetup,
    _data: Uint8Array,
  ): ControlReply | Promise<ControlReply> {
    return STALL;
  }

  /**
   * One bulk or interrupt OUT transfer, whole; the next waits until this one is
   * done. A zero-length packet arrives as an empty transfer of its own.
   */
  out(
    _endpoint: EndpointAddress,
    _data: Uint8Array,
  ): void | typeof STALL | Promise<void | typeof STALL> {}

  /** An IN transfer waits and nothing is queued: the device may `send` now. */
  wanted(_endpoint: EndpointAddress, _lengthBytes: number): void {}

  /** One isochronous IN packet for a frame; shorter than asked is normal. */
  isochronousIn(
    _endpoint: EndpointAddress,
    _lengthBytes: number,
    _frame: number,
  ): Uint8Array {
    return new Uint8Array();
  }

  /** One isochronous OUT packet of a frame. */
  isochronousOut(
    _endpoint: EndpointAddress,
    _data: Uint8Array,
    _frame: number,
  ): void {}

  /** SET_CONFIGURATION was done. */
  configured(_value: ConfigurationValue): void {}

  /** SET_INTERFACE was done. */
  alternateSelected(
    _number: InterfaceNumber,
    _setting: AlternateSetting,
  ): void {}

  /** An endpoint's halt was cleared. */
  haltCleared(_endpoint: EndpointAddress): void {}

  /** The port was reset: class state is gone, configuration stays. */
  reset(): void {}

  /** What it counted, for tests in other processes. */
  observed(): Readonly<Record<string, number>> {
    return {};
  }

  /** The host suspended or resumed the device. */
  suspended(_isSuspended: boolean): void {}
}
