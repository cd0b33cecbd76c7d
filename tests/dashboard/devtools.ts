/**
 * The Chrome DevTools Protocol over its WebSocket: as much of it as drives a
 * page. https://chromedevtools.github.io/devtools-protocol/
 */

// deno-lint-ignore no-explicit-any -- messages of the protocol have any shape
export type Message = any;

/** An answer takes milliseconds, on a busy machine seconds. */
const ANSWER_TIMEOUT_MS = 60_000;

interface Waiting {
  readonly method: string;
  readonly resolve: (result: Message) => void;
  readonly reject: (error: Error) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** A connection to a browser, with a session for each of its tabs. */
export class DevTools {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(message: Message) => void>();
  #lastId = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    socket.onclose = () => this.#fail("the browser is gone");
  }

  /** Connects to the address a browser printed. */
  static async connect(address: string): Promise<DevTools> {
    const socket = new WebSocket(address);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error(`Cannot connect to ${address}`));
    await promise;
    return new DevTools(socket);
  }

  /** Has the browser do something; in a tab when `sessionId` is given. */
  send(
    method: string,
    params?: Record<string, unknown>,
    sessionId?: string,
  ): Promise<Message> {
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    const timer = setTimeout(() => {
      this.#waiting.delete(id);
      reject(new Error(`${method} was not answered`));
    }, ANSWER_TIMEOUT_MS);
    this.#waiting.set(id, { method, resolve, reject, timer });
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    return promise;
  }

  /** Calls `listener` for each event. */
  listen(listener: (message: Message) => void): void {
    this.#listeners.add(listener);
  }

  /** Hangs up and waits until it is done. */
  async close(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise<void>((resolve) =>
      this.#socket.addEventListener("close", () => resolve())
    );
    this.#socket.close();
    await closed;
  }

  #take(message: Message): void {
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) {
      for (const listener of this.#listeners) listener(message);
      return;
    }
    this.#waiting.delete(message.id);
    clearTimeout(waiting.timer);
    if (message.error === undefined) return waiting.resolve(message.result);
    waiting.reject(new Error(`${waiting.method}: ${message.error.message}`));
  }

  #fail(reason: string): void {
    for (const { method, reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new Error(`${method}: ${reason}`));
    }
    this.#waiting.clear();
  }
}
