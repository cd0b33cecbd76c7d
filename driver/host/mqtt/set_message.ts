/**
 * A message on `/set`: a command, or why it is none; and the answer that is
 * always sent. Whoever may publish to the broker may have sent anything.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import { DEADLINE_MS_MAX } from "../http/command_requests.ts";
import type { SupervisorAnswer } from "../supervisor/client.ts";
import { bounded, MESSAGE_BYTES_MAX } from "./payloads.ts";

/** Characters of a text that tells answers apart. */
const CORRELATION_LENGTH_MAX = 128;
/** Characters of a command's name; a driver's are shorter. */
const COMMAND_LENGTH_MAX = 64;

/** What tells an answer from another: the client's own word. */
export type Correlation = string | number | null;

/** A command to carry out. */
export interface SetCommand {
  readonly correlation: Correlation;
  readonly command: string;
  /** The body for the supervisor, which checks parameters and deadline. */
  readonly body: { readonly params?: Json; readonly "timeout_ms"?: number };
}

/** Why a message is no command. */
export interface SetRefusal {
  readonly correlation: Correlation;
  readonly command: string | null;
  readonly error: ResultError;
}

/** What went wrong, as over HTTP. */
export interface ResultError {
  readonly code: string;
  readonly message: string;
  readonly advice?: string;
}

/** A message as it came. */
export interface SetMessage {
  readonly payload: Uint8Array;
  /** The broker kept it: it would be carried out again at every start. */
  readonly isRetained: boolean;
}

/** Reads a message; `undefined` for the empty one that takes a retained one away. */
export function readSetMessage(
  { payload, isRetained }: SetMessage,
): SetCommand | SetRefusal | undefined {
  if (payload.length === 0 && isRetained) return undefined;
  if (payload.length > MESSAGE_BYTES_MAX) {
    return refuse("tooLong", `at most ${MESSAGE_BYTES_MAX} bytes are read`);
  }
  const members = parse(payload);
  if (members === undefined) {
    return refuse("badRequest", "it must be a JSON object");
  }
  const correlation = correlationOf(members["correlation"]);
  if (correlation === undefined) {
    return refuse(
      "badRequest",
      `correlation must be a number or text of at most ${CORRELATION_LENGTH_MAX} characters`,
    );
  }
  const command = commandOf(members["command"]);
  const known = { correlation, command: command ?? null };
  if (isRetained) {
    return {
      ...known,
      error: {
        code: "retained",
        message: "Cannot carry out a retained message: " +
          "it would be carried out again at every start",
        advice: "Publish it without the retain flag, and clear the topic",
      },
    };
  }
  const problem = command === undefined
    ? `command must be text of 1 to ${COMMAND_LENGTH_MAX} characters`
    : problemOf(members);
  if (problem !== undefined || command === undefined) {
    return { ...refuse("badRequest", problem ?? ""), ...known };
  }
  const { params, timeout_ms: timeoutMs } = members;
  return {
    correlation,
    command,
    body: {
      ...(params === undefined ? {} : { params }),
      ...(timeoutMs === undefined ? {} : { "timeout_ms": Number(timeoutMs) }),
    },
  };
}

/** What is published on `/result` for an answer of the supervisor. */
export function resultPayload(
  asked: Pick<SetCommand | SetRefusal, "correlation" | "command">,
  outcome: { readonly value: Json } | { readonly error: ResultError },
): string {
  const { correlation, command } = asked;
  const head = { correlation, command };
  if ("value" in outcome) {
    return bounded(
      { ...head, ok: true, value: outcome.value },
      { ...head, ok: false, error: { ...TOO_LONG } },
    );
  }
  return bounded(
    { ...head, ok: false, error: { ...outcome.error } },
    { ...head, ok: false, error: { ...TOO_LONG } },
  );
}

const TOO_LONG: ResultError = {
  code: "tooLong",
  message: "It was carried out, but its answer is longer than a message may be",
  advice: "Ask the supervisor over HTTP",
};

/** Reads an answer of the supervisor. */
export function outcomeOf(
  { status, body }: SupervisorAnswer,
): { readonly value: Json } | { readonly error: ResultError } {
  try {
    const answer = JSON.parse(body);
    if (status === 200 && Object.hasOwn(answer, "value")) {
      return { value: answer.value };
    }
    const { code, message, advice } = answer.error;
    return {
      error: {
        code: String(code),
        message: String(message),
        ...(advice === undefined ? {} : { advice: String(advice) }),
      },
    };
  } catch {
    const message = `The supervisor answered ${status} and nothing to read`;
    return { error: { code: "bug", message } };
  }
}

type Members = Readonly<Record<string, Json>>;

function parse(payload: Uint8Array): Members | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(payload);
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null &&
      !Array.isArray(value);
    return isObject ? value as Members : undefined;
  } catch {
    return undefined;
  }
}

function correlationOf(value: Json | undefined): Correlation | undefined {
  if (value === undefined || value === null) return null;
  if (typeof value === "number") return value;
  const isShort = typeof value === "string" &&
    value.length <= CORRELATION_LENGTH_MAX;
  return isShort ? value : undefined;
}

function commandOf(value: Json | undefined): string | undefined {
  const isName = typeof value === "string" && value !== "" &&
    value.length <= COMMAND_LENGTH_MAX;
  return isName ? value : undefined;
}

/** What the supervisor cannot see, or would tell in words of its own interface. */
function problemOf(members: Members): string | undefined {
  const stranger = Object.keys(members).find((name) => !MEMBERS.has(name));
  if (stranger !== undefined) {
    return `${JSON.stringify(stranger.slice(0, 32))} is not known here`;
  }
  const { timeout_ms: timeoutMs } = members;
  const isDeadline = timeoutMs === undefined ||
    Number.isInteger(timeoutMs) && Number(timeoutMs) >= 1 &&
      Number(timeoutMs) <= DEADLINE_MS_MAX;
  return isDeadline
    ? undefined
    : `timeout_ms must be a whole number from 1 to ${DEADLINE_MS_MAX}`;
}

const MEMBERS: ReadonlySet<string> = new Set([
  "command",
  "correlation",
  "params",
  "timeout_ms",
]);

function refuse(code: string, reason: string): SetRefusal {
  return {
    correlation: null,
    command: null,
    error: { code, message: `Cannot read the message: ${reason}` },
  };
}
