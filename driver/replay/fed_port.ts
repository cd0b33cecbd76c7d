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
  InputOptions,
  InputRing,
  OutputOptions,
  OutputRing,
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
import { FedInput, packetsOf } from "./fed_input.ts";
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
  readonly #inputs = new Map<number, FedInput>();
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
    const { tape } = this.#parts;
    const input = new FedInput(options, {
      resume: () => this.#tellWithin(id, "resumed"),
      stop: async () => {
        await this.#called();
        this.#inputs.delete(id);
      },
      held: () => tape.heldNow(id),
    });
    this.#inputs.set(id, input);
    return input;
  }

  /** A standing output, whose source is asked as it was asked. */
  openOutput(options: OutputOptions): OutputRing {
    const id = this.#opened();
    const output = new FedOutput(options, {
      resume: () => this.#tellWithin(id, "resumed"),
      called: () => this.#called(),
    });
    this.#outputs.set(id, output);
    // As a port does: when whoever opens it has it in hand.
    soon(() => this.#tellWithin(id, "opened"));
    return output;
  }

  /** What came of an input or output that the driver opened itself. `false`: there is no such. */
  tell(id: number, event: JournalEvent): boolean {
    switch (event.kind) {
      case "ask":
        return this.#outputs.get(id)?.ask(event) === true;
      case "offer":
        return this.#inputs.get(id)?.offer(event) === true;
      default:
        return this.#over(id, event);
    }
  }

  #over(id: number, event: JournalEvent): boolean {
    const over = this.#outputs.get(id) ?? this.#inputs.get(id);
    over?.over(event, outcomeOf(event));
    return over !== undefined;
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

  #tellWithin(id: number, within: "opened" | "resumed"): void {
    const { tape } = this.#parts;
    for (const told of tape.toldWithin(id, within)) this.tell(id, told);
  }

  #called(): Promise<JournalEvent> {
    return this.calls.wait(this.#parts.callId());
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
