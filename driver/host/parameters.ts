/**
 * Parameters of commands and options of runs: text that people typed, or JSON
 * that came over the wire, checked against a driver's specifications.
 *
 * @module
 */

import type { Json, Parameters, ParameterSpec } from "../driver.ts";
import { decodeBytes, encodeBytes, WireError } from "./wire.ts";

/** Specifications by name. */
export type ParameterSpecs = Readonly<Record<string, ParameterSpec>>;

/** A parameter that does not meet its specification. */
export class ParameterError extends Error {
  override readonly name = "ParameterError";
}

/**
 * Reads `NAME=VALUE` texts into JSON for the wire: numbers, truth values and
 * bytes (hexadecimal behind `0x`, else the text's own) by their specification.
 *
 * @throws {ParameterError} Naming the parameter.
 */
export function parseParameters(
  specs: ParameterSpecs,
  texts: readonly string[],
): Record<string, Json> {
  const values: Record<string, Json> = {};
  for (const text of texts) {
    const at = text.indexOf("=");
    if (at <= 0) {
      throw new ParameterError(
        `Cannot read ${JSON.stringify(text)}: expected NAME=VALUE`,
      );
    }
    const name = text.slice(0, at);
    if (Object.hasOwn(values, name)) {
      throw new ParameterError(`Parameter ${name} was given more than once`);
    }
    values[name] = parseValue(specOf(specs, name), name, text.slice(at + 1));
  }
  checkParameters(specs, values);
  return values;
}

/**
 * Checks JSON parameters and gives them as a driver gets them, bytes as bytes.
 *
 * @throws {ParameterError} Naming the parameter: unknown, missing, wrong.
 */
export function checkParameters(
  specs: ParameterSpecs,
  values: Readonly<Record<string, Json>>,
): Parameters {
  const checked: Record<string, Parameters[string]> = {};
  for (const [name, value] of Object.entries(values)) {
    checked[name] = checkValue(specOf(specs, name), name, value);
  }
  for (const [name, spec] of Object.entries(specs)) {
    if (spec.optional !== true && !Object.hasOwn(checked, name)) {
      throw new ParameterError(
        `Parameter ${name} is missing: ${spec.description}`,
      );
    }
  }
  return checked;
}

function specOf(specs: ParameterSpecs, name: string): ParameterSpec {
  const spec = Object.hasOwn(specs, name) ? specs[name] : undefined;
  if (spec !== undefined) return spec;
  const known = Object.keys(specs).join(", ") || "none";
  throw new ParameterError(`There is no parameter ${name}; known: ${known}`);
}

function parseValue(spec: ParameterSpec, name: string, text: string): Json {
  switch (spec.type) {
    case "string":
      return text;
    case "integer":
    case "number":
      return parseNumber(name, text);
    case "boolean":
      if (TRUE_WORDS.has(text)) return true;
      if (FALSE_WORDS.has(text)) return false;
      throw wrong(name, "true or false");
    case "bytes":
      return encodeBytes(parseBytes(name, text));
  }
}

const TRUE_WORDS: ReadonlySet<string> = new Set(["true", "yes", "on", "1"]);
const FALSE_WORDS: ReadonlySet<string> = new Set(["false", "no", "off", "0"]);

function parseNumber(name: string, text: string): number {
  const value = /^[-+]?(0x[0-9a-f]+|[0-9.]+(e[-+]?\d+)?)$/i.test(text)
    ? Number(text)
    : NaN;
  if (Number.isFinite(value)) return value;
  throw wrong(name, "a number");
}

function parseBytes(name: string, text: string): Uint8Array {
  if (!text.startsWith("0x")) return new TextEncoder().encode(text);
  const digits = text.slice(2);
  if (!/^([0-9a-fA-F]{2})*$/.test(digits)) {
    throw wrong(name, "pairs of hexadecimal digits behind 0x");
  }
  return Uint8Array.from(
    digits.match(/../g) ?? [],
    (pair) => parseInt(pair, 16),
  );
}

function checkValue(
  spec: ParameterSpec,
  name: string,
  value: Json,
): Parameters[string] {
  switch (spec.type) {
    case "string":
      return checkText(spec, name, value);
    case "integer":
    case "number":
      return checkNumber(spec, name, value);
    case "boolean":
      if (typeof value === "boolean") return value;
      throw wrong(name, "true or false");
    case "bytes":
      return checkBytes(spec, name, value);
  }
}

function checkText(
  spec: Extract<ParameterSpec, { readonly type: "string" }>,
  name: string,
  value: Json,
): string {
  if (typeof value !== "string" || value.length > spec.maxLength) {
    throw wrong(name, `text of at most ${spec.maxLength} characters`);
  }
  if (spec.choices !== undefined && !spec.choices.includes(value)) {
    throw wrong(name, `one of ${spec.choices.join(", ")}`);
  }
  return value;
}

function checkNumber(
  spec: Extract<ParameterSpec, { readonly minimum: number }>,
  name: string,
  value: Json,
): number {
  const { minimum, maximum } = spec;
  const isWhole = spec.type === "number" || Number.isInteger(value);
  if (
    typeof value === "number" && isWhole && value >= minimum && value <= maximum
  ) return value;
  const kind = spec.type === "integer" ? "a whole number" : "a number";
  throw wrong(name, `${kind} from ${minimum} to ${maximum}`);
}

function checkBytes(
  spec: Extract<ParameterSpec, { readonly type: "bytes" }>,
  name: string,
  value: Json,
): Uint8Array {
  try {
    const bytes = typeof value === "string" ? decodeBytes(value) : undefined;
    if (bytes !== undefined && bytes.length <= spec.maxBytes) return bytes;
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
  }
  throw wrong(name, `at most ${spec.maxBytes} bytes, as base64`);
}

function wrong(name: string, expected: string): ParameterError {
  return new ParameterError(
    `Cannot use parameter ${name}: expected ${expected}`,
  );
}
