/**
 * Looks through bundled JavaScript for what would be loaded at run time, when a
 * sandboxed driver can open no file any more: `import(…)` that the bundler could
 * not resolve, and imports it left outside.
 *
 * A scanner, not a parser: in doubt it finds too much, which refuses a bundle;
 * too little only moves the refusal to run time, where the sandbox does it.
 *
 * @module
 */

/** Something a bundle would load later. */
export interface LateImport {
  readonly kind: "dynamic" | "external";
  /** From 1. */
  readonly line: number;
  /** The line, cut. */
  readonly text: string;
}

/** How much of a line is shown. */
const SHOWN_CHARACTERS = 80;
/** Before these a slash is a division, otherwise it begins a regular expression. */
const ENDS_OPERAND = /[\w$)\]}"'`]$/;
/** Words that end like an operand and are none. */
const BEFORE_EXPRESSION =
  /(?:^|[^\w$.])(?:return|typeof|case|in|of|do|else|void|delete|throw|new|await|yield|instanceof)$/;
const STATIC_IMPORT =
  /^(?:import|export)\s(?:[^"'();]*\sfrom\s*)?["']([^"']+)["']/gm;

/** What a bundle would load later; empty for one that stands alone. */
export function findLateImports(code: string): readonly LateImport[] {
  const blank = blankOut(code);
  const found: LateImport[] = [];
  for (const match of blank.matchAll(/(?<![\w$.])import\s*\(/g)) {
    found.push(describe(code, match.index, "dynamic"));
  }
  for (const match of code.matchAll(STATIC_IMPORT)) {
    const isCode = blank.startsWith("import", match.index) ||
      blank.startsWith("export", match.index);
    const isBuiltIn = match[1]?.startsWith("node:") === true;
    if (isCode && !isBuiltIn) {
      found.push(describe(code, match.index, "external"));
    }
  }
  return found;
}

function describe(
  code: string,
  at: number,
  kind: LateImport["kind"],
): LateImport {
  const before = code.slice(0, at);
  const start = before.lastIndexOf("\n") + 1;
  const end = code.indexOf("\n", at);
  const text = code.slice(start, end < 0 ? code.length : end).trim();
  return {
    kind,
    line: before.split("\n").length,
    text: text.slice(0, SHOWN_CHARACTERS),
  };
}

/** The code with the inside of strings, comments and regular expressions as blanks, line ends kept. */
export function blankOut(code: string): string {
  const scanner = new Scanner(code);
  return scanner.run();
}

class Scanner {
  readonly #code: string;
  readonly #out: string[] = [];
  /** Depth of braces inside each open `${…}`. */
  readonly #templates: number[] = [];
  #at = 0;

  constructor(code: string) {
    this.#code = code;
  }

  run(): string {
    while (this.#at < this.#code.length) this.#step();
    return this.#out.join("");
  }

  #step(): void {
    const here = this.#code.charAt(this.#at);
    const next = this.#code.charAt(this.#at + 1);
    if (here === "/" && next === "/") this.#blankUntil("\n");
    else if (here === "/" && next === "*") this.#blankUntil("*/", 2);
    else if (here === '"' || here === "'") this.#string(here);
    else if (here === "`") this.#template();
    else if (here === "/" && this.#isExpressionNext()) {
      this.#regularExpression();
    } else if (here === "}" && this.#templates.at(-1) === 0) {
      this.#templates.pop();
      this.#template();
    } else {
      this.#countBraces(here);
      this.#keep();
    }
  }

  #countBraces(here: string): void {
    const depth = this.#templates.at(-1);
    if (depth === undefined) return;
    if (here === "{") this.#templates[this.#templates.length - 1] = depth + 1;
    if (here === "}") this.#templates[this.#templates.length - 1] = depth - 1;
  }

  #keep(): void {
    this.#out.push(this.#code.charAt(this.#at));
    this.#at++;
  }

  #blank(count = 1): void {
    for (let left = count; left > 0 && this.#at < this.#code.length; left--) {
      this.#out.push(this.#code.charAt(this.#at) === "\n" ? "\n" : " ");
      this.#at++;
    }
  }

  #blankUntil(mark: string, from = 0): void {
    const end = this.#code.indexOf(mark, this.#at + from);
    const stop = end < 0 ? this.#code.length : end + mark.length;
    this.#blank(stop - this.#at);
  }

  #string(quote: string): void {
    this.#keep();
    while (this.#at < this.#code.length) {
      const here = this.#code.charAt(this.#at);
      if (here === "\\") this.#blank(2);
      else if (here === quote || here === "\n") break;
      else this.#blank();
    }
    if (this.#at < this.#code.length) this.#keep();
  }

  /** From its opening quote, or from the brace that ends an expression in it. */
  #template(): void {
    this.#keep();
    while (this.#at < this.#code.length) {
      const here = this.#code.charAt(this.#at);
      if (here === "\\") this.#blank(2);
      else if (here === "`") return this.#keep();
      else if (here === "$" && this.#code.charAt(this.#at + 1) === "{") {
        this.#keep();
        this.#keep();
        this.#templates.push(0);
        return;
      } else this.#blank();
    }
  }

  #regularExpression(): void {
    let isClass = false;
    this.#blank();
    while (this.#at < this.#code.length) {
      const here = this.#code.charAt(this.#at);
      if (here === "\n") return;
      if (here === "\\") {
        this.#blank(2);
        continue;
      }
      if (here === "[") isClass = true;
      if (here === "]") isClass = false;
      this.#blank();
      if (here === "/" && !isClass) return;
    }
  }

  #isExpressionNext(): boolean {
    const before = this.#out.slice(-32).join("").trimEnd();
    if (before === "") return true;
    return !ENDS_OPERAND.test(before) || BEFORE_EXPRESSION.test(before);
  }
}
