/**
 * Follows the events of a running supervisor over its Unix socket: server-sent
 * events, taken apart.
 *
 * @module
 */

import { type ClientRequest, request } from "node:http";
import { KEEP_ALIVE_MS } from "../http/event_stream.ts";
import { unreachableBy } from "./client.ts";

/** One event as it was sent. */
export interface StreamedEvent {
  /** Its number; `undefined` for what has none, a `gap` for instance. */
  readonly id: number | undefined;
  readonly event: string;
  /** JSON text. */
  readonly data: string;
}

/** How to follow. */
export interface FollowOptions {
  /** Number of the last event that was seen: what came after it comes first. */
  readonly lastEventId?: number | undefined;
  /** Must not throw. */
  readonly onEvent: (event: StreamedEvent) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Two comments may be late; after three nobody is there. */
const SILENCE_MS_MAX = 3 * KEEP_ALIVE_MS;
/** Far above the snapshot of 64 drivers; bounds what a broken peer makes us keep. */
const EVENT_CHARACTERS_MAX = 4 * 1024 * 1024;

/**
 * Calls `onEvent` for each event. Resolves when the signal fires.
 *
 * @throws {UnreachableError} When nobody answers, or the stream ends.
 */
export function followEvents(
  socketPath: string,
  options: FollowOptions,
): Promise<void> {
  const { lastEventId, signal } = options;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const asked = request({
    socketPath,
    path: "/events",
    timeout: SILENCE_MS_MAX,
    headers: {
      accept: "text/event-stream",
      ...(lastEventId === undefined
        ? {}
        : { "last-event-id": String(lastEventId) }),
    },
  });
  const fail = (error: unknown): void => {
    asked.destroy();
    if (signal.aborted) resolve();
    else reject(unreachableBy(socketPath, error));
  };
  const abort = (): void => fail(new Error("it is over"));
  signal.addEventListener("abort", abort, { once: true });
  read(asked, options, fail);
  if (signal.aborted) abort();
  else asked.end();
  return promise.finally(() => signal.removeEventListener("abort", abort));
}

function read(
  asked: ClientRequest,
  { onEvent, signal }: FollowOptions,
  fail: (error: unknown) => void,
): void {
  asked.on("timeout", () => fail(new Error("it has fallen silent")));
  asked.on("error", fail);
  asked.on("response", (response) => {
    if (response.statusCode !== 200) {
      return fail(new Error(`it answers ${response.statusCode}`));
    }
    const reader = new EventStreamReader();
    response.setEncoding("utf8");
    response.on("data", (piece: string) => {
      try {
        for (const event of reader.push(piece)) {
          // What came in one piece is not told to whom an event of it was enough.
          if (!signal.aborted) onEvent(event);
        }
      } catch (error) {
        fail(error);
      }
    });
    response.on("error", fail);
    response.on("close", () => fail(new Error("it ended the stream")));
  });
}

/** Takes an event stream apart, piece by piece. WHATWG HTML, 9.2.6. */
export class EventStreamReader {
  #rest = "";
  #id: number | undefined;
  #event = "";
  #data: string[] = [];

  /**
   * Gives the events that end in this piece.
   *
   * @throws {RangeError} When one is too long.
   */
  push(piece: string): StreamedEvent[] {
    const lines = (this.#rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    const events: StreamedEvent[] = [];
    for (const line of lines) {
      if (line !== "") this.#take(line);
      else if (this.#data.length > 0) events.push(this.#made());
      else this.#forget();
    }
    const length = this.#data.reduce(
      (sum, text) => sum + text.length,
      this.#rest.length,
    );
    if (length > EVENT_CHARACTERS_MAX) throw new RangeError("it says too much");
    return events;
  }

  #take(line: string): void {
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.#event = value;
    else if (name === "data") this.#data.push(value);
    else if (name === "id" && /^\d{1,15}$/.test(value)) {
      this.#id = Number(value);
    }
  }

  #made(): StreamedEvent {
    const event = {
      id: this.#id,
      event: this.#event === "" ? "message" : this.#event,
      data: this.#data.join("\n"),
    };
    this.#forget();
    return event;
  }

  /** Our own `id:` is of one event and not, as in browsers, of all that follow. */
  #forget(): void {
    this.#id = undefined;
    this.#event = "";
    this.#data = [];
  }
}
