/**
 * A device that is not there: every call of a driver ends as the journal says.
 *
 * @module
 */

import type { Json } from "../driver.ts";
import type { JournalEvent } from "../loop/journal.ts";
import { soon } from "../loop/soon.ts";
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
  TransferStatus,
} from "../port.ts";
import {
  type AlternateSetting,
  alternateSetting,
  type ConfigurationDescriptor,
  type ConfigurationValue,
  type DeviceCapability,
  type EndpointAddress,
  type InterfaceNumber,
  interfaceNumber,
} from "../usb.ts";
import { errorIn, FedCalls, listOf, membersOf } from "./fed_calls.ts";
import { FedOutput } from "./fed_output.ts";
import type { Tape } from "./tape.ts";

/** What a device is made of. */
export interface FedPortParts {
  readonly info: DeviceInfo;
  readonly label: string;
  readonly tape: Tape;
  /** Number of the call that was recorded last: the one that is being made. */
  readonly callId: () => number;
}

/** The device of a replay. */
export class FedPort implements DevicePort {
  readonly info: DeviceInfo;
  readonly label: string;
  readonly claimed = new Map<InterfaceNumber, AlternateSetting>();
  configuration: ConfigurationDescriptor | undefined;
  /** What waits for its end. */
  readonly calls = new FedCalls();
  readonly #parts: FedPortParts;
  readonly #rings = new Map<number, InputOptions>();
  readonly #outputs = new Map<number, FedOutput>();

  /** Claims nothing yet. */
  constructor(parts: FedPortParts) {
    this.#parts = parts;
    this.info = parts.info;
    this.label = parts.label;
    this.configure(parts.info.configurationValue);
  }

  /** Selects a configuration, as it was. */
  configure(value: number | undefined): void {
    const { configurations } = this.info;
    this.configuration =
      configurations.find(({ configurationValue }) =>
        configurationValue === value
      ) ?? (value === undefined ? configurations[0] : undefined);
  }

  /** Time, as the port told it then. */
  nowMs(): number {
    return this.#parts.tape.asked("now", "port");
  }

  /** Selects a configuration. */
  async setConfiguration(value: ConfigurationValue): Promise<void> {
    await this.#called();
    this.configure(value);
    this.claimed.clear();
  }

  /** Claims an interface. */
  async claimInterface(number: InterfaceNumber): Promise<void> {
    await this.#called();
    if (!this.claimed.has(number)) {
      this.claimed.set(number, alternateSetting(0));
    }
  }

  /** Gives an interface back. */
  async releaseInterface(number: InterfaceNumber): Promise<void> {
    await this.#called();
    this.claimed.delete(number);
  }

  /** Selects an alternate setting. */
  async setAlternateSetting(
    number: InterfaceNumber,
    setting: AlternateSetting,
  ): Promise<void> {
    await this.#called();
    this.claimed.set(number, setting);
  }

  /** Clears a halt. */
  async clearHalt(_endpoint: EndpointAddress): Promise<void> {
    await this.#called();
  }

  /** Resets the port. */
  async reset(): Promise<void> {
    await this.#called();
  }

  /** Whether a kernel driver was bound. */
  async kernelDriverActive(_number: InterfaceNumber): Promise<boolean> {
    return membersOf((await this.#called()).detail)["value"] === true;
  }

  /** Detaches a kernel driver. */
  async detachKernelDriver(_number: InterfaceNumber): Promise<void> {
    await this.#called();
  }

  /** Attaches a kernel driver. */
  async attachKernelDriver(_number: InterfaceNumber): Promise<void> {
    await this.#called();
  }

  /** Binary object store, as it was. */
  async readCapabilities(): Promise<readonly DeviceCapability[]> {
    return listOf((await this.#called()).detail).map((entry) => {
      const [capabilityType, hex] = listOf(entry);
      return {
        capabilityType: Number(capabilityType),
        bytes: bytesOf(String(hex)),
      };
    });
  }

  /** A transfer that ends as it ended. */
  async transfer(): Promise<TransferOutcome> {
    return outcomeOf(await this.#called());
  }

  /** A standing input, fed with what came. */
  openInput(options: InputOptions): InputRing {
    const id = this.#opened();
    this.#rings.set(id, options);
    return new FedRing(options.endpoint, {
      resume: () => this.#resumed(id),
      stop: async () => {
        await this.#called();
        this.#rings.delete(id);
      },
    });
  }

  /** A standing output, whose source is asked as it was asked. */
  openOutput(options: OutputOptions): OutputRing {
    const id = this.#opened();
    const output = new FedOutput(options, {
      resume: () => this.#askWithin(id, "resumed"),
      called: () => this.#called(),
    });
    this.#outputs.set(id, output);
    // As a port does: when whoever opens it has it in hand.
    soon(() => this.#askWithin(id, "opened"));
    return output;
  }

  /** The source of an output is asked. `false`: there is no such output. */
  ask(id: number, event: JournalEvent): boolean {
    return this.#outputs.get(id)?.ask(event) === true;
  }

  /** A report of an input that the driver opened itself. `false`: there is no such input. */
  offer(id: number, event: JournalEvent): boolean {
    const ring = this.#rings.get(id);
    ring?.sink(reportOf(event, event.detail));
    return ring !== undefined;
  }

  /** Such an input, or an output, ended by itself. */
  over(id: number, event: JournalEvent): boolean {
    const output = this.#outputs.get(id);
    output?.over(event, outcomeOf(event));
    if (output !== undefined) return true;
    const ring = this.#rings.get(id);
    const isClosed = membersOf(event.detail)["isClosed"] === true;
    ring?.onEnd({ ...outcomeOf(event), ...(isClosed ? { isClosed } : {}) });
    return ring !== undefined;
  }

  /** Refused, as then. */
  async close(): Promise<void> {
    await this.#called();
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The number of what is opened, unless that failed then. */
  #opened(): number {
    const { tape, callId } = this.#parts;
    const id = callId();
    const answer = tape.answeredAtOnce(id);
    const failure = answer && errorIn(answer);
    if (failure !== undefined) throw failure.error;
    return id;
  }

  #askWithin(id: number, within: "opened" | "resumed"): void {
    const { tape } = this.#parts;
    for (
      let asked = tape.askedAtOnce(id, within);
      asked !== undefined;
      asked = tape.askedAtOnce(id, within)
    ) this.ask(id, asked);
  }

  /** What was held is offered within the call. */
  #resumed(id: number): void {
    const { tape } = this.#parts;
    for (
      let held = tape.offeredAtOnce(id);
      held !== undefined;
      held = tape.offeredAtOnce(id)
    ) this.offer(id, held);
  }

  #called(): Promise<JournalEvent> {
    return this.calls.wait(this.#parts.callId());
  }
}

/** A report as it was recorded. */
export function reportOf(
  event: JournalEvent,
  detail: Json | undefined,
): Report {
  const { timestampMs, packets } = membersOf(detail);
  return {
    data: (event.payload ?? new Uint8Array()).slice(),
    timestampMs: Number(timestampMs ?? 0),
    ...(packets === undefined ? {} : { packets: packetsOf(packets) }),
  };
}

class FedRing implements InputRing {
  readonly endpoint: EndpointAddress;
  readonly #does: { resume(): void; stop(): Promise<void> };

  constructor(
    endpoint: EndpointAddress,
    does: { resume(): void; stop(): Promise<void> },
  ) {
    this.endpoint = endpoint;
    this.#does = does;
  }

  /** Nobody knows any more. */
  get counters(): InputCounters {
    return {
      submitted: 0,
      completed: 0,
      delivered: 0,
      failed: 0,
      cancelled: 0,
      inFlight: 0,
      held: 0,
    };
  }

  resume(): void {
    this.#does.resume();
  }

  stop(): Promise<void> {
    return this.#does.stop();
  }
}

function outcomeOf(event: JournalEvent): TransferOutcome {
  const { status, actualLengthBytes, packets } = membersOf(event.detail);
  return {
    status: String(status) as TransferStatus,
    data: (event.payload ?? new Uint8Array()).slice(),
    actualLengthBytes: Number(actualLengthBytes ?? 0),
    ...(packets === undefined ? {} : { packets: packetsOf(packets) }),
  };
}

function packetsOf(value: Json): PacketOutcome[] {
  return listOf(value).map((entry) => {
    const [status, offsetBytes, actualLengthBytes] = listOf(entry);
    return {
      status: String(status) as TransferStatus,
      offsetBytes: Number(offsetBytes),
      actualLengthBytes: Number(actualLengthBytes),
    };
  });
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(
    hex.match(/../g) ?? [],
    (digits) => parseInt(digits, 16),
  );
}

/** Claims as a checkpoint has them. */
export function claimedOf(
  value: Json | undefined,
): [InterfaceNumber, AlternateSetting][] {
  return listOf(value).flatMap((entry) => {
    const [number, setting] = listOf(entry);
    try {
      return [[
        interfaceNumber(Number(number)),
        alternateSetting(Number(setting)),
      ]];
    } catch {
      return [];
    }
  });
}

/** A device as the driver's process knew it: `place` is what it recorded. */
export function deviceAt(
  info: DeviceInfo,
  place: Json | undefined,
): DeviceInfo {
  const known = membersOf(place);
  const text = (name: string, other: string | undefined): string | undefined =>
    typeof known[name] === "string" ? known[name] : other;
  const number = (name: string, other: number): number =>
    typeof known[name] === "number" ? known[name] : other;
  const { configurations } = info;
  const value = known["configurationValue"];
  return {
    ...info,
    id: text("id", info.id) ?? info.id,
    busNumber: number("busNumber", info.busNumber),
    deviceAddress: number("deviceAddress", info.deviceAddress),
    portPath: text("portPath", info.portPath) ?? info.portPath,
    manufacturer: text("manufacturer", info.manufacturer),
    product: text("product", info.product),
    serialNumber: text("serialNumber", info.serialNumber),
    nodePath: text("nodePath", info.nodePath),
    configurationValue:
      configurations.find(({ configurationValue }) =>
        configurationValue === value
      )?.configurationValue ?? info.configurationValue,
  };
}
