/**
 * Brings a device into its safe state: a list of control transfers, as data. It
 * needs nothing of the driver's code, so it works when that code is dead.
 *
 * @module
 */

import type { InterfaceSelector, SafeStateStep } from "../driver.ts";
import { UsbError } from "../errors.ts";
import { CONTROL_TIMEOUT_MS } from "../limits.ts";
import type { DevicePort, TransferRequest, TransferStatus } from "../port.ts";
import type { Clock } from "./clock.ts";
import { findInterface } from "./selectors.ts";
import { within } from "./within.ts";

/**
 * `done`: every step completed. `failed`: at least one did not. `impossible`: the
 * device is gone. `none`: the driver declares no safe state, or the device was
 * never opened.
 */
export type SafeStateResult = "done" | "failed" | "impossible" | "none";

/** What became of the safe state. */
export interface SafeStateReport {
  /** How it went. */
  readonly result: SafeStateResult;
  /** Steps that completed. */
  readonly stepsDone: number;
  /** Steps there are. */
  readonly steps: number;
  /** Of the first step that failed: `Turn the output off: stall`. */
  readonly reason?: string;
}

/** The report when there is nothing to do. */
export const NO_SAFE_STATE: SafeStateReport = {
  result: "none",
  stepsDone: 0,
  steps: 0,
};

/** Bounds of a safe state. */
export interface SafeStateOptions {
  /** Time. */
  readonly clock: Clock;
  /** For all steps together, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Performs the steps in order. One that fails, or takes all the time it is
 * given, does not keep the later ones from being tried: half safe is better than
 * not at all. So each has an equal share of the time that is left. Never throws
 * for what the device does.
 */
export async function performSafeState(
  device: DevicePort,
  steps: readonly SafeStateStep[],
  options: SafeStateOptions,
): Promise<SafeStateReport> {
  if (steps.length === 0) return NO_SAFE_STATE;
  const endMs = options.clock.nowMs() + options.timeoutMs;
  let stepsDone = 0;
  let reason: string | undefined;
  for (const [index, step] of steps.entries()) {
    const leftMs = endMs - options.clock.nowMs();
    const timeoutMs = Math.ceil(leftMs / (steps.length - index));
    const status = leftMs <= 0
      ? "timedOut"
      : await performStep(device, step, { ...options, timeoutMs });
    if (status === "completed") stepsDone++;
    else reason ??= `${step.description}: ${status}`;
    if (status === "noDevice") {
      const result = "impossible";
      return { result, stepsDone, steps: steps.length, reason: "device gone" };
    }
  }
  return {
    result: reason === undefined ? "done" : "failed",
    stepsDone,
    steps: steps.length,
    ...(reason === undefined ? {} : { reason }),
  };
}

async function performStep(
  device: DevicePort,
  step: SafeStateStep,
  options: SafeStateOptions,
): Promise<TransferStatus | UsbError["code"]> {
  const timeoutMs = Math.min(options.timeoutMs, CONTROL_TIMEOUT_MS);
  try {
    const request = requestOf(device, step, timeoutMs);
    // The port has the time limit too; this one holds when the port does not.
    const outcome = await within(options.clock, {
      timeoutMs: options.timeoutMs,
      promise: device.transfer(request),
    });
    return outcome?.status ?? "timedOut";
  } catch (error) {
    if (error instanceof UsbError) return error.code;
    throw error;
  }
}

function requestOf(
  device: DevicePort,
  step: SafeStateStep,
  timeoutMs: number,
): TransferRequest {
  const setup = step.indexFrom === undefined ? step.setup : {
    ...step.setup,
    index: (step.setup.index & 0xff00) | interfaceOf(device, step.indexFrom),
  };
  if (step.lengthBytes !== undefined) {
    const { lengthBytes } = step;
    return { type: "controlIn", setup, lengthBytes, timeoutMs };
  }
  const data = Uint8Array.from(step.data ?? []);
  return { type: "controlOut", setup, data, timeoutMs };
}

function interfaceOf(device: DevicePort, selector: InterfaceSelector): number {
  return findInterface(device, selector).interfaceNumber;
}
