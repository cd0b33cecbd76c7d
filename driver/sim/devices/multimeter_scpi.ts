/**
 * The SCPI parser: program messages into headers and parameters, headers
 * against patterns, parameters into values. Input is hostile.
 * IEEE 488.2-1992, 7; SCPI-99, volume 1, 6 and 7.
 *
 * @module
 */

/** A fault in a message or its execution, with its SCPI number. */
export class ScpiFault extends Error {
  override readonly name = "ScpiFault";
  /** SCPI error number. */
  readonly number: number;

  /** `number` as in SCPI-99, volume 2, 21.8. */
  constructor(number: number) {
    super(`SCPI error ${number}`);
    this.number = number;
  }
}

/** One command of a message. */
export interface ProgramUnit {
  /** Mnemonics as typed; a common command is one that begins with `*`. */
  readonly mnemonics: readonly string[];
  readonly isQuery: boolean;
  readonly parameters: readonly string[];
}

/** Units of one message; more are a runaway program. */
const UNITS_MAX = 256;
/** IEEE 488.2-1992, 7.6.1.4.1. */
const MNEMONIC_MAX = 12;

/**
 * Splits a message at its semicolons, and units into header and parameters. A
 * header without a leading colon goes on where the last one stood.
 * SCPI-99, volume 1, 6.2.4.
 *
 * @throws {ScpiFault} For the first unit that cannot be read, as it is reached.
 */
export function* parseMessage(text: string): Generator<ProgramUnit> {
  const parts = splitOutsideQuotes(text, ";");
  if (parts.length > UNITS_MAX) throw new ScpiFault(-223);
  let path: readonly string[] = [];
  for (const part of parts) {
    const trimmed = part.trim();
    if (trimmed === "") continue;
    const [header = "", ...rest] = trimmed.split(/\s+/, 1);
    const tail = trimmed.slice(header.length).trim();
    const unit = parseHeader(header, path);
    if (!header.startsWith("*")) path = unit.mnemonics.slice(0, -1);
    const parameters = tail === "" && rest.length === 0
      ? []
      : splitOutsideQuotes(tail, ",").map((parameter) => parameter.trim());
    yield { ...unit, parameters };
  }
}

function parseHeader(
  header: string,
  path: readonly string[],
): Omit<ProgramUnit, "parameters"> {
  const isQuery = header.endsWith("?");
  const name = isQuery ? header.slice(0, -1) : header;
  if (/^\*[A-Za-z]+$/.test(name)) return { mnemonics: [name], isQuery };
  if (/[^A-Za-z0-9_:]/.test(name)) throw new ScpiFault(-101);
  if (!/^:?[A-Za-z]\w*(:[A-Za-z]\w*)*$/.test(name)) throw new ScpiFault(-102);
  const isAbsolute = name.startsWith(":");
  const typed = (isAbsolute ? name.slice(1) : name).split(":");
  if (typed.some((mnemonic) => mnemonic.length > MNEMONIC_MAX)) {
    throw new ScpiFault(-112);
  }
  return { mnemonics: isAbsolute ? typed : [...path, ...typed], isQuery };
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = [];
  let quote = "";
  let begin = 0;
  for (let index = 0; index < text.length; index++) {
    const character = text[index] ?? "";
    if (quote !== "") {
      if (character === quote) quote = "";
    } else if (character === '"' || character === "'") quote = character;
    else if (character === separator) {
      parts.push(text.slice(begin, index));
      begin = index + 1;
    }
  }
  if (quote !== "") throw new ScpiFault(-151);
  parts.push(text.slice(begin));
  return parts;
}

/** A mnemonic of a pattern, in both its forms. */
interface PatternNode {
  readonly short: string;
  readonly long: string;
  readonly isOptional: boolean;
}

/** A header pattern ready for matching. */
export interface HeaderPattern {
  readonly nodes: readonly PatternNode[];
  readonly isQuery: boolean;
}

/** Reads a pattern as manuals write it: `MEASure[:SCALar]:VOLTage[:DC]?`. */
export function headerPattern(text: string): HeaderPattern {
  const isQuery = text.endsWith("?");
  const nodes = [...text.matchAll(/(\[)?:?(\*?[A-Za-z]+):?(\])?/g)]
    .map(([, opening, name = ""]): PatternNode => ({
      short: name.replace(/[a-z]+$/, "").toUpperCase(),
      long: name.toUpperCase(),
      isOptional: opening !== undefined,
    }));
  return { nodes, isQuery };
}

/** Whether a unit's header meets a pattern, in short or long form. SCPI-99, volume 1, 6.2.1. */
export function matchesHeader(
  pattern: HeaderPattern,
  unit: ProgramUnit,
): boolean {
  return pattern.isQuery === unit.isQuery &&
    matchesFrom(pattern.nodes, unit.mnemonics);
}

function matchesFrom(
  nodes: readonly PatternNode[],
  mnemonics: readonly string[],
): boolean {
  const [node, ...rest] = nodes;
  if (node === undefined) return mnemonics.length === 0;
  const first = mnemonics[0]?.toUpperCase();
  const isHere = first === node.short || first === node.long;
  return (isHere && matchesFrom(rest, mnemonics.slice(1))) ||
    (node.isOptional && matchesFrom(rest, mnemonics));
}

/** What a numeric parameter may be. */
export interface NumericSpec {
  readonly minimum: number;
  readonly maximum: number;
  readonly preset: number;
  /** Unit that may follow: `V`, `OHM`. */
  readonly unit?: string;
}

/** Multipliers of suffixes. `M` is milli, but mega before OHM and HZ. IEEE 488.2-1992, 7.7.3. */
const MULTIPLIERS: Readonly<Record<string, number>> = {
  "": 1,
  G: 1e9,
  MA: 1e6,
  K: 1e3,
  M: 1e-3,
  U: 1e-6,
  N: 1e-9,
};

/**
 * Reads a number with a suffix, or MINimum, MAXimum, DEFault.
 *
 * @throws {ScpiFault} -104, -131, -222.
 */
export function parseNumeric(text: string, spec: NumericSpec): number {
  const keyword = choose(text, ["MINimum", "MAXimum", "DEFault"]);
  if (keyword === "MINimum") return spec.minimum;
  if (keyword === "MAXimum") return spec.maximum;
  if (keyword === "DEFault") return spec.preset;
  const found =
    /^([+-]?(?:\d+\.?\d*|\.\d+)(?:\s*[eE]\s*[+-]?\d{1,5})?)\s*(\w*)$/
      .exec(text);
  if (found === null) throw new ScpiFault(-104);
  const [, digits = "", suffix = ""] = found;
  const value = Number(digits.replaceAll(/\s/g, "")) *
    multiplierOf(suffix.toUpperCase(), spec.unit);
  if (!(value >= spec.minimum && value <= spec.maximum)) {
    throw new ScpiFault(-222);
  }
  return value;
}

function multiplierOf(suffix: string, unit: string | undefined): number {
  if (suffix === "") return 1;
  if (unit === undefined || !suffix.endsWith(unit)) throw new ScpiFault(-131);
  const prefix = suffix.slice(0, -unit.length);
  if (prefix === "M" && (unit === "OHM" || unit === "HZ")) return 1e6;
  const multiplier = MULTIPLIERS[prefix];
  if (multiplier === undefined) throw new ScpiFault(-131);
  return multiplier;
}

/** The choice a text names in short or long form; `undefined` when none. */
export function choose<Choice extends string>(
  text: string,
  choices: readonly Choice[],
): Choice | undefined {
  const typed = text.toUpperCase();
  return choices.find((choice) =>
    typed === choice.toUpperCase() ||
    typed === choice.replace(/[a-z]+$/, "").toUpperCase()
  );
}
