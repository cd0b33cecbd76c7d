/** Follows the events of a supervisor over its Unix socket, and waits for what is due. */

/** An event, and when it got here. */
export interface Followed {
  readonly event: string;
  readonly data: { readonly [key: string]: unknown };
  readonly atMs: number;
}

/** Far above what a drill brings forth. */
const EVENTS_MAX = 50_000;

/** A client of `/events`. */
export class Follower implements Disposable {
  readonly #client: Deno.HttpClient;
  readonly #events: Followed[] = [];
  readonly #abort = new AbortController();
  #wake = Promise.withResolvers<void>();

  private constructor(socketPath: string) {
    this.#client = Deno.createHttpClient({
      proxy: { transport: "unix", path: socketPath },
    });
  }

  /** Connects, trying until somebody answers. @throws {Error} After `timeoutMs`. */
  static async open(socketPath: string, timeoutMs: number): Promise<Follower> {
    const follower = new Follower(socketPath);
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      try {
        const answer = await follower.request("/events");
        void follower.#read(answer);
        return follower;
      } catch (error) {
        if (performance.now() > endMs) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** Asks the supervisor. */
  request(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`http://driverspace${path}`, {
      ...init,
      client: this.#client,
      signal: init.signal ?? this.#abort.signal,
    } as RequestInit);
  }

  /** Events so far: a mark to wait behind. */
  get mark(): number {
    return this.#events.length;
  }

  /** Those behind a mark. */
  since(mark: number): readonly Followed[] {
    return this.#events.slice(mark);
  }

  /** The first event behind a mark that fits. @throws {Error} After `timeoutMs`. */
  async next(
    mark: number,
    fits: (event: Followed) => boolean,
    options: { readonly what: string; readonly timeoutMs: number },
  ): Promise<Followed> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(() => late.resolve(), options.timeoutMs);
    const endMs = performance.now() + options.timeoutMs;
    try {
      for (let at = mark;;) {
        for (; at < this.#events.length; at++) {
          const event = this.#events[at];
          if (event !== undefined && fits(event)) return event;
        }
        if (performance.now() >= endMs) {
          throw new Error(`${options.what} did not happen`);
        }
        await Promise.race([this.#wake.promise, late.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Leaves. */
  [Symbol.dispose](): void {
    this.#abort.abort();
    this.#client.close();
  }

  async #read(answer: Response): Promise<void> {
    let text = "";
    const decoder = new TextDecoder();
    try {
      for await (const piece of answer.body ?? []) {
        const parts = (text + decoder.decode(piece, { stream: true }))
          .split("\n\n");
        text = parts.pop() ?? "";
        for (const part of parts) this.#take(part);
      }
    } catch {
      // The supervisor is gone, or we are.
    }
  }

  #take(part: string): void {
    const [, event] = /^event: (.*)$/m.exec(part) ?? [];
    const [, data] = /^data: (.*)$/m.exec(part) ?? [];
    if (event === undefined || data === undefined) return;
    if (this.#events.length >= EVENTS_MAX) return;
    const atMs = performance.now();
    this.#events.push({ event, data: JSON.parse(data), atMs });
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}
