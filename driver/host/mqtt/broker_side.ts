/**
 * Keeps a connection to the broker and sends what the outbox holds, for as long
 * as the bridge lives.
 *
 * @module
 */

import type { Clock, Timer } from "../../loop/clock.ts";
import { within } from "../../loop/within.ts";
import type { LogFields } from "../log.ts";
import { Backoff } from "./backoff.ts";
import {
  BrokerError,
  type BrokerLink,
  RefusedByBrokerError,
} from "./broker_link.ts";
import type { Outbox, OutMessage } from "./outbox.ts";
import { byteLength } from "./payloads.ts";

/** Writes a line: what happened, in one sentence. */
export type Note = (
  level: "info" | "warn" | "error",
  event: string,
  message: string,
  fields?: LogFields,
) => void;

/** What this side is made of. */
export interface BrokerSideOptions {
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly outbox: Outbox;
  /** @throws {BrokerError} */
  readonly connect: () => Promise<BrokerLink>;
  /** Topics to hear of. */
  readonly subscriptions: readonly string[];
  /** Puts into the outbox what is said last. */
  readonly farewell: () => void;
  /** An event is with the broker, or will never be. */
  readonly onEventDone: () => void;
  readonly note: Note;
  /** Waits between attempts. Default: half a second, doubling up to a minute. */
  readonly backoff?: { readonly firstMs: number; readonly maxMs: number };
}

/** What became of connections and messages. */
export interface BrokerCounters {
  readonly connections: number;
  /** The broker refused them, or they are longer than it takes. */
  readonly refused: number;
}

const BACKOFF = { firstMs: 500, maxMs: 60_000 } as const;
/** Topic and properties of a packet, at most. */
const PACKET_OVERHEAD_BYTES = 1_024;
/** A connection that ends so soon was ended by somebody. */
const SHORT_MS = 10_000;
const SHORT_HINT = "If it repeats: another client may bear the same " +
  "client_id; give each machine a prefix or client_id of its own";
/** For what waits when the bridge is told to stop. */
const FLUSH_TIMEOUT_MS = 2_000;

/** The side of the broker. */
export class BrokerSide {
  readonly #options: BrokerSideOptions;
  readonly #backoff: Backoff;
  #link: BrokerLink | undefined;
  #underWay = 0;
  #due: Timer | undefined;
  #connections = 0;
  #refused = 0;
  #emptied: (() => void) | undefined;

  /** Not connected. */
  constructor(options: BrokerSideOptions) {
    this.#options = options;
    const { clock, random, backoff = BACKOFF } = options;
    this.#backoff = new Backoff({ clock, random, ...backoff });
  }

  /** What became of connections and messages. */
  get counters(): BrokerCounters {
    return { connections: this.#connections, refused: this.#refused };
  }

  /**
   * Connects, and again whenever it is gone, until the signal fires; then leaves
   * in order.
   *
   * @throws {BrokerError} When the first connection fails for a reason that waiting does not mend.
   */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const link = await this.#connectUnless(signal);
      if (link !== undefined) await this.#serve(link, signal);
      if (!signal.aborted) await this.#backoff.wait(signal);
    }
  }

  /** Something waits in the outbox. */
  wake(): void {
    const { outbox, clock } = this.#options;
    const link = this.#link;
    if (link === undefined) return;
    while (this.#underWay < link.inFlightMax) {
      const message = outbox.take(clock.nowMs());
      if (message === undefined) return this.#wakeWhenDue();
      void this.#publish(link, message);
    }
  }

  /** Resolves when the broker has all that waits, or cannot be had so soon. */
  async flush(): Promise<void> {
    if (this.#link === undefined) return;
    const emptied = Promise.withResolvers<void>();
    this.#emptied = emptied.resolve;
    this.wake();
    await within(this.#options.clock, {
      timeoutMs: FLUSH_TIMEOUT_MS,
      promise: Promise.race([emptied.promise, this.#link.closed]),
    });
    this.#emptied = undefined;
  }

  /** Told to stop while it connects, it does not wait for that. */
  async #connectUnless(signal: AbortSignal): Promise<BrokerLink | undefined> {
    const stopped = Promise.withResolvers<undefined>();
    const stop = (): void => stopped.resolve(undefined);
    signal.addEventListener("abort", stop, { once: true });
    const connecting = this.#connect();
    const link = await Promise.race([connecting, stopped.promise]);
    signal.removeEventListener("abort", stop);
    if (signal.aborted && link === undefined) {
      connecting.then((late) => late?.close(), () => {});
    }
    return link;
  }

  async #connect(): Promise<BrokerLink | undefined> {
    const { connect, note } = this.#options;
    try {
      return await connect();
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      const isFirst = this.#connections === 0;
      if (isFirst && error.kind !== "away") throw error;
      const next = error.advice === undefined ? "" : `. ${error.advice}`;
      note("warn", "broker.away", `${error.message}${next}`);
      return undefined;
    }
  }

  async #serve(link: BrokerLink, signal: AbortSignal): Promise<void> {
    const { outbox, note, clock } = this.#options;
    const beganMs = clock.nowMs();
    this.#connections++;
    this.#backoff.began();
    const { waiting, dropped } = outbox.counters;
    note("info", "broker.connected", "The broker is there", {
      events_waiting: waiting,
      events_dropped: dropped,
    });
    await this.#subscribe(link);
    outbox.restart();
    this.#underWay = 0;
    this.#link = link;
    this.wake();
    const over = Promise.withResolvers<undefined>();
    const leave = (): void => over.resolve(undefined);
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) leave();
    const reason = await Promise.race([link.closed, over.promise]);
    signal.removeEventListener("abort", leave);
    if (reason === undefined) return await this.#leave(link);
    this.#forget();
    const isShort = clock.nowMs() - beganMs < SHORT_MS;
    const hint = isShort ? `. ${SHORT_HINT}` : "";
    note("warn", "broker.lost", `The broker is gone: ${reason}${hint}`);
  }

  /** In the order of subscriptions: what an earlier bridge left comes before our own. */
  async #subscribe(link: BrokerLink): Promise<void> {
    const { subscriptions, note } = this.#options;
    for (const topic of subscriptions) {
      try {
        await link.subscribe(topic);
      } catch (error) {
        if (!(error instanceof RefusedByBrokerError)) return;
        const message = `The broker lets us not hear of ${topic}`;
        note("error", "broker.refused", `${message}: ${error.message}`);
      }
    }
  }

  async #publish(link: BrokerLink, message: OutMessage): Promise<void> {
    const { outbox, note } = this.#options;
    this.#underWay++;
    let problem: string | undefined;
    try {
      const bytes = byteLength(message.payload) + PACKET_OVERHEAD_BYTES;
      if (bytes <= link.packetBytesMax) await link.publish(message);
      else problem = `it takes ${link.packetBytesMax} bytes, not ${bytes}`;
    } catch (error) {
      // The connection is gone: the outbox gives the message again.
      if (!(error instanceof RefusedByBrokerError)) return;
      problem = error.message;
    }
    if (this.#link !== link) return;
    this.#underWay--;
    outbox.done(message, { isSent: problem === undefined });
    if (!message.retain) this.#options.onEventDone();
    if (problem !== undefined) {
      this.#refused++;
      const { topic } = message;
      note(
        "error",
        "broker.refused",
        `The broker refuses ${topic}: ${problem}`,
      );
    }
    this.wake();
  }

  async #leave(link: BrokerLink): Promise<void> {
    await this.flush();
    this.#options.farewell();
    await this.flush();
    this.#forget();
    await link.close();
  }

  #forget(): void {
    this.#link = undefined;
    this.#due?.cancel();
    this.#due = undefined;
  }

  /** Nothing is due. A topic that changes often waits for its time. */
  #wakeWhenDue(): void {
    const { outbox, clock } = this.#options;
    if (this.#underWay === 0) this.#emptied?.();
    this.#due?.cancel();
    const dueMs = outbox.nextDueMs;
    this.#due = dueMs === undefined
      ? undefined
      : clock.setTimer(Math.max(0, dueMs - clock.nowMs()), () => this.wake());
  }
}
