/**
 * The loopback device: every transfer type in both directions, and everything
 * that can go wrong, on command. For tests, campaigns and benchmarks; clients
 * are written in C, Python and TypeScript, so its requests are numbered here.
 *
 * Configuration 1:
 *
 * | interface, alternate | endpoints |
 * |---|---|
 * | 0, 0 | bulk 0x01 → 0x81 echo, interrupt 0x82 reports, bulk 0x83 source, bulk 0x03 sink |
 * | 0, 1 | interrupt 0x05 → 0x85 echo |
 * | 1, 0 | none |
 * | 1, 1 | isochronous 0x84 in and 0x04 out, one packet each frame |
 *
 * Configuration 2: interface 0 with bulk 0x01 → 0x81 echo.
 *
 * Vendor requests to the device (bmRequestType 0x40 out, 0xC0 in):
 *
 * | bRequest | direction | wValue | wIndex | data |
 * |---|---|---|---|---|
 * | 1 memory | out, in | offset | 0 | bytes of a memory of 4096; beyond its end: stall |
 * | 2 late answer | in | delay in ms | 0 | one byte, 7 |
 * | 3 periodic reports | out | period in ms, 0 stops | 0 | none |
 * | 4 leave the bus | out | 1 unplug, 2 come back after 50 ms | delay in ms | none |
 * | 5 halt | out | 0 | endpoint | none |
 * | 6 one report | out | delay in ms | 0 | none |
 * | 7 counters | in | 0 | 0 | eight u32, see {@linkcode LoopbackCounters} |
 * | 8 start afresh | out | 0 | 0 | none: counters and patterns from 0, queues empty |
 * | 9 fault | out | 0 add, 1 remove all | 0 | a fault rule as JSON text, see `faults.ts` |
 * | 10 send | out | 0 | IN endpoint | what to send, may be empty |
 *
 * Source and sink: a stream of u32, little endian, that count from 0. A report:
 * its number and the time in microseconds, u32 each. Isochronous IN: packets
 * filled with the low byte of their frame number.
 *
 * @module
 */

import type { Timer } from "../../loop/clock.ts";
import {
  type DecodedSetup,
  type EndpointAddress,
  endpointAddress,
} from "../../usb.ts";
import type { FaultRule } from "../faults.ts";
import {
  type ControlReply,
  STALL,
  type VirtualDescriptors,
  VirtualDevice,
} from "../virtual_device.ts";
import {
  loopbackDescriptors,
  type LoopbackOptions,
} from "./loopback_descriptors.ts";

/** Counters, in the order of vendor request 7. */
export interface LoopbackCounters {
  /** Bytes sent back by both echoes. */
  echoedBytes: number;
  /** Bytes the source queued. */
  sourceBytes: number;
  /** Bytes the sink took. */
  sinkBytes: number;
  /** Words of the sink that were not next in the count. */
  sinkErrors: number;
  /** Interrupt reports queued. */
  reportsSent: number;
  /** Reports that found the queue full. */
  reportsDropped: number;
  /** Isochronous packets given. */
  isochronousInPackets: number;
  /** Isochronous packets taken. */
  isochronousOutPackets: number;
}

/** Vendor requests. */
export const LOOPBACK_REQUEST = {
  memory: 1,
  lateAnswer: 2,
  periodicReports: 3,
  leave: 4,
  halt: 5,
  report: 6,
  counters: 7,
  restart: 8,
  fault: 9,
  send: 10,
} as const;

/** Bytes of its memory. */
const MEMORY_BYTES = 4096;
/** How long it stays away when told to come back: what a cable wobble takes. */
const REPLUG_MS = 50;
/** What the source sends at most at a time; the host asks again. */
const SOURCE_CHUNK_BYTES = 256 * 1024;

const ECHO_IN = endpointAddress(0x81);
const REPORTS = endpointAddress(0x82);
const SOURCE = endpointAddress(0x83);
const SINK = 0x03;
const ECHO_OUT = 0x01;
const INTERRUPT_ECHO_IN = endpointAddress(0x85);
const INTERRUPT_ECHO_OUT = 0x05;

/** Every transfer type in both directions, and every fault. */
export class Loopback extends VirtualDevice {
  /** What it says it is. */
  override readonly descriptors: VirtualDescriptors;
  readonly #leavesOnReset: boolean;
  readonly #memory = new Uint8Array(MEMORY_BYTES);
  #counters = noCounters();
  #periodic: Timer | undefined;
  readonly #timers = new Set<Timer>();
  /** Echoes that wait until the host fetched what is queued. */
  readonly #waiting = new Map<EndpointAddress, () => void>();

  /** Makes one; plug it into a bus. */
  constructor(options: LoopbackOptions = {}) {
    super();
    this.descriptors = loopbackDescriptors(options);
    this.#leavesOnReset = options.leavesOnReset ?? false;
  }

  /** Counted since plug or restart. */
  get counters(): Readonly<LoopbackCounters> {
    return this.#counters;
  }

  /** Its counters. */
  override observed(): Readonly<Record<string, number>> {
    return { ...this.#counters };
  }

  /** Stops timers; echoes that wait are dropped. */
  override unplugged(): void {
    this.#stop();
    super.unplugged();
  }

  /** Stops reports that were due; leaves the bus if it was made to. */
  override reset(): void {
    this.#stop();
    if (this.#leavesOnReset) this.host.replug(REPLUG_MS);
  }

  /** Vendor requests, as the table above has them. */
  override control(
    setup: DecodedSetup,
    data: Uint8Array,
  ): ControlReply | Promise<ControlReply> {
    if (setup.requestType !== "vendor") return STALL;
    return setup.direction === "in"
      ? this.#controlIn(setup)
      : this.#controlOut(setup, data);
  }

  /** Echoes, or checks and counts. */
  override out(
    endpoint: EndpointAddress,
    data: Uint8Array,
  ): void | Promise<void> {
    if (endpoint === ECHO_OUT) return this.#echo(ECHO_IN, data);
    if (endpoint === INTERRUPT_ECHO_OUT) {
      return this.#echo(INTERRUPT_ECHO_IN, data);
    }
    if (endpoint === SINK) this.#sink(data);
  }

  /** Feeds the source, and lets echoes go on. */
  override wanted(endpoint: EndpointAddress, lengthBytes: number): void {
    if (endpoint === SOURCE) this.#source(lengthBytes);
    const wake = this.#waiting.get(endpoint);
    this.#waiting.delete(endpoint);
    wake?.();
  }

  /** A packet filled with its frame's number. */
  override isochronousIn(
    _endpoint: EndpointAddress,
    lengthBytes: number,
    frame: number,
  ): Uint8Array {
    this.#counters.isochronousInPackets++;
    return new Uint8Array(lengthBytes).fill(frame & 0xff);
  }

  /** Counts. */
  override isochronousOut(): void {
    this.#counters.isochronousOutPackets++;
  }

  #controlIn(setup: DecodedSetup): ControlReply | Promise<ControlReply> {
    switch (setup.request) {
      case LOOPBACK_REQUEST.memory:
        if (setup.value + setup.lengthBytes > MEMORY_BYTES) return STALL;
        return this.#memory.slice(
          setup.value,
          setup.value + setup.lengthBytes,
        );
      case LOOPBACK_REQUEST.lateAnswer:
        return new Promise((resolve) =>
          this.#after(setup.value, () => resolve(Uint8Array.of(7)))
        );
      case LOOPBACK_REQUEST.counters:
        return words(...Object.values(this.#counters));
      default:
        return STALL;
    }
  }

  #controlOut(setup: DecodedSetup, data: Uint8Array): ControlReply {
    switch (setup.request) {
      case LOOPBACK_REQUEST.memory:
        if (setup.value + data.length > MEMORY_BYTES) return STALL;
        return this.#memory.set(data, setup.value);
      case LOOPBACK_REQUEST.periodicReports:
        return this.#reportEvery(setup.value);
      case LOOPBACK_REQUEST.leave:
        return this.#leave(setup);
      case LOOPBACK_REQUEST.halt:
        return this.host.halt((setup.index & 0x8f) as EndpointAddress);
      case LOOPBACK_REQUEST.report:
        return setup.value === 0
          ? this.#report()
          : this.#after(setup.value, () => this.#report());
      case LOOPBACK_REQUEST.restart:
        return this.#restart();
      case LOOPBACK_REQUEST.fault:
        return this.#fault(setup, data);
      case LOOPBACK_REQUEST.send:
        return this.host.send((setup.index & 0x8f) as EndpointAddress, data)
          ? undefined
          : STALL;
      default:
        return STALL;
    }
  }

  async #echo(endpoint: EndpointAddress, data: Uint8Array): Promise<void> {
    const { host } = this;
    while (!host.send(endpoint, data)) {
      await new Promise<void>((resolve) =>
        this.#waiting.set(endpoint, resolve)
      );
    }
    this.#counters.echoedBytes += data.length;
  }

  #source(lengthBytes: number): void {
    const chunk = Math.min(Math.max(4, lengthBytes), SOURCE_CHUNK_BYTES);
    const data = pattern(this.#counters.sourceBytes, chunk);
    if (this.host.send(SOURCE, data)) this.#counters.sourceBytes += chunk;
  }

  #sink(data: Uint8Array): void {
    const expected = pattern(this.#counters.sinkBytes, data.length);
    for (let at = 0; at < data.length; at += 4) {
      const isSame = data[at] === expected[at] &&
        data[at + 1] === expected[at + 1] &&
        data[at + 2] === expected[at + 2] && data[at + 3] === expected[at + 3];
      if (!isSame) this.#counters.sinkErrors++;
    }
    this.#counters.sinkBytes += data.length;
  }

  #report(): void {
    const { reportsSent, reportsDropped } = this.#counters;
    const us = Math.round(this.host.clock.nowMs() * 1000);
    const isSent = this.host.send(
      REPORTS,
      words(reportsSent + reportsDropped, us),
    );
    if (isSent) this.#counters.reportsSent++;
    else this.#counters.reportsDropped++;
  }

  #reportEvery(periodMs: number): void {
    this.#periodic?.cancel();
    this.#periodic = undefined;
    if (periodMs === 0) return;
    // From due time to due time, so that late timers do not add up.
    let dueMs = this.host.clock.nowMs();
    const arm = (): void => {
      dueMs += periodMs;
      const delayMs = Math.max(0, dueMs - this.host.clock.nowMs());
      const timer = this.host.clock.setTimer(delayMs, () => {
        this.#report();
        // The report may have been the last: a fault can unplug us right there.
        if (this.#periodic === timer) arm();
      });
      this.#periodic = timer;
    };
    arm();
  }

  #leave(setup: DecodedSetup): ControlReply {
    if (setup.value !== 1 && setup.value !== 2) return STALL;
    // After the answer, also when the delay is 0.
    this.#after(setup.index, () => {
      if (setup.value === 1) this.host.unplug();
      else this.host.replug(REPLUG_MS);
    });
  }

  #fault(setup: DecodedSetup, data: Uint8Array): ControlReply {
    if (setup.value === 1) return this.host.clearFaults();
    try {
      const rule = JSON.parse(new TextDecoder().decode(data)) as FaultRule;
      return this.host.inject(rule);
    } catch (error) {
      // What a client sent is no rule; anything else is a bug of ours.
      if (
        error instanceof SyntaxError || error instanceof RangeError ||
        error instanceof TypeError
      ) return STALL;
      throw error;
    }
  }

  #restart(): void {
    const waiting = [...this.#waiting.values()];
    this.#stop();
    this.#counters = noCounters();
    for (const endpoint of [ECHO_IN, REPORTS, SOURCE, INTERRUPT_ECHO_IN]) {
      this.host.flush(endpoint);
    }
    for (const wake of waiting) wake();
  }

  #after(delayMs: number, fire: () => void): void {
    const timer = this.host.clock.setTimer(delayMs, () => {
      this.#timers.delete(timer);
      fire();
    });
    this.#timers.add(timer);
  }

  #stop(): void {
    this.#periodic?.cancel();
    this.#periodic = undefined;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    this.#waiting.clear();
  }
}

/** The stream of source and sink from byte `from` on. */
export function pattern(
  from: number,
  lengthBytes: number,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(lengthBytes);
  for (let at = 0; at < lengthBytes; at++) {
    const position = from + at;
    bytes[at] = Math.floor(position / 4) >>> 8 * (position % 4) & 0xff;
  }
  return bytes;
}

function noCounters(): LoopbackCounters {
  return {
    echoedBytes: 0,
    sourceBytes: 0,
    sinkBytes: 0,
    sinkErrors: 0,
    reportsSent: 0,
    reportsDropped: 0,
    isochronousInPackets: 0,
    isochronousOutPackets: 0,
  };
}

function words(...values: number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, at) => view.setUint32(4 * at, value >>> 0, true));
  return bytes;
}
