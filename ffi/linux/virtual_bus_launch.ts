/**
 * Runs inside the namespaces of a client: shows it the bus's `/sys`, installs
 * the seccomp filter whose listener the bus takes over, then becomes the
 * client. A program; imported it does nothing.
 *
 * @module
 */

import { UsbError } from "../../driver/errors.ts";
import { abiOf } from "./virtual_bus_abi.ts";
import { assembleFilter } from "./virtual_bus_filter.ts";

/** What the launching half is told. */
export interface LaunchOrder {
  /** The socket on which the bus waits for the listener. */
  readonly door: string;
  /** Becomes `/sys`. */
  readonly sys: string;
  /** The program and its arguments. */
  readonly command: readonly string[];
}

/**
 * What the launcher sends through the door before it installs the filter: two
 * 32-bit numbers, its process id and its descriptor of a netlink socket. The
 * listener the bus finds itself.
 */
export const HELLO_BYTES = 8;
/** What it sends when the kernel refuses the filter: the error number, 32 bits. */
export const REFUSAL_BYTES = 4;

const NUMBERS = ["usize", "usize", "usize", "usize"] as const;

const SYMBOLS = {
  // Copies of strings and tables outlive the call that makes them: the kernel
  // gets their addresses, and this process is replaced before they would go.
  duplicate: { name: "strdup", parameters: ["buffer"], result: "usize" },
  malloc: { parameters: ["usize"], result: "usize" },
  memcpy: { parameters: ["usize", "buffer", "usize"], result: "usize" },
  peek: {
    name: "memcpy",
    parameters: ["buffer", "usize", "usize"],
    result: "usize",
  },
  errnoLocation: { name: "__errno_location", parameters: [], result: "usize" },
  mount: {
    parameters: ["buffer", "buffer", "usize", "usize", "usize"],
    result: "i32",
  },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  ioctl: { parameters: ["i32", "usize", "buffer"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  signal: { parameters: ["i32", "usize"], result: "usize" },
  prctl: { parameters: ["i32", ...NUMBERS], result: "i32" },
  syscall: { parameters: ["i64", "usize", "usize", "buffer"], result: "i64" },
  execvp: { parameters: ["usize", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

type Symbols = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const CLOEXEC = 0o2000000;

/**
 * Becomes the client. Returns never: on success the process is another
 * program, otherwise it ends. `whenFiltered` is for tests: what else the thread
 * may do between the filter and the bus's answer.
 *
 * @throws {UsbError} Before anything irrevocable was done.
 */
export function becomeClient(
  order: LaunchOrder,
  whenFiltered: () => void = () => {},
): never {
  const abi = abiOf(Deno.build.arch);
  demandOwnNamespaces(Deno.readTextFileSync("/proc/self/uid_map"));
  // SAFETY: signatures of the GNU C library's manual; who owns which memory is
  // said at each call.
  const { symbols: libc } = Deno.dlopen("libc.so.6", SYMBOLS);
  showSys(libc, order.sys);
  bringUpLoopback(libc);
  const door = connectTo(libc, order.door);
  const [AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT] = [16, 3, 15];
  const uevents = check(
    libc.socket(AF_NETLINK, SOCK_RAW | CLOEXEC, NETLINK_KOBJECT_UEVENT),
    "open a netlink socket",
  );
  const program = filterProgram(libc, assembleFilter(abi));
  const command = argumentVector(libc, order.command);
  prepareProcess(libc);

  // Before the filter: afterwards each open of this thread waits for the bus,
  // and who knows when the runtime opens something.
  const hello = Int32Array.of(Deno.pid, uevents);
  // SAFETY: the buffer is ours, with its length.
  libc.write(door, hello, BigInt(HELLO_BYTES));
  if (installFilter(libc, abi.seccomp, program) < 0) {
    // SAFETY: as above.
    libc.write(door, errnoOf(libc), BigInt(REFUSAL_BYTES));
    Deno.exit(NOT_STARTED);
  }
  whenFiltered();
  // SAFETY: one byte of ours.
  const wasAccepted = libc.read(door, new Uint8Array(1), 1n) === 1n;
  if (!wasAccepted) Deno.exit(NOT_STARTED);
  // SAFETY: the strings were duplicated; the vector ends with a null pointer.
  libc.execvp(command[0] ?? 0n, command);
  console.error(`Cannot execute ${order.command[0]}`);
  Deno.exit(NOT_FOUND);
}

/** Exit code of a launcher that the bus did not take. */
const NOT_STARTED = 126;
/** Exit code of shells for a program that is not there. */
const NOT_FOUND = 127;

/**
 * In the machine's own namespace the bus's folder would hide the machine's
 * `/sys` from everybody. `unshare -r` maps one user, the machine's has all.
 */
function demandOwnNamespaces(userMap: string): void {
  if (/^\s*\d+\s+\d+\s+1\s*$/.test(userMap)) return;
  throw new UsbError({
    code: "notSupported",
    operation: "start a client of the virtual bus",
    reason: "this process has no namespaces of its own",
    advice: "A bus starts it by itself: driverspace simulate",
  });
}

function showSys(libc: Symbols, sys: string): void {
  const [MS_BIND, MS_REC] = [0x1000n, 0x4000n];
  // SAFETY: both strings live for the call; type and data are null.
  const result = libc.mount(
    zeroEnded(sys),
    zeroEnded("/sys"),
    0n,
    MS_BIND | MS_REC,
    0n,
  );
  check(result, `show ${sys} as /sys`);
}

/** A new network namespace begins with its loopback interface down. */
function bringUpLoopback(libc: Symbols): void {
  const [AF_INET, SOCK_DGRAM] = [2, 2];
  const [SIOCSIFFLAGS, IFF_UP, IFF_RUNNING] = [0x8914n, 0x1, 0x40];
  const request = new DataView(new ArrayBuffer(40)); // struct ifreq
  new Uint8Array(request.buffer).set(zeroEnded("lo"));
  request.setInt16(16, IFF_UP | IFF_RUNNING, true);
  const socket = libc.socket(AF_INET, SOCK_DGRAM | CLOEXEC, 0);
  // SAFETY: a whole struct ifreq of ours, for the call. A system without IPv4 does without.
  if (socket >= 0) libc.ioctl(socket, SIOCSIFFLAGS, request);
}

function connectTo(libc: Symbols, path: string): number {
  const [AF_UNIX, SOCK_STREAM] = [1, 1];
  const address = new Uint8Array(110); // struct sockaddr_un
  address[0] = AF_UNIX;
  address.set(zeroEnded(path), 2);
  const door = libc.socket(AF_UNIX, SOCK_STREAM | CLOEXEC, 0);
  // SAFETY: the address is ours, with its length.
  check(libc.connect(door, address, address.length), `connect to ${path}`);
  return door;
}

/** `struct sock_fprog`: a count of instructions and their address. */
function filterProgram(
  libc: Symbols,
  code: Uint8Array<ArrayBuffer>,
): DataView<ArrayBuffer> {
  const length = BigInt(code.length);
  const address = libc.malloc(length);
  if (address === 0n) check(-1, "get memory for the filter");
  // SAFETY: the memory was just allocated with this length.
  libc.memcpy(address, code, length);
  const program = new DataView(new ArrayBuffer(16));
  program.setUint16(0, code.length / 8, true);
  program.setBigUint64(8, address, true);
  return program;
}

function argumentVector(
  libc: Symbols,
  command: readonly string[],
): BigUint64Array<ArrayBuffer> {
  // SAFETY: strdup copies the string; nobody frees the copies.
  const strings = command.map((word) => libc.duplicate(zeroEnded(word)));
  return new BigUint64Array([...strings, 0n]);
}

function prepareProcess(libc: Symbols): void {
  const [SIGPIPE, SIG_DFL] = [13, 0n];
  const [PR_SET_TIMERSLACK, PR_SET_NO_NEW_PRIVS] = [29, 38];
  // SAFETY: numbers only.
  libc.signal(SIGPIPE, SIG_DFL); // Deno ignores it, which exec would pass on.
  libc.prctl(PR_SET_TIMERSLACK, 1n, 0n, 0n, 0n);
  check(
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n),
    "give up new privileges",
  );
}

/** The listener, or a negative number. */
function installFilter(
  libc: Symbols,
  seccomp: number,
  program: DataView<ArrayBuffer>,
): number {
  const SECCOMP_SET_MODE_FILTER = 1n;
  const [NEW_LISTENER, WAIT_KILLABLE_RECV] = [8n, 32n];
  let listener = -1n;
  // Signals that do not kill must not interrupt a call the bus works on: it
  // would be made twice. Kernels before 5.19 cannot promise it.
  for (const flags of [NEW_LISTENER | WAIT_KILLABLE_RECV, NEW_LISTENER]) {
    // SAFETY: a whole struct sock_fprog, which the kernel copies with its code.
    listener = libc.syscall(
      BigInt(seccomp),
      SECCOMP_SET_MODE_FILTER,
      flags,
      program,
    );
    if (listener >= 0n) break;
  }
  return Number(listener);
}

/** Why the last call failed. */
function errnoOf(libc: Symbols): Int32Array<ArrayBuffer> {
  const errno = new Int32Array(1);
  // SAFETY: four bytes of ours, from an address that is valid as long as the thread.
  libc.peek(errno, libc.errnoLocation(), BigInt(errno.byteLength));
  return errno;
}

function zeroEnded(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

function check(result: number, operation: string): number {
  if (result >= 0) return result;
  throw new UsbError({
    code: "notSupported",
    operation: `${operation} for a client of the virtual bus`,
    reason: "the system refused it",
    advice: "Use the preload transport",
  });
}

if (import.meta.main) {
  const [door, sys, ...command] = Deno.args;
  if (door === undefined || sys === undefined || command.length === 0) {
    console.error("Usage: virtual_bus_launch.ts DOOR SYS PROGRAM ...");
    Deno.exit(2);
  }
  becomeClient({ door, sys, command });
}
