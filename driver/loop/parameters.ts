/**
 * Checks what clients send against what a driver says it takes, before the
 * driver sees it. What comes is untrusted; messages quote a bounded part of it.
 *
 * @module
 */

import type { Json, Parameters, ParameterSpec } from "../driver.ts";

/** Characters of a client's word that a message repeats. */
const QUOTE_MAX = 32;

type Value = string | number | boolean | Uint8Array;

/**
 * Gives the parameters, checked and converted; `bytes` arrive as base64 text.
 * `what` names the taker in messages: `query`.
 *
 * @throws {TypeError} When one is missing, unknown or of the wrong type.
 * @throws {RangeError} When one is out of bounds or not among the choices.
 */
export function checkParameters(
  given: Json | undefined,
  specs: Readonly<Record<string, ParameterSpec>>,
  options: { readonly what: string },
): Parameters {
  const { what } = options;
  const members = objectOf(given, what);
  for (const name of Object.keys(members)) {
    if (Object.hasOwn(specs, name)) continue;
    const known = Object.keys(specs);
    throw new TypeError(
      `Cannot use ${quote(name)} with ${what}: ` +
        (known.length === 0
          ? "it takes no parameters"
          : `it takes ${known.join(", ")}`),
    );
  }
  const checked: Record<string, Value | undefined> = Object.create(null);
  for (const [name, spec] of Object.entries(specs)) {
    const value = Object.hasOwn(members, name) ? members[name] : undefined;
    if (value !== undefined) {
      checked[name] = checkValue(value, spec, `${what}: ${name}`);
    } else if (spec.optional !== true) {
      throw new TypeError(
        `Cannot use ${what} without ${name}: ${spec.description}`,
      );
    }
  }
  return checked;
}

function objectOf(
  given: Json | undefined,
  what: string,
): { readonly [name: string]: Json } {
  if (given === undefined || given === null) return {};
  if (typeof given === "object" && !Array.isArray(given)) {
    return given as { readonly [name: string]: Json };
  }
  throw new TypeError(`Cannot use parameters of ${what}: expected an object`);
}

function checkValue(value: Json, spec: ParameterSpec, what: string): Value {
  switch (spec.type) {
    case "string":
      return checkText(value, spec, what);
    case "integer":
    case "number":
      return checkNumber(value, spec, what);
    case "boolean":
      if (typeof value === "boolean") return value;
      throw wrongType(what, "true or false");
    case "bytes":
      return checkBytes(value, spec, what);
  }
}

function checkText(
  value: Json,
  spec: ParameterSpec & { readonly type: "string" },
  what: string,
): string {
  if (typeof value !== "string") throw wrongType(what, "text");
  if (value.length > spec.maxLength) {
    throw new RangeError(
      `Cannot use ${what}: ${value.length} characters, at most ${spec.maxLength}`,
    );
  }
  if (spec.choices !== undefined && !spec.choices.includes(value)) {
    throw new RangeError(
      `Cannot use ${what} ${quote(value)}: expected one of ${
        spec.choices.join(", ")
      }`,
    );
  }
  return value;
}

function checkNumber(
  value: Json,
  spec: ParameterSpec & { readonly type: "integer" | "number" },
  what: string,
): number {
  const article = spec.type === "integer" ? "an integer" : "a number";
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw wrongType(what, article);
  }
  if (spec.type === "integer" && !Number.isInteger(value)) {
    throw wrongType(what, article);
  }
  if (value < spec.minimum || value > spec.maximum) {
    throw new RangeError(
      `Cannot use ${what} ${value}: expected ${article} from ${spec.minimum} to ${spec.maximum}`,
    );
  }
  return value;
}

function checkBytes(
  value: Json,
  spec: ParameterSpec & { readonly type: "bytes" },
  what: string,
): Uint8Array {
  if (typeof value !== "string") throw wrongType(what, "base64 text");
  // Four characters carry three bytes: refused before anything is allocated.
  if (value.length > Math.ceil(spec.maxBytes / 3) * 4) {
    throw new RangeError(
      `Cannot use ${what}: more than ${spec.maxBytes} bytes`,
    );
  }
  const bytes = decodeBase64(value);
  if (bytes === undefined) throw wrongType(what, "base64 text");
  if (bytes.length > spec.maxBytes) {
    throw new RangeError(
      `Cannot use ${what}: ${bytes.length} bytes, at most ${spec.maxBytes}`,
    );
  }
  return bytes;
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  const isBase64 = text.length % 4 === 0 &&
    /^[A-Za-z0-9+/]*={0,2}$/.test(text);
  return isBase64
    ? Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
    : undefined;
}

function wrongType(what: string, expected: string): TypeError {
  return new TypeError(`Cannot use ${what}: expected ${expected}`);
}

function quote(text: string): string {
  return JSON.stringify(
    text.length > QUOTE_MAX ? text.slice(0, QUOTE_MAX) + "…" : text,
  );
}
