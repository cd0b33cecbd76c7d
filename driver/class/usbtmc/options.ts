/**
 * What the client can be told: how to talk to an instrument, and the limits of
 * one operation.
 *
 * @module
 */

import type { UsbError } from "../../errors.ts";
import type { UsbtmcTime } from "./link.ts";
import type { UsbtmcQuirks } from "./quirks.ts";
import type { RecoveryStep } from "./recovery.ts";
import type {
  NotificationSource,
  ServiceRequestHandler,
} from "./status_bytes.ts";

/** How to talk to an instrument. */
export interface UsbtmcOptions {
  /** A driver's context, or `timeOf(clock)`. */
  readonly time: UsbtmcTime;
  /** `bInterfaceNumber`; default the first USBTMC interface. */
  readonly interfaceNumber?: number;
  /** Default: what the table knows of the device. */
  readonly quirks?: UsbtmcQuirks;
  /** Who reads the interrupt endpoint. Default `onDemand`. */
  readonly notifications?: NotificationSource;
  /** Called with the status byte of each service request. */
  readonly onServiceRequest?: ServiceRequestHandler;
  /** Called after the client got back into step, or failed to. */
  readonly onRecovery?: (recovery: Recovery) => void;
  /** Whether the device is cleared at open; default yes, as every driver does. */
  readonly clearAtOpen?: boolean;
}

/** What a recovery did. */
export interface Recovery {
  /** The failure that made it necessary. */
  readonly cause: UsbError;
  /** How far it had to go; `failed` when nothing helped: the next message tries again. */
  readonly step: RecoveryStep | "failed";
}

/** Limits of one operation. */
export interface UsbtmcCallOptions {
  /** Time limit of each bulk transfer; default MESSAGE_TIMEOUT_MS. */
  readonly timeoutMs?: number;
  /** Cancels it; the client gets back into step before the next operation. */
  readonly signal?: AbortSignal;
}

/** What to read. */
export interface UsbtmcReadOptions extends UsbtmcCallOptions {
  /** The most to read of one message; default MAX_TEXT_BYTES. */
  readonly maxBytes?: number;
}
