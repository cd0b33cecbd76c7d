/**
 * Requests to answers. Probes read memory only: no USB, no file, no process.
 *
 * @module
 */

import type { LogLevel } from "../../driver.ts";
import type { Clock } from "../../loop/clock.ts";
import { LOG_LEVELS } from "../log_level.ts";
import type { MetricRegistry } from "../metrics/registry.ts";
import type { EventRing } from "../supervisor/event_ring.ts";
import { LINES_KEPT } from "../supervisor/recent_log.ts";
import type { UnitStatus } from "../supervisor/supervised_unit.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import { HEADERS, json } from "./answers.ts";
import {
  type Answer,
  answerOfError,
  IdempotencyKeys,
  readCommandBody,
  Refusal,
} from "./command_requests.ts";
import { EventStreams } from "./event_stream.ts";
import { openApiDocument } from "./openapi.ts";
import { type OperationId, OPERATIONS } from "./operations.ts";
import {
  driverDetail,
  driverView,
  type JsonObject,
  logView,
  type Readiness,
  readiness,
} from "./views.ts";

/** What the interface shows. */
export interface HttpHandlerOptions {
  readonly clock: Clock;
  readonly supervisor: Supervisor;
  readonly registry: MetricRegistry;
  readonly events: EventRing;
  /** Of this package. */
  readonly version: string;
  /** File of the supervisor's own log, absolute. */
  readonly logPath?: string;
  readonly isLogWritable: () => boolean;
  /** What a bug of ours is told to; the client is told nothing of it. */
  readonly onBug: (error: unknown) => void;
}

/** Longest path and query; ours have a few hundred characters at most. */
export const URL_LENGTH_MAX = 2_048;
/** Commands that run at a time over HTTP. */
export const COMMANDS_MAX = 64;
/** The loop looks at the bus four times a second; silent for so long it hangs. */
const TICK_AGE_MS_MAX = 5_000;

interface Call {
  readonly request: Request;
  readonly url: URL;
  /** Parts of the path in braces. */
  readonly parts: Readonly<Record<string, string>>;
}

type Handler = (call: Call) => Response | Promise<Response>;

/** The interface for programs. */
export class HttpHandler {
  readonly #options: HttpHandlerOptions;
  readonly #streams: EventStreams;
  readonly #keys: IdempotencyKeys;
  readonly #handlers: Readonly<Record<OperationId, Handler>>;
  readonly #started: string;
  readonly #startedAtMs: number;
  #commands = 0;

  /** Answers nothing yet. */
  constructor(options: HttpHandlerOptions) {
    this.#options = options;
    const { clock, registry, events: ring } = options;
    this.#startedAtMs = clock.nowMs();
    this.#keys = new IdempotencyKeys(clock);
    this.#started = new Date(clock.wallMs()).toISOString();
    const snapshot = (): JsonObject => this.#status();
    this.#streams = new EventStreams({ clock, registry, ring, snapshot });
    this.#handlers = {
      getLive: () => this.#live(),
      getReady: () => this.#ready(),
      getHealth: () => this.#ready(),
      getMetrics: () => this.#metrics(),
      getStatus: () => json(200, this.#status()),
      listDrivers: () => json(200, { drivers: this.#drivers() }),
      getDriver: (call) => this.#driver(call),
      getDriverLog: (call) => this.#log(call),
      streamEvents: (call) => this.#events(call),
      runCommand: (call) => this.#run(call),
      retryDriver: (call) => this.#retry(call),
      getOpenApi: () => json(200, openApiDocument(options.version)),
    };
  }

  /** Answers a request; never rejects. */
  readonly handle = async (request: Request): Promise<Response> => {
    try {
      return await this.#route(request);
    } catch (error) {
      const { status, body } = answerOfError(error);
      if (status === 500) this.#options.onBug(error);
      return json(status, body);
    }
  };

  /** Ends every event stream. */
  close(): void {
    this.#streams.close();
  }

  #route(request: Request): Response | Promise<Response> {
    if (request.url.length > URL_LENGTH_MAX) {
      throw new Refusal(414, "tooLong", "The path is too long");
    }
    const url = new URL(request.url);
    const matching = OPERATIONS.flatMap((operation) => {
      const parts = partsOf(operation.path, url.pathname);
      return parts === undefined ? [] : [{ operation, parts }];
    });
    const found = matching.find(({ operation }) =>
      operation.method === request.method
    );
    if (found !== undefined) {
      const { operation: { id }, parts } = found;
      return this.#handlers[id]({ request, url, parts });
    }
    if (matching.length === 0) {
      throw new Refusal(404, "notFound", "There is nothing at this path");
    }
    throw new Refusal(405, "badMethod", "This path takes another method");
  }

  #live(): Response {
    const tickAgeMs = Math.round(this.#options.supervisor.tickAgeMs);
    const live = tickAgeMs <= TICK_AGE_MS_MAX;
    return json(live ? 200 : 503, { live, tick_age_ms: tickAgeMs });
  }

  #ready(): Response {
    const { isReady, body } = this.#readiness(
      this.#options.supervisor.status(),
    );
    return json(isReady ? 200 : 503, body);
  }

  #readiness(statuses: readonly UnitStatus[]): Readiness {
    const { supervisor, isLogWritable } = this.#options;
    return readiness(statuses, {
      isLogWritable: isLogWritable(),
      isStopping: supervisor.isStopping,
    });
  }

  #metrics(): Response {
    return new Response(this.#options.registry.exposition(), {
      headers: {
        ...HEADERS,
        "content-type": "text/plain; version=0.0.4; charset=utf-8",
      },
    });
  }

  #drivers(): JsonObject[] {
    return this.#options.supervisor.status().map(driverView);
  }

  /** Of one look, so that what it says of drivers and of readiness agrees. */
  #status(): JsonObject {
    const statuses = this.#options.supervisor.status();
    const { version, clock, supervisor, events, logPath } = this.#options;
    return {
      version,
      started: this.#started,
      uptime_ms: Math.round(clock.nowMs() - this.#startedAtMs),
      stopping: supervisor.isStopping,
      last_event: events.lastSequence,
      log: logPath ?? null,
      configured: supervisor.names,
      ...this.#readiness(statuses).body,
      drivers: statuses.map(driverView),
    };
  }

  #driver({ parts }: Call): Response {
    const unit = this.#unit(parts["name"] ?? "");
    return json(200, driverDetail(unit.status(), unit.manifest));
  }

  #log({ parts, url }: Call): Response {
    const unit = this.#unit(parts["name"] ?? "");
    const level = levelOf(url, "level");
    const lines = linesOf(url);
    const log = unit.recentLog({
      ...(level === undefined ? {} : { level }),
      ...(lines === undefined ? {} : { lines }),
    });
    return json(200, logView(unit.name, log));
  }

  async #retry({ parts }: Call): Promise<Response> {
    await this.#unit(parts["name"] ?? "").start();
    return json(202, { accepted: true });
  }

  #unit(name: string): NonNullable<ReturnType<Supervisor["unit"]>> {
    const unit = this.#options.supervisor.unit(name);
    if (unit !== undefined) return unit;
    const shown = JSON.stringify(name.slice(0, 64));
    throw new Refusal(404, "notFound", `There is no driver ${shown}`);
  }

  #events({ request, url }: Call): Response {
    const log = levelOf(url, "log");
    const stream = this.#streams.open({
      ...(log === undefined ? {} : { log }),
      ...lastEventId(request),
      ...query(url, "driver"),
      ...query(url, "event"),
      ...query(url, "without"),
    });
    if (stream === undefined) {
      throw new Refusal(503, "busy", "Too many clients follow the events");
    }
    return new Response(stream, {
      headers: { ...HEADERS, "content-type": "text/event-stream" },
    });
  }

  async #run({ request, parts }: Call): Promise<Response> {
    const { name = "", command = "" } = parts;
    const body = await readCommandBody(request, this.#options.clock);
    const key = request.headers.get("idempotency-key");
    const what = `${name}/${command}`;
    const answer = await this.#keys.once(
      { key, what, body },
      () => this.#carry(name, command, body),
    );
    return json(answer.status, answer.body);
  }

  async #carry(
    driver: string,
    command: string,
    body: Awaited<ReturnType<typeof readCommandBody>>,
  ): Promise<Answer> {
    if (this.#commands >= COMMANDS_MAX) {
      return answerOfError(
        new Refusal(503, "busy", "Too many commands are running"),
      );
    }
    const { params, timeoutMs } = body;
    this.#commands++;
    try {
      const value = await this.#options.supervisor.call(
        { driver, command, params },
        timeoutMs === undefined ? {} : { timeoutMs },
      );
      return { status: 200, body: { value } };
    } catch (error) {
      const answer = answerOfError(error);
      if (answer.status === 500) this.#options.onBug(error);
      return answer;
    } finally {
      this.#commands--;
    }
  }
}

/** What stands in the braces, if the path is of this form. */
function partsOf(
  template: string,
  path: string,
): Record<string, string> | undefined {
  const wanted = template.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return undefined;
  const parts: Record<string, string> = {};
  for (const [at, part] of wanted.entries()) {
    const text = given[at] ?? "";
    if (!part.startsWith("{")) {
      if (part !== text) return undefined;
      continue;
    }
    const decoded = decode(text);
    if (decoded === undefined || decoded === "") return undefined;
    parts[part.slice(1, -1)] = decoded;
  }
  return parts;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function query(
  url: URL,
  name: "driver" | "event" | "without",
): { readonly [name: string]: string } {
  const value = url.searchParams.get(name);
  return value === null ? {} : { [name]: value };
}

/** The level a query names, if it names one. */
function levelOf(url: URL, name: "level" | "log"): LogLevel | undefined {
  const text = url.searchParams.get(name);
  if (text === null) return undefined;
  const level = LOG_LEVELS.find((known) => known === text);
  if (level !== undefined) return level;
  throw badQuery(name, `one of ${LOG_LEVELS.join(", ")}`);
}

function linesOf(url: URL): number | undefined {
  const text = url.searchParams.get("lines");
  if (text === null) return undefined;
  const lines = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (lines >= 1 && lines <= LINES_KEPT) return lines;
  throw badQuery("lines", `1 to ${LINES_KEPT}`);
}

function badQuery(name: string, expected: string): Refusal {
  return new Refusal(
    400,
    "badRequest",
    `Cannot read ?${name}=: expected ${expected}`,
  );
}

function lastEventId(request: Request): { readonly lastEventId?: number } {
  const text = request.headers.get("last-event-id");
  if (text === null) return {};
  if (/^\d{1,15}$/.test(text)) return { lastEventId: Number(text) };
  throw new Refusal(
    400,
    "badRequest",
    "Cannot read Last-Event-ID: expected a number",
  );
}
