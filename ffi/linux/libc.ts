/**
 * System calls by FFI, under a path-scoped `--allow-ffi`: parameters are
 * integers and `buffer` only, so no pointer API is touched.
 *
 * libc is found in any library that depends on it, because a library's handle
 * covers its dependencies: `Libc.open(libusbPath)` needs no second permission.
 *
 * @module
 */

import { ERRNO, errnoName } from "./errno.ts";
import {
  type Architecture,
  runningArchitecture,
  type SyscallName,
  syscallNumber,
} from "./syscalls.ts";

const WORD = "usize";
/**
 * A word too, and passed like one by the calling conventions of x86-64 and
 * AArch64. With a struct in its signature the runtime compiles no trampoline
 * for a function, and calls it the slower way: right for what is called a few
 * dozen times, as both the launcher and the driver's start are short.
 */
const COLD_WORD = { struct: ["usize"] } as const;

const SYMBOLS = {
  syscall: {
    parameters: [COLD_WORD, WORD, WORD, WORD, WORD, WORD, WORD],
    result: "isize",
  },
  syscallOnPool: {
    name: "syscall",
    parameters: [WORD, WORD, WORD, WORD, WORD, WORD, WORD],
    result: "isize",
    nonblocking: true,
  },
  errnoLocation: {
    name: "__errno_location",
    parameters: [],
    result: COLD_WORD,
  },
  malloc: { parameters: [COLD_WORD], result: WORD },
  free: { parameters: [COLD_WORD], result: "void" },
  poke: {
    name: "memcpy",
    parameters: [WORD, "buffer", COLD_WORD],
    result: WORD,
  },
  peek: {
    name: "memcpy",
    parameters: ["buffer", WORD, COLD_WORD],
    result: WORD,
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** Bytes a call reads or writes. */
export type Bytes =
  | Uint8Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>;

/** An argument of a system call: an integer, an address, or bytes that are copied in and back. */
export type Argument = number | bigint | Bytes;

/** A call the kernel refused. */
export class SyscallError extends Error {
  override readonly name = "SyscallError";
  /** The call. */
  readonly call: string;
  /** What the kernel said, positive. */
  readonly errno: number;

  /** `errno` is positive. */
  constructor(call: string, errno: number) {
    super(`${call}: ${errnoName(errno)}`);
    this.call = call;
    this.errno = errno;
  }
}

/** The six argument words of a call. */
type Words = [bigint, bigint, bigint, bigint, bigint, bigint];

/**
 * Memory for the bytes of one call at a time; a line of the log, the longest of
 * what is passed again and again, fits twice. More gets memory of its own.
 */
const SCRATCH_BYTES = 16 * 1024;

/** Calls into the kernel, and memory to make them with. */
export class Libc implements Disposable {
  /** Which table numbers are taken from. */
  readonly architecture: Architecture;
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  #scratch = 0n;
  #errnoAt = 0n;

  private constructor(
    library: Deno.DynamicLibrary<typeof SYMBOLS>,
    architecture: Architecture,
  ) {
    this.#library = library;
    this.architecture = architecture;
  }

  /**
   * Binds libc, by its own path or through any library that depends on it.
   *
   * @throws {Error} When the library cannot be loaded or the architecture has no table.
   * @throws {Deno.errors.NotCapable} Without permission for exactly this path.
   */
  static open(path: string): Libc {
    const architecture = runningArchitecture();
    // SAFETY: the signatures are those of libc on every 64-bit Linux; memory
    // passed as `buffer` is used during the call only.
    return new Libc(Deno.dlopen(path, SYMBOLS), architecture);
  }

  /** Makes a call; a negative result is the negated errno. */
  call(name: SyscallName, args: readonly Argument[] = []): number {
    const number = syscallNumber(name, this.architecture);
    return number === undefined ? -ERRNO.ENOSYS : this.callNumber(number, args);
  }

  /**
   * Makes a call that must succeed.
   *
   * @throws {SyscallError} When the kernel refuses.
   */
  check(name: SyscallName, args: readonly Argument[] = []): number {
    const result = this.call(name, args);
    if (result < 0) throw new SyscallError(name, -result);
    return result;
  }

  /** Makes a call by its number; a negative result is the negated errno. */
  callNumber(number: number, args: readonly Argument[] = []): number {
    const lengthBytes = roomFor(args);
    const isLarge = lengthBytes > SCRATCH_BYTES;
    const room = isLarge ? this.#malloc(lengthBytes) : this.#scratchRoom();
    const words = this.#copyIn(args, room);
    // SAFETY: addresses among the words are of memory that malloc gave us and
    // nobody else uses before the call is back; the kernel checks the rest.
    const result = Number(
      this.#library.symbols.syscall(word(number), ...words),
    );
    // The runtime may use the thread between two FFI calls, so errno is right
    // nearly always, not always: callers decide on the sign and report the number.
    const outcome = result < 0 ? -this.#errno() : result;
    this.#copyBack(args, words);
    if (isLarge) this.#free(room);
    return outcome;
  }

  /** Makes a call on a thread of the FFI pool; -1 for any failure, as errno stays there. */
  async callOnPool(
    name: SyscallName,
    args: readonly Argument[] = [],
  ): Promise<number> {
    const number = syscallNumber(name, this.architecture);
    if (number === undefined) return -1;
    const room = this.#malloc(roomFor(args));
    const words = this.#copyIn(args, room);
    // SAFETY: as `callNumber`; the memory is this call's own until it is back.
    const result = await this.#library.symbols.syscallOnPool(
      BigInt(number),
      ...words,
    );
    this.#copyBack(args, words);
    this.#free(room);
    return Number(result);
  }

  /** Copies bytes to C memory that lives as long as the process. */
  allocate(bytes: Bytes): bigint {
    const address = this.#malloc(bytes.byteLength);
    this.poke(address, bytes);
    return address;
  }

  /** Writes bytes to an address that has room for them. */
  poke(address: bigint, bytes: Bytes): void {
    // SAFETY: the caller owns `byteLength` bytes at the address.
    this.#library.symbols.poke(address, bytes, word(bytes.byteLength));
  }

  /** Reads bytes from an address. */
  peek(address: bigint, bytes: Bytes): void {
    // SAFETY: the caller owns `byteLength` bytes at the address.
    this.#library.symbols.peek(bytes, address, word(bytes.byteLength));
  }

  /** A NULL-terminated `char *[]` in C memory that lives as long as the process. */
  stringArray(items: readonly string[]): bigint {
    const addresses = items.map((item) => this.allocate(cstring(item)));
    return this.allocate(new BigUint64Array([...addresses, 0n]));
  }

  /** Unloads the binding; calls are a bug afterwards. */
  [Symbol.dispose](): void {
    if (this.#scratch !== 0n) this.#free(this.#scratch);
    this.#library.close();
  }

  #scratchRoom(): bigint {
    if (this.#scratch === 0n) this.#scratch = this.#malloc(SCRATCH_BYTES);
    return this.#scratch;
  }

  /** The words of a call, its bytes one after the other in `room`. */
  #copyIn(args: readonly Argument[], room: bigint): Words {
    const words: Words = [0n, 0n, 0n, 0n, 0n, 0n];
    let at = room;
    args.forEach((argument, index) => {
      if (typeof argument === "object") {
        this.poke(at, argument);
        words[index] = at;
        at += BigInt(aligned(argument.byteLength));
      } else words[index] = BigInt.asUintN(64, BigInt(argument));
    });
    return words;
  }

  #copyBack(args: readonly Argument[], words: Words): void {
    args.forEach((argument, index) => {
      if (typeof argument === "object") this.peek(words[index] ?? 0n, argument);
    });
  }

  #free(address: bigint): void {
    // SAFETY: malloc gave it for one call, which is over.
    this.#library.symbols.free(word(address));
  }

  #malloc(lengthBytes: number): bigint {
    // SAFETY: any length is fine; the result is checked.
    const address = this.#library.symbols.malloc(word(lengthBytes || 1));
    if (address === 0n) throw new SyscallError("malloc", ERRNO.ENOMEM);
    return address;
  }

  /** Of this thread, on which all but pool calls are made. */
  #errno(): number {
    if (this.#errnoAt === 0n) {
      // SAFETY: the location is valid as long as the thread.
      const location = this.#library.symbols.errnoLocation();
      this.#errnoAt = new BigUint64Array(location.buffer)[0] ?? 0n;
    }
    const value = new Int32Array(1);
    this.peek(this.#errnoAt, value);
    return value[0] ?? 0;
  }
}

/** Bytes that the byte arguments of a call take. */
function roomFor(args: readonly Argument[]): number {
  let lengthBytes = 0;
  for (const argument of args) {
    if (typeof argument === "object") {
      lengthBytes += aligned(argument.byteLength);
    }
  }
  return lengthBytes;
}

/** To whole words, as structures of the kernel stand. */
function aligned(lengthBytes: number): number {
  return (lengthBytes + 7) & ~7;
}

/** A word as a struct of one. */
function word(value: number | bigint): BigUint64Array<ArrayBuffer> {
  return BigUint64Array.of(BigInt.asUintN(64, BigInt(value)));
}

/**
 * Text as C has it, ended by a NUL byte.
 *
 * @throws {RangeError} When the text holds a NUL byte itself.
 */
export function cstring(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) {
    throw new RangeError(
      `Cannot pass ${JSON.stringify(text)} to C: it holds a NUL byte`,
    );
  }
  return new TextEncoder().encode(`${text}\0`);
}
