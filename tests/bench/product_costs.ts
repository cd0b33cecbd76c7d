/**
 * What it costs a driver to tell its host what happens: reports a second of a
 * device that is as quick as it can be, with more and more told. Frames are made
 * and counted, and not written: what a pipe costs is the host's. What is counted
 * in the process itself, and the loop's own journal, are never off.
 */

import type { AnyDriver } from "../../driver/driver.ts";
import { reportsAndDrops } from "../../driver/host/driver_words.ts";
import { fullTeller } from "../../driver/host/full_journal_teller.ts";
import {
  type MakeTeller,
  outlineTeller,
} from "../../driver/host/journal_teller.ts";
import { systemClock } from "../../driver/host/system_clock.ts";
import { encodeFrame, type HeartbeatFrame } from "../../driver/host/wire.ts";
import { wireTelemetry } from "../../driver/host/wire_telemetry.ts";
import type { EmitEvent } from "../../driver/loop/handler_context.ts";
import type { Session } from "../../driver/loop/session.ts";
import type { Heartbeat } from "../../driver/loop/session_options.ts";
import type { DeviceInfo, UsbPort } from "../../driver/port.ts";
import { probeSession } from "./probe.ts";

/** Reports per second, by what is told. */
export interface CostFigures {
  /** Events alone. */
  readonly events: number;
  /** And a heartbeat with all metrics, as often as a driver sends one. */
  readonly metrics: number;
  /** And the journal's outline, as of every driver. */
  readonly outline: number;
  /** And a full journal, with all bytes, instead. */
  readonly full: number;
}

/** What a variant tells. */
interface Told {
  readonly metrics: boolean;
  readonly teller?: MakeTeller;
}

const VARIANTS: Readonly<Record<keyof CostFigures, Told>> = {
  events: { metrics: false },
  metrics: { metrics: true },
  outline: { metrics: true, teller: outlineTeller },
  full: { metrics: true, teller: fullTeller },
};
/** The middle one of them is reported; the first warms up. */
const ROUNDS = 4;

/** What is driven, and for how many reports. */
export interface CostsOf {
  readonly port: UsbPort;
  readonly info: DeviceInfo;
  /** A new one each time, which emits one event for each report. */
  readonly driver: () => AnyDriver;
  readonly reports: number;
}

/** All of them, in turn, so that the machine's moods are everybody's. */
export async function measureCosts(of: CostsOf): Promise<CostFigures> {
  const names = Object.keys(VARIANTS) as (keyof CostFigures)[];
  const rates = new Map<keyof CostFigures, number[]>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      const rate = await new Run(of, VARIANTS[name]).rate();
      if (round > 0) rates.set(name, [...rates.get(name) ?? [], rate]);
    }
  }
  const middle = (name: keyof CostFigures): number =>
    rates.get(name)?.sort((a, b) => a - b)[Math.floor(ROUNDS / 2) - 1] ?? NaN;
  return {
    events: middle("events"),
    metrics: middle("metrics"),
    outline: middle("outline"),
    full: middle("full"),
  };
}

/** One life of the driver. */
class Run {
  readonly #of: CostsOf;
  readonly #session: Session;
  readonly #done = Promise.withResolvers<void>();
  #events = 0;
  #toldBytes = 0;

  constructor(of: CostsOf, told: Told) {
    const driver = of.driver();
    const teller = told.teller?.(driver, {
      clock: systemClock(),
      send: (frame) => this.#tell(frame),
    });
    this.#of = of;
    this.#session = probeSession({
      driver: teller?.driver ?? driver,
      port: of.port,
      deviceInfo: of.info,
      emit: (event, data) => this.#emit(event, data),
      heartbeat: (beat) => {
        teller?.flush();
        if (told.metrics) this.#tell(this.#heartbeat(beat));
      },
      ...(teller === undefined ? {} : { journal: teller.options }),
    });
    if (teller !== undefined) teller.journal = this.#session.journal;
  }

  async rate(): Promise<number> {
    await this.#session.start();
    const startMs = performance.now();
    const before = this.#events;
    await this.#done.promise;
    const events = this.#events - before;
    const rate = events / (performance.now() - startMs) * 1000;
    await this.#session.stop();
    if (this.#toldBytes === 0) throw new Error("nothing was told");
    return rate;
  }

  #emit(...[event, data]: Parameters<EmitEvent>): boolean {
    const sequence = ++this.#events;
    if (sequence >= this.#of.reports) this.#done.resolve();
    return this.#tell({ type: "event", sequence, event, data });
  }

  #tell(frame: Parameters<typeof encodeFrame>[0]): boolean {
    this.#toldBytes += encodeFrame(frame).length;
    return true;
  }

  #heartbeat(beat: Heartbeat): HeartbeatFrame {
    const counters = this.#session.counters();
    const { reports, dropped, progress } = reportsAndDrops(counters);
    return {
      type: "heartbeat",
      sequence: beat.sequence,
      lagMs: beat.lagMs,
      depth: { ...beat.depths },
      inFlight: beat.transfersInFlight,
      reports,
      dropped,
      logUnwritten: 0,
      progress,
      telemetry: wireTelemetry(this.#session.telemetry(), {
        refused: {
          commands: counters.refusals.commands,
          events: counters.events.dropped,
        },
        logged: { lines: {}, dropped: 0 },
      }),
    };
  }
}
