/** A session on a virtual clock, as the tests of the loop use it. */

import type { AnyDriver, Driver, Json } from "../../driver/driver.ts";
import { defineDriver, type EventMap } from "../../driver/driver.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import { Session } from "../../driver/loop/session.ts";
import type {
  Heartbeat,
  SessionOptions,
} from "../../driver/loop/session_options.ts";
import { FakeDevice } from "./fake_device.ts";

/** Everything a test looks at. */
export interface Bench {
  readonly clock: VirtualClock;
  readonly device: FakeDevice;
  readonly session: Session;
  readonly events: { event: string; data: Readonly<Record<string, Json>> }[];
  readonly lines: string[];
  readonly beats: Heartbeat[];
  readonly states: string[];
}

/** A driver that claims interface 0 and does nothing else, but for what is given. */
export function driverWith<State = unknown>(
  parts: Partial<Driver<State, EventMap>>,
): AnyDriver {
  return defineDriver<State, EventMap>({
    name: "test",
    description: "A driver for tests",
    match: [{ vendorId: 0x0957 }],
    interfaces: [{ interfaceNumber: 0 }],
    init: () => undefined as State,
    ...parts,
  });
}

/** A session that is not started. */
export function bench(
  driver: AnyDriver,
  options: Partial<SessionOptions> = {},
): Bench {
  const clock = new VirtualClock();
  const device = new FakeDevice(clock);
  const events: Bench["events"] = [];
  const lines: string[] = [];
  const beats: Heartbeat[] = [];
  const states: string[] = [];
  const session = new Session({
    driver,
    device,
    clock,
    random: () => 0.5,
    log: (level, event, message) =>
      void lines.push(`${level} ${event}: ${message}`),
    emit: (event, data) => events.push({ event, data }) > 0,
    yieldTurn: () =>
      new Promise((resolve) => void clock.setTimer(0, () => resolve())),
    heartbeat: (beat) => void beats.push(beat),
    stateChanged: (_from, to) => void states.push(to),
    ...options,
  });
  return { clock, device, session, events, lines, beats, states };
}

/** A session that is ready. */
export async function readyBench(
  driver: AnyDriver,
  options: Partial<SessionOptions> = {},
): Promise<Bench> {
  const made = bench(driver, options);
  const started = made.session.start();
  await made.clock.advance(0);
  await started;
  return made;
}

/** Stops, moving time on until it is over. */
export async function stopBench(
  made: Pick<Bench, "session" | "clock">,
): Promise<void> {
  const ended = made.session.stop();
  await made.clock.advance(2_000);
  await ended;
}
