/**
 * Listeners of an event target, counted: while there are any for connections the
 * bus is watched, and without one nothing keeps the program alive.
 *
 * @module
 */

type Listener = EventListenerOrEventListenerObject;

interface Entry {
  readonly type: string;
  readonly listener: Listener;
  readonly isCapture: boolean;
  readonly isOnce: boolean;
}

/** Listeners as DOM counts them: by type, callback and phase. */
export class ListenerCount {
  #entries: readonly Entry[] = [];

  /** How many there are. */
  get size(): number {
    return this.#entries.length;
  }

  /** One was added; the same one twice counts once. `gone` is called if its signal takes it back. */
  added(
    { type, listener, options, gone }: {
      readonly type: string;
      readonly listener: Listener;
      readonly options: boolean | AddEventListenerOptions | undefined;
      readonly gone: () => void;
    },
  ): void {
    const { once, signal } = typeof options === "object" ? options : {};
    const isCapture = isCapturing(options);
    const isKnown = this.#entries.some((entry) =>
      entry.type === type && entry.listener === listener &&
      entry.isCapture === isCapture
    );
    if (isKnown || signal?.aborted === true) return;
    const entry = { type, listener, isCapture, isOnce: once === true };
    this.#entries = [...this.#entries, entry];
    signal?.addEventListener("abort", () => {
      this.#keep((kept) => kept !== entry);
      gone();
    }, { once: true });
  }

  /** One was removed. */
  removed(
    { type, listener, options }: {
      readonly type: string;
      readonly listener: Listener;
      readonly options: boolean | EventListenerOptions | undefined;
    },
  ): void {
    const isCapture = isCapturing(options);
    this.#keep((entry) =>
      entry.type !== type || entry.listener !== listener ||
      entry.isCapture !== isCapture
    );
  }

  /** An event was dispatched: who listened for one has heard it. */
  dispatched(type: string): void {
    this.#keep((entry) => entry.type !== type || !entry.isOnce);
  }

  #keep(isKept: (entry: Entry) => boolean): void {
    this.#entries = this.#entries.filter(isKept);
  }
}

function isCapturing(
  options: boolean | EventListenerOptions | undefined,
): boolean {
  return typeof options === "object"
    ? options?.capture === true
    : options === true;
}

/**
 * An event handler attribute. HTML, 8.1.8.1: its place among the listeners is
 * that of the first handler; what is no object counts as null.
 */
export class HandlerAttribute<Handler> {
  readonly #attach: (listener: Listener) => void;
  readonly #detach: (listener: Listener) => void;
  #handler: Handler | null = null;

  /** Attaches and detaches its one listener. */
  constructor(
    target: {
      readonly attach: (listener: Listener) => void;
      readonly detach: (listener: Listener) => void;
    },
  ) {
    this.#attach = target.attach;
    this.#detach = target.detach;
  }

  /** The handler, as it was set. */
  get value(): Handler | null {
    return this.#handler;
  }

  set value(handler: Handler | null) {
    const isHandler = (typeof handler === "object" && handler !== null) ||
      typeof handler === "function";
    const wasHandler = this.#handler !== null;
    this.#handler = isHandler ? handler : null;
    if (isHandler && !wasHandler) this.#attach(this.#listener);
    if (!isHandler && wasHandler) this.#detach(this.#listener);
  }

  readonly #listener = (event: Event): void => {
    const handler: unknown = this.#handler;
    if (typeof handler !== "function") return;
    if (handler.call(event.currentTarget, event) === false) {
      event.preventDefault();
    }
  };
}
