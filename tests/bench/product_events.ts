/** The other end of `product.ts`: its events when they are there, and its figures. */

import { LineSplitter } from "../../driver/host/line_splitter.ts";
import { decodeDriverFrame } from "../../driver/host/wire.ts";
import {
  PATH_BEGINS,
  PATH_ENDS,
  type Spread,
  spreadOf,
} from "./product_paths.ts";

/** What one setting looked like from here. */
export interface PathOutside {
  readonly eventsPerSecond: number;
  readonly eventMicroseconds: Spread;
}

/** How a line begins that is a frame; the last one is the figures. */
const FRAME = '{"type":';
/** The figures are one line, and no frame. */
const LINE_BYTES_MAX = 1024 * 1024;

/** Reads what a run of `product.ts` prints. */
export class ProductReader {
  readonly #nowNs: () => number;
  readonly #lines = new LineSplitter(LINE_BYTES_MAX);
  readonly #decoder = new TextDecoder();
  /** What every setting looked like, in order. */
  readonly paths: PathOutside[] = [];
  /** The last line. */
  figures = "";
  #beganNs = Infinity;
  #lastNs = 0;
  #eventNs: number[] = [];

  /** On the clock of the events' stamps. */
  constructor(nowNs: () => number) {
    this.#nowNs = nowNs;
  }

  /** Reads to the end. */
  async read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const piece of stream) {
      for (const line of this.#lines.push(piece)) this.#line(line);
    }
  }

  #line(line: Uint8Array): void {
    const head = this.#decoder.decode(line.subarray(0, FRAME.length));
    if (head !== FRAME) {
      this.figures = this.#decoder.decode(line);
      return;
    }
    const frame = decodeDriverFrame(line);
    if (frame.type !== "event") return;
    const stampNs = Number(frame.data["stampNs"]);
    if (frame.event === PATH_BEGINS) this.#begin(stampNs);
    else if (frame.event === PATH_ENDS) this.#end();
    else if (stampNs >= this.#beganNs) this.#report(stampNs);
  }

  #begin(stampNs: number): void {
    this.#beganNs = stampNs;
    this.#eventNs = [];
  }

  #report(stampNs: number): void {
    this.#lastNs = this.#nowNs();
    this.#eventNs.push(this.#lastNs - stampNs);
  }

  #end(): void {
    const seconds = (this.#lastNs - this.#beganNs) / 1e9;
    this.paths.push({
      eventsPerSecond: this.#eventNs.length / seconds,
      eventMicroseconds: spreadOf(this.#eventNs),
    });
    this.#beganNs = Infinity;
  }
}
