/**
 * Binds a library's functions without compiling what is seldom called.
 *
 * For each synchronous function the runtime compiles a trampoline when it is
 * bound, 0.3 ms apiece: those of libusb alone took as long as half a start of
 * the runtime. A trampoline makes a call five times cheaper, which pays for the
 * few functions that every transfer needs. A function with a struct among its
 * parameters gets none. So the others are bound with one parameter too many, a
 * struct of one byte. No callee looks at it: on all platforms that are
 * supported (System V for x86-64, AAPCS64) arguments come in registers, then on
 * a stack that the caller clears, first ones first.
 *
 * @module
 */

const UNREAD = { struct: ["u8"] } as const satisfies Deno.NativeStructType;
const UNREAD_VALUE = new Uint8Array(1);

type Bound = ((...args: unknown[]) => unknown) | null;

/**
 * Opens a library and binds a table of its functions.
 *
 * @throws {Error} When it cannot be loaded, or lacks a function that is not optional.
 * @throws {Deno.errors.NotCapable} Without permission for exactly this path.
 */
export function bindSymbols<const T extends ForeignFunctions>(
  path: string,
  table: T,
  options: { readonly hot: ReadonlySet<keyof T> },
): Deno.DynamicLibrary<T> {
  const isCold = (name: string): boolean =>
    table[name]?.nonblocking !== true && !options.hot.has(name);
  const bound: Record<string, Deno.ForeignFunction> = {};
  for (const [name, symbol] of Object.entries(table)) {
    const { parameters } = symbol;
    bound[name] = isCold(name)
      ? { ...symbol, parameters: [...parameters, UNREAD] }
      : symbol;
  }
  // SAFETY: as the caller's table says; the parameter added is read by nobody.
  const library = Deno.dlopen(path, bound);
  const symbols: Record<string, Bound> = {};
  for (const [name, symbol] of Object.entries(library.symbols)) {
    const call = symbol as Bound;
    symbols[name] = call === null || !isCold(name)
      ? call
      : (...args) => call(...args, UNREAD_VALUE);
  }
  return {
    symbols,
    close: () => library.close(),
  } as unknown as Deno.DynamicLibrary<T>;
}

/** Functions only: variables have no trampoline. */
type ForeignFunctions = Readonly<Record<string, Deno.ForeignFunction>>;
