/**
 * A virtual digital multimeter of six and a half digits: USB488, IEEE 488.2,
 * SCPI, service requests, blocks up to 16 MiB, readings with noise.
 *
 * | subsystem | commands |
 * |---|---|
 * | common | `*IDN? *RST *CLS *ESE *ESR? *SRE *STB? *OPC *OPC? *WAI *TST? *TRG *SAV *RCL` |
 * | measure | `MEASure CONFigure [SENSe]`: `VOLTage[:DC]`, `:AC`, `CURRent`, `RESistance`, `FRESistance`, `FREQuency`, `TEMPerature`; `READ? INITiate FETCh? ABORt` |
 * | trigger | `SAMPle:COUNt TRIGger:SOURce TRIGger:COUNt` |
 * | data | `DATA:POINts? DATA:REMove? DATA:LAST? R? FORMat[:DATA]`, and `DATA:BLOCk? LENGTH`, a test pattern |
 * | status | `STATus:OPERation STATus:QUEStionable STATus:PRESet SYSTem:ERRor? SYSTem:VERSion?` |
 *
 * @module
 */

import type { DecodedSetup, EndpointAddress } from "../../usb.ts";
import {
  type ControlReply,
  type DeviceHost,
  STALL,
  type VirtualDescriptors,
  VirtualDevice,
} from "../virtual_device.ts";
import {
  BULK_IN,
  BULK_OUT,
  BULK_PACKET_BYTES,
  FULL_CAPABILITIES,
  instrumentDescriptors,
  type InstrumentSpeed,
  INTERRUPT_IN,
  MULTIMETER_PRODUCT_ID,
  MULTIMETER_VENDOR_ID,
} from "./multimeter_descriptors.ts";
import { MultimeterInstrument } from "./multimeter_instrument.ts";
import {
  messageHandler,
  type PanelState,
  UsbtmcFunction,
} from "./multimeter_usbtmc.ts";

export type { InstrumentSpeed, PanelState };

/** What can be chosen. */
export interface MultimeterOptions {
  /** Default `DS0001`. */
  readonly serialNumber?: string;
  /** Default `high`. */
  readonly speed?: InstrumentSpeed;
  /** `bInterfaceNumber`; default 0. */
  readonly interfaceNumber?: number;
}

/** A multimeter to plug into a bus. */
export class VirtualMultimeter extends VirtualDevice {
  /** What it says it is. */
  override readonly descriptors: VirtualDescriptors;
  readonly #serialNumber: string;
  readonly #speed: InstrumentSpeed;
  readonly #interfaceNumber: number;
  #parts: Parts | undefined;

  /** Makes one. */
  constructor(options: MultimeterOptions = {}) {
    super();
    this.#serialNumber = options.serialNumber ?? "DS0001";
    this.#speed = options.speed ?? "high";
    this.#interfaceNumber = options.interfaceNumber ?? 0;
    this.descriptors = instrumentDescriptors({
      vendorId: MULTIMETER_VENDOR_ID,
      productId: MULTIMETER_PRODUCT_ID,
      product: "Virtual Multimeter",
      serialNumber: this.#serialNumber,
      speed: this.#speed,
      interfaceNumber: this.#interfaceNumber,
    });
  }

  /** Who operates the front panel. */
  get panel(): PanelState {
    return this.#parts?.function.panel ?? "local";
  }

  /** How often it was asked to show itself. */
  get indicatorPulses(): number {
    return this.#parts?.function.indicatorPulses ?? 0;
  }

  /** The signal at the trigger input of its rear panel; ignored, with an error, when not waited for. */
  externalTrigger(): void {
    const acquisition = this.#parts?.instrument.acquisition;
    if (acquisition?.setup.source === "EXTernal" && !acquisition.isIdle) {
      acquisition.trigger("EXTernal");
    } else this.#parts?.instrument.status.error(-211);
  }

  /** Power on. */
  override plugged(host: DeviceHost): void {
    super.plugged(host);
    this.#parts = this.#powerOn(host);
  }

  /** Power off. */
  override unplugged(): void {
    this.#parts?.instrument.dispose();
    this.#parts = undefined;
    super.unplugged();
  }

  /** Class requests. */
  override control(setup: DecodedSetup): ControlReply {
    return this.#parts?.function.control(setup) ?? STALL;
  }

  /** Bulk messages. */
  override out(
    endpoint: EndpointAddress,
    data: Uint8Array,
  ): void | typeof STALL {
    return endpoint === BULK_OUT ? this.#parts?.function.out(data) : STALL;
  }

  /** A port reset: the interface forgets, settings stay. */
  override reset(): void {
    this.#parts?.function.reset();
    this.#parts?.instrument.deviceClear();
  }

  #powerOn(host: DeviceHost): Parts {
    const packetBytes = BULK_PACKET_BYTES[this.#speed];
    const instrument = new MultimeterInstrument({
      clock: host.clock,
      random: () => host.random(),
      identity: `Driver Space,VM65,${this.#serialNumber},1.0`,
      onAnswer: () => usbtmc.answer(),
      onServiceRequest: () => {
        // What is asked for has RQS set; the serial poll withdraws it later.
        usbtmc.requestService(instrument.status.statusByte);
      },
    });
    const usbtmc = new UsbtmcFunction({
      interfaceNumber: this.#interfaceNumber,
      bulkOut: BULK_OUT,
      bulkIn: BULK_IN,
    }, {
      capabilities: FULL_CAPABILITIES,
      handler: messageHandler(instrument),
      wire: {
        send: (transfer) => sendEnded(host, transfer, packetBytes),
        notify: (notification) => host.send(INTERRUPT_IN, notification),
        flushIn: () => host.flush(BULK_IN),
        haltOut: () => host.halt(BULK_OUT),
      },
    });
    return { instrument, function: usbtmc };
  }
}

interface Parts {
  readonly instrument: MultimeterInstrument;
  readonly function: UsbtmcFunction;
}

/** A transfer with the short packet that ends it, empty if need be. USBTMC 1.00, 3.3. */
function sendEnded(
  host: DeviceHost,
  transfer: Uint8Array,
  packetBytes: number,
): void {
  host.send(BULK_IN, transfer);
  if (transfer.length > 0 && transfer.length % packetBytes === 0) {
    host.send(BULK_IN, new Uint8Array());
  }
}
