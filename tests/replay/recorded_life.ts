/** Lives of a driver that are recorded, and what is needed to live them again. */

import type { AnyDriver, Json } from "../../driver/driver.ts";
import { Chance } from "../../driver/loop/chance.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import type { SessionEnd } from "../../driver/loop/end_reason.ts";
import type { JournalEvent } from "../../driver/loop/journal.ts";
import { recordedDriver } from "../../driver/loop/recorded_driver.ts";
import { Recorder } from "../../driver/loop/recorder.ts";
import { decodeEvent, encodeEvent } from "../../driver/loop/recording.ts";
import { Session } from "../../driver/loop/session.ts";
import type { DeviceInfo } from "../../driver/port.ts";
import {
  replay,
  type ReplayOptions,
  type ReplayResult,
} from "../../driver/replay/replay.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { SimulatedPort } from "../../driver/sim/simulated_port.ts";
import { VirtualBus } from "../../driver/sim/virtual_bus.ts";

/** A driver's life with a virtual loopback device, recorded. */
export class RecordedLife {
  readonly clock = new VirtualClock();
  readonly chance: Chance;
  readonly bus: VirtualBus;
  readonly device = new Loopback();
  readonly port: SimulatedPort;
  readonly session: Session;
  readonly lines: string[] = [];
  info: DeviceInfo | undefined;
  end: SessionEnd | undefined;

  /** `seed` is that of the world and of the driver's chance. */
  constructor(
    driver: AnyDriver,
    options: { readonly seed?: number; readonly options?: Json } = {},
  ) {
    const { seed = 1 } = options;
    this.chance = new Chance(seed);
    const { clock } = this;
    this.bus = new VirtualBus({ clock, random: this.chance.next });
    this.bus.plug(this.device);
    this.port = new SimulatedPort(this.bus, {
      jitterMs: this.chance.pick([0, 1, 10]),
    });
    const recorder = new Recorder({
      nowMs: () => clock.nowMs(),
      tell: (event) => void this.lines.push(encodeEvent(event)),
    });
    this.session = new Session({
      driver: recordedDriver(driver, recorder),
      port: this.port,
      clock,
      random: new Chance(seed).next,
      log: () => {},
      emit: () => true,
      yieldTurn: () =>
        new Promise((resolve) => void clock.setTimer(0, () => resolve())),
      ...(options.options === undefined ? {} : { options: options.options }),
      journal: {
        recorded: ({ kind, name }) => {
          if (kind !== "state") return;
          recorder.state = name;
          recorder.note(kind, name);
        },
      },
    });
    void this.session.ended.then((end) => this.end = end);
  }

  /** Starts it. */
  async start(): Promise<void> {
    [this.info] = await this.port.devices();
    this.session.start().catch(() => {});
    await this.clock.advance(50);
  }

  /** Has a command carried out, whatever comes of it. */
  command(name: string, params: Json = {}, timeoutMs = 1_000): void {
    this.session.command(name, params, { timeoutMs }).catch(() => {});
  }

  /** Ends it. */
  async finish(): Promise<void> {
    void this.session.stop();
    for (let n = 0; n < 100 && this.end === undefined; n++) {
      await this.clock.advance(500);
    }
    await this.port.close();
    await this.clock.advance(500);
  }

  /** What was recorded, as a bundle would give it. */
  get events(): JournalEvent[] {
    return this.lines.map(decodeEvent);
  }

  /** Lives it again. */
  async again(
    driver: AnyDriver,
    more: Partial<ReplayOptions> = {},
  ): Promise<ReplayResult> {
    if (this.info === undefined) throw new Error("It was never started");
    return await replay({
      driver,
      events: this.events,
      device: this.info,
      options: {},
      turn: () => new Promise((resolve) => void setTimeout(resolve, 0)),
      ...more,
    });
  }
}
