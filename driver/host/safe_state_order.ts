/**
 * What a process is told that makes a device safe for a driver that is dead:
 * the driver's declared steps, as data, and how to reach the device. One JSON
 * argument; nothing of the driver's code.
 *
 * @module
 */

import { assert } from "../assert.ts";
import type { InterfaceSelector, SafeStateStep } from "../driver.ts";
import { MAX_CONTROL_BYTES, MAX_INTERFACES } from "../limits.ts";
import type { SetupPacket } from "../usb.ts";
import { CONFIG, type DriverConfig } from "./driver_config.ts";
import {
  type Checker,
  list,
  oneOf,
  optional,
  shape,
  text,
  upTo,
  WireError,
} from "./wire_check.ts";

/** An order to one process. */
export interface SafeStateOrder {
  /** Name of the driver, for lines of the log. */
  readonly driver: string;
  /** As the driver's process has it; its options play no part. */
  readonly config: DriverConfig;
  /** What the driver claims: the kernel wants it claimed for requests to an interface. */
  readonly interfaces: readonly InterfaceSelector[];
  /** Direct mode: what becomes of a kernel driver that holds an interface. */
  readonly kernelDriver: "detach" | "refuse";
  readonly steps: readonly SafeStateStep[];
}

/** More than any device needs to be switched off. */
export const SAFE_STATE_STEPS_MAX = 64;

/**
 * All steps together, as text. Linux takes an argument of up to 128 KiB
 * (MAX_ARG_STRLEN), and an order has paths besides.
 */
export const SAFE_STATE_BYTES_MAX = 64 * 1024;

assert(
  SAFE_STATE_BYTES_MAX > 2 * "255,".length * MAX_CONTROL_BYTES,
  "A safe state may have steps with a full data stage",
);

/** As a command-line argument. */
export function encodeSafeStateOrder(order: SafeStateOrder): string {
  return JSON.stringify(order);
}

/**
 * Reads the argument.
 *
 * @throws {WireError} When it is not what it must be.
 */
export function decodeSafeStateOrder(
  argument: string | undefined,
): SafeStateOrder {
  let value: unknown;
  try {
    value = JSON.parse(argument ?? "");
  } catch {
    throw new WireError(
      "notJson",
      "Cannot read the order: this module is started by driverspace, not by hand",
    );
  }
  return ORDER(value, "order");
}

/**
 * Checks the steps that a driver declares.
 *
 * @throws {WireError} When they are not what they must be, or too long.
 */
export function checkSafeState(value: unknown): readonly SafeStateStep[] {
  const steps = STEPS(value, "safeState");
  const lengthBytes = new TextEncoder().encode(JSON.stringify(steps)).length;
  if (lengthBytes <= SAFE_STATE_BYTES_MAX) return steps;
  throw new WireError(
    "tooLong",
    `Cannot read safeState: its steps take ${lengthBytes} bytes as text, and ${SAFE_STATE_BYTES_MAX} is the limit`,
  );
}

const SELECTOR: Checker<InterfaceSelector> = shape({
  interfaceNumber: optional(upTo(0xff)),
  interfaceClass: optional(upTo(0xff)),
  interfaceSubclass: optional(upTo(0xff)),
  interfaceProtocol: optional(upTo(0xff)),
});

const SETUP: Checker<SetupPacket> = shape({
  requestType: oneOf("standard", "class", "vendor"),
  recipient: oneOf("device", "interface", "endpoint", "other"),
  request: upTo(0xff),
  value: upTo(0xffff),
  index: upTo(0xffff),
});

const STEPS: Checker<readonly SafeStateStep[]> = list(
  shape({
    description: text(256),
    setup: SETUP,
    data: optional(list(upTo(0xff), MAX_CONTROL_BYTES)),
    indexFrom: optional(SELECTOR),
    lengthBytes: optional(upTo(MAX_CONTROL_BYTES)),
  }),
  SAFE_STATE_STEPS_MAX,
);

const ORDER: Checker<SafeStateOrder> = shape({
  driver: text(64),
  config: CONFIG,
  interfaces: list(SELECTOR, MAX_INTERFACES),
  kernelDriver: oneOf("detach", "refuse"),
  steps: STEPS,
});
