/**
 * Commands over HTTP: a bounded body, a deadline, and keys by which a client
 * that lost an answer gets it again instead of a second execution.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import { UsbError } from "../../errors.ts";
import type { Clock } from "../../loop/clock.ts";
import { within } from "../../loop/within.ts";
import { CommandFailure } from "../driver_process.ts";
import { canonical } from "../supervisor/configuration_diff.ts";
import type { JsonObject } from "./views.ts";

/** Bytes of a body: the parameters of a command, bytes as base64 text. */
export const BODY_BYTES_MAX = 256 * 1024;
/** From the first byte of a request to the last of its body. */
export const BODY_TIMEOUT_MS = 5_000;
/** The longest a client may wait for a command. */
export const DEADLINE_MS_MAX = 60_000;
/** Answers remembered by their key. */
export const KEYS_MAX = 256;
/** How long an answer is remembered. */
const KEY_AGE_MS_MAX = 10 * 60_000;
const KEY_LENGTH_MAX = 64;

/** An answer before it is a response. */
export interface Answer {
  readonly status: number;
  readonly body: JsonObject;
}

/** A request that is refused: the status and the words. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly code: string;

  /** Makes one. */
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** What a command's body says. */
export interface CommandBody {
  readonly params: JsonObject;
  readonly timeoutMs: number | undefined;
}

/**
 * Reads a body.
 *
 * @throws {Refusal} 400, 408, 413.
 */
export async function readCommandBody(
  request: Request,
  clock: Clock,
): Promise<CommandBody> {
  const text = await readText(request, clock);
  const value = text === "" ? {} : parse(text);
  const { params = {}, timeout_ms: timeoutMs, ...unknown } = value;
  const [stranger] = Object.keys(unknown);
  if (stranger !== undefined) {
    throw bad(`${JSON.stringify(stranger.slice(0, 32))} is not known here`);
  }
  if (!isObject(params)) throw bad("params must be an object");
  if (timeoutMs === undefined) return { params, timeoutMs };
  const isDeadline = Number.isInteger(timeoutMs) && Number(timeoutMs) >= 1 &&
    Number(timeoutMs) <= DEADLINE_MS_MAX;
  if (isDeadline) return { params, timeoutMs: Number(timeoutMs) };
  throw bad(`timeout_ms must be a whole number from 1 to ${DEADLINE_MS_MAX}`);
}

/** What an error is answered with. */
export function answerOfError(error: unknown): Answer {
  if (error instanceof Refusal) {
    return failure(error.status, error.code, error.message);
  }
  if (error instanceof TypeError || error instanceof RangeError) {
    return failure(400, "badRequest", error.message);
  }
  if (error instanceof CommandFailure) {
    return failure(502, error.code, error.message);
  }
  if (!(error instanceof UsbError)) {
    return failure(500, "bug", "The supervisor has a bug; see its log");
  }
  const status = STATUSES[error.code] ?? 502;
  return failure(status, error.code, error.message, error.advice);
}

interface Kept {
  readonly request: string;
  readonly atMs: number;
  readonly answer: Promise<Answer>;
  isPending: boolean;
}

/** Remembers answers by their keys. */
export class IdempotencyKeys {
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();

  /** None. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Carries out once; a repetition gets the same answer. What was never tried is not remembered. */
  async once(
    request: {
      readonly key: string | null;
      readonly what: string;
      readonly body: CommandBody;
    },
    carry: () => Promise<Answer>,
  ): Promise<Answer> {
    const { key, what, body } = request;
    if (key === null) return await carry();
    if (key === "" || key.length > KEY_LENGTH_MAX) {
      throw bad(`Idempotency-Key must have 1 to ${KEY_LENGTH_MAX} characters`);
    }
    this.#forget();
    const name = `${what} ${key}`;
    const same = canonical(body);
    const known = this.#kept.get(name);
    if (known !== undefined && known.request !== same) {
      throw new Refusal(
        422,
        "keyReused",
        "Cannot use this Idempotency-Key: it stands for another request",
      );
    }
    if (known !== undefined) return await known.answer;
    return await this.#first(name, same, carry);
  }

  async #first(
    name: string,
    request: string,
    carry: () => Promise<Answer>,
  ): Promise<Answer> {
    if (this.#kept.size >= KEYS_MAX) {
      throw new Refusal(503, "busy", "Too many commands with keys are waiting");
    }
    const answer = carry();
    const kept: Kept = {
      request,
      atMs: this.#clock.nowMs(),
      answer,
      isPending: true,
    };
    this.#kept.set(name, kept);
    const { status } = await answer;
    kept.isPending = false;
    if (UNTRIED.has(status)) this.#kept.delete(name);
    return await answer;
  }

  /** What is too old, and, where the table is full, the oldest that is answered. */
  #forget(): void {
    const nowMs = this.#clock.nowMs();
    for (const [name, { atMs, isPending }] of this.#kept) {
      const isFull = this.#kept.size >= KEYS_MAX;
      const isOld = nowMs - atMs > KEY_AGE_MS_MAX;
      if (!isPending && (isOld || isFull)) this.#kept.delete(name);
    }
  }
}

/** Refused before the driver saw it: to be tried again with the same key. */
const UNTRIED: ReadonlySet<number> = new Set([400, 404, 409, 503]);

const STATUSES: Readonly<Partial<Record<string, number>>> = {
  notFound: 404,
  state: 409,
  busy: 503,
  timedOut: 504,
};

function failure(
  status: number,
  code: string,
  message: string,
  advice?: string,
): Answer {
  const error: Record<string, Json> = { code, message };
  if (advice !== undefined) error["advice"] = advice;
  return { status, body: { error } };
}

async function readText(request: Request, clock: Clock): Promise<string> {
  if (Number(request.headers.get("content-length")) > BODY_BYTES_MAX) {
    throw tooLong();
  }
  const promise = readBounded(request.body);
  const read = await within(clock, { timeoutMs: BODY_TIMEOUT_MS, promise });
  if (read !== undefined) return read;
  throw new Refusal(408, "timedOut", "The body did not come in time");
}

async function readBounded(
  body: ReadableStream<Uint8Array> | null,
): Promise<string> {
  if (body === null) return "";
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let bytes = 0;
  let text = "";
  try {
    for await (const piece of body) {
      bytes += piece.length;
      if (bytes > BODY_BYTES_MAX) throw tooLong();
      text += decoder.decode(piece, { stream: true });
    }
    return text + decoder.decode();
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw bad("the body is no UTF-8, or broke off");
  }
}

function parse(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch {
    // The same words for what is no JSON and what is no object.
  }
  throw bad("the body must be a JSON object");
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function bad(reason: string): Refusal {
  return new Refusal(400, "badRequest", `Cannot read the request: ${reason}`);
}

function tooLong(): Refusal {
  return new Refusal(
    413,
    "tooLong",
    `At most ${BODY_BYTES_MAX} bytes are read`,
  );
}
