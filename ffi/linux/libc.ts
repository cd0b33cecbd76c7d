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

/** Where an argument's bytes were copied to. */
interface Copy {
  readonly address: bigint;
  readonly bytes: Bytes;
}

/** Calls into the kernel, and memory to make them with. */
export class Libc implements Disposable {
  /** Which table numbers are taken from. */
  readonly architecture: Architecture;
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;

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
    const { words, copies } = this.#words(args);
    // SAFETY: addresses among the words are of memory malloc gave us, freed
    // below only; the kernel checks the rest.
    const result = Number(
      this.#library.symbols.syscall(word(number), ...words),
    );
    // The runtime may use the thread between two FFI calls, so errno is right
    // nearly always, not always: callers decide on the sign and report the number.
    const outcome = result < 0 ? -this.#errno() : result;
    this.#giveBack(copies);
    return outcome;
  }

  /** Makes a call on a thread of the FFI pool; -1 for any failure, as errno stays there. */
  async callOnPool(
    name: SyscallName,
    args: readonly Argument[] = [],
  ): Promise<number> {
    const number = syscallNumber(name, this.architecture);
    if (number === undefined) return -1;
    const { words, copies } = this.#words(args);
    // SAFETY: as `callNumber`; the copies are freed only after the call is back.
    const result = await this.#library.symbols.syscallOnPool(
      BigInt(number),
      ...words,
    );
    this.#giveBack(copies);
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
    this.#library.close();
  }

  #words(args: readonly Argument[]): { words: Words; copies: Copy[] } {
    const words: Words = [0n, 0n, 0n, 0n, 0n, 0n];
    const copies: Copy[] = [];
    args.forEach((argument, index) => {
      if (typeof argument === "object") {
        const address = this.#malloc(argument.byteLength);
        this.poke(address, argument);
        copies.push({ address, bytes: argument });
        words[index] = address;
      } else words[index] = BigInt.asUintN(64, BigInt(argument));
    });
    return { words, copies };
  }

  #giveBack(copies: readonly Copy[]): void {
    for (const { address, bytes } of copies) {
      this.peek(address, bytes);
      // SAFETY: malloc gave it in `#words`, and the call that used it is over.
      this.#library.symbols.free(word(address));
    }
  }

  #malloc(lengthBytes: number): bigint {
    // SAFETY: any length is fine; the result is checked.
    const address = this.#library.symbols.malloc(word(lengthBytes || 1));
    if (address === 0n) throw new SyscallError("malloc", ERRNO.ENOMEM);
    return address;
  }

  #errno(): number {
    const value = new Int32Array(1);
    // SAFETY: the location is this thread's own, valid as long as the thread.
    const location = this.#library.symbols.errnoLocation();
    this.peek(new BigUint64Array(location.buffer)[0] ?? 0n, value);
    return value[0] ?? 0;
  }
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
