/** A driver that tells when each report came, and its session, as a driver process has one. */

import { type AnyDriver, defineDriver } from "../../driver/driver.ts";
import { systemClock } from "../../driver/host/system_clock.ts";
import { Session } from "../../driver/loop/session.ts";
import type { SessionOptions } from "../../driver/loop/session_options.ts";

/** Told of each report: when the fake device completed it. */
export type OnReport = (stampNs: number) => void;

/** Emits one event for each report, with the report's stamp. */
export function probeDriver(onReport: OnReport): AnyDriver {
  return defineDriver<undefined, { report: { stampNs: number } }>({
    name: "probe",
    description: "Tells when each report came",
    match: [{ vendorId: 0x1209 }],
    interfaces: [{ interfaceClass: 0xff }],
    init: () => undefined,
    inputs: [{
      endpoint: { type: "interrupt", direction: "in" },
      transfersInFlight: 4,
      handle(_state, { data }, context): void {
        const view = new DataView(data.buffer, data.byteOffset);
        const stampNs = view.getUint32(8, true) +
          view.getUint32(12, true) * 2 ** 32;
        onReport(stampNs);
        context.emit("report", { stampNs });
      },
    }],
  });
}

/** What a session needs besides the machine's time and chance. */
export type ProbeParts =
  & Required<Pick<SessionOptions, "driver" | "port" | "deviceInfo" | "emit">>
  & Pick<SessionOptions, "heartbeat" | "journal">;

/** Not started. */
export function probeSession(parts: ProbeParts): Session {
  return new Session({
    ...parts,
    clock: systemClock(),
    random: Math.random,
    log: () => {},
    yieldTurn: () => new Promise((resolve) => void setImmediate(resolve)),
  });
}
