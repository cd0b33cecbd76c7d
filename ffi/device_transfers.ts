/**
 * Transfers, standing inputs and standing outputs of one open device.
 *
 * @module
 */

import { UsbError } from "../driver/errors.ts";
import { DRAIN_TIMEOUT_MS } from "../driver/limits.ts";
import { checkInput } from "../driver/loop/input_check.ts";
import { checkOutput, type Refusal } from "../driver/loop/output_check.ts";
import { StandingOutput } from "../driver/loop/standing_output.ts";
import type {
  InputOptions,
  InputRing,
  OutputOptions,
  OutputRing,
  TransferOutcome,
  TransferRequest,
} from "../driver/port.ts";
import {
  type EndpointAddress,
  type EndpointDescriptor,
  hex,
} from "../driver/usb.ts";
import type { EventPump } from "./event_pump.ts";
import type { InFlightQueue } from "./in_flight_queue.ts";
import { libusbError, submitFailure } from "./libusb_errors.ts";
import type { Library } from "./library.ts";
import type { LiveSettings } from "./live_settings.ts";
import type { Pointer } from "./memory.ts";
import { NativeSlot } from "./output_slot.ts";
import {
  type Transfer,
  TransferFactory,
  type TransferSetup,
} from "./transfer.ts";
import {
  nativeType,
  operationOf,
  type PlanContext,
  planTransfer,
  type TransferPlan,
} from "./transfer_plan.ts";
import { emptyOutcome, outcomeOf } from "./transfer_outcome.ts";
import { TransferPool } from "./transfer_pool.ts";
import { TransferRing } from "./transfer_ring.ts";
import { settlesWithin } from "./within.ts";

interface TransferParts {
  readonly library: Library;
  readonly pump: EventPump;
  readonly handle: Pointer;
}

/** Transfers, standing inputs and standing outputs of one open device. */
export class DeviceTransfers {
  readonly #pump: EventPump;
  readonly #handle: bigint;
  readonly #label: string;
  readonly #planContext: PlanContext;
  readonly #settings: LiveSettings;
  readonly #factory: TransferFactory;
  readonly #pool: TransferPool;
  readonly #queues = new Map<number, InFlightQueue>();
  readonly #rings = new Set<TransferRing>();
  readonly #outputs = new Set<StandingOutput>();
  /** Endpoints that are being drained; transfers to them are refused. */
  readonly #draining = new Set<number>();
  #isDrainingAll = false;
  #refusal: string | undefined;

  /** For one open handle. */
  constructor(
    parts: TransferParts,
    of: { readonly label: string; readonly settings: LiveSettings },
  ) {
    this.#pump = parts.pump;
    this.#handle = parts.library.memory.address(parts.handle);
    this.#label = of.label;
    this.#settings = of.settings;
    this.#planContext = {
      device: of.label,
      lookup: (address, request) => this.#findFor(address, request),
    };
    this.#factory = new TransferFactory(parts.library);
    this.#pool = new TransferPool(this.#factory);
  }

  /** Makes one transfer. */
  transfer(request: TransferRequest): Promise<TransferOutcome> {
    try {
      const plan = planTransfer(request, this.#planContext);
      if (!this.#isOpenFor(plan.endpoint)) {
        this.#check(plan.endpoint, operationOf(request));
      }
      if (request.signal?.aborted) {
        return Promise.resolve(emptyOutcome("cancelled"));
      }
      return this.#start(plan, request);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Starts a standing input. */
  openInput(options: InputOptions): InputRing {
    const { endpoint: address } = options;
    const operation = `open an input on endpoint ${hex(address)}`;
    const endpoint = this.#find(address, operation);
    this.#check(address, operation);
    const shape = checkInput(options, endpoint);
    if ("reason" in shape) throw this.#refused(shape, operation);
    const { lengthBytes, packets } = shape;
    const transfers = this.#createTransfers(options.transfersInFlight, {
      handle: this.#handle,
      endpoint: address,
      type: nativeType(endpoint.transferType),
      lengthBytes,
      ...(packets === undefined ? {} : { packetLengthsBytes: packets }),
    });
    const ring = new TransferRing({
      endpoint: address,
      queue: this.#queue(address),
      transfers,
      lengthBytes,
      isIsochronous: packets !== undefined,
      sink: options.sink,
      onEnd: options.onEnd,
      finder: this.#pump,
      release: (done) => void this.#rings.delete(done),
    });
    this.#rings.add(ring);
    return ring;
  }

  /** Starts a standing output. */
  openOutput(options: OutputOptions): OutputRing {
    const { endpoint: address } = options;
    const operation = `open an output on endpoint ${hex(address)}`;
    const endpoint = this.#find(address, operation);
    this.#check(address, operation);
    const shape = checkOutput(options, endpoint);
    if ("reason" in shape) throw this.#refused(shape, operation);
    const { lengthBytes, timeoutMs } = shape;
    const queue = this.#queue(address);
    const slots = this.#createTransfers(options.transfersInFlight, {
      handle: this.#handle,
      endpoint: address,
      type: nativeType(endpoint.transferType),
      lengthBytes,
      timeoutMs,
    }).map((transfer) => new NativeSlot(transfer, queue, lengthBytes));
    const output = new StandingOutput({
      options,
      slots,
      settles: (back) => settlesWithin(back, DRAIN_TIMEOUT_MS),
      onOver: (done) => void this.#outputs.delete(done),
    });
    this.#outputs.add(output);
    return output;
  }

  /** Refuses everything from now on. */
  refuse(reason: string): void {
    this.#refusal ??= reason;
  }

  /**
   * Cancels what is in flight on these endpoints and waits until the kernel
   * gave it back; inputs and outputs on them end with `cancelled`. Bounded: what does not
   * come back in time is killed by what the caller does next.
   */
  async quiesce(
    endpoints: ReadonlySet<EndpointAddress> | "all",
  ): Promise<void> {
    const isAll = endpoints === "all";
    if (isAll) this.#isDrainingAll = true;
    else for (const address of endpoints) this.#draining.add(address);
    try {
      const concerned = (address: number): boolean =>
        isAll || endpoints.has(address as EndpointAddress);
      for (const ring of [...this.#rings, ...this.#outputs]) {
        if (concerned(ring.endpoint)) ring.end("cancelled");
      }
      await this.#drain(
        [...this.#queues].filter(([a]) => concerned(a)).map(([, q]) => q),
      );
    } finally {
      if (isAll) this.#isDrainingAll = false;
      else for (const address of endpoints) this.#draining.delete(address);
    }
  }

  /** Before the close: ends inputs and outputs, and drains. */
  async stop(): Promise<void> {
    for (const ring of this.#rings) ring.end("cancelled", { isClosed: true });
    for (const output of this.#outputs) output.end("cancelled");
    await this.#drain([...this.#queues.values()]);
  }

  /**
   * Right before the close: nothing touches the handle any more. Gives what the
   * kernel did not give back, for {@linkcode DeviceTransfers.lose}. SAFETY: the
   * caller holds it until the handle is closed.
   */
  async detach(): Promise<readonly Transfer[]> {
    await this.#factory.endCancels();
    // Before 1.0.26 libusb looks at the handle when a transfer is freed.
    this.#pool.close();
    for (const ring of this.#rings) ring.detach();
    return [...this.#queues.values()].flatMap((queue) => queue.abandon());
  }

  /** After the close: ends what the kernel did not give back. */
  lose(transfers: readonly Transfer[]): void {
    for (const transfer of transfers) transfer.lose();
  }

  async #drain(queues: readonly InFlightQueue[]): Promise<void> {
    let isLate = false;
    const cancelled = queues.map(async (queue) => {
      for (const transfer of queue.newestFirst()) {
        if (isLate) return;
        // Meanwhile it may have finished and be in use elsewhere.
        if (transfer.queue === queue) await transfer.cancelParked();
      }
    });
    const drained = Promise.all([
      ...cancelled,
      ...queues.map((queue) => queue.whenEmpty()),
    ]);
    isLate = !await settlesWithin(drained, DRAIN_TIMEOUT_MS);
  }

  /** Prepared alike; fewer when memory is short. */
  #createTransfers(count: number, setup: TransferSetup): Transfer[] {
    const transfers: Transfer[] = [];
    for (let n = 0; n < count; n++) {
      const transfer = this.#factory.create(
        setup.lengthBytes,
        setup.packetLengthsBytes?.length ?? 0,
      );
      if (transfer === undefined) break;
      transfer.prepare(setup);
      // The first of them are not to wait for the pages they use.
      transfer.buffer.fill(0);
      transfers.push(transfer);
    }
    return transfers;
  }

  #start(
    plan: TransferPlan,
    request: TransferRequest,
  ): Promise<TransferOutcome> {
    const { signal, timeoutMs } = request;
    const packets = plan.packetLengthsBytes;
    const packetCount = packets?.length ?? 0;
    const transfer = this.#pool.take(plan.lengthBytes, packetCount);
    if (transfer === undefined) {
      return Promise.resolve(emptyOutcome("noMemory"));
    }
    fill(transfer, plan);
    transfer.prepare({
      handle: this.#handle,
      endpoint: plan.endpoint,
      type: plan.type,
      flags: plan.flags,
      lengthBytes: plan.lengthBytes,
      timeoutMs,
      packetLengthsBytes: packets,
    });
    return new Promise((resolve, reject) => {
      const cancel = signal && ((): void => transfer.cancel());
      transfer.onFinished = () => {
        if (cancel !== undefined) signal?.removeEventListener("abort", cancel);
        const outcome = outcomeOf(transfer, plan);
        this.#pool.give(transfer, packetCount);
        resolve(outcome);
      };
      const result = this.#queue(plan.endpoint).submit(transfer);
      if (result === 0) {
        if (cancel === undefined) return;
        return signal?.addEventListener("abort", cancel, { once: true });
      }
      this.#pool.give(transfer, packetCount);
      const status = submitFailure(result);
      if (status !== undefined) resolve(emptyOutcome(status));
      else reject(this.#submitError(result, request));
    });
  }

  #submitError(result: number, request: TransferRequest): UsbError {
    return libusbError(result, {
      operation: operationOf(request),
      device: this.#label,
    });
  }

  /** The quick way for every transfer; words are found when it fails. */
  #findFor(
    address: EndpointAddress,
    request: TransferRequest,
  ): EndpointDescriptor {
    const live = this.#refusal === undefined
      ? this.#settings.liveEndpoint(address)
      : undefined;
    return live ?? this.#find(address, operationOf(request));
  }

  #find(address: EndpointAddress, operation: string): EndpointDescriptor {
    if (this.#refusal !== undefined) this.#check(address, operation);
    return this.#settings.findEndpoint(address, operation);
  }

  #isOpenFor(endpoint: number): boolean {
    return this.#refusal === undefined && !this.#isDrainingAll &&
      !this.#draining.has(endpoint);
  }

  #check(endpoint: number, operation: string): void {
    if (this.#isOpenFor(endpoint)) return;
    const reason = this.#refusal ?? "its transfers are being drained";
    throw new UsbError({
      code: "state",
      device: this.#label,
      operation,
      reason,
    });
  }

  #refused(
    { code, reason }: Refusal,
    operation: string,
  ): UsbError {
    return new UsbError({ code, device: this.#label, operation, reason });
  }

  #queue(endpoint: number): InFlightQueue {
    let queue = this.#queues.get(endpoint);
    if (queue === undefined) {
      queue = this.#pump.createQueue();
      this.#queues.set(endpoint, queue);
    }
    return queue;
  }
}

function fill(transfer: Transfer, plan: TransferPlan): void {
  const { headBytes, data } = plan;
  if (headBytes !== undefined) transfer.buffer.set(headBytes);
  if (data !== undefined) transfer.buffer.set(data, headBytes?.length ?? 0);
}
