/**
 * What browsers make possible and curl does not: a page of a stranger that sends
 * commands to this machine, or whose name is made to point at it (DNS
 * rebinding). Both are told by the headers a browser sets and no page can forge.
 *
 * @module
 */

import { type Handle, refusal } from "./answers.ts";

/** Where a request came in. */
export type Entrance =
  /** A loopback port: any page in any browser of this machine reaches it. */
  | "port"
  /** A Unix socket: a browser comes here through a tunnel only, programs under any name. */
  | "socket";

/**
 * Lets requests through that a page of ours or a program sent.
 *
 * - `Host` must be a name of the loopback address. At a socket a name without a
 *   dot will do, since no stranger can own one.
 * - `Origin`, where there is one, must be ours. RFC 6454, 7.
 */
export function guardBrowsers(handle: Handle, entrance: Entrance): Handle {
  return (request) => {
    const refused = refuse(request.headers, entrance);
    return refused === undefined ? handle(request) : Promise.resolve(refused);
  };
}

function refuse(headers: Headers, entrance: Entrance): Response | undefined {
  const host = headers.get("host")?.toLowerCase();
  // Every browser sends one; a program that speaks HTTP/1.0 may not.
  if (host !== undefined && !isOurs(host, entrance)) {
    // Misdirected Request. RFC 9110, 15.5.20.
    return refusal(
      421,
      "badHost",
      "Cannot answer under this name: use 127.0.0.1, [::1] or localhost",
    );
  }
  if (!isFromElsewhere(headers, host)) return undefined;
  return refusal(403, "badOrigin", "Cannot answer a page of another origin");
}

/** `Host` is a name and maybe a port. RFC 9110, 7.2. */
function isOurs(host: string, entrance: Entrance): boolean {
  const name = /^(\[[0-9a-f:]+\]|[^:[\]]*)(?::\d{1,5})?$/.exec(host)?.[1];
  if (name === undefined) return false;
  if (LOOPBACK_NAMES.has(name)) return true;
  return entrance === "socket" && !name.includes(".") && !name.startsWith("[");
}

const LOOPBACK_NAMES: ReadonlySet<string> = new Set([
  "127.0.0.1",
  "[::1]",
  "localhost",
]);

/**
 * Behind a proxy that ends TLS, `Origin` has the proxy's name and `Host` ours.
 * There the browser's own word counts, which no page can set.
 */
function isFromElsewhere(headers: Headers, host: string | undefined): boolean {
  const origin = headers.get("origin");
  if (origin === null) return false;
  if (headers.get("sec-fetch-site") === "same-origin") return false;
  return hostOf(origin) !== host;
}

/** `null` is an origin, too: that of a sandboxed frame or a file. */
function hostOf(origin: string): string | null {
  return /^https?:\/\/([^/]+)$/i.exec(origin)?.[1]?.toLowerCase() ?? null;
}
