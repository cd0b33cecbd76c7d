/**
 * What the USBTMC driver keeps and tells, and the options it is run with.
 *
 * @module
 */

import type { DriverContext, Parameters, ParameterSpec } from "../../driver.ts";
import { UsbError } from "../../errors.ts";
import { MESSAGE_TIMEOUT_MS } from "./bounds.ts";
import type { Identity } from "./scpi_answer.ts";
import { Usbtmc } from "./usbtmc.ts";

/** Events of the driver. A type, not an interface: events are open to any name. */
export type UsbtmcEvents = {
  /** One measured value; `null` for overload. `raw` is the answer's text for it. */
  reading: {
    readonly value: number | null;
    readonly unit: string;
    readonly raw: string;
  };
  /** The instrument asked for service. IEEE 488.2-1992, 11.2. */
  "service-request": { readonly statusByte: number };
  /** An entry of the instrument's error queue. */
  error: { readonly number: number; readonly message: string };
};

/** The context of this driver's handlers. */
export type UsbtmcContext = DriverContext<UsbtmcEvents>;

/** Name of the interrupt input. */
export const NOTIFICATION_INPUT = "notification";
/** Name of the poll timer. */
export const POLL_TIMER = "poll";

/** Options of a run, as data. */
export const OPTIONS = {
  "poll": {
    type: "string",
    maxLength: 1024,
    optional: true,
    description: "SCPI command sent at each interval, for example READ?",
  },
  "poll-interval-ms": {
    type: "integer",
    minimum: 10,
    maximum: 86_400_000,
    optional: true,
    description: "Time between polls; default 1000",
  },
  "service-request": {
    type: "boolean",
    optional: true,
    description:
      "Let the instrument say when a poll is done, by a service request",
  },
  "fetch": {
    type: "string",
    maxLength: 1024,
    optional: true,
    description:
      "Query that fetches what a poll without a question mark has measured; default FETCh?",
  },
  "unit": {
    type: "string",
    maxLength: 16,
    optional: true,
    description: "Unit of the readings; default by what the poll measures",
  },
  "timeout-ms": {
    type: "integer",
    minimum: 10,
    maximum: 8_000,
    optional: true,
    description: `Time limit of a transfer; default ${MESSAGE_TIMEOUT_MS}`,
  },
} as const satisfies Readonly<Record<string, ParameterSpec>>;

/** What the driver knows. */
export interface UsbtmcState {
  /** Sent at each interval; `undefined`: nothing is. */
  readonly poll: string | undefined;
  /** Time between polls. */
  readonly pollIntervalMs: number;
  /** The instrument says when a poll is done. */
  readonly usesServiceRequest: boolean;
  /** Query for what a poll without an answer has measured. */
  readonly fetch: string;
  /** Unit of the readings, where it is not the poll's. */
  readonly unit: string | undefined;
  /** Time limit of each transfer. */
  readonly timeoutMs: number;
  /** There from `start` on. */
  client: Usbtmc | undefined;
  /** Who the instrument says it is. */
  identity: Identity | undefined;
  /** When the poll was sent whose service request has not come; else `undefined`. */
  awaitingSinceMs: number | undefined;
  /** Polls and services that failed in a row. */
  failures: number;
}

/** The state before anything was asked. */
export function initialState(options: Parameters): UsbtmcState {
  return {
    poll: text(options["poll"])?.trim() || undefined,
    pollIntervalMs: integer(options["poll-interval-ms"]) ?? 1000,
    usesServiceRequest: options["service-request"] === true,
    fetch: text(options["fetch"]) ?? "FETCh?",
    unit: text(options["unit"]),
    timeoutMs: integer(options["timeout-ms"]) ?? MESSAGE_TIMEOUT_MS,
    client: undefined,
    identity: undefined,
    awaitingSinceMs: undefined,
    failures: 0,
  };
}

/** Opens the client on a driver's context: its device, its time, its notifications. */
export async function openClient(context: UsbtmcContext): Promise<Usbtmc> {
  return await Usbtmc.open(context.device, {
    time: {
      nowMs: () => context.nowMs(),
      sleep: (durationMs) => context.sleep(durationMs),
    },
    notifications: (take, options) =>
      context.receive(NOTIFICATION_INPUT, take, options),
    onRecovery: ({ cause, step }) =>
      context.log(
        step === "failed" ? "error" : "warn",
        "usbtmc.recovered",
        step === "failed"
          ? "Could not get back into step with the instrument"
          : `Back in step with the instrument after ${step}`,
        { step, code: cause.code, cause: cause.message },
      ),
  });
}

/**
 * The client of a started driver.
 *
 * @throws {UsbError} `state` before `start` is done.
 */
export function clientOf(state: UsbtmcState, context: UsbtmcContext): Usbtmc {
  if (state.client === undefined) {
    throw context.device.error(
      "state",
      "talk to the instrument",
      "the driver has not started",
    );
  }
  return state.client;
}

/** Whether a failure means the end of the driver: gone, no access, or no fault of the world. */
export function endsDriver(error: unknown): boolean {
  return !(error instanceof UsbError) || error.code === "noDevice" ||
    error.code === "access";
}

function text(value: Parameters[string]): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function integer(value: Parameters[string]): number | undefined {
  return typeof value === "number" ? value : undefined;
}
