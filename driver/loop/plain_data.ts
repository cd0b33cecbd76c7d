/**
 * A driver's state as data, where it is nothing but data: then a replay can
 * begin in the middle of a life. Functions, objects of classes and what is
 * referred to twice are not guessed at.
 *
 * @module
 */

import type { Json } from "../driver.ts";
import { toHex } from "./recording.ts";

/** Deeper than states are; bounds the recursion. */
const DEPTH_MAX = 24;
/** Characters of a state; a driver that hoards more begins its replays at its start. */
const CHARACTERS_MAX = 64 * 1024;

/** A value as data, or why it is more than that. */
export type PlainData =
  | { readonly data: Json }
  | { readonly reason: string };

/** Takes a value apart. Never throws, calls no code of the value's. */
export function encodePlain(value: unknown): PlainData {
  try {
    return { data: new Encoder().encode(value, "state", DEPTH_MAX) };
  } catch (error) {
    if (!(error instanceof NotPlain)) throw error;
    return { reason: error.message };
  }
}

/**
 * Puts a value together again.
 *
 * @throws {SyntaxError} When the data are not what `encodePlain` gives.
 */
export function decodePlain(data: Json): unknown {
  return decode(data, DEPTH_MAX);
}

class NotPlain extends Error {}

/** Marks what JSON has no word for; a plain object with such a member is marked, too. */
const MARK = "$";

type Elements =
  | Uint8Array
  | Uint8ClampedArray
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array;

const ARRAYS: Readonly<
  Record<string, { new (buffer: ArrayBuffer): Elements }>
> = {
  Uint8Array,
  Uint8ClampedArray,
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
  BigUint64Array,
  BigInt64Array,
};

class Encoder {
  readonly #seen = new Set<object>();
  #charactersLeft = CHARACTERS_MAX;

  encode(value: unknown, where: string, depthLeft: number): Json {
    this.#spend(8, where);
    switch (typeof value) {
      case "string":
        this.#spend(value.length, where);
        return value;
      case "boolean":
        return value;
      case "number":
        return Number.isFinite(value) && !Object.is(value, -0) ? value : {
          [MARK]: "number",
          text: Object.is(value, -0) ? "-0" : `${value}`,
        };
      case "bigint":
        return { [MARK]: "bigint", text: `${value}` };
      case "undefined":
        return { [MARK]: "undefined" };
      case "object":
        if (value === null) return null;
        if (depthLeft === 0) throw new NotPlain(`${where} is nested too deep`);
        return this.#object(value, where, depthLeft - 1);
      default:
        throw new NotPlain(`${where} is a ${typeof value}`);
    }
  }

  #object(value: object, where: string, depthLeft: number): Json {
    if (this.#seen.has(value)) {
      throw new NotPlain(`${where} is referred to twice`);
    }
    this.#seen.add(value);
    const at = (name: string | number): string => `${where}.${name}`;
    const each = (items: readonly unknown[]): Json =>
      items.map((item, n) => this.encode(item, at(n), depthLeft));
    const prototype: unknown = Object.getPrototypeOf(value);
    if (Array.isArray(value) && prototype === Array.prototype) {
      return each(value);
    }
    if (prototype === Map.prototype) {
      return {
        [MARK]: "map",
        entries: each([...(value as Map<unknown, unknown>)]),
      };
    }
    if (prototype === Set.prototype) {
      return { [MARK]: "set", items: each([...(value as Set<unknown>)]) };
    }
    if (prototype === Date.prototype) {
      return {
        [MARK]: "date",
        ms: this.encode((value as Date).getTime(), where, 1),
      };
    }
    if (ArrayBuffer.isView(value)) return this.#array(value, where);
    if (prototype !== Object.prototype && prototype !== null) {
      throw new NotPlain(`${where} is of a class`);
    }
    return this.#members(value, at, depthLeft);
  }

  #members(
    value: object,
    at: (name: string) => string,
    depthLeft: number,
  ): Json {
    const members: [string, Json][] = [];
    for (const key of Reflect.ownKeys(value)) {
      const where = at(String(key).slice(0, 40));
      if (typeof key === "symbol") throw new NotPlain(`${where} is a symbol`);
      const property = Object.getOwnPropertyDescriptor(value, key);
      if (property === undefined || !("value" in property)) {
        throw new NotPlain(`${where} is computed`);
      }
      this.#spend(key.length, where);
      members.push([key, this.encode(property.value, where, depthLeft)]);
    }
    const isMarked = members.some(([name]) =>
      name === MARK || name === "__proto__"
    );
    return isMarked
      ? { [MARK]: "object", entries: members }
      : Object.fromEntries(members);
  }

  #array(view: ArrayBufferView, where: string): Json {
    const name = Object.prototype.toString.call(view).slice(8, -1);
    const kind = ARRAYS[name];
    const isOurs = kind !== undefined &&
      Object.getPrototypeOf(view) === kind.prototype;
    if (!isOurs) throw new NotPlain(`${where} is of a class`);
    this.#spend(2 * view.byteLength, where);
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    return { [MARK]: name, hex: toHex(bytes) };
  }

  #spend(characters: number, where: string): void {
    this.#charactersLeft -= characters;
    if (this.#charactersLeft < 0) {
      throw new NotPlain(
        `it is longer than ${CHARACTERS_MAX} characters at ${where}`,
      );
    }
  }
}

function decode(data: Json, depthLeft: number): unknown {
  if (typeof data !== "object" || data === null) return data;
  if (depthLeft === 0) throw bad("nested too deep");
  const below = (item: Json): unknown => decode(item, depthLeft - 1);
  if (Array.isArray(data)) return data.map(below);
  const members = data as { readonly [key: string]: Json };
  if (!Object.hasOwn(members, MARK)) {
    return Object.fromEntries(
      Object.entries(members).map(([name, item]) => [name, below(item)]),
    );
  }
  return decodeMarked(members, below);
}

function decodeMarked(
  members: { readonly [key: string]: Json },
  below: (item: Json) => unknown,
): unknown {
  const kind = members[MARK];
  switch (kind) {
    case "undefined":
      return undefined;
    case "number":
      return Number(textOf(members["text"]));
    case "bigint":
      return bigintOf(textOf(members["text"]));
    case "date":
      return new Date(Number(below(members["ms"] ?? null)));
    case "map":
      return new Map(entriesOf(members["entries"], below));
    case "set":
      return new Set(listOf(members["items"]).map(below));
    case "object":
      return Object.fromEntries(
        entriesOf(members["entries"], below) as [string, unknown][],
      );
    default:
      return arrayOf(String(kind), textOf(members["hex"]));
  }
}

function arrayOf(kind: string, hex: string): Elements {
  const made = Object.hasOwn(ARRAYS, kind) ? ARRAYS[kind] : undefined;
  if (made === undefined || !/^(?:[0-9a-f]{2})*$/.test(hex)) {
    throw bad("an unknown mark");
  }
  const bytes = Uint8Array.from(
    hex.match(/../g) ?? [],
    (digits) => parseInt(digits, 16),
  );
  try {
    return new made(bytes.buffer);
  } catch {
    throw bad("an array of an odd length");
  }
}

function entriesOf(
  value: Json | undefined,
  below: (item: Json) => unknown,
): [unknown, unknown][] {
  return listOf(value).map((entry) => {
    const [key = null, item = null] = listOf(entry);
    return [below(key), below(item)];
  });
}

function listOf(value: Json | undefined): readonly Json[] {
  if (Array.isArray(value)) return value;
  throw bad("a list is missing");
}

function textOf(value: Json | undefined): string {
  if (typeof value === "string") return value;
  throw bad("a text is missing");
}

function bigintOf(text: string): bigint {
  if (/^-?\d{1,400}$/.test(text)) return BigInt(text);
  throw bad("no whole number");
}

function bad(reason: string): SyntaxError {
  return new SyntaxError(`Cannot read a state: ${reason}`);
}
