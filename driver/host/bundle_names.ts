/**
 * Gives classes of a bundle that was made small their names back where they
 * stand. The bundler keeps a name by code that runs when the class is made:
 *
 *     var a=class extends b{static{c(this,"Session")}…}
 *
 * which V8 has to compile for each class of a program before it may do anything
 * else. What is said here in its place needs no code, and says the same:
 *
 *     var a=class Session extends b{…}
 *
 * @module
 */

import { blankOut } from "./bundle_scan.ts";

/** The bundler's own function that gives a name: `c=(t,n)=>d(t,"name",{value:n,configurable:!0})`. */
const NAMER =
  /(?<![\w$.])([\w$]+)=\(([\w$]+),([\w$]+)\)=>[\w$]+\(\2,"name",\{value:\3,configurable:!0\}\)/;
/** A class without a name, its base, who names it, and how. */
const NAMED_BY_CODE =
  /class( extends [\w$.]+)?\{static\{([\w$]+)\(this,"([A-Z][\w$]*)"\)\}/g;
const IDENTIFIER = /[A-Za-z_$][\w$]*/g;

/** The program with classes named by themselves, but for names that would hide another of the program's. */
export function nameClasses(code: string): string {
  const namer = NAMER.exec(code)?.[1];
  if (namer === undefined) return code;
  const blank = blankOut(code);
  const used = new Set(blank.match(IDENTIFIER));
  return code.replaceAll(
    NAMED_BY_CODE,
    (whole, base: string | undefined, by: string, name: string, at: number) =>
      by === namer && !used.has(name) && blank.startsWith("class", at)
        ? `class ${name}${base ?? ""}{`
        : whole,
  );
}
