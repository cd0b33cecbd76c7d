/**
 * What runs in the process that watches the bus: tells the whole list whenever
 * it changed, and beats after each look, so that a beat proves that looking
 * works. Where devices come from is an argument, so that nothing here knows
 * libusb.
 *
 * @module
 */

import type { Clock, Timer } from "../loop/clock.ts";
import type { DeviceInfo, UsbPort } from "../port.ts";
import type { WriteBytes } from "./frame_sender.ts";
import {
  encodeWatchFrame,
  WATCHED_DEVICES_MAX,
  watchedDevice,
  type WatchFrame,
  type WatchHello,
} from "./watch_frames.ts";

/** A beat, and a look that needs no event: half a second. */
export const WATCH_BEAT_MS = 500;

/** What it is made of. */
export interface WatchMainOptions {
  readonly port: Pick<UsbPort, "devices" | "watch">;
  readonly hello: WatchHello;
  readonly clock: Clock;
  /** Ends when whoever reads us is gone. */
  readonly input: AsyncIterable<unknown>;
  readonly output: WriteBytes;
}

/**
 * Watches until nobody reads any more.
 *
 * @throws {UsbError} When the bus cannot be looked at.
 */
export async function watchBus(options: WatchMainOptions): Promise<void> {
  const main = new WatchMain(options);
  await main.run();
}

class WatchMain {
  readonly #options: WatchMainOptions;
  readonly #end = new AbortController();
  readonly #failed = Promise.withResolvers<never>();
  #told: string | undefined;
  #lists = 0;
  #beats = 0;
  #isTelling = false;
  #isDirty = false;
  #isBeatDue = false;
  #timer: Timer | undefined;

  constructor(options: WatchMainOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    try {
      await this.#write([this.#options.hello]);
      await this.#tell();
      this.#beatLater();
      await Promise.race([
        this.#follow(),
        this.#untilInputEnds(),
        this.#failed.promise,
      ]);
    } finally {
      this.#timer?.cancel();
      this.#end.abort();
    }
  }

  async #untilInputEnds(): Promise<void> {
    for await (const _piece of this.#options.input) {
      // Nothing is told to us but the end.
    }
  }

  async #follow(): Promise<never> {
    const { signal } = this.#end;
    for await (const _event of this.#options.port.watch({ signal })) {
      this.#tellSoon();
    }
    return await this.#failed.promise;
  }

  #beatLater(): void {
    this.#timer = this.#options.clock.setTimer(WATCH_BEAT_MS, () => {
      this.#isBeatDue = true;
      this.#tellSoon();
      this.#beatLater();
    });
  }

  /** One at a time: a reader that is slow is told what is, not what was. */
  #tellSoon(): void {
    this.#isDirty = true;
    if (this.#isTelling) return;
    this.#isTelling = true;
    void this.#tellAll().catch((error) => this.#failed.reject(error))
      .finally(() => this.#isTelling = false);
  }

  async #tellAll(): Promise<void> {
    while (this.#isDirty && !this.#end.signal.aborted) {
      this.#isDirty = false;
      await this.#tell();
    }
  }

  async #tell(): Promise<void> {
    const devices = await this.#options.port.devices();
    const ids = devices.map(({ id }) => id).join();
    const frames: WatchFrame[] = ids === this.#told ? [] : this.#list(devices);
    this.#told = ids;
    if (this.#isBeatDue) {
      frames.push({ type: "beat", sequence: ++this.#beats });
    }
    this.#isBeatDue = false;
    if (frames.length > 0) await this.#write(frames);
  }

  #list(devices: readonly DeviceInfo[]): WatchFrame[] {
    const known = devices.slice(0, WATCHED_DEVICES_MAX);
    const sequence = ++this.#lists;
    return [
      { type: "list", sequence, count: known.length },
      ...known.map(watchedDevice),
    ];
  }

  async #write(frames: readonly WatchFrame[]): Promise<void> {
    const lines = frames.map(encodeWatchFrame);
    const all = new Uint8Array(lines.reduce((sum, l) => sum + l.length, 0));
    let at = 0;
    for (const line of lines) {
      all.set(line, at);
      at += line.length;
    }
    await this.#options.output(all);
  }
}
