import { assertEquals, assertThrows } from "../../driver/std.ts";
import type { Json, ParameterSpec } from "../../driver/driver.ts";
import { checkParameters } from "../../driver/loop/parameters.ts";

const SPECS: Readonly<Record<string, ParameterSpec>> = {
  text: { type: "string", maxLength: 8, description: "a text" },
  range: {
    type: "string",
    maxLength: 8,
    choices: ["auto", "10V"],
    description: "a range",
    optional: true,
  },
  count: {
    type: "integer",
    minimum: 1,
    maximum: 10,
    description: "a count",
    optional: true,
  },
  ratio: {
    type: "number",
    minimum: 0,
    maximum: 1,
    description: "a ratio",
    optional: true,
  },
  on: { type: "boolean", description: "a switch", optional: true },
  data: { type: "bytes", maxBytes: 4, description: "bytes", optional: true },
};

function check(given: Json): Record<string, unknown> {
  return { ...checkParameters(given, SPECS, { what: "query" }) };
}

Deno.test("checkParameters gives what was checked, bytes from base64", () => {
  const given = {
    text: "*IDN?",
    range: "10V",
    count: 3,
    ratio: 0.5,
    on: true,
    data: "AQID",
  };
  assertEquals(check(given), { ...given, data: Uint8Array.of(1, 2, 3) });
  assertEquals(check({ text: "" }), { text: "" });
});

Deno.test("checkParameters names what is missing, unknown or of the wrong type", () => {
  const cases: [Json, string][] = [
    [null, "Cannot use query without text: a text"],
    [{ text: "a", tex: 1 }, 'Cannot use "tex" with query: it takes text'],
    [{ text: 1 }, "Cannot use query: text: expected text"],
    [{ text: "a", count: "3" }, "query: count: expected an integer"],
    [{ text: "a", count: 1.5 }, "expected an integer"],
    [{ text: "a", ratio: null }, "expected a number"],
    [{ text: "a", on: 1 }, "expected true or false"],
    [{ text: "a", data: [1] }, "expected base64 text"],
    [{ text: "a", data: "A===" }, "expected base64 text"],
    [{ text: "a", data: "A-_=" }, "expected base64 text"],
    [["a"], "expected an object"],
    ["a", "expected an object"],
    [{ text: "a", constructor: 1 }, 'Cannot use "constructor"'],
  ];
  for (const [given, message] of cases) {
    assertThrows(() => check(given), TypeError, message);
  }
});

Deno.test("checkParameters refuses what is out of bounds", () => {
  const cases: [Json, string][] = [
    [{ text: "123456789" }, "9 characters, at most 8"],
    [{ text: "a", range: "1V" }, 'range "1V": expected one of auto, 10V'],
    [{ text: "a", count: 0 }, "count 0: expected an integer from 1 to 10"],
    [{ text: "a", ratio: 1.01 }, "from 0 to 1"],
    [{ text: "a", data: "AQIDBAUG" }, "6 bytes, at most 4"],
    [{ text: "a", data: "A".repeat(1 << 20) }, "more than 4 bytes"],
  ];
  for (const [given, message] of cases) {
    assertThrows(() => check(given), RangeError, message);
  }
});

Deno.test("checkParameters repeats only the beginning of a long word", () => {
  const error = assertThrows(
    () => check({ text: "a", ["x".repeat(10_000)]: 1 }),
    TypeError,
  );
  assertEquals(error.message.length < 200, true);
});

Deno.test("checkParameters says that a command takes none", () => {
  assertThrows(
    () => checkParameters({ a: 1 }, {}, { what: "clear" }),
    TypeError,
    "it takes no parameters",
  );
  assertEquals({ ...checkParameters(undefined, {}, { what: "clear" }) }, {});
});
