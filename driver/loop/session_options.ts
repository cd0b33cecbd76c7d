/**
 * What a session is given, and what it tells.
 *
 * @module
 */

import type { AnyDriver, DriverLog, Json } from "../driver.ts";
import type { DeviceInfo, DevicePort, UsbPort } from "../port.ts";
import type { Random } from "./chance.ts";
import type { Clock } from "./clock.ts";
import type { CommandCounters } from "./commands.ts";
import type { TransferCounters } from "./guarded_port.ts";
import type { EmitEvent, EventCounters } from "./handler_context.ts";
import type { InputReport } from "./inputs.ts";
import type { JournalOptions } from "./journal.ts";
import type { LaneDepths, LaneRefusals } from "./messages.ts";
import type { SessionState } from "./session_state.ts";

/** What a session is made of. */
export interface SessionOptions {
  /** What to run. */
  readonly driver: AnyDriver;
  /** An open device; the session closes it. Else `port` must be given. */
  readonly device?: DevicePort;
  /** Where to open a device from. */
  readonly port?: UsbPort;
  /** Which one; default: the one device on the port that the driver matches. */
  readonly deviceInfo?: DeviceInfo;
  /** Time. */
  readonly clock: Clock;
  /** Chance. */
  readonly random: Random;
  /** Where lines of the log go. */
  readonly log: DriverLog;
  /** Takes the driver's events; `false` drops one, which is counted. */
  readonly emit: EmitEvent;
  /** Lets the host's timers, signals and I/O run; a macrotask. */
  readonly yieldTurn: () => Promise<void>;
  /** Options of the driver, unchecked. */
  readonly options?: Json;
  /** Takes each heartbeat. */
  readonly heartbeat?: (beat: Heartbeat) => void;
  /** Told of every transition. */
  readonly stateChanged?: (from: SessionState, to: SessionState) => void;
  /** How much the journal keeps. */
  readonly journal?: JournalOptions;
}

/** Sent by the loop itself, so it proves that the loop turns. */
export interface Heartbeat {
  /** From 0, one more with each. */
  readonly sequence: number;
  /** Where in its life the driver is. */
  readonly state: SessionState;
  /** Resets of the device so far. */
  readonly epoch: number;
  /** How late this beat is: what the loop was kept from turning. */
  readonly lagMs: number;
  /** Messages waiting. */
  readonly depths: LaneDepths;
  /** Transfers with the device, inputs included. */
  readonly transfersInFlight: number;
  /** Since a transfer or report last came; `null` before the first. */
  readonly lastTransferAgeMs: number | null;
  /** The handler at work, if one is. */
  readonly busyWith: string | null;
}

/** Where everything is that a session ever took in hand. */
export interface SessionCounters {
  /** Standing inputs by name. */
  readonly inputs: Readonly<Record<string, InputReport>>;
  /** The driver's own transfers. */
  readonly transfers: Readonly<TransferCounters>;
  /** Commands. */
  readonly commands: Readonly<CommandCounters> & { readonly waiting: number };
  /** Events told to the outside. */
  readonly events: Readonly<EventCounters>;
  /** Messages refused by full lanes. */
  readonly refusals: LaneRefusals;
  /** Resets of the device, plus one when stopping. */
  readonly epoch: number;
  /** Handlers that settled after they were given up. */
  readonly lateSettlements: number;
  /** Times the loop yielded with its budget spent. */
  readonly turns: number;
}
