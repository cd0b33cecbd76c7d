/**
 * The end of a driver's life, in order and in time: the handler at work, the
 * driver's `stop`, the safe state, the drain, the close. Each step has its
 * share of STOP_TIMEOUT_MS; one that overruns does not keep the next from being
 * done.
 *
 * @module
 */

import { assert } from "../assert.ts";
import type { SafeStateStep } from "../driver.ts";
import { UsbError } from "../errors.ts";
import { DRAIN_TIMEOUT_MS, STOP_TIMEOUT_MS } from "../limits.ts";
import type { DevicePort } from "../port.ts";
import type { Clock } from "./clock.ts";
import type { EventLoop } from "./event_loop.ts";
import {
  NO_SAFE_STATE,
  performSafeState,
  type SafeStateReport,
} from "./safe_state.ts";
import { within } from "./within.ts";

/** For the handler at work, whose signal has fired, to end. */
const HANDLER_MS = 300;
/** For the driver's own `stop`. */
const STOP_HANDLER_MS = 500;
/** For the safe state, all steps together. */
export const SAFE_STATE_MS = 500;
/** For release and close, after which nothing is in flight. */
const CLOSE_MS = 150;

assert(
  HANDLER_MS + STOP_HANDLER_MS + SAFE_STATE_MS + DRAIN_TIMEOUT_MS + CLOSE_MS <=
    STOP_TIMEOUT_MS,
  "The steps of a stop must fit into its time limit",
);

/** What is to be ended. */
export interface ShutdownParts {
  readonly clock: Clock;
  readonly loop: EventLoop;
  /** What is still bringing the device up, or resetting it. */
  readonly procedure: Promise<void>;
  /** The device, once there is one; asked for again after each step. */
  readonly device: () => DevicePort | undefined;
  /** Whether the device was ever claimed, so that its state is ours to tidy. */
  readonly wasClaimed: () => boolean;
  readonly isGone: () => boolean;
  /** The driver's `stop`, when this is an orderly stop of a started driver. */
  readonly stop: (() => void | Promise<void>) | undefined;
  readonly safeState: readonly SafeStateStep[];
  readonly stopInputs: () => Promise<void>;
}

/** How it went. */
export interface ShutdownReport {
  readonly safeState: SafeStateReport;
  /** Every transfer was back and the device closed in time. */
  readonly isDrained: boolean;
  /** The first thing that went wrong, unplug left out. */
  readonly failure: { readonly error: unknown } | undefined;
}

/** Ends it all. Never throws: what goes wrong is in the report. */
export async function shutDown(parts: ShutdownParts): Promise<ShutdownReport> {
  const steps = new Steps(parts.clock);
  await freeTheLoop(parts, steps);
  if (parts.stop !== undefined && !parts.isGone()) {
    await runStop(parts, parts.stop, steps);
  }
  const safeState = await makeSafe(parts, steps);
  const areInputsBack = await steps.run(DRAIN_TIMEOUT_MS, parts.stopInputs);
  const isClosed = await steps.run(
    CLOSE_MS,
    async () => await parts.device()?.close(),
  );
  const isDrained = areInputsBack && isClosed;
  return { safeState, isDrained, failure: steps.failure };
}

/** Steps with a time limit each; remembers what went wrong first. */
class Steps {
  failure: { readonly error: unknown } | undefined;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether it was done in time. An unplug is no failure of a stop. */
  async run(timeoutMs: number, step: () => Promise<unknown>): Promise<boolean> {
    let isDone = false;
    const promise = (async (): Promise<void> => {
      await step();
      isDone = true;
    })();
    try {
      await within(this.#clock, { timeoutMs, promise });
    } catch (error) {
      const isUnplug = error instanceof UsbError && error.code === "noDevice";
      if (!isUnplug) this.failure ??= { error };
    }
    return isDone;
  }
}

/** Waits for the handler at work and for a bring-up or reset under way. */
async function freeTheLoop(parts: ShutdownParts, steps: Steps): Promise<void> {
  const isFree = await steps.run(HANDLER_MS, async () => {
    await parts.loop.exclusive("settle", () => {}, { timeoutMs: HANDLER_MS });
    await parts.procedure;
  });
  if (isFree) return;
  parts.loop.abandon(
    new UsbError({
      code: "timedOut",
      operation: `stop the handler of ${parts.loop.busyWith ?? "nothing"}`,
      reason: "it did not end when told to",
    }),
  );
}

async function runStop(
  parts: ShutdownParts,
  stop: () => void | Promise<void>,
  steps: Steps,
): Promise<void> {
  const { loop } = parts;
  const timeoutMs = STOP_HANDLER_MS;
  const isDone = await steps.run(
    timeoutMs,
    () => loop.exclusive("stop", stop, { timeoutMs }),
  );
  if (isDone) return;
  const error = new UsbError({
    code: "timedOut",
    operation: "stop the driver",
    reason: `its stop handler did not end within ${timeoutMs} ms`,
  });
  steps.failure ??= { error };
  loop.abort(error);
}

async function makeSafe(
  parts: ShutdownParts,
  steps: Steps,
): Promise<SafeStateReport> {
  const { safeState, clock } = parts;
  const device = parts.device();
  if (device === undefined || !parts.wasClaimed()) return NO_SAFE_STATE;
  if (parts.isGone() && safeState.length > 0) {
    const reason = "device gone";
    return {
      result: "impossible",
      stepsDone: 0,
      steps: safeState.length,
      reason,
    };
  }
  let report: SafeStateReport = {
    result: "failed",
    stepsDone: 0,
    steps: safeState.length,
    reason: "it did not end in time",
  };
  const timeoutMs = SAFE_STATE_MS;
  await steps.run(timeoutMs + 1, async () => {
    report = await performSafeState(device, safeState, { clock, timeoutMs });
  });
  return report;
}
