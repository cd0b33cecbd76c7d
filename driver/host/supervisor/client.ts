/**
 * Asks a running supervisor, over its Unix socket.
 *
 * @module
 */

import { request } from "node:http";

/** `absent`: no socket. `deaf`: one that nobody answers at. `denied`: not for us. */
export type UnreachableKind = "absent" | "deaf" | "denied";

/** Nobody answers at the socket. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";
  /** Why. */
  readonly kind: UnreachableKind;

  /** Makes an error from its sentence. */
  constructor(kind: UnreachableKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** How to ask. */
export interface AskOptions {
  /** Default `GET`. */
  readonly method?: "GET" | "POST";
  /** JSON text. */
  readonly body?: string;
  /** For what takes its time: a command. Default ANSWER_TIMEOUT_MS. */
  readonly timeoutMs?: number;
}

/** An answer. */
export interface SupervisorAnswer {
  readonly status: number;
  readonly body: string;
}

/** A supervisor answers from memory; longer, and it hangs. */
const ANSWER_TIMEOUT_MS = 5_000;
/** Far above what a supervisor of 64 drivers says. */
const ANSWER_CHARACTERS_MAX = 4 * 1024 * 1024;

/**
 * Asks for a path.
 *
 * @throws {UnreachableError} With one sentence.
 */
export function askSupervisor(
  socketPath: string,
  path: string,
  options: AskOptions = {},
): Promise<SupervisorAnswer> {
  const { method = "GET", body: sent, timeoutMs = ANSWER_TIMEOUT_MS } = options;
  const { promise, resolve, reject } = Promise.withResolvers<
    SupervisorAnswer
  >();
  const fail = (error: unknown): void =>
    reject(unreachableBy(socketPath, error));
  const headers = sent === undefined
    ? {}
    : { "content-type": "application/json" };
  const asked = request({
    socketPath,
    path,
    method,
    headers,
    timeout: timeoutMs,
  });
  asked.on("timeout", () => asked.destroy(new Error("it does not answer")));
  asked.on("error", fail);
  asked.on("response", (response) => {
    let body = "";
    response.setEncoding("utf8");
    response.on("data", (piece: string) => {
      body += piece;
      if (body.length > ANSWER_CHARACTERS_MAX) {
        asked.destroy(new Error("it says too much"));
      }
    });
    response.on("error", fail);
    response.on(
      "end",
      () => resolve({ status: response.statusCode ?? 0, body }),
    );
  });
  asked.end(sent);
  return promise;
}

/** The error for what went wrong with a socket. */
export function unreachableBy(
  socketPath: string,
  error: unknown,
): UnreachableError {
  const { kind, reason } = reasonOf(error);
  return new UnreachableError(
    kind,
    `Cannot reach a supervisor at ${socketPath}: ${reason}`,
  );
}

function reasonOf(
  error: unknown,
): { readonly kind: UnreachableKind; readonly reason: string } {
  const text = error instanceof Error ? error.message : String(error);
  if (/ENOENT|os error 2\b/.test(text)) {
    return { kind: "absent", reason: "there is no such socket" };
  }
  if (/ECONNREFUSED|os error 111\b/.test(text)) {
    return { kind: "deaf", reason: "nobody listens there" };
  }
  if (/EACCES|os error 13\b/.test(text)) {
    return { kind: "denied", reason: "permission denied" };
  }
  return { kind: "deaf", reason: text };
}
