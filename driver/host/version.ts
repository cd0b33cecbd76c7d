/**
 * The version of this package.
 *
 * @module
 */

/** As `deno.json` has it, which a test holds. */
export const VERSION = "0.1.0";
