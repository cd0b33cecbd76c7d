/**
 * A libusb that does nothing but keep a list of what it was asked, for tests of
 * the order of calls: completions, cancels and closes come when the test says.
 * Memory is a map of buffers, addresses are numbers of its own.
 */

import {
  parseConfigurations,
  parseDeviceDescriptor,
} from "../../driver/descriptors.ts";
import type { DeviceInfo } from "../../driver/port.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { assert } from "../../driver/std.ts";
import { configurationValue } from "../../driver/usb.ts";
import { LibusbDevice } from "../../ffi/device.ts";
import { EventPump } from "../../ffi/event_pump.ts";
import { LIBUSB_TRANSFER } from "../../ffi/libusb_constants.ts";
import { TRANSFER } from "../../ffi/libusb_structs.ts";
import type { LibusbSymbols } from "../../ffi/libusb_symbols.ts";
import type { Library } from "../../ffi/library.ts";
import { Memory, type Pointer } from "../../ffi/memory.ts";

interface FakePointer {
  readonly address: bigint;
}

/** Room for any struct and buffer of a test. */
const REGION_STEP = 0x100000n;

/** The library with its log. */
export class FakeLibusb {
  /** What was called, by short names: `submit`, `cancel`, `cancelled`, `free`, `close`, `list`. */
  readonly log: string[] = [];
  readonly #regions = new Map<bigint, Uint8Array>();
  readonly #addresses = new WeakMap<ArrayBufferLike, bigint>();
  #lastAddress = REGION_STEP;
  readonly #inFlight = new Set<bigint>();
  #wakePoll: (() => void) | undefined;
  /** Cancelling calls come back when this does. */
  cancelGate: Promise<void> = Promise.resolve();
  /** The kernel gives cancelled transfers back. */
  givesBack = true;
  /** A parked call returns at once, for nothing. */
  isBarren = false;
  /** The clock of what is opened from then on. */
  nowMs = (): number => performance.now();
  readonly library: Library;
  readonly context: Pointer = this.#allocate(8);

  constructor() {
    const symbols = this.#symbols() as unknown as LibusbSymbols;
    this.library = {
      path: "fake",
      version: { major: 1, minor: 0, micro: 26, text: "1.0.26" },
      warning: undefined,
      symbols,
      memory: new Memory(symbols),
      close: () => this.log.push("unload"),
    };
  }

  /** Transfers the kernel has. */
  get inFlightCount(): number {
    return this.#inFlight.size;
  }

  /** The kernel gives all back that it has. */
  finishAll(status: number = LIBUSB_TRANSFER.CANCELLED): void {
    for (const address of this.#inFlight) this.#finish(address, status);
    this.#wakePoll?.();
  }

  /**
   * From now on the kernel has completed, whenever it is asked, what was
   * submitted before: so many at a time. Tells of each whether it was a nap.
   */
  completeByLook(mostAtOnce: number, onLook: (isNap: boolean) => void): void {
    const symbols = this.library.symbols as unknown as Record<string, unknown>;
    let ready: bigint[] = [];
    symbols["ppoll"] = () => 0;
    symbols["libusb_handle_events_timeout_completed"] = (
      _: unknown,
      time: FakePointer,
    ) => {
      onLook(this.#at(time).some((byte) => byte !== 0));
      if (ready.length === 0) ready = [...this.#inFlight];
      for (const address of ready.splice(0, mostAtOnce)) {
        this.#finish(address, LIBUSB_TRANSFER.COMPLETED);
      }
      return 0;
    };
  }

  /** A loopback device, open, its interface claimed. */
  async open(): Promise<{ device: LibusbDevice; pump: EventPump }> {
    const { nowMs } = this;
    const pump = new EventPump(this.library, {
      context: this.context,
      nowMs,
      turn: (fire) => void setImmediate(fire),
    });
    const device = new LibusbDevice({
      library: this.library,
      pump,
      handle: this.#allocate(64),
      info: loopbackInfo(),
      options: {},
      nowMs,
      onClosed: () => {},
    });
    await device.start();
    const face = device.configuration?.interfaces[0]?.interfaceNumber;
    assert(face !== undefined);
    await device.claimInterface(face);
    return { device, pump };
  }

  #allocate(lengthBytes: number): Pointer {
    const address = this.#lastAddress += REGION_STEP;
    this.#regions.set(address, new Uint8Array(lengthBytes));
    return { address } as unknown as Pointer;
  }

  #addressOf(bytes: Uint8Array): bigint {
    const known = this.#addresses.get(bytes.buffer);
    if (known !== undefined) return known + BigInt(bytes.byteOffset);
    const address = this.#lastAddress += REGION_STEP;
    this.#addresses.set(bytes.buffer, address);
    this.#regions.set(address, new Uint8Array(bytes.buffer));
    return address + BigInt(bytes.byteOffset);
  }

  #at(pointer: FakePointer): Uint8Array {
    const base = pointer.address / REGION_STEP * REGION_STEP;
    const region = this.#regions.get(base);
    assert(region !== undefined, "Memory that is not there was touched");
    return region.subarray(Number(pointer.address - base));
  }

  #copy(to: Uint8Array, from: Uint8Array, length: number | bigint): void {
    to.set(from.subarray(0, Number(length)));
  }

  #finish(address: bigint, status: number): void {
    this.#inFlight.delete(address);
    const view = new DataView(this.#at({ address }).buffer);
    view.setInt32(TRANSFER.fields.status[0], status, true);
  }

  #submit(struct: FakePointer): number {
    this.log.push("submit");
    this.#inFlight.add(struct.address);
    return 0;
  }

  async #cancel(struct: FakePointer): Promise<number> {
    this.log.push("cancel");
    await this.cancelGate;
    this.log.push("cancelled");
    if (this.givesBack && this.#inFlight.has(struct.address)) {
      this.#finish(struct.address, LIBUSB_TRANSFER.CANCELLED);
      this.#wakePoll?.();
    }
    return 0;
  }

  #called<T>(name: string, result: T): T {
    this.log.push(name);
    return result;
  }

  #poll(): Promise<number> {
    if (this.isBarren) return Promise.resolve(1);
    return new Promise((resolve) => this.#wakePoll = () => resolve(1));
  }

  #symbols(): Record<string, unknown> {
    const done = (): Promise<number> => Promise.resolve(0);
    return {
      libusb_pollfds_handle_timeouts: () => 1,
      libusb_get_pollfds: () => this.#called("list", null),
      libusb_interrupt_event_handler: () => this.#wakePoll?.(),
      libusb_handle_events_timeout_completed: () => 0,
      pollParked: () => this.#poll(),
      ppollParked: null,
      ppoll: null,
      libusb_get_configuration: (_: unknown, out: Uint8Array) => {
        out[0] = 1;
        return done();
      },
      libusb_claim_interface: done,
      libusb_release_interface: done,
      libusb_close: () => this.#called("close", done()),
      libusb_alloc_transfer: (packets: number) =>
        this.#allocate(TRANSFER.sizeBytes + packets * 12),
      libusb_submit_transfer: (struct: FakePointer) => this.#submit(struct),
      libusb_cancel_transfer: (struct: FakePointer) => {
        void this.#cancel(struct);
        return 0;
      },
      cancelParked: (struct: FakePointer) => this.#cancel(struct),
      libusb_free_transfer: (struct: FakePointer) => {
        this.log.push("free");
        assert(this.#regions.delete(struct.address), "It was freed twice");
      },
      copyOut: (to: Uint8Array, from: FakePointer, n: bigint) =>
        this.#copy(to, this.#at(from), n),
      copyIn: (to: FakePointer, from: Uint8Array, n: bigint) =>
        this.#copy(this.#at(to), from, n),
      copyNative: (to: FakePointer, from: FakePointer, n: number) =>
        this.#copy(this.#at(to), this.#at(from), n),
      fillNative: (to: FakePointer, byte: number, n: number) =>
        this.#at(to).fill(byte, 0, n),
      addressOfBuffer: (bytes: Uint8Array) => this.#addressOf(bytes),
      addressOfPointer: (pointer: FakePointer) => pointer.address,
      pointerAt: (address: bigint) => address === 0n ? null : { address },
    };
  }
}

function loopbackInfo(): DeviceInfo {
  const { device, configurations } = new Loopback().descriptors;
  const bytes = new Uint8Array(configurations.flatMap((c) => [...c]));
  return {
    id: "1-1#2",
    busNumber: 1,
    deviceAddress: 2,
    portPath: "1-1",
    speed: "high",
    descriptor: parseDeviceDescriptor(device),
    manufacturer: undefined,
    product: undefined,
    serialNumber: undefined,
    configurations: parseConfigurations(bytes, configurations.length),
    configurationValue: configurationValue(1),
    nodePath: undefined,
  };
}
