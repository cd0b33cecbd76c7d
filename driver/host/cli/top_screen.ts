/**
 * Lines of a screen with their meaning, and how a meaning looks. Whoever makes
 * lines knows nothing of escape codes.
 *
 * @module
 */

import { clipCells, fitCells } from "./cells.ts";

/** What a line means. */
export type LineStyle =
  | "plain"
  | "title"
  | "head"
  | "bad"
  | "warn"
  | "dim"
  | "footer";

/** One line. Its text holds no control characters. */
export interface ScreenLine {
  readonly text: string;
  readonly style: LineStyle;
  /** The one that keys act on. */
  readonly isSelected?: boolean;
}

/** Cells of a terminal. */
export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

const COLORS: Readonly<Record<LineStyle, string>> = {
  plain: "",
  title: "",
  head: "",
  bad: "31",
  warn: "33",
  dim: "",
  footer: "",
};
/** Not colours: they stay without them. */
const ATTRIBUTES: Readonly<Record<LineStyle, string>> = {
  plain: "",
  title: "1",
  head: "4",
  bad: "",
  warn: "",
  dim: "2",
  footer: "2",
};
const REVERSE = "7";

/** A line as a terminal takes it, no wider than `columns`. */
export function paintLine(
  line: ScreenLine,
  options: { readonly columns: number; readonly hasColor: boolean },
): string {
  const { text, style, isSelected = false } = line;
  const { columns, hasColor } = options;
  const codes = [
    ATTRIBUTES[style],
    hasColor ? COLORS[style] : "",
    isSelected ? REVERSE : "",
  ].filter((code) => code !== "");
  const isWhole = isSelected || style === "head";
  const shown = isWhole ? fitCells(text, columns) : clipCells(text, columns);
  return codes.length === 0 ? shown : `\x1b[${codes.join(";")}m${shown}\x1b[0m`;
}

/** A plain line. */
export function plainLine(text: string): ScreenLine {
  return { text, style: "plain" };
}
