/**
 * Waiting with a bound.
 *
 * @module
 */

/** Whether a promise resolves in time. Its rejection is passed on. */
export async function settlesWithin(
  promise: Promise<unknown>,
  limitMs: number,
): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
