// Types of the part of `@std/toml` that this project imports.

/** Throws a SyntaxError with `line N, column N` in its message. */
export declare function parse(text: string): Record<string, unknown>;
