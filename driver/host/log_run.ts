/**
 * What tells the lines of one process from those of the one before it in the
 * same file: `seq` counts within a run, so a gap proves a loss there and only
 * there. Process ids do not do: in a namespace of its own each is the same.
 *
 * @module
 */

/** A name for one run of a process: eight hexadecimal digits of chance. */
export function newRunId(random: () => number): string {
  return Math.floor(random() * 2 ** 32).toString(16).padStart(8, "0");
}
