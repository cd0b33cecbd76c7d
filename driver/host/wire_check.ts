/**
 * Checks for values that come from another process: each takes anything and
 * gives the typed value, or throws a {@linkcode WireError} that names the
 * member. Unknown members are dropped, so that a newer sender may say more.
 *
 * @module
 */

import type { Json } from "../driver.ts";

/** Machine-readable cause of a {@linkcode WireError}. */
export type WireErrorCode =
  | "tooLong"
  | "notJson"
  | "unknownType"
  | "badMember"
  | "tooDeep";

/** A frame that cannot be sent or was refused. */
export class WireError extends Error {
  override readonly name = "WireError";
  /** Machine-readable cause. */
  readonly code: WireErrorCode;

  /** Makes an error with its code. */
  constructor(code: WireErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Reads a value; `where` names it in the error. */
export type Checker<T> = (value: unknown, where: string) => T;

/** Deeper than any value of ours; bounds every recursion over what was read. */
export const MAX_JSON_DEPTH = 32;

/** More members than any record of ours has. */
const MAX_RECORD_MEMBERS = 64;

/** A string of at most `maxLength` UTF-16 units; a longer one is refused. */
export function text(maxLength: number): Checker<string> {
  return (value, where) => {
    if (typeof value === "string" && value.length <= maxLength) return value;
    throw bad(where, `text of at most ${maxLength} characters`);
  };
}

/** A finite number. */
export const number: Checker<number> = (value, where) => {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw bad(where, "a number");
};

/** A whole number that JavaScript holds exactly. */
export const integer: Checker<number> = (value, where) => {
  if (Number.isSafeInteger(value)) return value as number;
  throw bad(where, "a whole number");
};

/** A whole number from 0. */
export const count: Checker<number> = (value, where) => {
  if (Number.isSafeInteger(value) && (value as number) >= 0) {
    return value as number;
  }
  throw bad(where, "a whole number from 0");
};

/** `true` or `false`. */
export const boolean: Checker<boolean> = (value, where) => {
  if (typeof value === "boolean") return value;
  throw bad(where, "true or false");
};

/** Short text, a number or a truth value. */
export const scalar: Checker<string | number | boolean> = (value, where) => {
  if (typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (typeof value === "string" && value.length <= 256) return value;
  throw bad(where, "short text, a number, true or false");
};

/** One of the values given. */
export function oneOf<const T extends string | number>(
  ...values: readonly T[]
): Checker<T> {
  return (value, where) => {
    if (values.includes(value as T)) return value as T;
    throw bad(where, `one of ${values.join(", ")}`);
  };
}

/** Marks a member that may be absent. */
export type Optional<T> = Checker<T | undefined> & { readonly optional: true };

/** A member that may be absent. `null` is not absence. */
export function optional<T>(check: Checker<T>): Optional<T> {
  const optionalCheck: Checker<T | undefined> = (value, where) =>
    value === undefined ? undefined : check(value, where);
  return Object.assign(optionalCheck, { optional: true as const });
}

/** Any JSON value of bounded depth. */
export const json: Checker<Json> = (value, where) => {
  checkDepth(value, where, MAX_JSON_DEPTH);
  return value as Json;
};

/** A JSON object of bounded depth. */
export const jsonObject: Checker<{ readonly [key: string]: Json }> = (
  value,
  where,
) => {
  const object = anObject(value, where);
  checkDepth(object, where, MAX_JSON_DEPTH);
  return object as { readonly [key: string]: Json };
};

/** An object whose members all pass one check. */
export function record<T>(
  check: Checker<T>,
): Checker<Readonly<Record<string, T>>> {
  return (value, where) => {
    const members = Object.entries(anObject(value, where));
    if (members.length > MAX_RECORD_MEMBERS) {
      throw bad(where, `at most ${MAX_RECORD_MEMBERS} members`);
    }
    return Object.fromEntries(
      members.map(([name, member]) => {
        const short = name.slice(0, 64);
        return [short, check(member, `${where}.${short}`)];
      }),
    );
  };
}

/** An array of at most `maxLength` values that all pass one check. */
export function list<T>(
  check: Checker<T>,
  maxLength: number,
): Checker<readonly T[]> {
  return (value, where) => {
    if (!Array.isArray(value) || value.length > maxLength) {
      throw bad(where, `a list of at most ${maxLength}`);
    }
    return value.map((member, at) => check(member, `${where}[${at}]`));
  };
}

/** A whole number from 0 up to `maximum`. */
export function upTo(maximum: number): Checker<number> {
  return (value, where) => {
    const isInside = Number.isInteger(value) && (value as number) >= 0 &&
      (value as number) <= maximum;
    if (isInside) return value as number;
    throw bad(where, `a whole number from 0 to ${maximum}`);
  };
}

/** An object of which these members are read, each if it is there. */
export function members<const Name extends string, T>(
  names: readonly Name[],
  check: Checker<T>,
): Checker<Readonly<Partial<Record<Name, T>>>> {
  return (value, where) => {
    const object = anObject(value, where);
    const read: Partial<Record<Name, T>> = {};
    for (const name of names) {
      if (!Object.hasOwn(object, name)) continue;
      read[name] = check(object[name], `${where}.${name}`);
    }
    return read;
  };
}

/** What an object is that passed a check for each member. */
export type Shaped<Checks extends Readonly<Record<string, Checker<unknown>>>> =
  & {
    readonly [
      Name in keyof Checks as Checks[Name] extends { readonly optional: true }
        ? never
        : Name
    ]: ReturnType<Checks[Name]>;
  }
  & {
    readonly [
      Name in keyof Checks as Checks[Name] extends { readonly optional: true }
        ? Name
        : never
    ]?: Exclude<ReturnType<Checks[Name]>, undefined>;
  };

/** An object with these members; others are dropped. */
export function shape<
  Checks extends Readonly<Record<string, Checker<unknown>>>,
>(members: Checks): Checker<Shaped<Checks>> {
  const checks = Object.entries(members);
  return (value, where) => {
    const object = anObject(value, where);
    const result: Record<string, unknown> = {};
    for (const [name, check] of checks) {
      const given = Object.hasOwn(object, name) ? object[name] : undefined;
      const member = check(given, `${where}.${name}`);
      if (member !== undefined) result[name] = member;
    }
    return result as Shaped<Checks>;
  };
}

/** An object that is neither `null` nor an array. */
export function anObject(
  value: unknown,
  where: string,
): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw bad(where, "an object");
}

function checkDepth(value: unknown, where: string, depthLeft: number): void {
  if (typeof value !== "object" || value === null) return;
  if (depthLeft === 0) {
    throw new WireError(
      "tooDeep",
      `Cannot read ${where}: nested deeper than ${MAX_JSON_DEPTH}`,
    );
  }
  for (const member of Object.values(value)) {
    checkDepth(member, where, depthLeft - 1);
  }
}

function bad(where: string, expected: string): WireError {
  return new WireError(
    "badMember",
    `Cannot read ${where}: expected ${expected}`,
  );
}
