/**
 * Right behind what runs now.
 *
 * @module
 */

/** Runs it when whoever is running now has returned, before anything else of the host's loop. */
export function soon(run: () => void): void {
  void Promise.resolve().then(run);
}
