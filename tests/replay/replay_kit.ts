/** What tests of replays share: a driver of one command, its recorded life, and that it is the same again. */

import type {
  AnyDriver,
  Driver,
  DriverContext,
  Json,
} from "../../driver/driver.ts";
import { defineDriver, type EventMap } from "../../driver/driver.ts";
import { eventText } from "../../driver/loop/journal_text.ts";
import type { ReplayResult } from "../../driver/replay/replay.ts";
import {
  LOOPBACK_PRODUCT_ID,
  LOOPBACK_VENDOR_ID,
} from "../../driver/sim/devices/loopback_descriptors.ts";
import type { FaultRule } from "../../driver/sim/faults.ts";
import { assert, assertEquals } from "../../driver/std.ts";
import { RecordedLife } from "./recorded_life.ts";

/** What the command gets. */
export type Context = DriverContext<EventMap>;

/** A driver whose one command does so, with standing inputs or without. */
export function driverThat(
  run: (context: Context) => Promise<Json> | Json,
  options: Pick<Driver<undefined, EventMap>, "inputs"> = {},
): AnyDriver {
  return defineDriver<undefined, EventMap>({
    name: "test",
    description: "A driver for tests",
    match: [{ vendorId: LOOPBACK_VENDOR_ID, productId: LOOPBACK_PRODUCT_ID }],
    interfaces: [{ interfaceNumber: 0 }],
    init: () => undefined,
    ...options,
    commands: {
      go: {
        description: "Does it",
        run: (_state, _params, context) => run(context),
      },
    },
  });
}

/** The life of such a driver: it is told to go, and ends 400 ms later. */
export async function lived(
  driver: AnyDriver,
  options: { readonly fault?: FaultRule; readonly seed?: number } = {},
): Promise<RecordedLife> {
  const life = new RecordedLife(driver, { seed: options.seed ?? 1 });
  await life.start();
  const plugged = life.bus.find(life.device);
  assert(plugged !== undefined);
  if (options.fault !== undefined) plugged.device.faults.add(options.fault);
  life.command("go");
  await life.clock.advance(400);
  await life.finish();
  return life;
}

/** It came as it was recorded, to the last event; `of` says in a failure which life it was. */
export function assertSame(result: ReplayResult, of?: string): void {
  const { expected, actual, part } = result.divergence ?? {};
  assertEquals(
    [
      part,
      expected && eventText(expected),
      actual && eventText(actual),
      result.problem,
    ],
    [undefined, undefined, undefined, undefined],
    of,
  );
  assertEquals(result.beyond, [], of);
}

/** How many events of a kind were recorded. */
export function kinds(life: RecordedLife, kind: string): number {
  return life.events.filter((event) => event.kind === kind).length;
}
