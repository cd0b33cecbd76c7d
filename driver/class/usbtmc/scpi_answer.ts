/**
 * What instruments answer in text: numbers, identities, error queue entries.
 * Pure functions. SCPI-99, volume 1, 7.2; IEEE 488.2-1992, 8.7 and 10.14.
 *
 * @module
 */

/** Above this a number means "no number". SCPI-99, volume 1, 7.2.1.4 and 7.2.1.5. */
const INFINITY_MIN = 9.8e37;
/** Readings in one answer; more than any instrument's memory in text. */
const NUMBERS_MAX = 1_000_000;

/** Text of an answer: bytes as they are, each one character, so that nothing is lost. */
export function decodeText(bytes: Uint8Array): string {
  // Cut in pieces: String.fromCharCode takes its characters as arguments.
  const piece = 8192;
  let text = "";
  for (let offset = 0; offset < bytes.length; offset += piece) {
    text += String.fromCharCode(...bytes.subarray(offset, offset + piece));
  }
  return text;
}

/**
 * Bytes of a command.
 *
 * @throws {RangeError} When a character is not one byte (above U+00FF).
 */
export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 0xff) {
      throw new RangeError(
        `Cannot send ${
          JSON.stringify(text[index])
        }: a command is made of single bytes`,
      );
    }
    bytes[index] = code;
  }
  return bytes;
}

/**
 * Numbers of an answer such as `+1.23456789E-03,…`. `null` stands for overload
 * and "not a number" (9.9E37, 9.91E37). `undefined` where it is no list of numbers.
 */
export function parseNumbers(
  text: string,
): readonly (number | null)[] | undefined {
  const parts = text.trim().split(",", NUMBERS_MAX + 1);
  if (parts.length > NUMBERS_MAX) return undefined;
  const values: (number | null)[] = [];
  for (const part of parts) {
    const trimmed = part.trim();
    if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,5})?$/.test(trimmed)) {
      return undefined;
    }
    const value = Number(trimmed);
    values.push(Math.abs(value) >= INFINITY_MIN ? null : value);
  }
  return values;
}

/** Answer to `*IDN?`. IEEE 488.2-1992, 10.14. */
export interface Identity {
  /** First field. */
  readonly manufacturer: string;
  /** Second field. */
  readonly model: string;
  /** Third field; "0" where it has none. */
  readonly serialNumber: string;
  /** Fourth field, and what follows it. */
  readonly firmware: string;
}

/** Takes the answer to `*IDN?` apart; fields that are missing are empty. */
export function parseIdentity(text: string): Identity {
  const [manufacturer = "", model = "", serialNumber = "", ...rest] = text
    .trim().split(",").map((field) => field.trim());
  return { manufacturer, model, serialNumber, firmware: rest.join(",") };
}

/** An entry of the error queue. SCPI-99, volume 2, 21.8. */
export interface ScpiError {
  /** 0 means that the queue is empty. */
  readonly number: number;
  /** What it says about it. */
  readonly message: string;
}

/** Reads `-113,"Undefined header"`; `undefined` where it is something else. */
export function parseScpiError(text: string): ScpiError | undefined {
  const found = /^\s*([+-]?\d{1,6})\s*(?:,\s*"?([\s\S]*?)"?)?\s*$/.exec(text);
  if (found === null) return undefined;
  const [, number = "", message = ""] = found;
  return { number: Number(number), message: message.replaceAll('""', '"') };
}

/**
 * The unit of what a query measures, from the quantity its header names; empty
 * where it names none. SCPI-99, volume 2, 3 (MEASure subsystem).
 */
export function unitOf(query: string): string {
  return UNITS.find(([pattern]) => pattern.test(query))?.[1] ?? "";
}

const UNITS: readonly (readonly [RegExp, string])[] = [
  [/\bvolt/i, "V"],
  [/\bcurr/i, "A"],
  [/\bf?res/i, "Ohm"],
  [/\bfreq/i, "Hz"],
  [/\bper(iod)?\b/i, "s"],
  [/\btemp/i, "Cel"],
  [/\bcap/i, "F"],
  [/\bpow/i, "W"],
];
