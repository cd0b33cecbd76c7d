/**
 * The device as a recorded driver gets it: what it asks for goes into the full
 * journal, and so does what comes of it.
 *
 * @module
 */

import type { Json } from "../driver.ts";
import type {
  DeviceInfo,
  DevicePort,
  InputCounters,
  InputOptions,
  InputRing,
  OutputOptions,
  OutputRing,
  PacketOutcome,
  Report,
  TransferOutcome,
  TransferRequest,
} from "../port.ts";
import {
  type AlternateSetting,
  type ConfigurationDescriptor,
  type ConfigurationValue,
  type DeviceCapability,
  type EndpointAddress,
  hex,
  type InterfaceNumber,
} from "../usb.ts";
import { errorData } from "./error_data.ts";
import { recordedOutput } from "./recorded_output.ts";
import type { Recorder } from "./recorder.ts";
import { toHex } from "./recording.ts";
import { transferBytes, transferName } from "./transfer_words.ts";

/** What a call gives, as it is kept. */
interface Result {
  readonly data?: Uint8Array;
  readonly detail?: Json;
}

/** A device port whose every use is recorded. */
export class RecordedPort implements DevicePort {
  readonly #port: DevicePort;
  readonly #recorder: Recorder;

  /** What is recorded goes to the port unchanged. */
  constructor(port: DevicePort, recorder: Recorder) {
    this.#port = port;
    this.#recorder = recorder;
  }

  /** Where it is and what it says it is. */
  get info(): DeviceInfo {
    return this.#port.info;
  }

  /** `0957:1755@1-4`. */
  get label(): string {
    return this.#port.label;
  }

  /** The active configuration. */
  get configuration(): ConfigurationDescriptor | undefined {
    return this.#port.configuration;
  }

  /** Claimed interfaces with their live alternate setting. */
  get claimed(): ReadonlyMap<InterfaceNumber, AlternateSetting> {
    return this.#port.claimed;
  }

  /** The port's clock. */
  nowMs(): number {
    const nowMs = this.#port.nowMs();
    this.#recorder.note("now", "port", { detail: nowMs });
    return nowMs;
  }

  /** Selects a configuration. */
  setConfiguration(value: ConfigurationValue): Promise<void> {
    return this.#simple(
      "setConfiguration",
      [value],
      () => this.#port.setConfiguration(value),
    );
  }

  /** Claims a further interface. */
  claimInterface(number: InterfaceNumber): Promise<void> {
    return this.#simple(
      "claimInterface",
      [number],
      () => this.#port.claimInterface(number),
    );
  }

  /** Gives an interface back. */
  releaseInterface(number: InterfaceNumber): Promise<void> {
    return this.#simple(
      "releaseInterface",
      [number],
      () => this.#port.releaseInterface(number),
    );
  }

  /** Selects an alternate setting. */
  setAlternateSetting(
    number: InterfaceNumber,
    setting: AlternateSetting,
  ): Promise<void> {
    return this.#simple(
      "setAlternateSetting",
      [number, setting],
      () => this.#port.setAlternateSetting(number, setting),
    );
  }

  /** Clears the halt of an endpoint. */
  clearHalt(endpoint: EndpointAddress): Promise<void> {
    return this.#simple(
      "clearHalt",
      [endpoint],
      () => this.#port.clearHalt(endpoint),
    );
  }

  /** Resets the port of the device. */
  reset(): Promise<void> {
    return this.#simple("reset", [], () => this.#port.reset());
  }

  /** Whether a kernel driver is bound. */
  kernelDriverActive(number: InterfaceNumber): Promise<boolean> {
    return this.#simple(
      "kernelDriverActive",
      [number],
      () => this.#port.kernelDriverActive(number),
    );
  }

  /** Detaches the kernel driver. */
  detachKernelDriver(number: InterfaceNumber): Promise<void> {
    return this.#simple(
      "detachKernelDriver",
      [number],
      () => this.#port.detachKernelDriver(number),
    );
  }

  /** Attaches the kernel driver again. */
  attachKernelDriver(number: InterfaceNumber): Promise<void> {
    return this.#simple(
      "attachKernelDriver",
      [number],
      () => this.#port.attachKernelDriver(number),
    );
  }

  /** Binary object store. */
  readCapabilities(): Promise<readonly DeviceCapability[]> {
    return this.#call(
      { name: "readCapabilities", detail: [] },
      () => this.#port.readCapabilities(),
      (capabilities) => ({
        detail: capabilities.map(({ capabilityType, bytes }) => [
          capabilityType,
          toHex(bytes),
        ]),
      }),
    );
  }

  /** One transfer. */
  transfer(request: TransferRequest): Promise<TransferOutcome> {
    const data = "data" in request ? request.data : undefined;
    return this.#call(
      {
        name: transferName(request),
        sizeBytes: transferBytes(request),
        detail: requestDetail(request),
        ...(data === undefined ? {} : { data }),
      },
      () => this.#port.transfer(request),
      (outcome) => ({ data: outcome.data, detail: outcomeDetail(outcome) }),
    );
  }

  /** A standing input of the driver's own. */
  openInput(options: InputOptions): InputRing {
    const recorder = this.#recorder;
    const { endpoint, transfersInFlight, transferLengthBytes } = options;
    const id = recorder.newId();
    const name = `openInput ${hex(endpoint)}`;
    recorder.note("call", name, {
      id,
      detail: [transfersInFlight, transferLengthBytes ?? null],
    });
    let ring: InputRing;
    try {
      ring = this.#port.openInput({
        ...options,
        sink: (report) => {
          const together = recorder.isSameStep ? { together: true } : {};
          recorder.note("offer", name, {
            id,
            data: report.data,
            detail: { ...reportDetail(report), ...together },
          });
          const isTaken = options.sink(report);
          recorder.note("offered", name, { id, detail: isTaken });
          return isTaken;
        },
        onEnd: (end) => {
          const closed = end.isClosed === true ? { isClosed: true } : {};
          recorder.note("over", name, {
            id,
            data: end.data,
            detail: { ...outcomeDetail(end), ...closed },
          });
          options.onEnd(end);
        },
      });
    } catch (error) {
      recorder.note("done", name, { id, detail: { error: errorData(error) } });
      throw error;
    }
    recorder.note("done", name, { id });
    recorder.opened();
    return new RecordedRing(ring, {
      id,
      name,
      recorder,
      stop: (run) => this.#simple(`stopInput ${hex(endpoint)}`, [], run),
    });
  }

  /** A standing output of the driver's own. */
  openOutput(options: OutputOptions): OutputRing {
    return recordedOutput(options, {
      port: this.#port,
      recorder: this.#recorder,
      call: (name, run) => this.#simple(name, [], run),
    });
  }

  /** Refused: the session closes the device. */
  close(): Promise<void> {
    return this.#simple("close", [], () => this.#port.close());
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #simple<T extends boolean | void>(
    name: string,
    detail: readonly number[],
    run: () => Promise<T>,
  ): Promise<T> {
    return this.#call(
      { name, detail },
      run,
      (value) =>
        value === undefined ? {} : { detail: { value: value === true } },
    );
  }

  async #call<T>(
    call: { readonly name: string; readonly detail: unknown } & Result & {
      readonly sizeBytes?: number;
    },
    run: () => Promise<T>,
    keep: (value: T) => Result,
  ): Promise<T> {
    const recorder = this.#recorder;
    const { name, ...noted } = call;
    const id = recorder.newId();
    recorder.note("call", name, { ...noted, id });
    recorder.opened();
    try {
      const value = await run();
      recorder.note("done", name, { ...keep(value), id });
      return value;
    } catch (error) {
      recorder.note("done", name, { id, detail: { error: errorData(error) } });
      throw error;
    } finally {
      recorder.closed();
    }
  }
}

interface RingParts {
  readonly id: number;
  readonly name: string;
  readonly recorder: Recorder;
  readonly stop: (run: () => Promise<void>) => Promise<void>;
}

/** A standing input that a driver opened itself. */
class RecordedRing implements InputRing {
  readonly #ring: InputRing;
  readonly #parts: RingParts;
  #isOver = false;

  constructor(ring: InputRing, parts: RingParts) {
    this.#ring = ring;
    this.#parts = parts;
  }

  get endpoint(): EndpointAddress {
    return this.#ring.endpoint;
  }

  get counters(): InputCounters {
    return this.#ring.counters;
  }

  resume(): void {
    const { recorder, name, id } = this.#parts;
    recorder.note("resume", name, { id });
    this.#ring.resume();
  }

  async stop(): Promise<void> {
    await this.#parts.stop(() => this.#ring.stop());
    if (!this.#isOver) this.#parts.recorder.closed();
    this.#isOver = true;
  }
}

/** What a report has besides its bytes. */
export function reportDetail(
  { timestampMs, packets }: Report,
): { readonly [key: string]: Json } {
  return {
    timestampMs,
    ...(packets === undefined ? {} : { packets: packets.map(packetDetail) }),
  };
}

function requestDetail(request: TransferRequest): Json {
  const { timeoutMs = null } = request;
  const rest: { readonly [key: string]: Json } = "setup" in request
    ? { setup: { ...request.setup } }
    : { endpoint: request.endpoint };
  return {
    ...rest,
    timeoutMs,
    ...("packetLengthsBytes" in request
      ? { packets: [...request.packetLengthsBytes] }
      : {}),
    ...("zeroLengthPacket" in request && request.zeroLengthPacket === true
      ? { zeroLengthPacket: true }
      : {}),
  };
}

function outcomeDetail(
  outcome: TransferOutcome,
): { readonly [key: string]: Json } {
  const { status, actualLengthBytes, packets } = outcome;
  return {
    status,
    actualLengthBytes,
    ...(packets === undefined ? {} : { packets: packets.map(packetDetail) }),
  };
}

function packetDetail(packet: PacketOutcome): Json {
  return [packet.status, packet.offsetBytes, packet.actualLengthBytes];
}
