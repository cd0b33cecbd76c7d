/**
 * What a standby does until it becomes the driver or ends: waits for an order
 * of its host, and makes the device safe when told to, or when its host is gone
 * without an order. How the process is confined and the device opened are
 * arguments, so that nothing here knows libusb.
 *
 * @module
 */

import type { AnyDriver } from "../driver.ts";
import { UsbError } from "../errors.ts";
import type { Clock } from "../loop/clock.ts";
import { NO_SAFE_STATE, type SafeStateReport } from "../loop/safe_state.ts";
import type { DevicePort } from "../port.ts";
import type { DriverConfig } from "./driver_config.ts";
import type { OpenedDevice } from "./driver_main_words.ts";
import { DRIVER_EXIT } from "./exit_class.ts";
import { refusalReason } from "./exit_reasons.ts";
import { joinedBytes } from "./joined_bytes.ts";
import type { WriteBytes } from "./frame_sender.ts";
import type { LogSink } from "./log.ts";
import { claimAndPerform, logSafeState } from "./safe_state_main.ts";
import { encodeSafeStateFrame } from "./safe_state_frame.ts";
import {
  decodeStandbyOrder,
  encodeParked,
  ORPHAN_CLAIM_MS,
  STANDBY_LINE_BYTES_MAX,
  type StandbyOrder,
} from "./standby_words.ts";
import type { SandboxSummary } from "./wire.ts";
import { WireError } from "./wire_check.ts";

/** The device of a process that was started for it alone. */
export type OwnDevice = OpenedDevice & { readonly device: DevicePort };

/** A process that has everything but its device. */
export interface ParkedParts {
  readonly sandbox: SandboxSummary;
  /** Touches the device for the first time. @throws {UsbError} When it cannot be had. */
  readonly open: () => Promise<OwnDevice>;
  /** From now on it dies with its host; `false`: the host is dead already. */
  readonly bindToHost: () => boolean;
}

/** What a standby is made of. */
export interface StandbyMainOptions {
  readonly driver: AnyDriver;
  readonly config: DriverConfig;
  readonly clock: Clock;
  readonly logSink: LogSink;
  readonly input: AsyncIterable<Uint8Array>;
  readonly output: WriteBytes;
  /** This process. */
  readonly pid: number;
  /** Loads and confines. @throws {UsbError} When it cannot be confined as it must be. */
  readonly park: () => Promise<ParkedParts>;
  /** It waits. */
  readonly onParked?: () => void;
}

/** What a standby comes to: a driver with its device, or an exit code. */
export type StandbyOutcome = Awakened | { readonly code: number };

/** A standby that is to be the driver. */
export interface Awakened {
  readonly open: () => Promise<OpenedDevice>;
  /** What the host sends from now on. */
  readonly input: AsyncIterable<Uint8Array>;
}

/** Waits to be the driver. Everything is written when it resolves. */
export async function standBy(
  options: StandbyMainOptions,
): Promise<StandbyOutcome> {
  return await new StandbyMain(options).run();
}

class StandbyMain {
  readonly #options: StandbyMainOptions;
  #opened: OwnDevice | undefined;
  #isSafe = false;

  constructor(options: StandbyMainOptions) {
    this.#options = options;
  }

  async run(): Promise<StandbyOutcome> {
    const { input, output, park, onParked } = this.#options;
    try {
      const parts = await park();
      await output(encodeParked(parts.sandbox));
      onParked?.();
      return await this.#wait(parts, new OrderedInput(input));
    } catch (error) {
      console.error(error instanceof Error ? error.message : String(error));
      return { code: DRIVER_EXIT[refusalReason(error)] };
    }
  }

  async #wait(
    parts: ParkedParts,
    input: OrderedInput,
  ): Promise<StandbyOutcome> {
    for (;;) {
      const order = await input.next();
      switch (order) {
        case "safe":
          await this.#makeSafe(parts);
          break;
        case "go":
          if (!parts.bindToHost()) return await this.#orphaned(parts);
          return { open: () => this.#open(parts), input: input.rest() };
        case "stop":
          return { code: DRIVER_EXIT.clean };
        case undefined:
          return await this.#orphaned(parts);
      }
    }
  }

  async #open(parts: ParkedParts): Promise<OwnDevice> {
    return this.#opened ??= await parts.open();
  }

  /** A device that cannot be opened is the next one's to make safe, unless it is gone. */
  async #makeSafe(parts: ParkedParts): Promise<void> {
    const report = await this.#perform(parts);
    logSafeState(this.#logger, report);
    const { sandbox } = parts;
    await this.#options.output(encodeSafeStateFrame({ ...report, sandbox }));
  }

  /** The host is gone. Nobody waits for an answer: the log has it. */
  async #orphaned(parts: ParkedParts): Promise<StandbyOutcome> {
    const { safeState = [] } = this.#options.driver;
    if (this.#isSafe || safeState.length === 0) {
      return { code: DRIVER_EXIT.clean };
    }
    const report = await this.#perform(parts, ORPHAN_CLAIM_MS);
    logSafeState(this.#logger, report);
    const isDone = report.result === "done";
    return { code: isDone ? DRIVER_EXIT.clean : DRIVER_EXIT.fault };
  }

  async #perform(
    parts: ParkedParts,
    claimMs?: number,
  ): Promise<SafeStateReport> {
    const { driver: { interfaces, safeState: steps = [] }, clock } =
      this.#options;
    if (steps.length === 0) return NO_SAFE_STATE;
    let opened: OwnDevice;
    try {
      opened = await this.#open(parts);
    } catch (error) {
      const isGone = error instanceof UsbError && error.code === "noDevice";
      if (!isGone) throw error;
      const reason = "device gone";
      const result = "impossible";
      return { result, stepsDone: 0, steps: steps.length, reason };
    }
    const plan = {
      interfaces,
      steps,
      ...(claimMs === undefined ? {} : { claimMs }),
    };
    const report = await claimAndPerform(opened.device, plan, clock);
    this.#isSafe = report.result === "done";
    return report;
  }

  get #logger(): Parameters<typeof logSafeState>[0] {
    const { driver: { name }, config, clock, logSink, pid } = this.#options;
    return { order: { driver: name, config }, clock, logSink, pid };
  }
}

/** Orders out of a stream, and the stream behind the last of them. */
class OrderedInput {
  readonly #pieces: AsyncIterator<Uint8Array>;
  /** What was read and is no whole order yet. */
  #held = new Uint8Array();

  constructor(input: AsyncIterable<Uint8Array>) {
    this.#pieces = input[Symbol.asyncIterator]();
  }

  /** The next order; `undefined` when the host is gone, or says what is none. */
  async next(): Promise<StandbyOrder | undefined> {
    try {
      for (;;) {
        const end = this.#held.indexOf(NEWLINE);
        if (end >= 0) {
          const line = this.#held.subarray(0, end);
          this.#held = this.#held.subarray(end + 1);
          return decodeStandbyOrder(line);
        }
        if (this.#held.length > STANDBY_LINE_BYTES_MAX) return undefined;
        const { done, value } = await this.#pieces.next();
        if (done === true) return undefined;
        this.#held = joinedBytes(this.#held, value);
      }
    } catch (error) {
      if (error instanceof WireError) return undefined;
      throw error;
    }
  }

  /** What comes after the last order. */
  async *rest(): AsyncGenerator<Uint8Array, void> {
    if (this.#held.length > 0) yield this.#held;
    for (;;) {
      const { done, value } = await this.#pieces.next();
      if (done === true) return;
      yield value;
    }
  }
}

const NEWLINE = 0x0a;
