/**
 * The heater as a lab has one: it heats until somebody turns it off, and tells
 * its temperature 50 times a second.
 */

import type { Timer } from "../../driver/loop/clock.ts";
import { endpointAddress } from "../../driver/usb.ts";
import { HEATER, Heater } from "../host/safe_state/heater.ts";

const REPORTS = endpointAddress(HEATER.reports);
const INTERVAL_MS = 20;
/** As the memory of a small device: what is older is gone. */
const FIFO_REPORTS = 8;
const ROOM_CELSIUS = 20;

/** A heater that reports. Little-endian: u32 number, i16 hundredths of a degree Celsius, u8 on. */
export class ReportingHeater extends Heater {
  #timer: Timer | undefined;
  readonly #fifo: Uint8Array[] = [];
  #isWanted = false;
  #celsius = ROOM_CELSIUS;
  #made = 0;
  #overwritten = 0;

  /** Whether it heats. */
  get isOn(): boolean {
    return this.power > 0;
  }

  /** Reports it made, and those that nobody fetched in time. */
  override observed(): Readonly<Record<string, number>> {
    return { made: this.#made, overwritten: this.#overwritten };
  }

  /** Measures from now on. */
  override configured(value: number): void {
    this.#timer?.cancel();
    if (value !== 0) this.#arm();
  }

  /** Nobody fetches what it measured. */
  override unplugged(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#isWanted = false;
    this.#fifo.length = 0;
    super.unplugged();
  }

  /** The host asks. */
  override wanted(): void {
    this.#isWanted = true;
    this.#serve();
  }

  #arm(): void {
    this.#timer = this.host.clock.setTimer(INTERVAL_MS, () => {
      this.#measure();
      this.#arm();
    });
  }

  #measure(): void {
    const WARMER = 0.05;
    this.#celsius += this.isOn ? WARMER : -WARMER;
    this.#celsius = Math.min(90, Math.max(ROOM_CELSIUS, this.#celsius));
    const report = new DataView(new ArrayBuffer(HEATER.reportBytes));
    report.setUint32(0, this.#made++, true);
    report.setInt16(4, Math.round(this.#celsius * 100), true);
    report.setUint8(6, this.isOn ? 1 : 0);
    if (this.#fifo.length === FIFO_REPORTS) {
      this.#fifo.shift();
      this.#overwritten++;
    }
    this.#fifo.push(new Uint8Array(report.buffer));
    this.#serve();
  }

  #serve(): void {
    const report = this.#isWanted ? this.#fifo.shift() : undefined;
    if (report === undefined) return;
    this.#isWanted = false;
    if (!this.host.send(REPORTS, report)) this.#overwritten++;
  }
}
