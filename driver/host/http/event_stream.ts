/**
 * Server-sent events from the supervisor's ring: the present state first, what
 * was missed, then what happens. A client that does not read is cut off and
 * counted; it never slows the supervisor or another client.
 *
 * @module
 */

import type { Clock, Timer } from "../../loop/clock.ts";
import type { MetricRegistry } from "../metrics/registry.ts";
import type { EventRing, SupervisorEvent } from "../supervisor/event_ring.ts";
import type { JsonObject } from "./views.ts";

/** Events waiting for one client; one more and it is cut. */
export const CLIENT_EVENTS_MAX = 256;
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
  readonly #unsubscribe: () => void;
  #waiting: string[] = [];
  #wake: (() => void) | undefined;
  #keepAlive: Timer | undefined;
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
    this.#unsubscribe = options.ring.subscribe((event) => this.#take(event));
    this.stream = new ReadableStream<Uint8Array>({
      pull: (controller) => this.#pull(controller),
      cancel: () => this.close(),
    }, { highWaterMark: 0 });
    this.#liveOn();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unsubscribe();
    this.#keepAlive?.cancel();
    this.#wake?.();
    this.#onClose(this);
  }

  /** One piece, whatever it holds: what was missed does not count as waiting. */
  #beginning(): string {
    const { ring, snapshot } = this.#options;
    const { lastEventId } = this.#request;
    const from = lastEventId ?? ring.lastSequence;
    const { gap, events } = ring.since(from);
    const parts = [`retry: ${RETRY_MS}\n\n`];
    if (gap !== undefined) parts.push(frame("gap", { ...gap }));
    const isFresh = lastEventId === undefined;
    parts.push(
      frame("snapshot", snapshot(), isFresh ? ring.lastSequence : undefined),
    );
    for (const event of events) {
      if (this.#wants(event)) parts.push(frameOf(event));
    }
    return parts.join("");
  }

  #take(event: SupervisorEvent): void {
    if (!this.#wants(event)) return;
    if (this.#waiting.length >= CLIENT_EVENTS_MAX) return this.#cut();
    this.#waiting.push(frameOf(event));
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
    const { driver: wanted, event: name } = this.#request;
    return (wanted === undefined || wanted === driver) &&
      (name === undefined || name === event);
  }

  async #pull(
    controller: ReadableStreamDefaultController<Uint8Array>,
  ): Promise<void> {
    if (this.#waiting.length === 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => this.#wake = resolve);
      this.#wake = undefined;
    }
    if (this.#waiting.length > 0) {
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

/** JSON has no line breaks of its own, so one `data:` line holds it. */
function frame(event: string, data: JsonObject, id?: number): string {
  const idLine = id === undefined ? "" : `id: ${id}\n`;
  return `${idLine}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
