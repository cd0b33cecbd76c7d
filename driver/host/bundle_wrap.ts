/**
 * Puts a bundled program into a comment, whose text its module evaluates. The
 * runtime parses each module in full before it runs, twice, with a parser of its
 * own that takes 30 ms for a driver, longer than the rest of its start; a
 * comment it passes over, in half the time of a string, whose characters it
 * reads one by one. V8 parses functions of an evaluated text when they are
 * called. The text is part of the file, so it is no more and no less trusted.
 *
 * @module
 */

import { blankOut } from "./bundle_scan.ts";

/** What `import.meta` is called inside: a text that is evaluated has none. */
const META = "driverspaceImportMeta";
const IMPORT_META = /(?<![\w$.])import\s*\.\s*meta(?![\w$])/g;
/** The bundler puts imports first and what a main module exports last. */
const LAST_EXPORT = /^export\s*\{[^{}]*\};?\s*$/m;
const STATEMENT = /^(?:import|export)\b/m;

/**
 * The program without what only a module can have, to be made small and then
 * wrapped; `undefined` for one that has to stay a module, because it imports
 * `node:` modules or exports in another way than the bundler does.
 */
export function bodyOf(code: string): string | undefined {
  const blank = blankOut(code);
  const exported = LAST_EXPORT.exec(blank);
  const isLast = exported !== null &&
    blank.slice(exported.index + exported[0].length).trim() === "";
  const end = isLast ? exported.index : code.length;
  const parts: string[] = [];
  let at = 0;
  for (const match of blank.slice(0, end).matchAll(IMPORT_META)) {
    parts.push(code.slice(at, match.index), META);
    at = match.index + match[0].length;
  }
  parts.push(code.slice(at, end));
  const rest = blank.slice(0, end).replaceAll(IMPORT_META, META);
  return STATEMENT.test(rest) ? undefined : parts.join("");
}

/** A module that runs a body. `name` is what stack traces call it. */
export function wrapBody(body: string, name: string): string {
  const text =
    `"use strict";(async function (${META}) {${body}\n})\n//# sourceURL=${name}`;
  const { comment, read } = commented(text);
  const begin = "function program(){/*";
  const end = "*/}";
  // A function's text is its source, letter by letter. ECMA-262, 20.2.3.5.
  return `${begin}${comment}${end}\n` +
    `await (0, eval)(program.toString().slice(${begin.length}, -${end.length})` +
    `${read})(import.meta);\n`;
}

/** A text as the inside of a comment, and the call that gives it back. */
function commented(text: string): {
  readonly comment: string;
  readonly read: string;
} {
  if (!text.includes("*/")) return { comment: text, read: "" };
  let gap = "~";
  while (text.includes(`*${gap}/`)) gap += "~";
  return {
    comment: text.replaceAll("*/", `*${gap}/`),
    read: `.replaceAll("*${gap}/", "*/")`,
  };
}
