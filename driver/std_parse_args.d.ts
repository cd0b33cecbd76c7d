// Types of the part of `@std/cli/parse-args` that this project imports.

/** What `parseArgs` understands. The members mean what they mean in `@std/cli`. */
export interface ParseOptions {
  readonly boolean?: readonly string[];
  readonly string?: readonly string[];
  readonly collect?: readonly string[];
  readonly negatable?: readonly string[];
  readonly alias?: Readonly<Record<string, string | readonly string[]>>;
  readonly default?: Readonly<Record<string, unknown>>;
  readonly stopEarly?: boolean;
  readonly "--"?: boolean;
  /** Called for an argument no option names; `false` leaves it out of the result. */
  readonly unknown?: (
    argument: string,
    key?: string,
    value?: unknown,
  ) => unknown;
}

/** Parsed flags by name; positional arguments under `_`, those after `--` under `"--"`. */
export interface Args {
  readonly _: readonly (string | number)[];
  readonly "--"?: readonly string[];
  readonly [flag: string]: unknown;
}

export declare function parseArgs(
  args: readonly string[],
  options?: ParseOptions,
): Args;
