/**
 * A driver in the importing program's own process: the same loop as under
 * `driverspace run`, without its sandbox and without its restarts. For programs
 * that want a driver as a library, and for its tests.
 *
 * @module
 */

import type { AnyDriver, DriverLog, Json } from "../driver.ts";
import { RingBuffer } from "../loop/ring_buffer.ts";
import type { Clock } from "../loop/clock.ts";
import type { CommandOptions } from "../loop/commands.ts";
import type { SessionEnd } from "../loop/end_reason.ts";
import { Session } from "../loop/session.ts";
import type { DeviceInfo, UsbPort } from "../port.ts";
import { systemClock } from "./system_clock.ts";

/** Events that wait for a reader; further ones are dropped and counted by the session. */
const EVENTS_WAITING_MAX = 1024;

/** What a driver told. */
export interface DriverEvent {
  /** Its name, one of the driver's. */
  readonly event: string;
  /** Its data, in the shape the driver declares. */
  readonly data: Readonly<Record<string, Json>>;
}

/** How to start a driver. */
export interface StartOptions {
  /** Where its device is; stays the caller's. */
  readonly port: UsbPort;
  /** Which device; default: the one on the port that the driver matches. */
  readonly device?: DeviceInfo;
  /** Options of the driver by name, checked against its declaration. */
  readonly options?: Json;
  /** Where its lines go; default: nowhere. */
  readonly log?: DriverLog;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Default: the machine's. */
  readonly random?: () => number;
}

/** A driver that runs. Its events are what it iterates over, one reader at a time. */
export interface RunningDriver
  extends AsyncDisposable, AsyncIterable<DriverEvent> {
  /** State, journal and counters. */
  readonly session: Session;
  /** How it ended; always resolves. */
  readonly ended: Promise<SessionEnd>;
  /** Sends a command and gives its answer. Throws as `Session.command`. */
  command(name: string, params?: Json, options?: CommandOptions): Promise<Json>;
  /** Ends it in order: safe state, drain, release. Twice is a no-op. */
  stop(): Promise<SessionEnd>;
}

/**
 * Starts a driver and waits until it is ready.
 *
 * @throws {UsbError} When there is no such device, or it cannot be opened or claimed.
 * @throws {TypeError|RangeError} When an option is wrong.
 */
export async function startDriver(
  driver: AnyDriver,
  options: StartOptions,
): Promise<RunningDriver> {
  const events = new EventQueue();
  const session = new Session({
    driver,
    port: options.port,
    ...(options.device === undefined ? {} : { deviceInfo: options.device }),
    ...(options.options === undefined ? {} : { options: options.options }),
    clock: options.clock ?? systemClock(),
    random: options.random ?? Math.random,
    log: options.log ?? (() => {}),
    emit: (event, data) => events.push({ event, data }),
    // A timer would come a millisecond later, for each 64 reports.
    yieldTurn: () => new Promise((resolve) => void setImmediate(resolve)),
  });
  void session.ended.then(() => events.end());
  await session.start();
  return {
    session,
    ended: session.ended,
    command: (name, params, commandOptions) =>
      session.command(name, params, commandOptions),
    stop: () => session.stop(),
    [Symbol.asyncIterator]: () => events.read(),
    [Symbol.asyncDispose]: async () => void await session.stop(),
  };
}

/** Events between the driver and whoever reads them. */
class EventQueue {
  readonly #waiting = new RingBuffer<DriverEvent>(EVENTS_WAITING_MAX);
  #isEnded = false;
  #arrived = Promise.withResolvers<void>();

  /** `false` when there is no room. */
  push(event: DriverEvent): boolean {
    const hasRoom = this.#waiting.push(event);
    this.#arrived.resolve();
    return hasRoom;
  }

  end(): void {
    this.#isEnded = true;
    this.#arrived.resolve();
  }

  async *read(): AsyncGenerator<DriverEvent, void> {
    for (;;) {
      const event = this.#waiting.shift();
      if (event !== undefined) yield event;
      else if (this.#isEnded) return;
      else {
        this.#arrived = Promise.withResolvers();
        await this.#arrived.promise;
      }
    }
  }
}
