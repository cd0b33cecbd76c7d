/**
 * A CMSIS-DAP debug probe with a target that is a few registers and a memory:
 * what dapjs needs. Version 2 speaks over bulk endpoints, version 1 by reports
 * in control transfers. Packets are 64 bytes, always full.
 *
 * CMSIS-DAP protocol, commands 0x00 to 0x12; DAPLink's vendor commands for
 * flashing and its serial port.
 */

import type { DecodedSetup } from "../../../driver/usb.ts";
import {
  type ControlReply,
  STALL,
} from "../../../driver/sim/virtual_device.ts";
import { bulkPair, DescribedDevice } from "./described_device.ts";

const PACKET_BYTES = 64;
const GET_REPORT = 0x01;
const SET_REPORT = 0x09;
/** IDCODE of a Cortex-M3 debug port. */
export const IDCODE = 0x2ba01477;
/** CTRL/STAT: power-up requests, and the acknowledgements one bit above. */
const POWER_REQUESTS = 0x5000_0000;
const ACK_OK = 1;

/** A probe. */
export class DapProbe extends DescribedDevice {
  readonly #memory = new Map<number, number>();
  readonly #flash: number[] = [];
  readonly #serial: number[] = [];
  #reply: Uint8Array = new Uint8Array(PACKET_BYTES);
  #commands = 0;
  #isFlashOpen = false;
  #baudRate = 9600;
  #control = 0;
  #address = 0;

  /** `hasEndpoints`: version 2. */
  constructor(
    { hasEndpoints, productId }: {
      readonly hasEndpoints: boolean;
      readonly productId: number;
    },
  ) {
    super({
      productId,
      texts: ["Driver Space", "CMSIS-DAP Probe", `DAP-${productId}`],
      configurations: [{
        value: 1,
        faces: [{
          number: 0,
          endpoints: hasEndpoints
            ? bulkPair(2).map((e) => ({ ...e, packetSize: PACKET_BYTES }))
            : [],
        }],
      }],
      speed: "full",
    });
  }

  /** What it counted. */
  override observed(): Readonly<Record<string, number>> {
    return {
      commands: this.#commands,
      flashedBytes: this.#flash.length,
      flashSum: this.#flash.reduce((sum, byte) => sum * 31 + byte | 0, 0),
      baudRate: this.#baudRate,
    };
  }

  override control(setup: DecodedSetup, data?: Uint8Array): ControlReply {
    const isReport = setup.requestType === "class" &&
      setup.recipient === "interface" && setup.index === 0;
    if (!isReport) return STALL;
    if (setup.request === GET_REPORT) return this.#reply;
    if (setup.request !== SET_REPORT || data === undefined) return STALL;
    this.#reply = this.#perform(data);
    return;
  }

  override out(_endpoint: number, data: Uint8Array): void {
    this.send(0x82, this.#perform(data));
  }

  /** A command; its answer fills a packet. */
  #perform(packet: Uint8Array): Uint8Array {
    this.#commands++;
    const view = new DataView(
      packet.buffer,
      packet.byteOffset,
      packet.byteLength,
    );
    const answer = new Uint8Array(PACKET_BYTES);
    answer.set([view.getUint8(0), ...this.#answer(view)].slice(0, 64));
    return answer;
  }

  #answer(view: DataView): number[] {
    const command = view.getUint8(0);
    switch (command) {
      case 0x00:
        return view.getUint8(1) === 0xff ? [2, PACKET_BYTES, 0] : text("probe");
      case 0x02:
        return [1];
      case 0x05:
        return this.#transfer(view);
      case 0x06:
        return this.#transferBlock(view);
      case 0x0a:
        return [0, 1];
      case 0x10:
        return [view.getUint8(1)];
      default:
        return command >= 0x80 ? this.#vendor(command, view) : [0];
    }
  }

  #transfer(view: DataView): number[] {
    const count = view.getUint8(2);
    const words: number[] = [];
    for (let done = 0; done < count; done++) {
      const at = 3 + 5 * done;
      const request = view.getUint8(at);
      if ((request & 2) !== 0) words.push(...this.#read(request));
      else this.#write(request, view.getUint32(at + 1, true));
    }
    return [count, ACK_OK, ...words];
  }

  #transferBlock(view: DataView): number[] {
    const count = view.getUint16(2, true);
    const request = view.getUint8(4);
    const words: number[] = [];
    for (let done = 0; done < count; done++) {
      if ((request & 2) !== 0) words.push(...this.#read(request));
      else this.#write(request, view.getUint32(5 + 4 * done, true));
    }
    return [count & 0xff, count >> 8, ACK_OK, ...words];
  }

  /** A register of the debug or the access port, as four bytes. */
  #read(request: number): number[] {
    switch (request & 0x0d) {
      case 0x00:
        return word(IDCODE);
      case 0x04:
        return word(this.#control | (this.#control & POWER_REQUESTS) << 1);
      case 0x0d: {
        const value = this.#memory.get(this.#address) ?? 0;
        this.#address += 4;
        return word(value);
      }
      default:
        return word(0);
    }
  }

  #write(request: number, value: number): void {
    switch (request & 0x0d) {
      case 0x04:
        this.#control = value;
        break;
      case 0x05:
        this.#address = value;
        break;
      case 0x0d:
        this.#memory.set(this.#address, value);
        this.#address += 4;
        break;
      default:
        break;
    }
  }

  /** DAPLink: flash 0x89 to 0x8c, serial port 0x81 to 0x84. */
  #vendor(command: number, view: DataView): number[] {
    switch (command) {
      case 0x81:
        return word(this.#baudRate);
      case 0x82:
        this.#baudRate = view.getUint32(1, true);
        return [0];
      case 0x83: {
        const bytes = this.#serial.splice(0, 32);
        return [bytes.length, ...bytes];
      }
      case 0x84:
        for (let at = 0; at < view.getUint8(1); at++) {
          this.#serial.push(view.getUint8(2 + at));
        }
        return [0];
      case 0x8a:
        this.#isFlashOpen = true;
        this.#flash.length = 0;
        return [0];
      case 0x8b:
        this.#isFlashOpen = false;
        return [0];
      case 0x8c:
        return this.#flashPage(view);
      default:
        return [0];
    }
  }

  #flashPage(view: DataView): number[] {
    if (!this.#isFlashOpen) return [1];
    for (let at = 0; at < view.getUint8(1); at++) {
      this.#flash.push(view.getUint8(2 + at));
    }
    return [0];
  }
}

function word(value: number): number[] {
  return [
    value & 0xff,
    value >> 8 & 0xff,
    value >> 16 & 0xff,
    value >>> 24,
  ];
}

function text(value: string): number[] {
  return [value.length, ...new TextEncoder().encode(value)];
}
