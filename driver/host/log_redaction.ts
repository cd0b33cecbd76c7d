/**
 * What a log does not tell unless somebody asks for everything: payloads, serial
 * numbers, paths under home directories. Logs are sent to others and kept for
 * long; who needs the rest writes at level `debug`. This is the one place that
 * knows how.
 *
 * @module
 */

import type { Json } from "../driver.ts";

/** Fields of a line. */
type Fields = Readonly<Record<string, Json>>;

/** Serial numbers known at a time: of every device on some large buses. */
const SERIALS_MAX = 512;
/** A shorter one names nobody, and would be found in ports and ids by chance. */
const SERIAL_LENGTH_MIN = 6;
/** Deeper than any field of ours. */
const DEPTH_MAX = 8;

/** Members that hold a serial number, whatever stands between the words. */
const SERIAL_NAMES: ReadonlySet<string> = new Set([
  "serial",
  "serialnumber",
  "iserialnumber",
]);
/** Members that hold what moved between host and device. */
const PAYLOAD_NAMES: ReadonlySet<string> = new Set([
  "answer",
  "bytes",
  "data",
  "payload",
  "raw",
  "report",
  "response",
]);
/** A home directory with all that follows, up to what ends a path in a sentence. */
const HOME =
  /(?:\/var)?\/(?:home|Users)\/[^\s"'`<>|:;,)\]}]+|\/root(?:\/[^\s"'`<>|:;,)\]}]*)?(?![\w-])/g;

/** Hides what is not for everybody. */
export class Redactor {
  readonly #serials = new Set<string>();
  #pattern: RegExp | undefined;

  /** Takes a serial number that no line shall show. */
  hide(serial: string | undefined): void {
    if (serial === undefined || serial.length < SERIAL_LENGTH_MIN) return;
    if (this.#serials.has(serial) || this.#serials.size >= SERIALS_MAX) return;
    this.#serials.add(serial);
    const texts = [...this.#serials].map(RegExp.escape);
    this.#pattern = new RegExp(`(?<!\\w)(?:${texts.join("|")})(?!\\w)`, "g");
  }

  /** A sentence without serial numbers and home directories. */
  text(text: string): string {
    const withoutHomes = text.replace(HOME, "~/…");
    return this.#pattern === undefined
      ? withoutHomes
      : withoutHomes.replace(this.#pattern, "[serial]");
  }

  /** Fields without them, and without payloads. */
  fields(fields: Fields): Fields {
    return this.#members(fields, DEPTH_MAX);
  }

  #members(members: Fields, depthLeft: number): Record<string, Json> {
    return Object.fromEntries(
      Object.entries(members).map(([name, value]) => [
        name,
        hiddenByName(name, value) ?? this.#value(value, depthLeft - 1),
      ]),
    );
  }

  #value(value: Json, depthLeft: number): Json {
    if (typeof value === "string") return this.text(value);
    if (typeof value !== "object" || value === null) return value;
    if (depthLeft === 0) return "[deep]";
    if (Array.isArray(value)) {
      return value.map((item) => this.#value(item, depthLeft - 1));
    }
    return this.#members(value as Fields, depthLeft);
  }
}

/** What stands for a value that its name gives away; `undefined` when it may be shown. */
function hiddenByName(name: string, value: Json): string | undefined {
  const word = name.replaceAll(/[-_ ]/g, "").toLowerCase();
  if (SERIAL_NAMES.has(word)) return "[serial]";
  if (!PAYLOAD_NAMES.has(word) || typeof value === "number") return undefined;
  return typeof value === "string"
    ? `[${value.length} characters]`
    : "[payload]";
}
