// @ts-check
/**
 * A form from what a driver declares: which field for which parameter, what
 * stands beside it, and what was typed as JSON. The supervisor checks all of it
 * again; here it is told before anything is sent, and to the right field.
 *
 * @module
 */

/** @import { Json, ParameterSpec } from "./words.d.ts" */

import { harmless, numberText } from "./text.js";

/**
 * How a parameter is asked for.
 *
 * @typedef {object} Field
 * @property {string} name
 * @property {"line" | "text" | "choice" | "number" | "truth"} kind
 * @property {boolean} isRequired
 * @property {string} hint What it is, and its bounds.
 * @property {readonly string[]} choices
 */

/**
 * What was typed, read: a value, nothing, or why it cannot be used.
 *
 * @typedef {{ readonly value: Json } | { readonly isAbsent: true } | { readonly problem: string }} Reading
 */

/** Texts that may be longer are typed into a field of several lines. */
const LINE_LENGTH_MAX = 65_536;
/** Choices shown; a driver that declares more is not helped by a list. */
const CHOICES_MAX = 500;

/**
 * The field for a parameter.
 *
 * @param {string} name
 * @param {ParameterSpec} spec
 * @returns {Field}
 */
export function fieldOf(name, spec) {
  const choices = spec.type === "string" ? spec.choices : undefined;
  const bounds = boundsOf(spec);
  const description = harmless(spec.description, 400);
  return {
    name,
    kind: kindOf(spec),
    isRequired: spec.optional !== true,
    hint: bounds === "" ? description : `${description}. ${bounds}`,
    choices: (choices ?? []).slice(0, CHOICES_MAX),
  };
}

/**
 * Reads one field. An empty one is absent, but for a text that must be there:
 * the empty text is one.
 *
 * @param {ParameterSpec} spec
 * @param {string} text As the field holds it; `true`, `false` or nothing of a truth value.
 * @returns {Reading}
 */
export function readField(spec, text) {
  const isEmpty = text === "";
  if (isEmpty && spec.optional === true) return { isAbsent: true };
  switch (spec.type) {
    case "string":
      return readText(spec, text);
    case "integer":
    case "number":
      return isEmpty ? { problem: "Is missing" } : readNumber(spec, text);
    case "boolean":
      return isEmpty ? { problem: "Is missing" } : { value: text === "true" };
    case "bytes":
      return readBytes(spec, text);
  }
}

/**
 * Reads all fields of a command.
 *
 * @param {Readonly<Record<string, ParameterSpec>>} specs
 * @param {(name: string) => string} textOf
 * @returns {{ readonly params: Record<string, Json>; readonly problems: ReadonlyMap<string, string> }}
 */
export function readFields(specs, textOf) {
  /** @type {[string, Json][]} */
  const params = [];
  /** @type {Map<string, string>} */
  const problems = new Map();
  for (const [name, spec] of Object.entries(specs)) {
    const reading = readField(spec, textOf(name));
    if ("problem" in reading) problems.set(name, reading.problem);
    else if ("value" in reading) params.push([name, reading.value]);
  }
  // A parameter may be called `__proto__`: entries define, they do not assign.
  return { params: Object.fromEntries(params), problems };
}

/** @param {ParameterSpec} spec @returns {Field["kind"]} */
function kindOf(spec) {
  switch (spec.type) {
    case "string":
      if (spec.choices !== undefined) return "choice";
      return spec.maxLength > LINE_LENGTH_MAX ? "text" : "line";
    case "integer":
    case "number":
      return "number";
    case "boolean":
      return "truth";
    case "bytes":
      return spec.maxBytes > LINE_LENGTH_MAX ? "text" : "line";
  }
}

/** @param {ParameterSpec} spec */
function boundsOf(spec) {
  switch (spec.type) {
    case "string":
      return spec.choices === undefined
        ? `At most ${numberText(spec.maxLength)} characters`
        : "";
    case "integer":
      return `A whole number from ${numberText(spec.minimum)} to ${
        numberText(spec.maximum)
      }`;
    case "number":
      return `A number from ${numberText(spec.minimum)} to ${
        numberText(spec.maximum)
      }`;
    case "boolean":
      return "";
    case "bytes":
      return `At most ${
        numberText(spec.maxBytes)
      } bytes: hexadecimal behind 0x, else the text's own`;
  }
}

/**
 * @param {ParameterSpec & { readonly type: "string" }} spec
 * @param {string} text
 * @returns {Reading}
 */
function readText({ maxLength, choices }, text) {
  if (text.length > maxLength) {
    return {
      problem: `Has ${numberText(text.length)} characters, at most ${
        numberText(maxLength)
      } are taken`,
    };
  }
  if (choices === undefined || choices.includes(text)) return { value: text };
  return { problem: text === "" ? "Is missing" : "Is none of the choices" };
}

/**
 * @param {ParameterSpec & { readonly type: "integer" | "number" }} spec
 * @param {string} text
 * @returns {Reading}
 */
function readNumber({ type, minimum, maximum }, text) {
  const trimmed = text.trim().replace("\u2212", "-");
  const isNumber = /^([-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|0x[0-9a-f]+)$/i
    .test(trimmed);
  const value = isNumber ? Number(trimmed) : NaN;
  if (!Number.isFinite(value)) return { problem: "Is no number" };
  if (type === "integer" && !Number.isInteger(value)) {
    return { problem: "Is no whole number" };
  }
  if (value >= minimum && value <= maximum) return { value };
  return {
    problem: `Is not from ${numberText(minimum)} to ${numberText(maximum)}`,
  };
}

/**
 * @param {ParameterSpec & { readonly type: "bytes" }} spec
 * @param {string} text
 * @returns {Reading}
 */
function readBytes({ maxBytes }, text) {
  const bytes = bytesOf(text);
  if (bytes === undefined) {
    return { problem: "Needs pairs of hexadecimal digits behind 0x" };
  }
  if (bytes.length > maxBytes) {
    return {
      problem: `Has ${numberText(bytes.length)} bytes, at most ${
        numberText(maxBytes)
      } are taken`,
    };
  }
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return { value: btoa(binary) };
}

/** @param {string} text */
function bytesOf(text) {
  if (!text.startsWith("0x")) return new TextEncoder().encode(text);
  const digits = text.slice(2).replaceAll(/\s/g, "");
  if (!/^([0-9a-f]{2})*$/i.test(digits)) return undefined;
  return Uint8Array.from(
    digits.match(/../g) ?? [],
    (pair) => parseInt(pair, 16),
  );
}
