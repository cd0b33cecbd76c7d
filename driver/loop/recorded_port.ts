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
  InputOptions,
  InputRing,
  OutputOptions,
  OutputRing,
  TransferOutcome,
  TransferRequest,
} from "../port.ts";
import type {
  AlternateSetting,
  ConfigurationDescriptor,
  ConfigurationValue,
  DeviceCapability,
  EndpointAddress,
  InterfaceNumber,
} from "../usb.ts";
import { errorData } from "./error_data.ts";
import { recordedInput } from "./recorded_input.ts";
import { recordedOutput, type StandingRecording } from "./recorded_output.ts";
import type { Noted, Recorder } from "./recorder.ts";
import { toHex } from "./recording.ts";
import {
  outcomeDetail,
  transferBytes,
  transferName,
} from "./transfer_words.ts";

/** What a call gives, as it is kept. */
interface Result {
  readonly data?: Uint8Array;
  readonly members?: { readonly [key: string]: Json };
  /** Instead of members. */
  readonly list?: readonly Json[];
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
        list: capabilities.map(({ capabilityType, bytes }) => [
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
      (outcome) => ({ data: outcome.data, members: outcomeDetail(outcome) }),
    );
  }

  /** A standing input of the driver's own. */
  openInput(options: InputOptions): InputRing {
    return recordedInput(options, this.#recording);
  }

  /** A standing output of the driver's own. */
  openOutput(options: OutputOptions): OutputRing {
    return recordedOutput(options, this.#recording);
  }

  /** Refused: the session closes the device. */
  close(): Promise<void> {
    return this.#simple("close", [], () => this.#port.close());
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #recording(): StandingRecording {
    return {
      port: this.#port,
      recorder: this.#recorder,
      call: (name, run) => this.#simple(name, [], run),
    };
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
        value === undefined ? {} : { members: { value: value === true } },
    );
  }

  async #call<T>(
    call: Noted & { readonly name: string },
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
      const { members, list, ...kept } = keep(value);
      const { together } = recorder;
      const hasMembers = members !== undefined || together !== undefined;
      recorder.note("done", name, {
        ...kept,
        id,
        detail: list ?? (hasMembers ? { ...members, ...together } : undefined),
      });
      return value;
    } catch (error) {
      const detail = { error: errorData(error), ...recorder.together };
      recorder.note("done", name, { id, detail });
      throw error;
    } finally {
      recorder.closed();
    }
  }
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
