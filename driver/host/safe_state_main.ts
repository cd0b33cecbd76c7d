/**
 * What a process does that makes a device safe: opens it, claims what the dead
 * driver claimed, performs the steps, writes a line into the log and one frame
 * to the host. How the device is opened is an argument, so that nothing here
 * knows libusb.
 *
 * @module
 */

import type { InterfaceSelector, SafeStateStep } from "../driver.ts";
import { UsbError } from "../errors.ts";
import type { Clock } from "../loop/clock.ts";
import { performSafeState, type SafeStateReport } from "../loop/safe_state.ts";
import { findInterface } from "../loop/selectors.ts";
import type { DevicePort } from "../port.ts";
import { DRIVER_EXIT } from "./exit_class.ts";
import type { WriteBytes } from "./frame_sender.ts";
import { Log, type LogSink } from "./log.ts";
import {
  describeSafeState,
  encodeSafeStateFrame,
  type SafeStateFrame,
} from "./safe_state_frame.ts";
import type { SafeStateOrder } from "./safe_state_order.ts";
import type { SandboxSummary } from "./wire.ts";

/** A device to make safe, and what holds the process that does so. */
export interface OpenedForSafety {
  readonly device: DevicePort;
  readonly sandbox: SandboxSummary;
}

/** What the process is made of. */
export interface SafeStateMainOptions {
  readonly order: SafeStateOrder;
  readonly clock: Clock;
  readonly logSink: LogSink;
  readonly output: WriteBytes;
  /** This process. */
  readonly pid: number;
  /** @throws {UsbError} When the device cannot be had, or the process is not confined as it must be. */
  readonly open: () => Promise<OpenedForSafety>;
}

/**
 * For all steps together. Four times what a driver has that does it itself: it
 * has a host that waits for it, and the device may still be busy with what the
 * driver left undone.
 */
export const SAFE_STATE_STEPS_MS = 2_000;
/** A driver that is dead holds its interfaces until the kernel has closed what it had open. */
const CLAIM_MS = 500;
/** Between two tries to claim. */
const CLAIM_AGAIN_MS = 10;

/** Performs an order; gives the code to exit with. Everything is written then. */
export async function performOrder(
  options: SafeStateMainOptions,
): Promise<number> {
  const frame = await attempt(options);
  logSafeState(options, frame);
  await options.output(encodeSafeStateFrame(frame));
  switch (frame.result) {
    case "done":
    case "none":
      return DRIVER_EXIT.clean;
    case "impossible":
      return DRIVER_EXIT.deviceGone;
    case "failed":
      return DRIVER_EXIT.fault;
  }
}

async function attempt(options: SafeStateMainOptions): Promise<SafeStateFrame> {
  const { order, clock } = options;
  const { steps } = order;
  let opened: OpenedForSafety;
  try {
    opened = await options.open();
  } catch (error) {
    if (!(error instanceof UsbError)) throw error;
    return notDone(error, steps.length);
  }
  const { device, sandbox } = opened;
  const { interfaces } = order;
  const report = await claimAndPerform(device, { interfaces, steps }, clock);
  return { ...report, sandbox };
}

/** What a driver declares of its safe state. */
export interface SafeStatePlan {
  /** What the driver claims. */
  readonly interfaces: readonly InterfaceSelector[];
  readonly steps: readonly SafeStateStep[];
  /** How long others may hold an interface. Default: until a dead driver's are free. */
  readonly claimMs?: number;
}

/**
 * Makes a device safe that is open. Its interfaces stay claimed. Never throws
 * for what the device does.
 */
export async function claimAndPerform(
  device: DevicePort,
  { interfaces, steps, claimMs = CLAIM_MS }: SafeStatePlan,
  clock: Clock,
): Promise<SafeStateReport> {
  const endMs = clock.nowMs() + claimMs;
  const unclaimed = await claim(device, interfaces, { clock, endMs });
  const timeoutMs = SAFE_STATE_STEPS_MS;
  const report = await performSafeState(device, steps, { clock, timeoutMs });
  return withReason(report, unclaimed);
}

/** By when it must be claimed. */
interface ClaimLimit {
  readonly clock: Clock;
  readonly endMs: number;
}

/**
 * Claims what can be claimed; gives the first thing that could not. Steps that
 * do without it are performed all the same.
 */
async function claim(
  device: DevicePort,
  interfaces: readonly InterfaceSelector[],
  limit: ClaimLimit,
): Promise<UsbError | undefined> {
  let first: UsbError | undefined;
  for (const selector of interfaces) {
    try {
      await claimOne(device, selector, limit);
    } catch (error) {
      if (!(error instanceof UsbError)) throw error;
      first ??= error;
    }
  }
  return first;
}

/** Who holds it is on the way out, and no second driver claims it meanwhile. */
async function claimOne(
  device: DevicePort,
  selector: InterfaceSelector,
  { clock, endMs }: ClaimLimit,
): Promise<void> {
  const { interfaceNumber } = findInterface(device, selector);
  for (;;) {
    try {
      return await device.claimInterface(interfaceNumber);
    } catch (error) {
      const isHeld = error instanceof UsbError && error.code === "busy";
      if (!isHeld || clock.nowMs() >= endMs) throw error;
    }
    await new Promise<void>((resolve) =>
      clock.setTimer(CLAIM_AGAIN_MS, resolve)
    );
  }
}

/** A step that failed for want of an interface has its reason there. */
function withReason(
  report: SafeStateReport,
  unclaimed: UsbError | undefined,
): SafeStateReport {
  if (report.result !== "failed" || unclaimed === undefined) return report;
  return { ...report, reason: `${report.reason}; ${unclaimed.message}` };
}

function notDone(error: UsbError, steps: number): SafeStateReport {
  const result = error.code === "noDevice" ? "impossible" : "failed";
  return { result, stepsDone: 0, steps, reason: error.message };
}

/** Who writes the line, and where. */
export interface SafeStateLogger
  extends Pick<SafeStateMainOptions, "clock" | "logSink" | "pid"> {
  readonly order: Pick<SafeStateOrder, "driver" | "config">;
}

/** The supervisor logs it, too; this line stands in the driver's own log. */
export function logSafeState(
  options: SafeStateLogger,
  frame: SafeStateReport,
): void {
  const { order: { driver, config }, clock, logSink, pid } = options;
  const log = new Log({
    sink: logSink,
    clock,
    base: {
      driver,
      instance: config.instance,
      pid,
      boot: config.boot,
      ...(config.device === undefined ? {} : { dev: { ...config.device } }),
    },
  });
  const { result, stepsDone, steps, reason } = frame;
  log.record(
    result === "failed" ? "error" : "info",
    "driver.safe_state",
    `Safe state: ${describeSafeState(frame)}`,
    {
      result,
      steps,
      steps_done: stepsDone,
      ...(reason === undefined ? {} : { reason }),
    },
  );
  log.close();
}
