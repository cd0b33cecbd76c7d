/** Waiting for what comes by itself, in real time. */

/** Far more than anything takes, on a busy machine. */
const LIMIT_MS = 60_000;
const LOOK_MS = 10;

/**
 * Waits until it holds, however long a busy machine takes.
 *
 * @throws {Error} With what was waited for, and what `found` shows instead.
 */
export async function until(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  found: () => unknown = () => "",
): Promise<void> {
  const endMs = performance.now() + LIMIT_MS;
  while (!await isTrue()) {
    if (performance.now() > endMs) {
      throw new Error(`Waited in vain for ${what}. ${found()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
