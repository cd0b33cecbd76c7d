/** The frame codec between driver and supervisor, both ends in one process. */

import { LineSplitter } from "../../driver/host/line_splitter.ts";
import { decodeDriverFrame, encodeFrame } from "../../driver/host/wire.ts";

/** Events in one measurement; what a driver may send in a second. */
const EVENTS = 100_000;
/** A pipe gives at most so much at a time. */
const PIECE_BYTES = 64 * 1024;

/** Small events encoded, cut out of pieces of a pipe, checked and decoded, per second. */
export function codecEventsPerSecond(
  rounds: number,
  events: number = EVENTS,
): number {
  const rates: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const startMs = performance.now();
    const decoded = passEvents(events);
    if (decoded !== events) throw new Error(`${decoded} events came through`);
    // The first round warms up.
    if (round > 0) rates.push(events / (performance.now() - startMs) * 1000);
  }
  return rates.sort((a, b) => a - b)[rates.length >> 1] ?? NaN;
}

function passEvents(events: number): number {
  const splitter = new LineSplitter();
  const piece = new Uint8Array(PIECE_BYTES);
  let held = 0;
  let decoded = 0;
  const flush = (): void => {
    for (const line of splitter.push(piece.slice(0, held))) {
      if (decodeDriverFrame(line).type === "event") decoded++;
    }
    held = 0;
  };
  for (let sequence = 1; sequence <= events; sequence++) {
    const line = encodeFrame({
      type: "event",
      sequence,
      event: "moved",
      data: { x: sequence, y: -sequence, buttons: 1 },
    });
    if (held + line.length > PIECE_BYTES) flush();
    piece.set(line, held);
    held += line.length;
  }
  flush();
  return decoded;
}
