/**
 * Where reading a log has to begin, found from its end: a log may be larger
 * than memory, and its last lines are what people ask for.
 *
 * @module
 */

import { LINE_BYTES_KEPT, NEWLINE, type RawLine } from "./line_cutter.ts";
import { type LogLine, readEntry, type UnreadableLine } from "./log_entry.ts";

/** How far back. */
export interface ScanLimits {
  /** As many that are wanted; absent: no bound. */
  readonly lines?: number;
  /** Not before; wall clock. */
  readonly sinceMs?: number;
  readonly isWanted: (entry: LogLine | UnreadableLine) => boolean;
}

/** What was found. */
export interface ScanResult {
  /** Where a line begins. */
  readonly startByte: number;
  /** Wanted lines from there on. */
  readonly wanted: number;
  /** There may be more before this file. */
  readonly isAtBeginning: boolean;
}

/** Read at a time. */
const PIECE_BYTES = 64 * 1024;

/** Looks back from `endByte`. */
export function scanBack(
  file: Deno.FsFile,
  endByte: number,
  limits: ScanLimits,
): ScanResult {
  const { lines = Infinity, sinceMs = -Infinity, isWanted } = limits;
  if (lines <= 0) {
    return { startByte: endByte, wanted: 0, isAtBeginning: false };
  }
  let wanted = 0;
  let startByte = endByte;
  // Clocks jump: one old line ends nothing, a whole piece of them does.
  const inPiece = { old: 0, young: 0 };
  for (const line of linesBack(file, endByte)) {
    if (line === "piece") {
      if (inPiece.old > 0 && inPiece.young === 0) {
        return { startByte, wanted, isAtBeginning: false };
      }
      inPiece.old = inPiece.young = 0;
      continue;
    }
    const entry = readEntry(line, { source: "", beforeMs: undefined });
    if ((entry.atMs ?? -Infinity) >= sinceMs) inPiece.young++;
    else if (entry.atMs !== undefined) inPiece.old++;
    if (!isWanted(entry)) continue;
    startByte = line.startByte;
    if (++wanted >= lines) return { startByte, wanted, isAtBeginning: false };
  }
  return { startByte: 0, wanted, isAtBeginning: true };
}

interface LineBack extends RawLine {
  readonly startByte: number;
}

/** Lines from the last to the first, and a word after each piece of the file. */
function* linesBack(
  file: Deno.FsFile,
  endByte: number,
): Generator<LineBack | "piece"> {
  const buffer = new Uint8Array(PIECE_BYTES);
  let lineEnd = endByte;
  for (let pieceEnd = endByte; pieceEnd > 0;) {
    const pieceStart = Math.max(0, pieceEnd - PIECE_BYTES);
    const into = buffer.subarray(0, pieceEnd - pieceStart);
    const piece = readAt(file, pieceStart, { into });
    for (
      let at = piece.lastIndexOf(NEWLINE);
      at >= 0;
      at = at === 0 ? -1 : piece.lastIndexOf(NEWLINE, at - 1)
    ) {
      const startByte = pieceStart + at + 1;
      const bytes = piece.subarray(at + 1, lineEnd - pieceStart);
      const lengthBytes = lineEnd - startByte;
      if (bytes.length < lengthBytes) yield lineAt(file, startByte, lineEnd);
      else if (lengthBytes > 0) {
        yield { startByte, bytes, lengthBytes, isTorn: false };
      }
      lineEnd = startByte - 1;
    }
    pieceEnd = pieceStart;
    if (pieceEnd > 0) yield "piece";
  }
  if (lineEnd > 0) yield lineAt(file, 0, lineEnd);
}

/** A line that lies in more than one piece. */
function lineAt(
  file: Deno.FsFile,
  startByte: number,
  endByte: number,
): LineBack {
  const lengthBytes = endByte - startByte;
  const into = new Uint8Array(Math.min(lengthBytes, LINE_BYTES_KEPT));
  const bytes = readAt(file, startByte, { into });
  return { startByte, bytes, lengthBytes, isTorn: false };
}

/** Fills a buffer from a place of a file; gives less of it where the file ends before. */
export function readAt(
  file: Deno.FsFile,
  startByte: number,
  { into }: { readonly into: Uint8Array },
): Uint8Array {
  file.seekSync(startByte, Deno.SeekMode.Start);
  let done = 0;
  while (done < into.length) {
    const count = file.readSync(into.subarray(done));
    if (count === null || count === 0) break;
    done += count;
  }
  return into.subarray(0, done);
}
