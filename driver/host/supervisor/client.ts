/**
 * Asks a running supervisor, over its Unix socket.
 *
 * @module
 */

import { request } from "node:http";

/** Nobody answers at the socket. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";
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
): Promise<SupervisorAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<
    SupervisorAnswer
  >();
  const fail = (reason: string): void =>
    reject(
      new UnreachableError(
        `Cannot reach a supervisor at ${socketPath}: ${reason}`,
      ),
    );
  const asked = request({ socketPath, path, timeout: ANSWER_TIMEOUT_MS });
  asked.on("timeout", () => asked.destroy(new Error("it does not answer")));
  asked.on("error", (error) => fail(reasonOf(error)));
  asked.on("response", (response) => {
    let body = "";
    response.setEncoding("utf8");
    response.on("data", (piece: string) => {
      body += piece;
      if (body.length > ANSWER_CHARACTERS_MAX) {
        asked.destroy(new Error("it says too much"));
      }
    });
    response.on("error", (error) => fail(reasonOf(error)));
    response.on(
      "end",
      () => resolve({ status: response.statusCode ?? 0, body }),
    );
  });
  asked.end();
  return promise;
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  if (/ENOENT|os error 2\b/.test(text)) return "there is no such socket";
  if (/ECONNREFUSED|os error 111\b/.test(text)) return "nobody listens there";
  if (/EACCES|os error 13\b/.test(text)) return "permission denied";
  return text;
}
