/**
 * Calls of a driver that wait for what came of them in the journal.
 *
 * @module
 */

import { errorOf } from "../loop/error_data.ts";
import type { JournalEvent } from "../loop/journal.ts";
import type { Json, Parameters } from "../driver.ts";

interface Waiting {
  readonly resolve: (event: JournalEvent) => void;
  readonly reject: (error: unknown) => void;
}

/** The calls that wait, by their numbers. */
export class FedCalls {
  readonly #waiting = new Map<number, Waiting>();

  /** Waits for what comes of a call. */
  wait(id: number): Promise<JournalEvent> {
    const { promise, resolve, reject } = Promise.withResolvers<JournalEvent>();
    // A handler may be over before; that is no unhandled rejection.
    promise.catch(() => {});
    this.#waiting.set(id, { resolve, reject });
    return promise;
  }

  /** Ends a call as it ended then. `false`: nobody waits for it. */
  end(id: number, event: JournalEvent): boolean {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return false;
    this.#waiting.delete(id);
    const error = errorIn(event);
    if (error === undefined) waiting.resolve(event);
    else waiting.reject(error.error);
    return true;
  }
}

/** The error that a call ended with, if it did. */
export function errorIn(
  { detail }: JournalEvent,
): { readonly error: unknown } | undefined {
  const members = membersOf(detail);
  return Object.hasOwn(members, "error")
    ? { error: errorOf(members["error"]) }
    : undefined;
}

/** Members of a detail, which may be anything. */
export function membersOf(
  detail: Json | undefined,
): Readonly<Record<string, Json | undefined>> {
  return typeof detail === "object" && detail !== null && !Array.isArray(detail)
    ? detail as { readonly [key: string]: Json }
    : {};
}

/** A detail as a list, which may be anything. */
export function listOf(detail: Json | undefined): readonly Json[] {
  return Array.isArray(detail) ? detail : [];
}

/** Parameters of a command as they were recorded: bytes as hexadecimal text. */
export function paramsOf(detail: Json | undefined): Parameters {
  return Object.fromEntries(
    Object.entries(membersOf(detail)).map(([name, value]) => {
      const { hex } = membersOf(value);
      return [
        name,
        typeof hex === "string"
          ? Uint8Array.from(
            hex.match(/../g) ?? [],
            (digits) => parseInt(digits, 16),
          )
          : value as string | number | boolean,
      ];
    }),
  );
}
