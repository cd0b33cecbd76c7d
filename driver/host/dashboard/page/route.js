// @ts-check
/**
 * Which page an address means. Nothing but its fragment is ours to set, and a
 * fragment is not sent to anybody.
 *
 * @module
 */

/**
 * What is shown.
 *
 * @typedef {{ readonly kind: "all" } | { readonly kind: "driver"; readonly name: string }} Route
 */

/**
 * Reads a fragment.
 *
 * @param {string} hash
 * @returns {Route}
 */
export function routeOf(hash) {
  const name = /^#\/drivers\/([^/]+)$/.exec(hash)?.[1];
  if (name === undefined) return { kind: "all" };
  try {
    return { kind: "driver", name: decodeURIComponent(name) };
  } catch {
    return { kind: "all" };
  }
}

/**
 * The fragment of a driver's page.
 *
 * @param {string} name
 * @returns {string}
 */
export function driverHash(name) {
  return `#/drivers/${encodeURIComponent(name)}`;
}

/**
 * The token that `driverspace dashboard` puts into the address it prints.
 *
 * @param {string} hash
 * @returns {string | undefined}
 */
export function tokenOf(hash) {
  return /^#token=([A-Za-z0-9_-]{16,256})$/.exec(hash)?.[1];
}
