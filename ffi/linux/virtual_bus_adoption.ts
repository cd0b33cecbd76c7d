/**
 * Takes over what a launching process opened for its bus: the listener of its
 * filter, and a netlink socket.
 *
 * The process cannot be asked for the listener. Once the filter is in force,
 * each open of that thread waits for an answer of the bus, and the runtime opens
 * files when it likes: V8 looks up the processor's clock when two of its threads
 * first want one lock at a time, once in some thousand starts between these two
 * steps. A bus that waits for the process's words and a process that waits for
 * the bus's answer never end. So the process says who it is before it installs
 * the filter, and the listener is looked for among its descriptors.
 *
 * @module
 */

import { COMMON_CALLS } from "./virtual_bus_abi.ts";
import { cString, type Libc } from "./virtual_bus_libc.ts";

/** What a launching process says of itself. */
export interface Adopted {
  readonly process: number;
  /** Its descriptor of the netlink socket. */
  readonly netlink: number;
  /** Whether it is over. */
  readonly hasEnded: () => boolean;
}

/** Copies, ours to close. */
export interface TakenDescriptors {
  readonly listener: number;
  readonly netlink: number;
}

/** What the kernel calls a listener. Linux, kernel/seccomp.c, init_listener. */
const LISTENER_LINK = "anon_inode:seccomp notify";
/** A process that just started has opened far fewer files. */
const DESCRIPTORS_MAX = 256;
/** Installing the filter is the process's next call; a machine may be that busy. */
const LOOKS_MAX = 10_000;
const LOOK_INTERVAL_MS = 1;

/** Why they are not taken over: it ended without a listener, or the kernel keeps it from us. */
export type NotTaken = "no-listener" | "not-ours";

/** The process's listener and netlink socket, or why not. */
export async function adoptDescriptors(
  libc: Libc,
  from: Adopted,
): Promise<TakenDescriptors | NotTaken> {
  const { process, netlink } = from;
  const { syscall, close } = libc.symbols;
  // SAFETY: numbers only.
  const handle = syscall(
    BigInt(COMMON_CALLS.pidfdOpen),
    BigInt(process),
    0n,
    0n,
  );
  try {
    const listener = await findListener(libc, from);
    if (listener === undefined) return "no-listener";
    // SAFETY: numbers only.
    const [first, second] = [listener, netlink].map((descriptor) =>
      Number(syscall(
        BigInt(COMMON_CALLS.pidfdGetfd),
        handle,
        BigInt(descriptor),
        0n,
      ))
    ) as [number, number];
    if (first >= 0 && second >= 0) return { listener: first, netlink: second };
    for (const taken of [first, second]) if (taken >= 0) close(taken);
    return "not-ours";
  } finally {
    close(Number(handle));
  }
}

/** Looks until it is there; `undefined` when the process ended without one. */
async function findListener(
  libc: Libc,
  { process, hasEnded }: Adopted,
): Promise<number | undefined> {
  for (let look = 0; look < LOOKS_MAX && !hasEnded(); look++) {
    for (let descriptor = 0; descriptor < DESCRIPTORS_MAX; descriptor++) {
      if (linkOf(libc, process, descriptor) === LISTENER_LINK) {
        return descriptor;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS));
  }
  return undefined;
}

/** What a descriptor of another process leads to. */
function linkOf(libc: Libc, process: number, descriptor: number): string {
  const path = cString(`/proc/${process}/fd/${descriptor}`);
  const link = new Uint8Array(LISTENER_LINK.length + 1);
  // SAFETY: both buffers are ours, the link is cut to its buffer's length.
  const length = libc.symbols.readlink(path, link, BigInt(link.length));
  return new TextDecoder().decode(
    link.subarray(0, Math.max(Number(length), 0)),
  );
}
