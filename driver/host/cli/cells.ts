/**
 * Text by the cells of a terminal it takes: ideographs and most emoji take two,
 * combining marks none. What is longer than a line would break a screen.
 *
 * @module
 */

/** Marks that are drawn over the letter before. */
const NONE = /^[\p{M}\u200d\ufe0f]$/u;
/** Unicode, EastAsianWidth.txt: the wide ones that names of devices are written in, and emoji. */
const TWO =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]$/u;

/** Cells that a text takes. It holds no control characters. */
export function cellsOf(text: string): number {
  let cells = 0;
  for (const letter of text) cells += widthOf(letter);
  return cells;
}

/** As much of a text as fits, with an ellipsis where it was cut. */
export function clipCells(text: string, cells: number): string {
  if (cellsOf(text) <= cells) return text;
  let kept = "";
  let left = cells - 1;
  for (const letter of text) {
    left -= widthOf(letter);
    if (left < 0) break;
    kept += letter;
  }
  return cells <= 0 ? "" : `${kept}…`;
}

/** A text in exactly so many cells: clipped, or filled with blanks at one side. */
export function fitCells(
  text: string,
  cells: number,
  side: "left" | "right" = "left",
): string {
  const clipped = clipCells(text, cells);
  const blanks = " ".repeat(Math.max(0, cells - cellsOf(clipped)));
  return side === "left" ? clipped + blanks : blanks + clipped;
}

function widthOf(letter: string): number {
  // Nearly all of it is ASCII.
  if (letter < "\u0300") return 1;
  if (NONE.test(letter)) return 0;
  return TWO.test(letter) ? 2 : 1;
}
