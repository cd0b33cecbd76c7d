/**
 * Passes requests of a browser, which knows no Unix sockets, on to the socket of
 * a supervisor, and its answers back, piece by piece.
 *
 * @module
 */

import { type Handle, refusal } from "../http/answers.ts";

/** A way to a supervisor. Disposing it ends what is under way. */
export interface Forwarder extends Disposable {
  /** Passes a request on; never rejects. */
  readonly handle: Handle;
}

/** Makes a way to the supervisor that listens at a path. */
export function forwardTo(socketPath: string): Forwarder {
  const ended = new AbortController();
  const client = Deno.createHttpClient({
    proxy: { transport: "unix", path: socketPath },
  });
  return {
    // A browser that leaves cancels the answer's body, and so the supervisor's.
    handle: async (request) => {
      try {
        return await pass(request, { client, signal: ended.signal });
      } catch {
        const message = `No supervisor answers at ${socketPath}`;
        return refusal(502, "unavailable", message);
      }
    },
    [Symbol.dispose]: () => {
      if (ended.signal.aborted) return;
      ended.abort();
      client.close();
    },
  };
}

async function pass(
  request: Request,
  way: { readonly client: Deno.HttpClient; readonly signal: AbortSignal },
): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const { method, body } = request;
  const answer = await fetch(`http://localhost${pathname}${search}`, {
    ...way,
    method,
    redirect: "manual",
    headers: headersFrom(request.headers),
    ...(body === null ? {} : { body }),
  });
  return new Response(answer.body, {
    status: answer.status,
    headers: withoutHop(answer.headers),
  });
}

/** What the supervisor reads, and nothing of the browser's besides. */
const PASSED_ON = [
  "accept",
  "content-type",
  "idempotency-key",
  "last-event-id",
];

function headersFrom(given: Headers): Headers {
  // Whole as it is: nothing to unpack on the way.
  const headers = new Headers({ "accept-encoding": "identity" });
  for (const name of PASSED_ON) {
    const value = given.get(name);
    if (value !== null) headers.set(name, value);
  }
  return headers;
}

/** Of one connection only. RFC 9110, 7.6.1. */
function withoutHop(given: Headers): Headers {
  const headers = new Headers(given);
  for (const name of ["connection", "keep-alive", "transfer-encoding"]) {
    headers.delete(name);
  }
  return headers;
}
