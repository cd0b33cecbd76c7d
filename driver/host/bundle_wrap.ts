/**
 * Puts a bundled program into a string that its module evaluates. The runtime
 * parses each module in full before it runs, twice, with a parser of its own
 * that takes 30 ms for a driver, longer than the rest of its start; a string is
 * one token to it, and V8 parses functions of an evaluated text when they are
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
  return `await (0, eval)(${asciiLiteral(text)})(import.meta);\n`;
}

/** One byte a character: half the memory, and quicker to read. */
function asciiLiteral(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
