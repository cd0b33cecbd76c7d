/**
 * A CDC-ACM modem that echoes: control and data interface joined by a union and
 * an interface association, line coding, control lines, SERIAL_STATE. CDC 1.1.
 *
 * DTR on reports carrier and DSR; DTR off takes them away. A break of the host
 * is reported back as a break. Bytes sent without DTR are dropped, as a modem
 * without a line drops them.
 *
 * @module
 */

import {
  type DecodedSetup,
  type EndpointAddress,
  endpointAddress,
} from "../../usb.ts";
import {
  configurationDescriptor,
  deviceDescriptor,
  endpointDescriptor,
  interfaceDescriptor,
  u16,
} from "../descriptor_bytes.ts";
import {
  type ControlReply,
  STALL,
  type VirtualDescriptors,
  VirtualDevice,
} from "../virtual_device.ts";

/** What can be chosen. */
export interface CdcAcmEchoOptions {
  /** Echo also without DTR. Default false. */
  readonly alwaysEchoes?: boolean;
  /** Default `0001`. */
  readonly serialNumber?: string;
  /** Kernel drivers bound at plug, by interface number. */
  readonly kernelDrivers?: Readonly<Record<number, string>>;
}

/** Class requests. CDC 1.1, 6.2. */
const CDC_REQUEST = {
  setLineCoding: 0x20,
  getLineCoding: 0x21,
  setControlLineState: 0x22,
  sendBreak: 0x23,
} as const;

/** Bytes of a line coding. CDC 1.1, table 50. */
const LINE_CODING_BYTES = 7;
/** SERIAL_STATE bits. CDC 1.1, table 69. */
const STATE = { carrier: 0x01, dsr: 0x02, break: 0x04 } as const;
/** Control lines. CDC 1.1, table 51. */
const LINE = { dtr: 0x01, rts: 0x02 } as const;

const NOTIFICATIONS = endpointAddress(0x82);
const DATA_IN = endpointAddress(0x81);
const PACKET_BYTES = 512;

/** A modem that echoes. */
export class CdcAcmEcho extends VirtualDevice {
  /** What it says it is. */
  override readonly descriptors: VirtualDescriptors;
  readonly #options: CdcAcmEchoOptions;
  #lineCoding = defaultLineCoding();
  #lines = 0;
  #echoed = 0;
  #dropped = 0;
  #notifications = 0;
  #drained: (() => void) | undefined;

  /** Makes one; plug it into a bus. */
  constructor(options: CdcAcmEchoOptions = {}) {
    super();
    this.#options = options;
    this.descriptors = describe(options);
  }

  /** The line coding in force: 7 bytes. CDC 1.1, table 50. */
  get lineCoding(): Uint8Array<ArrayBuffer> {
    return this.#lineCoding.slice();
  }

  /** Baud rate, lines, and what it counted. */
  override observed(): Readonly<Record<string, number>> {
    const coding = new DataView(this.#lineCoding.buffer);
    return {
      baudRate: coding.getUint32(0, true),
      lines: this.#lines,
      echoedBytes: this.#echoed,
      droppedBytes: this.#dropped,
      notifications: this.#notifications,
    };
  }

  /** Back to 9600 8N1 without lines. */
  override reset(): void {
    this.#lineCoding = defaultLineCoding();
    this.#lines = 0;
    this.#drained = undefined;
  }

  /** Line coding, control lines, break. */
  override control(setup: DecodedSetup, data: Uint8Array): ControlReply {
    const isForUs = setup.requestType === "class" &&
      setup.recipient === "interface" && setup.index === 0;
    if (!isForUs) return STALL;
    switch (setup.request) {
      case CDC_REQUEST.setLineCoding:
        if (!isLineCoding(data)) return STALL;
        this.#lineCoding = data.slice();
        return;
      case CDC_REQUEST.getLineCoding:
        return this.lineCoding;
      case CDC_REQUEST.setControlLineState:
        return this.#setLines(setup.value & (LINE.dtr | LINE.rts));
      case CDC_REQUEST.sendBreak:
        if (setup.value !== 0) this.#notify(this.#state() | STATE.break);
        return;
      default:
        return STALL;
    }
  }

  /** Echoes; the next transfer waits until there is room. */
  override async out(
    _endpoint: EndpointAddress,
    data: Uint8Array,
  ): Promise<void> {
    const hasLine = (this.#lines & LINE.dtr) !== 0;
    if (!hasLine && this.#options.alwaysEchoes !== true) {
      this.#dropped += data.length;
      return;
    }
    // Held on to: a fault may unplug us between two sends.
    const { host } = this;
    while (!host.send(DATA_IN, data)) {
      await new Promise<void>((resolve) => this.#drained = resolve);
    }
    // Full packets alone would leave the host's reading open.
    if (data.length > 0 && data.length % PACKET_BYTES === 0) {
      host.send(DATA_IN, new Uint8Array());
    }
    this.#echoed += data.length;
  }

  /** There is room again. */
  override wanted(endpoint: EndpointAddress): void {
    if (endpoint !== DATA_IN) return;
    this.#drained?.();
    this.#drained = undefined;
  }

  #setLines(lines: number): void {
    const hadLine = (this.#lines & LINE.dtr) !== 0;
    this.#lines = lines;
    if (hadLine !== ((lines & LINE.dtr) !== 0)) this.#notify(this.#state());
  }

  #state(): number {
    return (this.#lines & LINE.dtr) !== 0 ? STATE.carrier | STATE.dsr : 0;
  }

  /** SERIAL_STATE. CDC 1.1, 6.3.5. */
  #notify(state: number): void {
    const isSent = this.host.send(
      NOTIFICATIONS,
      Uint8Array.of(0xa1, 0x20, 0, 0, 0, 0, 2, 0, ...u16(state)),
    );
    if (isSent) this.#notifications++;
  }
}

/** 9600 8N1. */
function defaultLineCoding(): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(0x80, 0x25, 0, 0, 0, 0, 8);
}

/** Stop bits, parity and data bits as CDC 1.1, table 50 has them. */
function isLineCoding(data: Uint8Array): boolean {
  const [, , , , stopBits = 9, parity = 9, dataBits = 0] = data;
  return data.length === LINE_CODING_BYTES && stopBits <= 2 && parity <= 4 &&
    [5, 6, 7, 8, 16].includes(dataBits);
}

function describe(options: CdcAcmEchoOptions): VirtualDescriptors {
  return {
    speed: "high",
    device: deviceDescriptor({
      vendorId: 0x1209,
      productId: 0x0003,
      // Miscellaneous, interface association: the functions say what they are.
      deviceClass: [0xef, 2, 1],
    }),
    configurations: [
      configurationDescriptor(
        { value: 1, interfaceCount: 2 },
        Uint8Array.of(8, 11, 0, 2, 2, 2, 1, 0),
        // Communications, abstract control model, AT commands.
        interfaceDescriptor({ number: 0, endpointCount: 1, class: [2, 2, 1] }),
        // Header, call management, ACM, union. CDC 1.1, 5.2.3.
        Uint8Array.of(5, 0x24, 0x00, ...u16(0x0110)),
        Uint8Array.of(5, 0x24, 0x01, 0x00, 1),
        Uint8Array.of(4, 0x24, 0x02, 0x06),
        Uint8Array.of(5, 0x24, 0x06, 0, 1),
        endpointDescriptor({
          address: NOTIFICATIONS,
          type: "interrupt",
          packetSize: 16,
          interval: 9,
        }),
        interfaceDescriptor({ number: 1, endpointCount: 2, class: [10, 0, 0] }),
        endpointDescriptor({
          address: DATA_IN,
          type: "bulk",
          packetSize: PACKET_BYTES,
        }),
        endpointDescriptor({
          address: 0x01,
          type: "bulk",
          packetSize: PACKET_BYTES,
        }),
      ),
    ],
    strings: ["Driver Space", "Echo Modem", options.serialNumber ?? "0001"],
    ...(options.kernelDrivers === undefined
      ? {}
      : { kernelDrivers: options.kernelDrivers }),
  };
}
