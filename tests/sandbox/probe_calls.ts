/**
 * Attempts on sockets, processes, descriptors and the rest of the kernel.
 */

import { USB_REQUESTS_OF_THE_LAUNCHER } from "../../driver/host/sandbox_policy_requests.ts";
import { DEVICE_DESCRIPTOR, LOG_DESCRIPTOR } from "../../ffi/linux/seccomp.ts";
import { type Attempt, BOTH, filtered, type More } from "./probe_files.ts";
import type { ProbeRow, ProbeTargets } from "./probe_rows.ts";

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const AF_PACKET = 17;
const AF_ALG = 38;
const AF_VSOCK = 40;
const STREAM = 1;
const DATAGRAM = 2;
const RAW = 3;
const SEQPACKET = 5;

function socket(family: number, type: number): Attempt {
  return async ({ call, libc }) => {
    const descriptor = await call("socket", [family, type, 0]);
    if (descriptor >= 0) libc.call("close", [descriptor]);
    return descriptor;
  };
}

/** Makes a socket and uses it; a refused socket is the answer. */
function withSocket(
  name: "connect" | "bind",
  kind: readonly [family: number, type: number],
  address: (targets: ProbeTargets) => Uint8Array<ArrayBuffer>,
): Attempt {
  return async ({ call, libc, targets }) => {
    const descriptor = await call("socket", [...kind, 0]);
    if (descriptor < 0) return descriptor;
    const where = address(targets);
    const result = await call(name, [descriptor, where, where.length]);
    libc.call("close", [descriptor]);
    return result;
  };
}

/** `struct sockaddr_in` of the loopback address. */
function loopback(port: number): Uint8Array<ArrayBuffer> {
  const address = new Uint8Array(16);
  address.set([AF_INET, 0, port >> 8, port & 0xff, 127, 0, 0, 1]);
  return address;
}

/** `struct sockaddr_un`. */
function local(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array([AF_UNIX, 0, ...new TextEncoder().encode(name)]);
}

const KERNEL_SAYS = (
  ...control: NonNullable<ProbeRow["control"]>
): More => ({ control, isMainOnly: true });

/** Sockets of every kind. */
export const NETWORK_ATTEMPTS: readonly ProbeRow[] = [
  filtered("socket AF_INET", socket(AF_INET, STREAM)),
  filtered("socket AF_INET6", socket(AF_INET6, DATAGRAM), {
    control: ["EAFNOSUPPORT"],
  }),
  filtered(
    "TCP connect to loopback",
    withSocket("connect", [AF_INET, STREAM], () => loopback(9)),
    { ...BOTH, ...KERNEL_SAYS("ECONNREFUSED") },
  ),
  filtered(
    "TCP bind",
    withSocket("bind", [AF_INET, STREAM], () => loopback(0)),
    BOTH,
  ),
  filtered(
    "UDP connect",
    withSocket("connect", [AF_INET, DATAGRAM], () => loopback(53)),
  ),
  filtered("socket AF_UNIX", socket(AF_UNIX, STREAM)),
  filtered("socket AF_NETLINK", socket(AF_NETLINK, RAW)),
  filtered("socket AF_PACKET", socket(AF_PACKET, RAW), {
    // Without capabilities the kernel itself refuses.
    refusedBy: ["landlock", "seccomp"],
    needsRoot: true,
  }),
  filtered("socket AF_VSOCK", socket(AF_VSOCK, STREAM), {
    ...KERNEL_SAYS("EAFNOSUPPORT"),
  }),
  filtered("socket AF_ALG", socket(AF_ALG, SEQPACKET), {
    ...KERNEL_SAYS("EAFNOSUPPORT"),
  }),
  filtered(
    "datagram socketpair",
    ({ call, space }) => call("socketpair", [AF_UNIX, DATAGRAM, 0, space]),
  ),
  filtered(
    "connect to an abstract Unix socket",
    withSocket(
      "connect",
      [AF_UNIX, STREAM],
      () => local("\0driverspace-probe"),
    ),
    KERNEL_SAYS("ECONNREFUSED"),
  ),
  filtered(
    "connect to a Unix socket by path",
    withSocket(
      "connect",
      [AF_UNIX, STREAM],
      ({ scratch }) => local(`${scratch}/socket\0`),
    ),
    KERNEL_SAYS("ENOENT"),
  ),
];

/** A child, if one is born, leaves at once. */
function born(flags: number): Attempt {
  return async ({ call, libc }) => {
    const child = await call("clone", [flags, 0, 0, 0, 0]);
    if (child === 0) libc.call("exit_group", [0]);
    return child;
  };
}

const SIGCHLD = 17;
const CLONE_NEWUSER = 0x10000000;

/** Other processes and new ones. Signal 0 and continue do no harm. */
export const PROCESS_ATTEMPTS: readonly ProbeRow[] = [
  filtered(
    "signal another process",
    ({ call, targets }) => call("kill", [targets.otherProcess, 0]),
    BOTH,
  ),
  filtered(
    "signal another process's thread",
    ({ call, targets }) =>
      call("tgkill", [targets.otherProcess, targets.otherProcess, 0]),
    BOTH,
  ),
  filtered(
    "signal another driver",
    ({ call, targets }) => call("kill", [targets.sibling, 0]),
    BOTH,
  ),
  filtered("signal everything", ({ call }) => call("kill", [-1, 0])),
  filtered("make a process", born(SIGCHLD), { isMainOnly: true }),
  filtered(
    "clone3, flags behind a pointer",
    ({ call }) => call("clone3", [0, 0]),
    {
      refusal: ["ENOSYS"],
      ...KERNEL_SAYS("EINVAL"),
    },
  ),
  filtered("make a user namespace", born(CLONE_NEWUSER | SIGCHLD), {
    isMainOnly: true,
    control: ["EPERM", "ENOSPC"],
    refusal: ["EPERM"],
    needsRoot: true,
  }),
];

function request(descriptor: number, number: number): Attempt {
  return ({ call, space }) => call("ioctl", [descriptor, number, space]);
}

const TIOCSTI = 0x5412;
const BLKGETSIZE = 0x1260;
const REACHES_KERNEL = KERNEL_SAYS("ENOTTY");

/** Requests on descriptors. A stand-in for a node says ENOTTY to all. */
export const DEVICE_ATTEMPTS: readonly ProbeRow[] = [
  filtered("type into the terminal", request(2, TIOCSTI), {
    ...KERNEL_SAYS("ENOTTY", "EPERM", "EIO"),
    refusal: ["EPERM"],
  }),
  ...[["CONNECTINFO", 0x40085511], ["GET_SPEED", 0x551f]].map((
    [name, number],
  ): ProbeRow => ({
    name: `${name} on the device reaches the kernel`,
    attempt: request(DEVICE_DESCRIPTOR, Number(number)),
    refusedBy: [],
    refusal: ["EPERM"],
    control: ["ENOTTY"],
    isMainOnly: true,
    mustPass: true,
  })),
  filtered(
    "detach a kernel driver",
    request(DEVICE_DESCRIPTOR, USB_REQUESTS_OF_THE_LAUNCHER.IOCTL),
    REACHES_KERNEL,
  ),
  filtered(
    "detach a kernel driver and claim",
    request(DEVICE_DESCRIPTOR, 0x8108551b),
    REACHES_KERNEL,
  ),
  filtered(
    "widen the interface mask",
    request(DEVICE_DESCRIPTOR, USB_REQUESTS_OF_THE_LAUNCHER.DROP_PRIVILEGES),
    REACHES_KERNEL,
  ),
  filtered(
    "choose a configuration without being granted it",
    request(DEVICE_DESCRIPTOR, 0x80045505),
    REACHES_KERNEL,
  ),
  filtered(
    "reset the device without being granted it",
    request(DEVICE_DESCRIPTOR, 0x5514),
    REACHES_KERNEL,
  ),
  filtered(
    "an unlisted USB request on the device",
    request(DEVICE_DESCRIPTOR, 0x5563),
    REACHES_KERNEL,
  ),
  filtered(
    "SUBMITURB on another descriptor",
    request(LOG_DESCRIPTOR, 0x8038550a),
    REACHES_KERNEL,
  ),
  filtered(
    "a disk's request on the device",
    request(DEVICE_DESCRIPTOR, BLKGETSIZE),
    REACHES_KERNEL,
  ),
];

const NOFILE = 7;
const PR_SET_PDEATHSIG = 1;
const LANDLOCK_VERSION = 1;

/** Closes what a call gave. */
function giving(attempt: Attempt): Attempt {
  return async (context) => {
    const descriptor = await attempt(context);
    if (descriptor > 2) context.libc.call("close", [descriptor]);
    return descriptor;
  };
}

/** The rest of the kernel. */
export const KERNEL_ATTEMPTS: readonly ProbeRow[] = [
  filtered("change a resource limit", ({ call }) => {
    const limit = new BigUint64Array([250n, 250n]);
    return call("prlimit64", [0, NOFILE, limit, 0]);
  }),
  filtered(
    "forget the parent-death signal",
    ({ call }) => call("prctl", [PR_SET_PDEATHSIG, 0, 0, 0, 0]),
    { refusal: ["EINVAL"] },
  ),
  filtered(
    "ask Landlock",
    ({ call }) => call("landlock_create_ruleset", [0, 0, LANDLOCK_VERSION]),
  ),
  filtered(
    "watch files",
    giving(({ call }) => call("inotify_init1", [0])),
  ),
  filtered(
    "take signals as data",
    giving(({ call }) => call("signalfd4", [-1, new Uint8Array(8), 8, 0])),
  ),
  filtered(
    "choose processors",
    ({ call }) =>
      call("sched_setaffinity", [0, 8, new Uint8Array(8).fill(0xff)]),
  ),
  filtered(
    "pass a message with a descriptor",
    ({ call }) => call("sendmsg", [1, new Uint8Array(56), 0]),
    KERNEL_SAYS("ENOTSOCK"),
  ),
];
