/**
 * A client for USBTMC and USB488 instruments over an open device. Programs and
 * the driver use the same one. It keeps in step with the instrument: whatever
 * fails, the next message works, or the device is truly gone.
 *
 * @module
 */

import type { Device } from "../../device.ts";
import type { UsbError } from "../../errors.ts";
import { decodeBlock } from "./block.ts";
import {
  ERROR_QUEUE_READS_MAX,
  MAX_MESSAGE_BYTES,
  MAX_TEXT_BYTES,
  MESSAGE_TIMEOUT_MS,
} from "./bounds.ts";
import {
  type Capabilities,
  decodeCapabilities,
  NO_CAPABILITIES,
} from "./capabilities.ts";
import { getCapabilities, indicatorPulse, Status } from "./control_requests.ts";
import { InStep } from "./in_step.ts";
import { ask, command, isFinal, type Link } from "./link.ts";
import {
  type Answer,
  type MessageOptions,
  Messages,
  OutOfStep,
} from "./messages.ts";
import type {
  UsbtmcCallOptions,
  UsbtmcOptions,
  UsbtmcReadOptions,
} from "./options.ts";
import { findPipes, type Pipes } from "./pipes.ts";
import { findQuirks, type UsbtmcQuirks } from "./quirks.ts";
import { RemoteControl, type RemoteState } from "./remote_control.ts";
import {
  decodeText,
  encodeText,
  type Identity,
  parseIdentity,
  parseScpiError,
  type ScpiError,
} from "./scpi_answer.ts";
import { StatusBytes } from "./status_bytes.ts";

export type { Capabilities } from "./capabilities.ts";
export { timeOf, type UsbtmcTime } from "./link.ts";
export type { Answer } from "./messages.ts";
export type {
  Recovery,
  UsbtmcCallOptions,
  UsbtmcOptions,
  UsbtmcReadOptions,
} from "./options.ts";
export type { Pipe, Pipes } from "./pipes.ts";
export type { UsbtmcQuirks } from "./quirks.ts";
export type { RecoveryStep } from "./recovery.ts";
export type { RemoteState } from "./remote_control.ts";
export type { Identity, ScpiError } from "./scpi_answer.ts";
export type {
  NotificationSource,
  ReceiveNotification,
  ServiceRequestHandler,
} from "./status_bytes.ts";

/**
 * A test and measurement instrument. One message at a time: a second one is
 * refused with `busy`; the status byte may be read at any time.
 */
export class Usbtmc {
  /** What the device says it can do; nothing, where it does not say. */
  readonly capabilities: Capabilities;
  readonly #link: Link;
  readonly #messages: Messages;
  readonly #statusBytes: StatusBytes;
  readonly #remote: RemoteControl;
  readonly #inStep: InStep;

  private constructor(
    link: Link,
    capabilities: Capabilities,
    options: UsbtmcOptions,
  ) {
    this.#link = link;
    this.capabilities = capabilities;
    this.#messages = new Messages(link);
    this.#statusBytes = new StatusBytes(
      link,
      options.notifications ?? "onDemand",
      options.onServiceRequest ?? ((): void => {}),
    );
    this.#remote = new RemoteControl(link, capabilities);
    this.#inStep = new InStep(link, {
      onReset: () => this.#remote.replay(),
      onRecovery: options.onRecovery ?? ((): void => {}),
    });
  }

  /**
   * Claims the interface, asks what the device can do and clears it.
   *
   * @throws {UsbError} `notFound` when it is no instrument, `busy`, or what CLEAR met.
   */
  static async open(device: Device, options: UsbtmcOptions): Promise<Usbtmc> {
    const pipes = findPipes(device, options.interfaceNumber);
    await device.claimInterface(pipes.interfaceNumber);
    const link: Link = {
      device,
      pipes,
      quirks: options.quirks ?? findQuirks(device.info.descriptor),
      time: options.time,
    };
    const capabilities = await readCapabilities(link);
    const client = new Usbtmc(link, capabilities, options);
    if (options.clearAtOpen ?? true) await client.clear();
    if (link.quirks.remoteAtOpen) await client.remote();
    return client;
  }

  /** Interface number and endpoints. */
  get pipes(): Pipes {
    return this.#link.pipes;
  }

  /** What is odd about this device. */
  get quirks(): UsbtmcQuirks {
    return this.#link.quirks;
  }

  /** The remote state asked for; replayed after a reset. */
  get remoteState(): RemoteState {
    return this.#remote.wanted;
  }

  /** Notifications that meant nothing: vendor's, garbled, or too late. */
  get ignoredNotifications(): number {
    return this.#statusBytes.ignored;
  }

  /**
   * Writes one message. Text is sent as bytes, with a line feed added where it
   * has none; bytes are sent as they are.
   *
   * @throws {UsbError} After which the client is back in step, or will be before the next message.
   * @throws {RangeError} When it is empty, too long, or has characters of more than one byte.
   */
  write(
    message: string | Uint8Array,
    options: UsbtmcCallOptions = {},
  ): Promise<void> {
    const bytes = messageBytes(message);
    return this.#inStep.exclusive(() =>
      this.#messages.write(bytes, limits(options))
    );
  }

  /**
   * Reads one message, or the first `maxBytes` of it: then `endOfMessage` is
   * `false` and the next read goes on.
   *
   * @throws {UsbError} As `write`; `protocol` when the device broke the protocol.
   */
  read(
    options: UsbtmcReadOptions & { readonly termChar?: number } = {},
  ): Promise<Answer> {
    const maxBytes = checkMaxBytes(options.maxBytes ?? MAX_TEXT_BYTES);
    const { termChar } = options;
    if (termChar !== undefined && !this.capabilities.termChar) {
      throw this.#unsupported("end an answer at a term char");
    }
    return this.#inStep.exclusive(() =>
      this.#messages.read(maxBytes, {
        ...limits(options),
        ...(termChar === undefined ? {} : { termChar }),
      })
    );
  }

  /**
   * Writes a query and reads its answer as text, without the line feed (and
   * NULs, where the device is known to add them).
   *
   * @throws {UsbError} As `read`; `overflow` when the answer is longer than `maxBytes`.
   */
  async query(text: string, options: UsbtmcReadOptions = {}): Promise<string> {
    const data = await this.#queryBytes(text, {
      ...options,
      maxBytes: options.maxBytes ?? MAX_TEXT_BYTES,
    });
    const answer = decodeText(data);
    const trimmed = this.quirks.trailingNuls
      ? answer.replace(/[\0\s]+$/, "")
      : answer;
    return trimmed.replace(/\r?\n$/, "");
  }

  /**
   * Writes a query and reads its answer as one block of bytes.
   *
   * @throws {UsbError} As `query`; `protocol` when the answer is no block.
   */
  async queryBlock(
    text: string,
    options: UsbtmcReadOptions = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    const data = await this.#queryBytes(text, {
      ...options,
      maxBytes: options.maxBytes ?? MAX_MESSAGE_BYTES,
    });
    const block = decodeBlock(data);
    if (block === undefined) {
      throw this.#link.device.error(
        "protocol",
        `read the block that ${text.trim()} asks for`,
        `the answer of ${data.length} bytes is not one whole block`,
      );
    }
    return block;
  }

  /** Asks `*IDN?`. @throws {UsbError} As `query`. */
  async identify(options: UsbtmcReadOptions = {}): Promise<Identity> {
    return parseIdentity(await this.query("*IDN?", options));
  }

  /**
   * Empties the error queue, oldest first; at most ERROR_QUEUE_READS_MAX entries.
   *
   * @throws {UsbError} As `query`.
   */
  async readErrors(
    options: UsbtmcReadOptions = {},
  ): Promise<readonly ScpiError[]> {
    const errors: ScpiError[] = [];
    while (errors.length < ERROR_QUEUE_READS_MAX) {
      const text = await this.query("SYSTem:ERRor?", options);
      const error = parseScpiError(text);
      if (error === undefined || error.number === 0) break;
      errors.push(error);
    }
    return errors;
  }

  /**
   * The status byte, by READ_STATUS_BYTE; RQS in bit 6 where service is asked
   * for. USB488 1.00, 4.3.1.
   *
   * @throws {UsbError} `notSupported` on plain USBTMC, `timedOut`, `protocol`.
   */
  async readStatusByte(): Promise<number> {
    if (!this.pipes.isUsb488) throw this.#unsupported("read the status byte");
    return await this.#statusBytes.read();
  }

  /** Takes a report of the interrupt endpoint, where `notifications` is `fed`. */
  handleNotification(data: Uint8Array): void {
    this.#statusBytes.handle(data);
  }

  /**
   * Clears the device: input, output and whatever it was answering are gone.
   * A device that does not finish gets its port reset. USBTMC 1.00, 4.2.1.6.
   *
   * @throws {UsbError} When neither helped.
   */
  clear(): Promise<void> {
    return this.#inStep.clear();
  }

  /** Triggers the device. USB488 1.00, 3.2.1.1. @throws {UsbError} `notSupported`; as `write`. */
  async trigger(options: UsbtmcCallOptions = {}): Promise<void> {
    if (!this.capabilities.trigger) {
      throw this.#unsupported("trigger", "Write *TRG instead");
    }
    await this.#inStep.exclusive(async () => {
      await this.#messages.trigger(limits(options));
      if (this.quirks.clearAfterTrigger) await this.#inStep.clearInside();
    });
  }

  /** Puts the device under remote control. USB488 1.00, 4.3.2. @throws {UsbError} `notSupported`. */
  remote(): Promise<void> {
    return this.#remote.enter("remote");
  }

  /** Gives the front panel back; remote enable stays. USB488 1.00, 4.3.3. @throws {UsbError} `notSupported`. */
  goToLocal(): Promise<void> {
    return this.#remote.leave("goToLocal");
  }

  /** Locks the front panel; remote first. USB488 1.00, 4.3.4. @throws {UsbError} `notSupported`. */
  lockout(): Promise<void> {
    return this.#remote.enter("lockout");
  }

  /** Releases remote enable: local, and no lockout. USB488 1.00, 4.3.2. @throws {UsbError} `notSupported`. */
  releaseRemote(): Promise<void> {
    return this.#remote.leave("release");
  }

  /** Makes the device show itself. USBTMC 1.00, 4.2.1.9. @throws {UsbError} `notSupported`. */
  async indicatorPulse(): Promise<void> {
    if (!this.capabilities.indicatorPulse) {
      throw this.#unsupported("pulse the indicator");
    }
    await command(this.#link, indicatorPulse(this.pipes.interfaceNumber));
  }

  #queryBytes(
    text: string,
    options: UsbtmcReadOptions & { readonly maxBytes: number },
  ): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = messageBytes(text);
    const maxBytes = checkMaxBytes(options.maxBytes);
    return this.#inStep.exclusive(async () => {
      await this.#messages.write(bytes, limits(options));
      const answer = await this.#messages.read(maxBytes, limits(options));
      if (answer.endOfMessage) return answer.data;
      const error = this.#link.device.error(
        "overflow",
        `read the answer to ${text.trim().slice(0, 40)}`,
        `it is longer than ${maxBytes} bytes`,
      );
      throw new OutOfStep(error, { kind: "all" });
    });
  }

  #unsupported(operation: string, advice?: string): UsbError {
    return this.#link.device.error(
      "notSupported",
      operation,
      "the device does not offer it",
      advice,
    );
  }
}

/** Devices that stall the request, or answer nonsense, are taken to promise nothing. */
async function readCapabilities(link: Link): Promise<Capabilities> {
  const request = getCapabilities(link.pipes.interfaceNumber);
  try {
    const bytes = await ask(link, request, (answer) => answer);
    return bytes[0] === Status.success
      ? decodeCapabilities(bytes)
      : NO_CAPABILITIES;
  } catch (error) {
    if (isFinal(error)) throw error;
    return NO_CAPABILITIES;
  }
}

function limits(options: UsbtmcCallOptions): MessageOptions {
  const { timeoutMs = MESSAGE_TIMEOUT_MS, signal } = options;
  return { timeoutMs, ...(signal === undefined ? {} : { signal }) };
}

function messageBytes(message: string | Uint8Array): Uint8Array {
  const bytes = typeof message !== "string"
    ? message
    : encodeText(message.endsWith("\n") ? message : message + "\n");
  if (bytes.length < 1 || bytes.length > MAX_MESSAGE_BYTES) {
    throw new RangeError(
      `Cannot send a message of ${bytes.length} bytes: it must be 1 to ${MAX_MESSAGE_BYTES}`,
    );
  }
  return bytes;
}

function checkMaxBytes(maxBytes: number): number {
  const isLength = Number.isInteger(maxBytes) && maxBytes >= 1 &&
    maxBytes <= MAX_MESSAGE_BYTES;
  if (!isLength) {
    throw new RangeError(
      `Cannot read up to ${maxBytes} bytes: it must be 1 to ${MAX_MESSAGE_BYTES}`,
    );
  }
  return maxBytes;
}
