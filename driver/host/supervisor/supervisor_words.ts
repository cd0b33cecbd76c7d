/**
 * What a supervisor takes from whoever puts the program together.
 *
 * @module
 */

import type { DeviceInfo } from "../../port.ts";
import type { ClientProcess } from "../client_process.ts";
import type { DriverProcessOptions } from "../driver_process.ts";
import type { Log } from "../log.ts";
import type { DriverManifest } from "../manifest.ts";
import type { MakeSafe } from "../safe_state_after_end.ts";
import type { StandbyWays } from "./standby.ts";

/** Where a supervisor logs: its own file, never a driver's. */
export type SupervisorLog = Pick<Log, "write" | "record">;

/** A driver that can be started. */
export interface PreparedDriver {
  readonly manifest: DriverManifest;
  /** File of its log, absolute, where it keeps one. */
  readonly logPath?: string;
  /** Makes the log survive a power cut, beside the loop. Never rejects. */
  readonly syncLog?: () => Promise<void>;
  /** Why its log is not kept as it should be, if so. */
  readonly logProblem?: () => string | undefined;
  /** Its own bus, where its device is virtual. */
  readonly devices?: () => Promise<readonly DeviceInfo[]>;
  /** As `SupervisedDriverOptions.spawn`. */
  readonly spawn: (device: DeviceInfo) => Promise<ClientProcess>;
  /** `undefined`: it declares no safe state. */
  readonly makeSafe?: MakeSafe | undefined;
  /** `undefined`: it is to have no standby, or can have none. */
  readonly standby?: StandbyWays | undefined;
  readonly refusal?: DriverProcessOptions["refusal"];
  /** Gives back what was prepared, a virtual bus for instance. */
  readonly dispose?: () => Promise<void>;
}
