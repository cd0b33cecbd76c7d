/**
 * How this program was started, so that a service starts the same one, and
 * whether a service can see it: the unit hides homes and temporary folders.
 *
 * @module
 */

/** Program and arguments, in front of a command such as `serve`. */
export function ownProgram(): string[] {
  if (Deno.build.standalone === true) return [Deno.execPath()];
  const main = Deno.mainModule;
  const module = main.startsWith("file://")
    ? decodeURIComponent(new URL(main).pathname)
    : main;
  return [
    Deno.execPath(),
    "run",
    "--quiet",
    "--unstable-net",
    "--allow-all",
    module,
  ];
}

/** Folders that the unit's ProtectHome= and PrivateTmp= take away. systemd.exec(5). */
const HIDDEN = /^\/(home|root|run\/user|tmp|var\/tmp)(\/|$)/;

/** The paths that a service would not find. */
export function hiddenFromService(words: readonly string[]): string[] {
  return words.filter((word) => HIDDEN.test(word));
}
