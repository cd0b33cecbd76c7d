/**
 * Transfers of a `USBDevice`: WebUSB's preconditions in their order, then the
 * port, then the result or the exception.
 *
 * @module
 */

import { MAX_ISOCHRONOUS_PACKETS } from "../limits.ts";
import { LargeTransfers } from "../large_transfers.ts";
import type { DevicePort, TransferOutcome, TransferRequest } from "../port.ts";
import type { Direction, EndpointDescriptor } from "../usb.ts";
import type { DeviceCore } from "./device_core.ts";
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
} from "./transfer_arguments.ts";

/** A transfer's own part, with the extension of ours. */
type With<Part> = Part & { readonly extension: TransferExtension };

/** The transfers of one device. */
export class DeviceTransfers {
  readonly #core: DeviceCore;
  /** Of the device that is open: one that is opened anew begins anew. */
  #large:
    | { readonly of: DevicePort; readonly transfers: LargeTransfers }
    | undefined;

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
    this.#core.requireNoChange();
    this.#core.requireOpen();
    requireLength(data.length);
    this.#requireControlTarget(setup);
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
    const outcomes = await Promise.all(
      chunksOf(lengths).map(({ lengths: packetLengthsBytes }) =>
        this.#transfer({
          type: "isochronousIn",
          endpoint,
          packetLengthsBytes,
          ...extension,
        })
      ),
    );
    return isochronousInResult(outcomes, lengths);
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
    const outcomes = await Promise.all(
      chunksOf(lengths).map(({ lengths: packetLengthsBytes, from, to }) =>
        this.#transfer({
          type: "isochronousOut",
          endpoint,
          data: data.subarray(from, to),
          packetLengthsBytes,
          ...extension,
        })
      ),
    );
    return isochronousOutResult(outcomes);
  }

  /** Settles once: by its outcome, or by the exception its ending calls for. */
  async #transfer(request: TransferRequest): Promise<TransferOutcome> {
    const open = this.#core.requireOpen();
    const outcome = await this.#core.guarded(() =>
      request.type === "in" || request.type === "out"
        ? this.#largeOf(open).transfer(request)
        : open.transfer(request)
    );
    if (outcome.status === "noDevice") this.#core.missed();
    // The close that follows an unplug may be faster than the kernel's word.
    const isLost = outcome.status === "cancelled" && this.#core.isUnplugged &&
      request.signal?.aborted !== true;
    return isLost ? { ...outcome, status: "noDevice" } : outcome;
  }

  #largeOf(open: DevicePort): LargeTransfers {
    if (this.#large?.of !== open) {
      this.#large = { of: open, transfers: new LargeTransfers(open) };
    }
    return this.#large.transfers;
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
    if (isMismatched) {
      throw domError(
        "DataError",
        "The packet lengths do not add up to the data",
      );
    }
    requireKind(endpoint, isIsochronous);
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

/** Packets of one transfer of the port, and where their data lie. */
interface Chunk {
  readonly lengths: readonly number[];
  readonly from: number;
  readonly to: number;
}

/** Cuts packets into transfers the kernel takes; submitted together, they follow each other on the bus. */
function chunksOf(lengths: readonly number[]): readonly Chunk[] {
  const chunks: Chunk[] = [];
  let from = 0;
  for (let at = 0; at < lengths.length; at += MAX_ISOCHRONOUS_PACKETS) {
    const part = lengths.slice(at, at + MAX_ISOCHRONOUS_PACKETS);
    const to = from + sum(part);
    chunks.push({ lengths: part, from, to });
    from = to;
  }
  return chunks;
}
