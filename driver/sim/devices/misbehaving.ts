/**
 * A multimeter that breaks the protocol, in every way that field reports name.
 * For drivers to be tested against: each must cope, or fail with a clear error
 * and be back in step afterwards.
 *
 * The mischief is chosen when it is made, or by vendor request to the device:
 *
 * | bRequest | direction | wValue | data |
 * |---|---|---|---|
 * | 1 choose | out | index in `MISCHIEF_NAMES`; 0xffff: behave | none |
 * | 2 incidents | in | 0 | u32, how often it misbehaved |
 *
 * @module
 */

import type { Timer } from "../../loop/clock.ts";
import type { DecodedSetup, EndpointAddress } from "../../usb.ts";
import {
  type ControlReply,
  type DeviceHost,
  STALL,
  type VirtualDescriptors,
  VirtualDevice,
} from "../virtual_device.ts";
import { RequestCode } from "../../class/usbtmc/control_requests.ts";
import { ANSWER_MISCHIEF, type AnswerMischief } from "./misbehaving_answers.ts";
import {
  type Mischief,
  type MischiefTools,
  PASS,
} from "./misbehaving_mischief.ts";
import {
  REQUEST_MISCHIEF,
  type RequestMischief,
} from "./misbehaving_requests.ts";
import {
  BULK_IN,
  BULK_OUT,
  BULK_PACKET_BYTES,
  FULL_CAPABILITIES,
  instrumentDescriptors,
  INTERRUPT_IN,
  MULTIMETER_VENDOR_ID,
} from "./multimeter_descriptors.ts";
import { MultimeterInstrument } from "./multimeter_instrument.ts";
import {
  messageHandler,
  type PanelState,
  UsbtmcFunction,
} from "./multimeter_usbtmc.ts";

const MISCHIEF: Readonly<Record<MischiefName, () => Mischief>> = {
  ...ANSWER_MISCHIEF,
  ...REQUEST_MISCHIEF,
};

/** A way of misbehaving. */
export type MischiefName = AnswerMischief | RequestMischief;

/** Every way of misbehaving, in the order of the vendor request. */
export const MISCHIEF_NAMES: readonly MischiefName[] = Object.keys(
  MISCHIEF,
) as MischiefName[];

/** `idProduct` of the misbehaving instrument. */
export const MISBEHAVING_PRODUCT_ID = 0x0005;
/** Vendor requests. */
const CHOOSE = 1;
const INCIDENTS = 2;
/** `wValue` of "behave". */
const BEHAVE = 0xffff;
/** Full speed: packets of 64, so that short answers take several. */
const SPEED = "full";

export type { AnswerMischief, PanelState, RequestMischief };

/** What can be chosen. */
export interface MisbehavingOptions {
  /** Default: it behaves until told otherwise. */
  readonly mischief?: MischiefName;
  /** Misbehaves each time, and does not come to reason after one. Default false. */
  readonly isHabit?: boolean;
  /** Ids, to be taken for an instrument that has quirks. */
  readonly vendorId?: number;
  /** Default MISBEHAVING_PRODUCT_ID. */
  readonly productId?: number;
  /** Default full speed. */
  readonly speed?: "full" | "high";
}

/** An instrument that misbehaves. */
export class MisbehavingInstrument extends VirtualDevice {
  /** What it says it is. */
  override readonly descriptors: VirtualDescriptors;
  readonly #packetBytes: number;
  readonly #isHabit: boolean;
  readonly #timers = new Set<Timer>();
  #parts: Parts | undefined;
  #mischief: Mischief | undefined;
  #incidents = 0;

  /** Makes one. */
  constructor(options: MisbehavingOptions = {}) {
    super();
    const speed = options.speed ?? SPEED;
    this.#packetBytes = BULK_PACKET_BYTES[speed];
    this.#isHabit = options.isHabit ?? false;
    this.descriptors = instrumentDescriptors({
      vendorId: options.vendorId ?? MULTIMETER_VENDOR_ID,
      productId: options.productId ?? MISBEHAVING_PRODUCT_ID,
      product: "Misbehaving Instrument",
      serialNumber: "DS0666",
      speed,
    });
    this.choose(options.mischief);
  }

  /** How often it misbehaved since it was told to. */
  get incidents(): number {
    return this.#incidents;
  }

  /** Who operates the front panel. */
  get panel(): PanelState {
    return this.#parts?.function.panel ?? "local";
  }

  /** Chooses how to misbehave from now on; `undefined`: behave. */
  choose(name: MischiefName | undefined): void {
    this.#mischief = name === undefined ? undefined : MISCHIEF[name]();
    this.#incidents = 0;
  }

  /** Power on: everything is as at first, but for the mischief. */
  override plugged(host: DeviceHost): void {
    super.plugged(host);
    this.#parts = this.#powerOn(host);
  }

  /** Power off. */
  override unplugged(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    this.#parts?.instrument.dispose();
    this.#parts = undefined;
    super.unplugged();
  }

  /** Class requests, and the vendor's that choose mischief. */
  override control(
    setup: DecodedSetup,
  ): ControlReply | Promise<ControlReply> {
    const parts = this.#parts;
    if (parts === undefined) return STALL;
    if (setup.requestType === "vendor") return this.#vendorRequest(setup);
    const next = (): ControlReply => parts.function.control(setup);
    const reply = this.#mischief?.control?.(parts.tools, setup, next) ?? PASS;
    this.#cameToReason("clear", setup.request === RequestCode.initiateClear);
    if (reply === PASS) return next();
    this.#incidents++;
    return reply;
  }

  /** Bulk messages. */
  override out(
    endpoint: EndpointAddress,
    data: Uint8Array,
  ): void | typeof STALL | Promise<void | typeof STALL> {
    const parts = this.#parts;
    if (parts === undefined || endpoint !== BULK_OUT) return STALL;
    const next = (): void | typeof STALL => parts.function.out(data);
    const mischief = this.#active;
    if (mischief?.out === undefined) return next();
    this.#incidents++;
    const reply = mischief.out(parts.tools, data, next);
    return reply === PASS ? next() : reply;
  }

  /** A port reset brings it to reason. */
  override reset(): void {
    this.#cameToReason("reset", true);
    this.#parts?.function.reset();
    this.#parts?.instrument.deviceClear();
  }

  /** The mischief with traffic, unless it was a single one and is done. Requests keep their own count. */
  get #active(): Mischief | undefined {
    const isHabit = this.#isHabit || this.#mischief?.isHabit === true;
    const isSpent = this.#incidents > 0 && !isHabit;
    return isSpent ? undefined : this.#mischief;
  }

  #cameToReason(at: "clear" | "reset", isIt: boolean): void {
    const endsAt = this.#mischief?.endsAt;
    const ends = isIt && (endsAt === at || (endsAt && at === "reset"));
    if (ends) this.#mischief = undefined;
  }

  #vendorRequest(setup: DecodedSetup): ControlReply {
    if (setup.request === INCIDENTS && setup.direction === "in") {
      const bytes = new Uint8Array(4);
      new DataView(bytes.buffer).setUint32(0, this.#incidents, true);
      return bytes;
    }
    if (setup.request !== CHOOSE || setup.direction !== "out") return STALL;
    const name = MISCHIEF_NAMES[setup.value];
    if (name === undefined && setup.value !== BEHAVE) return STALL;
    this.choose(name);
  }

  #powerOn(host: DeviceHost): Parts {
    const tools = this.#tools(host);
    const instrument = new MultimeterInstrument({
      clock: host.clock,
      random: () => host.random(),
      identity: "Driver Space,MISCHIEF,DS0666,0.1",
      onAnswer: () => usbtmc.answer(),
      onServiceRequest: () =>
        usbtmc.requestService(instrument.status.statusByte),
    });
    const usbtmc = new UsbtmcFunction({
      interfaceNumber: 0,
      bulkOut: BULK_OUT,
      bulkIn: BULK_IN,
    }, {
      capabilities: FULL_CAPABILITIES,
      handler: messageHandler(instrument),
      wire: {
        send: (transfer, about) => {
          const isAnswer = transfer.length > 0;
          const answer = isAnswer ? this.#active?.answer : undefined;
          const isTaken = answer?.(tools, transfer.slice(), about) ?? false;
          if (isTaken) this.#incidents++;
          else tools.sendEnded(transfer);
        },
        notify: (notification) => {
          const isTaken = this.#active?.notify?.(tools, notification) ?? false;
          if (!isTaken) return host.send(INTERRUPT_IN, notification);
          this.#incidents++;
          return true;
        },
        flushIn: () => host.flush(BULK_IN),
        haltOut: () => host.halt(BULK_OUT),
      },
    });
    return { instrument, function: usbtmc, tools };
  }

  #tools(host: DeviceHost): MischiefTools {
    const packetBytes = this.#packetBytes;
    const send = (bytes: Uint8Array): void => void host.send(BULK_IN, bytes);
    return {
      host,
      packetBytes,
      send,
      sendEnded: (bytes) => {
        send(bytes);
        const isOpen = bytes.length > 0 && bytes.length % packetBytes === 0;
        if (isOpen) send(new Uint8Array());
      },
      notify: (bytes) => void host.send(INTERRUPT_IN, bytes),
      haltIn: () => host.halt(BULK_IN),
      later: (delayMs, fire) => {
        const timer = host.clock.setTimer(delayMs, () => {
          this.#timers.delete(timer);
          fire();
        });
        this.#timers.add(timer);
      },
    };
  }
}

interface Parts {
  readonly instrument: MultimeterInstrument;
  readonly function: UsbtmcFunction;
  readonly tools: MischiefTools;
}
