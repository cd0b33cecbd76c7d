/**
 * Why a file cannot be read, in words.
 *
 * @module
 */

/** Behind "Cannot read …: ". */
export function readProblem(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  return error instanceof Error ? error.message : String(error);
}
