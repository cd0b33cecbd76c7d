/** The interface for programs in front of a supervisor in virtual time. */

import { HttpHandler } from "../../../driver/host/http/handler.ts";
import { SupervisorBench } from "../supervisor/supervisor_bench.ts";

/** The bench. */
export class HttpBench extends SupervisorBench {
  readonly bugs: unknown[] = [];
  isLogWritable = true;
  readonly http = new HttpHandler({
    clock: this.clock,
    supervisor: this.supervisor,
    registry: this.registry,
    events: this.events,
    version: "0.1.0",
    logPath: "/var/log/supervisor.log",
    isLogWritable: () => this.isLogWritable,
    onBug: (error) => this.bugs.push(error),
  });

  get(
    path: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    return this.http.handle(new Request(`http://x${path}`, { headers }));
  }

  post(
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return this.http.handle(
      new Request(`http://x${path}`, { method: "POST", body: text, headers }),
    );
  }
}

/** Reads a stream of events piece by piece. */
export class EventReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(response: Response) {
    const { body } = response;
    if (body === null) throw new Error("There is no stream");
    this.#reader = body.getReader();
  }

  /** The next piece as text; `undefined` at the end. */
  async next(): Promise<string | undefined> {
    const { value } = await this.#reader.read();
    return value === undefined ? undefined : new TextDecoder().decode(value);
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}
