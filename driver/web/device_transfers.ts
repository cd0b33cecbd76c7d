/**
 * Transfers of a `USBDevice`: WebUSB's preconditions in their order, then the
 * port, then the result or the exception.
 *
 * @module
 */

import type { TransferOutcome, TransferRequest } from "../port.ts";
import type { Direction, EndpointDescriptor } from "../usb.ts";
import { type DeviceCore, guarded } from "./device_core.ts";
import { domError } from "./idl.ts";
import {
  inResult,
  isochronousInResult,
  isochronousOutResult,
  outResult,
} from "./outcomes.ts";
import {
  findEndpoint,
  requireEndpointTarget,
  requireKind,
  requireLength,
  sum,
} from "./preconditions.ts";
import type {
  USBInTransferResult,
  USBIsochronousInTransferResult,
  USBIsochronousOutTransferResult,
  USBOutTransferResult,
} from "./results.ts";
import type {
  TransferExtension,
  USBControlTransferParameters,
} from "./usb_device.ts";

/** A transfer's own part, with the extension of ours. */
type With<Part> = Part & { readonly extension: TransferExtension };

/** The transfers of one device. */
export class DeviceTransfers {
  readonly #core: DeviceCore;

  /** Over the state of the device. */
  constructor(core: DeviceCore) {
    this.#core = core;
  }

  async controlIn(
    setup: USBControlTransferParameters,
    { lengthBytes, extension }: With<{ lengthBytes: number }>,
  ): Promise<USBInTransferResult> {
    this.#requireControlTarget(setup);
    return inResult(
      await this.#transfer({
        type: "controlIn",
        setup,
        lengthBytes,
        ...extension,
      }),
    );
  }

  async controlOut(
    setup: USBControlTransferParameters,
    { data, extension }: With<{ data: Uint8Array }>,
  ): Promise<USBOutTransferResult> {
    this.#requireControlTarget(setup);
    requireLength(data.length);
    return outResult(
      await this.#transfer({ type: "controlOut", setup, data, ...extension }),
    );
  }

  async transferIn(
    number: number,
    { lengthBytes, extension }: With<{ lengthBytes: number }>,
  ): Promise<USBInTransferResult> {
    const { endpointAddress: endpoint } = this.#requireStream("in", {
      number,
      lengthBytes,
      isIsochronous: false,
    });
    return inResult(
      await this.#transfer({ type: "in", endpoint, lengthBytes, ...extension }),
    );
  }

  async transferOut(
    number: number,
    { data, extension }: With<{ data: Uint8Array }>,
  ): Promise<USBOutTransferResult> {
    const { endpointAddress: endpoint } = this.#requireStream("out", {
      number,
      lengthBytes: data.length,
      isIsochronous: false,
    });
    return outResult(
      await this.#transfer({ type: "out", endpoint, data, ...extension }),
    );
  }

  async isochronousIn(
    number: number,
    { lengths, extension }: With<{ lengths: readonly number[] }>,
  ): Promise<USBIsochronousInTransferResult> {
    const { endpointAddress: endpoint } = this.#requireStream("in", {
      number,
      lengthBytes: sum(lengths),
      isIsochronous: true,
    });
    const outcome = await this.#transfer({
      type: "isochronousIn",
      endpoint,
      packetLengthsBytes: lengths,
      ...extension,
    });
    return isochronousInResult(outcome, lengths);
  }

  async isochronousOut(
    number: number,
    { data, lengths, extension }: With<
      { data: Uint8Array; lengths: readonly number[] }
    >,
  ): Promise<USBIsochronousOutTransferResult> {
    const { endpointAddress: endpoint } = this.#requireStream("out", {
      number,
      lengthBytes: Math.max(sum(lengths), data.length),
      isIsochronous: true,
      isMismatched: sum(lengths) !== data.length,
    });
    const outcome = await this.#transfer({
      type: "isochronousOut",
      endpoint,
      data,
      packetLengthsBytes: lengths,
      ...extension,
    });
    return isochronousOutResult(outcome);
  }

  /** Settles once: by its outcome, or by the exception its ending calls for. */
  async #transfer(request: TransferRequest): Promise<TransferOutcome> {
    const open = this.#core.requireOpen();
    return await guarded(() => open.transfer(request));
  }

  #requireStream(
    direction: Direction,
    { number, lengthBytes, isIsochronous, isMismatched = false }: {
      readonly number: number;
      readonly lengthBytes: number;
      readonly isIsochronous: boolean;
      readonly isMismatched?: boolean;
    },
  ): EndpointDescriptor {
    this.#core.requireNoChange({ ofDevice: true });
    this.#core.requireOpen();
    this.#core.requireConfigured();
    const endpoint = findEndpoint(this.#core.liveEndpoints(), {
      direction,
      number,
    });
    requireLength(lengthBytes);
    requireKind(endpoint, isIsochronous);
    if (isMismatched) {
      throw domError(
        "DataError",
        "The packet lengths do not add up to the data",
      );
    }
    return endpoint;
  }

  /** WebUSB, "Validate the control transfer parameters", as the public tests have it. */
  #requireControlTarget(setup: USBControlTransferParameters): void {
    this.#core.requireNoChange();
    const open = this.#core.requireOpen();
    if (setup.recipient === "interface") {
      const found = this.#core.requireInterface(setup.index & 0xff);
      if (open.claimed.has(found.interfaceNumber)) return;
      throw domError(
        "InvalidStateError",
        `Interface ${setup.index & 0xff} is not claimed`,
      );
    }
    if (setup.recipient !== "endpoint") return;
    this.#core.requireConfigured();
    requireEndpointTarget(this.#core.liveEndpoints(), setup);
  }
}
