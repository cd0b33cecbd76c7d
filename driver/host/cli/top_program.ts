/**
 * `driverspace top` while it has the terminal: asks, draws, and does what keys
 * say, until somebody wants an end.
 *
 * @module
 */

import type { Timer } from "../../loop/clock.ts";
import type { CliIo } from "./command.ts";
import { CliError } from "./exit_codes.ts";
import type { FullTerminal } from "./terminal.ts";
import type { TopLog } from "./top_answers.ts";
import { topDetail } from "./top_detail_view.ts";
import { type Key, KeyReader } from "./top_keys.ts";
import { topList } from "./top_list_view.ts";
import { TOP_SORTS, TopModel, type TopRow, type TopSort } from "./top_model.ts";
import { paintLine, type ScreenLine } from "./top_screen.ts";
import {
  type Ask,
  askForLog,
  askForRetry,
  askForSample,
} from "./top_source.ts";

/** What the program is made of. */
export interface TopProgramParts {
  readonly io: CliIo;
  readonly terminal: FullTerminal;
  readonly ask: Ask;
  readonly intervalMs: number;
}

/** After it a lone ESC was the Escape key, and no sequence's beginning. */
const ESCAPE_MS = 50;
/** What a key brought about is shown so long. */
const MESSAGE_MS = 4_000;

/** The program. */
export class TopProgram {
  readonly #parts: TopProgramParts;
  readonly #model = new TopModel();
  readonly #keys = new KeyReader();
  readonly #ended = Promise.withResolvers<void>();
  #selected: string | undefined;
  #sort: TopSort = "order";
  #detail: { offset: number; offsetMax: number } | undefined;
  #log: TopLog | undefined;
  #message: { readonly text: string; readonly untilMs: number } | undefined;
  #isAsking = false;
  #tick: Timer | undefined;
  #escape: Timer | undefined;

  /** Asks nothing yet. */
  constructor(parts: TopProgramParts) {
    this.#parts = parts;
  }

  /**
   * Runs until it is ended. Nothing is drawn before the first answer.
   *
   * @throws {CliError} When nobody answers at the beginning.
   */
  async run(): Promise<void> {
    const { io, terminal } = this.#parts;
    this.#model.take(await this.#sample());
    terminal.enter();
    const ignoreSignals = io.onInterrupt(() => this.#ended.resolve());
    const ignoreChanges = terminal.onChange({
      resized: () => this.#draw(),
      stopAsked: () => this.#stop(),
      continued: () => this.#enterAgain(),
    });
    try {
      this.#draw();
      this.#again();
      void this.#readKeys();
      await this.#ended.promise;
    } finally {
      this.#tick?.cancel();
      this.#escape?.cancel();
      ignoreChanges();
      ignoreSignals();
      terminal.leave();
    }
  }

  #sample(): ReturnType<typeof askForSample> {
    const { ask, io } = this.#parts;
    return askForSample(ask, () => io.clock.nowMs());
  }

  #again(): void {
    const { io, intervalMs } = this.#parts;
    this.#tick = io.clock.setTimer(intervalMs, () => {
      this.#again();
      // Time passes also while nobody answers.
      this.#draw();
      this.#guard(() => this.#ask());
    });
  }

  /** What is a bug of ours ends the program in order, so that the terminal is left. */
  #guard(work: () => Promise<void>): void {
    work().catch((error) => this.#ended.reject(error));
  }

  async #ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const { io, ask } = this.#parts;
    try {
      this.#model.take(await this.#sample());
      const name = this.#selected;
      if (this.#detail !== undefined && name !== undefined) {
        this.#log = await askForLog(ask, name);
      }
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      this.#model.fail(error.message, io.clock.nowMs());
    } finally {
      this.#isAsking = false;
    }
    this.#draw();
  }

  #draw(): void {
    try {
      const { io, terminal } = this.#parts;
      const { columns } = terminal.size();
      const lines = this.#lines().map((line) =>
        paintLine(line, { columns, hasColor: io.hasColor })
      );
      terminal.draw(lines);
      if (terminal.isGone) this.#ended.resolve();
    } catch (error) {
      this.#ended.reject(error);
    }
  }

  #lines(): ScreenLine[] {
    const { io, terminal } = this.#parts;
    const size = terminal.size();
    const nowMs = io.clock.nowMs();
    const wallMs = io.clock.wallMs();
    const { last, lost } = this.#model;
    const rows = this.#rows();
    if (last === undefined) return [];
    const isFresh = this.#message !== undefined &&
      nowMs < this.#message.untilMs;
    const message = isFresh && this.#message !== undefined
      ? { message: this.#message.text }
      : {};
    const chosen = rows.find(({ driver }) => driver.name === this.#selected);
    if (this.#detail !== undefined && chosen !== undefined) {
      const { lines, offsetMax } = topDetail({
        row: chosen,
        log: this.#log,
        isLost: lost !== undefined,
        offset: this.#detail.offset,
        wallMs,
        ...message,
      }, size);
      this.#detail.offsetMax = offsetMax;
      return lines;
    }
    return topList({
      status: last.status,
      rows,
      sort: this.#sort,
      wallMs,
      ...message,
      ...(lost === undefined ? {} : {
        lost: { forMs: nowMs - lost.sinceMs, reason: lost.reason },
      }),
      ...(chosen === undefined ? {} : { selected: chosen.driver.name }),
    }, size);
  }

  /** There is always a chosen one, as long as there are any. */
  #rows(): TopRow[] {
    const rows = this.#model.rows(this.#sort);
    const isThere = rows.some(({ driver }) => driver.name === this.#selected);
    if (!isThere) {
      this.#selected = rows[0]?.driver.name;
      this.#detail = undefined;
    }
    return rows;
  }

  async #readKeys(): Promise<void> {
    const { terminal, io } = this.#parts;
    for (;;) {
      const bytes = await terminal.read();
      if (bytes === undefined) return;
      this.#escape?.cancel();
      for (const key of this.#keys.push(bytes)) this.#key(key);
      if (!this.#keys.isPending) continue;
      this.#escape = io.clock.setTimer(ESCAPE_MS, () => {
        for (const key of this.#keys.flush()) this.#key(key);
      });
    }
  }

  #key(key: Key): void {
    this.#message = undefined;
    const common = this.#commonKeys()[key];
    const own = this.#detail === undefined
      ? this.#listKeys()[key]
      : this.#detailKeys(this.#detail)[key];
    (own ?? common)?.();
    this.#draw();
  }

  #commonKeys(): Readonly<Record<Key, () => void>> {
    const end = (): void => this.#ended.resolve();
    return {
      q: end,
      interrupt: end,
      "end-of-input": end,
      r: () => this.#guard(() => this.#retry()),
      suspend: () => this.#stop(),
      redraw: () => this.#enterAgain(),
    };
  }

  #listKeys(): Readonly<Record<Key, () => void>> {
    const page = Math.max(1, this.#parts.terminal.size().rows - 4);
    const [up, down] = [() => this.#move(-1), () => this.#move(1)];
    const open = (): void => this.#open();
    return {
      up,
      k: up,
      down,
      j: down,
      "page-up": () => this.#move(-page),
      "page-down": () => this.#move(page),
      home: () => this.#move(-Infinity),
      g: () => this.#move(-Infinity),
      end: () => this.#move(Infinity),
      G: () => this.#move(Infinity),
      enter: open,
      right: open,
      l: open,
      s: () => {
        const at = TOP_SORTS.indexOf(this.#sort);
        this.#sort = TOP_SORTS[(at + 1) % TOP_SORTS.length] ?? "order";
      },
    };
  }

  #detailKeys(
    detail: { offset: number; offsetMax: number },
  ): Readonly<Record<Key, () => void>> {
    const page = Math.max(1, this.#parts.terminal.size().rows - 3);
    const scroll = (by: number) => (): void => {
      const { offset, offsetMax } = detail;
      detail.offset = Math.min(Math.max(0, offset + by), offsetMax);
    };
    const back = (): void => {
      this.#detail = undefined;
    };
    return {
      up: scroll(-1),
      k: scroll(-1),
      down: scroll(1),
      j: scroll(1),
      "page-up": scroll(-page),
      "page-down": scroll(page),
      " ": scroll(page),
      home: scroll(-Infinity),
      g: scroll(-Infinity),
      end: scroll(Infinity),
      G: scroll(Infinity),
      escape: back,
      left: back,
      h: back,
      enter: back,
    };
  }

  #move(by: number): void {
    const rows = this.#rows();
    const at = rows.findIndex(({ driver }) => driver.name === this.#selected);
    const to = Math.min(Math.max(0, at + by), rows.length - 1);
    this.#selected = rows[to]?.driver.name;
  }

  #open(): void {
    if (this.#selected === undefined) return;
    this.#detail = { offset: 0, offsetMax: 0 };
    this.#log = undefined;
    this.#guard(() => this.#ask());
  }

  async #retry(): Promise<void> {
    const name = this.#selected;
    if (name === undefined) return;
    const text = await askForRetry(this.#parts.ask, name);
    const nowMs = this.#parts.io.clock.nowMs();
    this.#message = { text, untilMs: nowMs + MESSAGE_MS };
    await this.#ask();
  }

  #stop(): void {
    this.#parts.terminal.stop();
    // Here we go on: whoever had the terminal meanwhile left it as he liked.
    this.#enterAgain();
  }

  #enterAgain(): void {
    this.#parts.terminal.enter();
    this.#draw();
  }
}
