/**
 * Reads a table of a configuration member by member: what is wrong is noted
 * with its place, and reading goes on, so that a person sees every mistake at
 * once.
 *
 * @module
 */

import { suggestion } from "../cli/suggest.ts";
import type { KeyPath, Position, TomlPositions } from "./toml_positions.ts";

/** One mistake. */
export interface Problem extends Position {
  readonly message: string;
}

/** Mistakes told at once; more are rarely read. */
const PROBLEMS_MAX = 20;

/** Mistakes found so far. */
export class Problems {
  readonly list: Problem[] = [];
  readonly #positions: TomlPositions;

  /** None yet. */
  constructor(positions: TomlPositions) {
    this.#positions = positions;
    for (const { path, position } of positions.repeated) {
      this.#push({ ...position, message: `${dotted(path)} is given twice` });
    }
  }

  /** Notes one. */
  add(path: KeyPath, message: string): void {
    this.#push({
      ...this.#positions.of(path),
      message: `${dotted(path)} ${message}`,
    });
  }

  #push(problem: Problem): void {
    if (this.list.length < PROBLEMS_MAX) this.list.push(problem);
  }
}

/** A table being read. Members nobody asked for are mistakes: see `finish`. */
export class TableReader {
  readonly path: KeyPath;
  readonly problems: Problems;
  readonly #members: Readonly<Record<string, unknown>>;
  readonly #known = new Set<string>();

  /** `value` is what stands at `path`. */
  constructor(value: unknown, path: KeyPath, problems: Problems) {
    this.path = path;
    this.problems = problems;
    this.#members = isTable(value) ? value : {};
    if (!isTable(value)) problems.add(path, "must be a table");
  }

  /** Names of its members. */
  get names(): readonly string[] {
    return Object.keys(this.#members);
  }

  /** Notes a mistake of a member. */
  complain(name: string, message: string): void {
    this.problems.add([...this.path, name], message);
  }

  /** A member as it is. */
  raw(name: string): unknown {
    this.#known.add(name);
    return Object.hasOwn(this.#members, name) ? this.#members[name] : undefined;
  }

  /** A table below. Absent: an empty one. */
  table(name: string): TableReader {
    return new TableReader(
      this.raw(name) ?? {},
      [...this.path, name],
      this.problems,
    );
  }

  /** Text of 1 to `lengthMax` characters. */
  text(name: string, lengthMax: number): string | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (
      typeof value === "string" && value !== "" && value.length <= lengthMax
    ) return value;
    this.complain(name, `must be text of 1 to ${lengthMax} characters`);
    return undefined;
  }

  /** An absolute path without `..`. */
  filePath(name: string): string | undefined {
    const value = this.text(name, 4095);
    if (value === undefined) return undefined;
    const isSound = value.startsWith("/") && !value.includes("\0") &&
      !value.split("/").includes("..");
    if (isSound) return value;
    this.complain(name, "must be an absolute path without ..");
    return undefined;
  }

  /** A whole number from `minimum` to `maximum`. */
  integer(
    name: string,
    bounds: { readonly minimum: number; readonly maximum: number },
  ): number | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    const { minimum, maximum } = bounds;
    if (
      Number.isInteger(value) && (value as number) >= minimum &&
      (value as number) <= maximum
    ) return value as number;
    this.complain(name, `must be a whole number from ${minimum} to ${maximum}`);
    return undefined;
  }

  /** True or false. */
  flag(name: string): boolean | undefined {
    const value = this.raw(name);
    if (value === undefined || typeof value === "boolean") return value;
    this.complain(name, "must be true or false");
    return undefined;
  }

  /** One of a few words. */
  choice<const T extends string>(
    name: string,
    choices: readonly T[],
  ): T | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    const found = choices.find((choice) => choice === value);
    if (found === undefined) {
      this.complain(name, `must be one of ${choices.join(", ")}`);
    }
    return found;
  }

  /** Notes what nobody asked for. */
  finish(): void {
    for (const name of this.names) {
      if (this.#known.has(name)) continue;
      const known = [...this.#known];
      this.complain(
        name,
        `is not known here.${suggestion(name, known)}`,
      );
    }
  }
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Date);
}

function dotted(path: KeyPath): string {
  return path
    .map((key) => /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key))
    .join(".").slice(0, 200);
}
