/**
 * Parameters of commands and options of runs as people type them: `NAME=VALUE`
 * texts into JSON for the wire. The driver's own check comes on top.
 *
 * @module
 */

import type { Json, ParameterSpec } from "../driver.ts";
import { checkParameters } from "../loop/parameters.ts";
import { encodeBytes } from "./wire.ts";

/** Specifications by name. */
export type ParameterSpecs = Readonly<Record<string, ParameterSpec>>;

/**
 * Reads `NAME=VALUE` texts: numbers, truth values and bytes (hexadecimal behind
 * `0x`, else the text's own) by their specification, bytes into base64 text.
 * `what` names the taker in messages: `query`.
 *
 * @throws {TypeError|RangeError} When one is unknown, missing, wrong or given twice.
 */
export function parseParameters(
  specs: ParameterSpecs,
  texts: readonly string[],
  options: { readonly what: string },
): Record<string, Json> {
  const { what } = options;
  const given = new Map<string, Json>();
  for (const text of texts) {
    const at = text.indexOf("=");
    if (at <= 0) {
      throw new TypeError(
        `Cannot use ${JSON.stringify(text)} with ${what}: expected NAME=VALUE`,
      );
    }
    const name = text.slice(0, at);
    if (given.has(name)) {
      throw new TypeError(`Cannot use ${what}: ${name} was given twice`);
    }
    const spec = Object.hasOwn(specs, name) ? specs[name] : undefined;
    const value = parseValue(text.slice(at + 1), spec, {
      what: `${what}: ${name}`,
    });
    given.set(name, value);
  }
  const values = Object.fromEntries(given);
  checkParameters(values, specs, options);
  return values;
}

/** One text, by its specification. An unknown one stays text: the check names it. */
function parseValue(
  text: string,
  spec: ParameterSpec | undefined,
  options: { readonly what: string },
): Json {
  switch (spec?.type) {
    case "integer":
    case "number":
      return parseNumber(text, options.what);
    case "boolean":
      return parseTruth(text, options.what);
    case "bytes":
      return encodeBytes(parseBytes(text, options.what));
    default:
      return text;
  }
}

function parseNumber(text: string, what: string): number {
  const isNumber = /^([-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|0x[0-9a-f]+)$/i;
  const value = isNumber.test(text) ? Number(text) : NaN;
  if (Number.isFinite(value)) return value;
  throw new TypeError(`Cannot use ${what}: expected a number`);
}

function parseTruth(text: string, what: string): boolean {
  if (["true", "yes", "on", "1"].includes(text)) return true;
  if (["false", "no", "off", "0"].includes(text)) return false;
  throw new TypeError(`Cannot use ${what}: expected true or false`);
}

function parseBytes(text: string, what: string): Uint8Array {
  if (!text.startsWith("0x")) return new TextEncoder().encode(text);
  const digits = text.slice(2);
  if (!/^([0-9a-f]{2})*$/i.test(digits)) {
    throw new TypeError(
      `Cannot use ${what}: expected pairs of hexadecimal digits behind 0x`,
    );
  }
  return Uint8Array.from(
    digits.match(/../g) ?? [],
    (pair) => parseInt(pair, 16),
  );
}
