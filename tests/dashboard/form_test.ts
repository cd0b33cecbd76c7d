/** Forms from what a driver declares, read as the supervisor will check them. */

import type { ParameterSpec } from "../../driver/driver.ts";
import {
  fieldOf,
  readField,
  readFields,
} from "../../driver/host/dashboard/page/form.js";
import { Chance } from "../../driver/loop/chance.ts";
import { checkParameters } from "../../driver/loop/parameters.ts";
import { assert, assertEquals, assertThrows } from "../../driver/std.ts";

const description = "What it is";
const INTEGER: ParameterSpec = {
  type: "integer",
  minimum: -5,
  maximum: 1_000,
  description,
};
const TEXT: ParameterSpec = { type: "string", maxLength: 4, description };
const CHOICE: ParameterSpec = { ...TEXT, choices: ["a", "b"] };
const BYTES: ParameterSpec = { type: "bytes", maxBytes: 3, description };
const TRUTH: ParameterSpec = { type: "boolean", description };

Deno.test("Each kind of parameter has its field, its bounds in its hint", () => {
  assertEquals(fieldOf("count", INTEGER), {
    name: "count",
    kind: "number",
    isRequired: true,
    hint: "What it is. A whole number from \u22125 to 1\u202f000",
    choices: [],
  });
  const kinds = [TEXT, CHOICE, BYTES, TRUTH].map((spec) =>
    fieldOf("x", spec).kind
  );
  assertEquals(kinds, ["line", "choice", "line", "truth"]);
  assertEquals(fieldOf("x", CHOICE).choices, ["a", "b"]);
  const long: ParameterSpec = { ...TEXT, maxLength: 1_000_000 };
  assertEquals(fieldOf("x", long).kind, "text");
  assertEquals(fieldOf("x", { ...TEXT, optional: true }).isRequired, false);
  const hostile = { ...TEXT, description: "\x1b<b>" };
  assert(fieldOf("x", hostile).hint.startsWith("\\u{1b}<b>"));
});

Deno.test("What was typed is read, or what is wrong with it is told", () => {
  const rows: readonly [ParameterSpec, string, unknown][] = [
    [INTEGER, "12", { value: 12 }],
    [INTEGER, " 0x10 ", { value: 16 }],
    [INTEGER, "\u22125", { value: -5 }],
    [INTEGER, "1.5", { problem: "Is no whole number" }],
    [INTEGER, "1001", { problem: "Is not from \u22125 to 1\u202f000" }],
    [INTEGER, "twelve", { problem: "Is no number" }],
    [INTEGER, "1e999", { problem: "Is no number" }],
    [INTEGER, "", { problem: "Is missing" }],
    [{ ...INTEGER, optional: true }, "", { isAbsent: true }],
    [{ ...INTEGER, type: "number" }, ".5", { value: 0.5 }],
    [TEXT, "", { value: "" }],
    [TEXT, "abcde", { problem: "Has 5 characters, at most 4 are taken" }],
    [CHOICE, "b", { value: "b" }],
    [CHOICE, "c", { problem: "Is none of the choices" }],
    [CHOICE, "", { problem: "Is missing" }],
    [TRUTH, "true", { value: true }],
    [TRUTH, "false", { value: false }],
    [BYTES, "0x00 ff", { value: "AP8=" }],
    [BYTES, "abc", { value: "YWJj" }],
    [BYTES, "0x0", { problem: "Needs pairs of hexadecimal digits behind 0x" }],
    [BYTES, "\u00e4\u00f6", {
      problem: "Has 4 bytes, at most 3 are taken",
    }],
  ];
  for (const [spec, text, reading] of rows) {
    assertEquals(readField(spec, text), reading, `${spec.type} ${text}`);
  }
});

Deno.test("What the form takes the supervisor takes, and what it refuses is refused there", () => {
  const chance = new Chance(23);
  const specs = [INTEGER, { ...INTEGER, type: "number" as const }, TEXT, CHOICE]
    .flatMap((spec) => [spec, { ...spec, optional: true }]);
  const texts = [
    "",
    "a",
    "b",
    "abcd",
    "abcde",
    "0",
    "-5",
    "-6",
    "1000",
    "1001",
  ];
  const more = ["1.5", "1e2", "0x3e8", "nan", " 7", "--1", "\u00e9", "true"];
  for (let round = 0; round < 2_000; round++) {
    const spec = chance.pick(specs);
    const text = chance.pick([...texts, ...more]);
    const { params, problems } = readFields({ x: spec }, () => text);
    if (problems.size === 0) {
      checkParameters(params, { x: spec }, { what: "c" });
    } else {
      const number = Number(text.replace("\u2212", "-"));
      const isNumber = spec.type !== "string" && Number.isFinite(number);
      const value = isNumber && text !== "" ? number : text;
      assertThrows(() =>
        checkParameters(
          text === "" && spec.type !== "string" ? {} : { x: value },
          { x: spec },
          { what: "c" },
        )
      );
    }
  }
});

Deno.test("Parameters may have any name, and problems are told by it", () => {
  const specs = JSON.parse(
    '{"__proto__":{"type":"string","maxLength":3,"description":""},' +
      '"<img>":{"type":"integer","minimum":0,"maximum":1,"description":""}}',
  );
  const { params, problems } = readFields(specs, () => "abc");
  assertEquals(JSON.stringify(params), '{"__proto__":"abc"}');
  assertEquals([...problems], [["<img>", "Is no number"]]);
});
