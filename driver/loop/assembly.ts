/**
 * What a session has once its device is open: the port under guard, the context
 * its handlers get, its inputs.
 *
 * @module
 */

import { Device } from "../device.ts";
import type { AnyDriver } from "../driver.ts";
import type { UsbError } from "../errors.ts";
import type { DevicePort } from "../port.ts";
import { GuardedPort } from "./guarded_port.ts";
import { type ContextParts, HandlerContext } from "./handler_context.ts";
import { Inputs } from "./inputs.ts";
import type { SessionState } from "./session_state.ts";
import type { Telemetry } from "./telemetry.ts";

/** What exists once the device is open. */
export interface Assembly {
  readonly port: DevicePort;
  readonly guard: GuardedPort;
  readonly context: HandlerContext;
  readonly inputs: Inputs;
  /** The driver's. */
  readonly state: unknown;
  /** From the loop's clock to that of the port, which stamps reports. */
  readonly clockOffsetMs: number;
}

/** What it is made of, besides the device. */
export interface AssemblyParts
  extends Omit<ContextParts, "device" | "inputNamed"> {
  readonly driver: AnyDriver;
  readonly state: unknown;
  readonly telemetry: Telemetry;
  readonly sessionState: () => SessionState;
  readonly gone: () => void;
  readonly reset: (error: UsbError) => void;
  readonly fail: (error: unknown) => void;
}

/** Puts it together. Opens and reads nothing. */
export function assemble(port: DevicePort, parts: AssemblyParts): Assembly {
  const { driver, loop, clock, state, telemetry } = parts;
  const nowMs = (): number => clock.nowMs();
  const guard = new GuardedPort(port, {
    requests: driver.requests ?? [],
    signal: () => loop.signal,
    nowMs,
    telemetry,
    onGone: parts.gone,
    journal: parts.journal,
  });
  const inputs = new Inputs({
    driver,
    port,
    loop,
    mailbox: parts.mailbox,
    matcher: parts.matcher,
    journal: parts.journal,
    telemetry,
    nowMs,
    log: parts.log,
    gone: parts.gone,
    reset: parts.reset,
    giveUp: parts.fail,
  });
  const context = new HandlerContext({
    ...parts,
    device: new Device(guard, parts.sessionState),
    inputNamed: (name) => inputs.named(name),
  });
  const clockOffsetMs = port.nowMs() - nowMs();
  return { port, guard, context, inputs, state, clockOffsetMs };
}
