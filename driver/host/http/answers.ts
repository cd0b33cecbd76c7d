/**
 * What every answer over HTTP has in common.
 *
 * @module
 */

import type { JsonObject } from "./views.ts";

/** Answers a request; never rejects. */
export type Handle = (request: Request) => Promise<Response>;

/** Never kept by anybody, never taken for a page. */
export const HEADERS = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
} as const;

/** An answer in JSON. */
export function json(status: number, body: JsonObject): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { ...HEADERS, "content-type": "application/json" },
  });
}

/** A refusal as every operation words one. */
export function refusal(
  status: number,
  code: string,
  message: string,
): Response {
  return json(status, { error: { code, message } });
}
