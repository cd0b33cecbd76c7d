// @ts-check
/**
 * What a driver said last, as readings: by what the driver declares of its
 * events, else by what they look like.
 *
 * @module
 */

/** @import { DetailView, Json, ValueSpec, ValueView } from "./words.d.ts" */

import { dataText, harmless, jsonText, UNKNOWN } from "./text.js";

/**
 * One thing that was said.
 *
 * @typedef {object} Reading
 * @property {string} key Of its own among the readings of a driver.
 * @property {string} label What people call it.
 * @property {string} text
 * @property {string} unit
 * @property {boolean} isValue One value; else an event as a whole.
 * @property {number | null} number The value, where it is one.
 * @property {boolean} stale
 * @property {number} ageMs
 */

/** Readings of one driver, at most. */
const READINGS_MAX = 32;

/**
 * The readings of a driver, values before whole events, each in a fixed order.
 *
 * @param {Pick<DetailView, "values" | "value_specs"> | undefined} detail
 * @returns {Reading[]}
 */
export function readingsOf(detail) {
  if (detail === undefined) return [];
  const sorted = detail.values.toSorted((a, b) => a.event < b.event ? -1 : 1);
  const readings = sorted.flatMap((value) => {
    const specs = own(detail.value_specs ?? {}, value.event);
    return specs === undefined ? [undeclared(value)] : declared(value, specs);
  });
  return readings.toSorted((a, b) => Number(b.isValue) - Number(a.isValue))
    .slice(0, READINGS_MAX);
}

/**
 * What stands largest on a driver's card: a value before anything else, else
 * what it said last.
 *
 * @param {readonly Reading[]} readings
 * @returns {Reading | undefined}
 */
export function headlineOf(readings) {
  return readings.find(({ isValue }) => isValue) ??
    readings.toSorted((a, b) => a.ageMs - b.ageMs)[0];
}

/**
 * @param {ValueView} value
 * @param {Readonly<Record<string, ValueSpec>>} specs
 * @returns {Reading[]}
 */
function declared({ event, data, stale, age_ms: ageMs }, specs) {
  return Object.entries(specs).flatMap(([member, spec]) => {
    const value = own(data, member);
    if (value === undefined) return [];
    const said = spec.unitFrom === undefined
      ? spec.unit
      : own(data, spec.unitFrom);
    const unit = unitText(said);
    return [{
      key: `${event}\n${member}`,
      label: harmless(spec.description, 60),
      text: `${valueText(value)} ${unit}`.trimEnd(),
      unit,
      isValue: true,
      number: typeof value === "number" ? value : null,
      stale,
      ageMs,
    }];
  });
}

/** @param {ValueView} value @returns {Reading} */
function undeclared({ event, data, stale, age_ms: ageMs }) {
  const { value, unit } = data;
  const isValue = typeof value === "number" && typeof unit === "string";
  return {
    key: event,
    label: harmless(event, 60),
    text: dataText(data, 240),
    unit: isValue ? unitText(unit) : "",
    isValue,
    number: isValue ? value : firstNumber(data),
    stale,
    ageMs,
  };
}

/** Own members only: a driver may call an event `constructor`. @template T @param {Readonly<Record<string, T>>} object @param {string} name @returns {T | undefined} */
function own(object, name) {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** @param {{ readonly [key: string]: Json }} data */
function firstNumber(data) {
  const found = Object.values(data).find((member) =>
    typeof member === "number"
  );
  return typeof found === "number" ? found : null;
}

/** @param {Json} value */
function valueText(value) {
  if (value === null) return UNKNOWN;
  if (typeof value === "boolean") return value ? "yes" : "no";
  return jsonText(value, 255);
}

/** As people write what UCUM writes for machines. */
const SIGNS = new Map(Object.entries({
  "Cel": "°C",
  "[degF]": "°F",
  "deg": "°",
  "Ohm": "Ω",
  "kOhm": "kΩ",
  "MOhm": "MΩ",
  "uV": "µV",
  "uA": "µA",
  "um": "µm",
  "us": "µs",
}));

/** @param {Json | undefined} unit */
function unitText(unit) {
  if (typeof unit !== "string") return "";
  return SIGNS.get(unit) ?? harmless(unit, 16);
}
