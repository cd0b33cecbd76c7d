// Types of the parts of `@std/assert` that this project imports.

// deno-lint-ignore no-explicit-any -- the constructor type of any Error class, as TypeScript's own InstanceType asks
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

export declare class AssertionError extends Error {}
export declare function assert(
  condition: unknown,
  message?: string,
): asserts condition;
export declare function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  message?: string,
): void;
export declare function assertEquals<T>(
  actual: T,
  expected: T,
  message?: string,
): void;
export declare function assertExists<T>(
  actual: T,
  message?: string,
): asserts actual is NonNullable<T>;
export declare function assertGreater<T>(
  actual: T,
  expected: T,
  message?: string,
): void;
export declare function assertGreaterOrEqual<T>(
  actual: T,
  expected: T,
  message?: string,
): void;
export declare function assertInstanceOf<T>(
  actual: unknown,
  // deno-lint-ignore no-explicit-any -- any class at all
  expected: abstract new (...args: any[]) => T,
  message?: string,
): asserts actual is T;
export declare function assertLess<T>(
  actual: T,
  expected: T,
  message?: string,
): void;
export declare function assertLessOrEqual<T>(
  actual: T,
  expected: T,
  message?: string,
): void;
export declare function assertMatch(
  actual: string,
  expected: RegExp,
  message?: string,
): void;
export declare function assertNotEquals<T>(
  actual: T,
  expected: T,
  message?: string,
): void;
export declare function assertRejects(
  fn: () => PromiseLike<unknown>,
): Promise<unknown>;
export declare function assertRejects<E extends Error>(
  fn: () => PromiseLike<unknown>,
  errorClass: ErrorClass<E>,
  messageIncludes?: string,
): Promise<E>;
export declare function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  message?: string,
): asserts actual is T;
export declare function assertStringIncludes(
  actual: string,
  expected: string,
  message?: string,
): void;
export declare function assertThrows(fn: () => unknown): unknown;
export declare function assertThrows<E extends Error>(
  fn: () => unknown,
  errorClass: ErrorClass<E>,
  messageIncludes?: string,
): E;
export declare function fail(message?: string): never;
