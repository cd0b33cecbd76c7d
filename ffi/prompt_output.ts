/**
 * Standard output that makes nobody wait for long: what a pipe takes now is
 * written now, on the thread, so that it is out even if the next thing this
 * process does is to die.
 *
 * @module
 */

import { POLLOUT } from "./libusb_constants.ts";
import { POLLFD, TIMESPEC } from "./libusb_structs.ts";
import type { Library } from "./library.ts";
import { nativeBytes } from "./memory.ts";

/** A pipe that poll(2) calls writable takes as much without blocking. PIPE_BUF of Linux. */
const PIECE_BYTES = 4096;
/** More than a pipe holds by default is left to who may wait. */
const PROMPT_BYTES_MAX = 64 * 1024;

/** Writes what goes without waiting and gives its count. @throws {Error} When nobody reads. */
export type PromptWrite = (bytes: Uint8Array) => number;

/**
 * Makes it; `undefined` where the platform has no ppoll(2). `patienceMs` is how
 * long one write waits for a full pipe: 0 for who must go on.
 */
export function promptOutput(
  library: Library,
  patienceMs: number,
): PromptWrite | undefined {
  const { symbols, memory } = library;
  const { ppoll } = symbols;
  if (ppoll === null) return undefined;
  const descriptor = nativeBytes(POLLFD.sizeBytes);
  const view = new DataView(descriptor.buffer);
  view.setInt32(POLLFD.fields.fd[0], 1, true);
  view.setInt16(POLLFD.fields.events[0], POLLOUT, true);
  const time = nativeBytes(TIMESPEC.sizeBytes);
  const timeView = new DataView(time.buffer);
  const descriptorAt = memory.pointerTo(descriptor);
  const timeAt = memory.pointerTo(time);
  const canWrite = (waitMs: number): boolean => {
    // libc writes what is left of it, or does not.
    timeView.setUint32(TIMESPEC.fields.tv_nsec[0], waitMs * 1e6, true);
    // SAFETY: both buffers are ours and live as long as this closure, whose
    // views are over them: a pointer alone keeps nothing alive. They are used
    // during the call only; no time means that it returns at once.
    const ready = ppoll(descriptorAt, 1, timeAt, null);
    const revents = view.getInt16(POLLFD.fields.revents[0], true);
    return ready === 1 && (revents & POLLOUT) !== 0;
  };
  return (bytes) => {
    const end = Math.min(bytes.length, PROMPT_BYTES_MAX);
    let done = 0;
    let mayWait = patienceMs > 0;
    while (done < end) {
      if (!canWrite(0)) {
        if (!mayWait || !canWrite(patienceMs)) break;
        mayWait = false;
      }
      done += Deno.stdout.writeSync(bytes.subarray(done, done + PIECE_BYTES));
    }
    return done;
  };
}
