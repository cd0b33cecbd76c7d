/**
 * Server-sent events from the supervisor's ring: the present state first, what
 * was missed, then what happens. A client that does not read is cut off and
 * counted; it never slows the supervisor or another client.
 *
 * @module
 */

import type { LogLevel } from "../../driver.ts";
import type { Clock, Timer } from "../../loop/clock.ts";
import { isAtLeast } from "../log_level.ts";
import type { MetricRegistry } from "../metrics/registry.ts";
import type { EventRing, SupervisorEvent } from "../supervisor/event_ring.ts";
import type { RecentLine } from "../supervisor/recent_log.ts";
import type { JsonObject } from "./views.ts";

/** Events waiting for one client; one more and it is cut. */
export const CLIENT_EVENTS_MAX = 256;
/** With so many waiting, lines of logs are left out: a driver that talks much cuts nobody off. */
export const CLIENT_LINES_MAX = CLIENT_EVENTS_MAX / 2;
/** The event that a line of a driver's log is. */
export const LOG_EVENT = "driver.log";
/** Clients at a time; the next is refused. */
export const EVENT_CLIENTS_MAX = 32;
/** A comment so often, that proxies and clients see the connection live. */
export const KEEP_ALIVE_MS = 15_000;
/** How soon a client connects again. */
const RETRY_MS = 1_000;

/** What streams are made of. */
export interface EventStreamsOptions {
  readonly clock: Clock;
  readonly ring: EventRing;
  readonly registry: MetricRegistry;
  /** The present state, for a client's first event. */
  readonly snapshot: () => JsonObject;
}

/** What a client asked for. */
export interface EventStreamRequest {
  /** `Last-Event-ID`: only what came after it. Absent: only what comes. */
  readonly lastEventId?: number;
  /** Only events of this driver. */
  readonly driver?: string;
  /** Only events of this name. */
  readonly event?: string;
  /** Lines of logs besides, from this level up. Absent: only where `event` names them. */
  readonly log?: LogLevel;
  /** No events of this name: a fast driver's, for whoever wants the rest. */
  readonly without?: string;
}

/** All clients of the event stream. */
export class EventStreams {
  readonly #options: EventStreamsOptions;
  readonly #clients = new Set<Client>();

  /** None yet. */
  constructor(options: EventStreamsOptions) {
    this.#options = options;
    const { registry } = options;
    registry.touch("driverspace_event_clients");
    for (const reason of ["slow", "broken"]) {
      registry.touch("driverspace_event_clients_cut_total", { reason });
    }
  }

  /** A stream for one client; `undefined` when there are too many. */
  open(request: EventStreamRequest): ReadableStream<Uint8Array> | undefined {
    if (this.#clients.size >= EVENT_CLIENTS_MAX) return undefined;
    const client = new Client(this.#options, request, (client) => {
      this.#clients.delete(client);
      this.#count();
    });
    this.#clients.add(client);
    this.#count();
    return client.stream;
  }

  /** Ends every stream. */
  close(): void {
    for (const client of [...this.#clients]) client.close();
  }

  #count(): void {
    this.#options.registry.set(
      "driverspace_event_clients",
      {},
      this.#clients.size,
    );
  }
}

class Client {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #options: EventStreamsOptions;
  readonly #request: EventStreamRequest;
  readonly #onClose: (client: Client) => void;
  readonly #subscriptions: (() => void)[] = [];
  #waiting: string[] = [];
  #wake: (() => void) | undefined;
  #keepAlive: Timer | undefined;
  /** Lines of logs that this client was too slow for, not yet told. */
  #left: { readonly from: number; to: number } | undefined;
  #isClosed = false;

  constructor(
    options: EventStreamsOptions,
    request: EventStreamRequest,
    onClose: (client: Client) => void,
  ) {
    this.#options = options;
    this.#request = request;
    this.#onClose = onClose;
    this.#waiting.push(this.#beginning());
    const { ring } = options;
    this.#subscriptions.push(ring.subscribe((event) => this.#take(event)));
    if (this.#level !== undefined) {
      this.#subscriptions.push(
        ring.logs.subscribe((line) => this.#takeLine(line)),
      );
    }
    this.stream = new ReadableStream<Uint8Array>({
      pull: (controller) => this.#pull(controller),
      cancel: () => this.close(),
    }, { highWaterMark: 0 });
    this.#liveOn();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const unsubscribe of this.#subscriptions) unsubscribe();
    this.#keepAlive?.cancel();
    this.#wake?.();
    this.#onClose(this);
  }

  /** From which level up lines of logs are wanted; `undefined`: not at all. */
  get #level(): LogLevel | undefined {
    const { event, log } = this.#request;
    return log ?? (event === LOG_EVENT ? "debug" : undefined);
  }

  /** One piece, whatever it holds: what was missed does not count as waiting. */
  #beginning(): string {
    const { ring, snapshot } = this.#options;
    const { lastEventId } = this.#request;
    const parts = [`retry: ${RETRY_MS}\n\n`];
    const isFresh = lastEventId === undefined;
    const missed = isFresh ? [] : this.#missed(lastEventId, parts);
    parts.push(
      frame("snapshot", snapshot(), isFresh ? ring.lastSequence : undefined),
      ...missed,
    );
    return parts.join("");
  }

  /** What came meanwhile, in order; what is lost is told first. */
  #missed(lastEventId: number, parts: string[]): string[] {
    const { ring } = this.#options;
    const { gap, events } = ring.since(lastEventId);
    if (gap !== undefined) parts.push(frame("gap", { ...gap, of: "events" }));
    const found = events.filter((event) => this.#wants(event)).map(
      (event) => ({ sequence: event.sequence, text: frameOf(event) }),
    );
    if (this.#level !== undefined) {
      const from = ring.resumedFrom(lastEventId);
      const missed = ring.logs.since(from, this.#request.driver);
      if (missed.gap !== undefined) parts.push(gapOfLines(missed.gap));
      for (const line of missed.lines) {
        if (!this.#wantsLine(line)) continue;
        found.push({ sequence: line.sequence, text: frameOfLine(line) });
      }
    }
    return found.sort((one, other) => one.sequence - other.sequence)
      .map(({ text }) => text);
  }

  #take(event: SupervisorEvent): void {
    if (!this.#wants(event)) return;
    if (this.#waiting.length >= CLIENT_EVENTS_MAX) return this.#cut();
    this.#push(frameOf(event));
  }

  #takeLine(line: RecentLine): void {
    if (!this.#wantsLine(line)) return;
    if (this.#waiting.length >= CLIENT_LINES_MAX) {
      this.#left ??= { from: line.sequence, to: line.sequence };
      this.#left.to = line.sequence;
      return;
    }
    this.#tellLeft();
    this.#push(frameOfLine(line));
  }

  #tellLeft(): void {
    if (this.#left === undefined) return;
    this.#waiting.push(gapOfLines(this.#left));
    this.#left = undefined;
  }

  #push(text: string): void {
    this.#waiting.push(text);
    this.#wake?.();
  }

  #cut(): void {
    this.#options.registry.add("driverspace_event_clients_cut_total", {
      reason: "slow",
    });
    this.#waiting = [];
    this.close();
  }

  #wants({ driver, event }: SupervisorEvent): boolean {
    const { driver: wanted, event: name, without } = this.#request;
    return (wanted === undefined || wanted === driver) &&
      (name === undefined || name === event) && without !== event;
  }

  #wantsLine({ driver, level }: RecentLine): boolean {
    const { driver: wanted } = this.#request;
    const least = this.#level;
    return (wanted === undefined || wanted === driver) &&
      least !== undefined && isAtLeast(level, least);
  }

  async #pull(
    controller: ReadableStreamDefaultController<Uint8Array>,
  ): Promise<void> {
    if (this.#waiting.length === 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => this.#wake = resolve);
      this.#wake = undefined;
    }
    if (this.#waiting.length > 0) {
      this.#tellLeft();
      const text = this.#waiting.join("");
      this.#waiting = [];
      controller.enqueue(new TextEncoder().encode(text));
    } else if (this.#isClosed) controller.close();
  }

  #liveOn(): void {
    this.#keepAlive = this.#options.clock.setTimer(KEEP_ALIVE_MS, () => {
      if (this.#waiting.length === 0) {
        this.#waiting.push(": alive\n\n");
        this.#wake?.();
      }
      this.#liveOn();
    });
  }
}

function frameOf(event: SupervisorEvent): string {
  const { sequence, atMs, driver, data } = event;
  return frame(event.event, {
    at: new Date(atMs).toISOString(),
    driver: driver ?? null,
    ...data,
  }, sequence);
}

function frameOfLine(line: RecentLine): string {
  const { sequence, atMs, driver, level, from, event, message, fields } = line;
  const at = new Date(atMs).toISOString();
  const data = { at, driver, level, from, event, message, fields };
  return frame(LOG_EVENT, data, sequence);
}

function gapOfLines(
  { from, to }: { readonly from: number; readonly to: number },
): string {
  return frame("gap", { from, to, of: LOG_EVENT });
}

/** JSON has no line breaks of its own, so one `data:` line holds it. */
function frame(event: string, data: JsonObject, id?: number): string {
  const idLine = id === undefined ? "" : `id: ${id}\n`;
  return `${idLine}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
