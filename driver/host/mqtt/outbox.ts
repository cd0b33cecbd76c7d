/**
 * What waits for the broker: of each retained topic the latest alone, and events
 * in a bounded queue whose oldest make room, each counted. Nothing counts as
 * sent before the broker has it; what was under way when the connection broke is
 * sent again.
 *
 * @module
 */

/** A message to publish, until it is acknowledged. */
export interface OutMessage {
  readonly topic: string;
  readonly payload: string;
  readonly retain: boolean;
}

/** Bounds of an outbox. */
export interface OutboxOptions {
  /** Default EVENTS_MAX. */
  readonly eventsMax?: number;
  /** Characters of all waiting events. Default EVENTS_CHARACTERS_MAX. */
  readonly charactersMax?: number;
}

/** What became of events. */
export interface OutboxCounters {
  /** The broker has them. */
  readonly sent: number;
  /** Made room for later ones. */
  readonly dropped: number;
  /** Events waiting or under way. */
  readonly waiting: number;
}

/** An outage of minutes for a driver that tells something each second, times several. */
export const EVENTS_MAX = 1_000;
/** Bounds the memory when events are long: as much as one command's answer, times 32. */
export const EVENTS_CHARACTERS_MAX = 8 * 1024 * 1024;

interface Kept {
  make: () => string;
  minIntervalMs: number;
  /** Changed since it was last taken. */
  isDirty: boolean;
  underWay: OutMessage | undefined;
  takenAtMs: number;
}

interface Queued {
  readonly message: OutMessage;
  isUnderWay: boolean;
}

/** The outbox. */
export class Outbox {
  readonly #eventsMax: number;
  readonly #charactersMax: number;
  readonly #kept = new Map<string, Kept>();
  readonly #events: Queued[] = [];
  #characters = 0;
  #sent = 0;
  #dropped = 0;

  /** Empty. */
  constructor(options: OutboxOptions = {}) {
    this.#eventsMax = options.eventsMax ?? EVENTS_MAX;
    this.#charactersMax = options.charactersMax ?? EVENTS_CHARACTERS_MAX;
  }

  /** What became of events. */
  get counters(): OutboxCounters {
    return {
      sent: this.#sent,
      dropped: this.#dropped,
      waiting: this.#events.length,
    };
  }

  /**
   * A retained topic has changed. Its payload is made when it is sent, so that
   * what changes often costs only what is sent; not more often than each
   * `minIntervalMs`.
   */
  keep(
    topic: string,
    make: () => string,
    options: { readonly minIntervalMs?: number } = {},
  ): void {
    const { minIntervalMs = 0 } = options;
    const kept = this.#kept.get(topic);
    if (kept === undefined) {
      this.#kept.set(topic, {
        make,
        minIntervalMs,
        isDirty: true,
        underWay: undefined,
        takenAtMs: -Infinity,
      });
    } else {
      kept.make = make;
      kept.minIntervalMs = minIntervalMs;
      kept.isDirty = true;
    }
  }

  /** Takes a retained topic away from the broker. */
  clear(topic: string): void {
    this.keep(topic, () => "");
  }

  /** An event waits for the broker; the oldest make room for it. */
  push(topic: string, payload: string): void {
    this.#events.push({
      message: { topic, payload, retain: false },
      isUnderWay: false,
    });
    this.#characters += payload.length;
    while (
      this.#events.length > this.#eventsMax ||
      this.#characters > this.#charactersMax
    ) if (!this.#dropOldest()) return;
  }

  /** The next message to publish, if one is due. */
  take(nowMs: number): OutMessage | undefined {
    for (const [topic, kept] of this.#kept) {
      if (!isWaiting(kept) || dueMs(kept) > nowMs) continue;
      kept.isDirty = false;
      kept.takenAtMs = nowMs;
      const payload = kept.make();
      return kept.underWay = { topic, payload, retain: true };
    }
    const queued = this.#events.find(({ isUnderWay }) => !isUnderWay);
    if (queued === undefined) return undefined;
    queued.isUnderWay = true;
    return queued.message;
  }

  /** When the next retained topic is due that is not yet; `undefined` when none waits. */
  get nextDueMs(): number | undefined {
    const due = [...this.#kept.values()].filter(isWaiting).map(dueMs);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  /** The broker has it, or will never take it. */
  done(
    message: OutMessage,
    { isSent }: { readonly isSent: boolean } = { isSent: true },
  ): void {
    if (message.retain) return this.#keptDone(message);
    const at = this.#events.findIndex((queued) => queued.message === message);
    if (at < 0) return;
    this.#events.splice(at, 1);
    this.#characters -= message.payload.length;
    if (isSent) this.#sent++;
  }

  /** Every retained topic is sent again: somebody has forgotten them. */
  again(): void {
    for (const kept of this.#kept.values()) kept.isDirty = true;
  }

  /** Another connection: what was under way is sent again, and every retained topic. */
  restart(): void {
    for (const queued of this.#events) queued.isUnderWay = false;
    for (const kept of this.#kept.values()) {
      kept.underWay = undefined;
      kept.takenAtMs = -Infinity;
    }
    this.again();
  }

  #keptDone({ topic, payload }: OutMessage): void {
    const kept = this.#kept.get(topic);
    if (kept?.underWay?.payload !== payload) return;
    kept.underWay = undefined;
    if (payload === "" && !kept.isDirty) this.#kept.delete(topic);
  }

  #dropOldest(): boolean {
    const at = this.#events.findIndex(({ isUnderWay }) => !isUnderWay);
    const [dropped] = at < 0 ? [] : this.#events.splice(at, 1);
    if (dropped === undefined) return false;
    this.#characters -= dropped.message.payload.length;
    this.#dropped++;
    return true;
  }
}

/** One message of a topic at a time, so that a later one never overtakes. */
function isWaiting({ isDirty, underWay }: Kept): boolean {
  return isDirty && underWay === undefined;
}

function dueMs({ takenAtMs, minIntervalMs }: Kept): number {
  return takenAtMs + minIntervalMs;
}
