/**
 * The states of a supervised driver and the table of what may follow what. A
 * transition that is not in it is a bug of ours and asserted.
 *
 * @module
 */

/** Where a supervised driver is. Label values of metrics, so the set is closed. */
export type DriverState =
  /** Not wanted. */
  | "stopped"
  /** Wanted, and no device of its is on the bus: no failure. */
  | "waiting-device"
  /** Its process runs and has not said READY. */
  | "starting"
  /** It serves. */
  | "ready"
  /** It was told to stop or was killed, or its device is being made safe. */
  | "stopping"
  /** Waiting for the next attempt. */
  | "backoff"
  /** Too many failures: rare attempts. */
  | "quarantined"
  /** No retry helps: somebody has to change something. */
  | "failed"
  /** Killed and still there: in the kernel, uninterruptible. No second is started. */
  | "unkillable";

/** Every state, in the order of a driver's life. */
export const DRIVER_STATES: readonly DriverState[] = [
  "stopped",
  "waiting-device",
  "starting",
  "ready",
  "stopping",
  "backoff",
  "quarantined",
  "failed",
  "unkillable",
];

/** What may follow. A killed process passes through `stopping`, so its end leads from there wherever an end leads. */
export const NEXT_STATES: Readonly<
  Record<DriverState, readonly DriverState[]>
> = {
  "stopped": ["waiting-device", "starting"],
  "waiting-device": ["starting", "failed", "stopped"],
  "starting": ["ready", "stopping", "backoff", "waiting-device", "failed"],
  "ready": ["stopping", "backoff", "waiting-device", "failed"],
  "stopping": ["stopped", "backoff", "waiting-device", "failed", "unkillable"],
  "backoff": ["starting", "quarantined", "waiting-device", "stopped"],
  "quarantined": ["starting", "waiting-device", "stopped"],
  "failed": ["stopped", "starting"],
  "unkillable": ["backoff", "stopped", "failed"],
};

/** A change of state, as it is logged and told. */
export interface Transition {
  readonly from: DriverState;
  readonly to: DriverState;
  readonly cause: string | undefined;
  /** Wall clock. */
  readonly atMs: number;
}
