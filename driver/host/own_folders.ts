/**
 * Folders of ours, by the rules of the XDG base directories: one for bundles of
 * drivers, one for logs that nobody gave a place. Apart, because a sandboxed
 * driver's log never lies beside code.
 *
 * @module
 */

/** Reads a variable of the environment. */
export type Variable = (name: string) => string | undefined;

const ENVIRONMENT: Variable = (name) => Deno.env.get(name);

/** Where bundles of drivers are kept between starts. */
export function cacheFolder(variable: Variable = ENVIRONMENT): string {
  return ownFolder(variable, "XDG_CACHE_HOME", ".cache");
}

/** Where a log goes that was given no path. */
export function logFolder(variable: Variable = ENVIRONMENT): string {
  return ownFolder(variable, "XDG_STATE_HOME", ".local/state");
}

function ownFolder(
  variable: Variable,
  name: string,
  belowHome: string,
): string {
  const base = variable(name);
  if (base?.startsWith("/") === true) return `${base}/driverspace`;
  const home = variable("HOME");
  if (home?.startsWith("/") === true) {
    return `${home}/${belowHome}/driverspace`;
  }
  // A service without a home: a folder of its own for each purpose.
  return `/var/tmp/driverspace-${Deno.uid() ?? 0}/${belowHome}`;
}
