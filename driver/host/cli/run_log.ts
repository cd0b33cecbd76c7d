/**
 * The host's own lines in a driver's log: states, restarts and ends, which a
 * dead driver cannot write.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import type { Clock } from "../../loop/clock.ts";
import type { DeviceSelector } from "../../match.ts";
import type { DeviceInfo } from "../../port.ts";
import type { DriverProcessEnd } from "../driver_process.ts";
import type { RunnerState } from "../driver_runner.ts";
import { deviceIds } from "../driver_words.ts";
import { Log } from "../log.ts";
import { newRunId } from "../log_run.ts";
import { FileSink } from "../log_sink.ts";
import type { SafeStateOutcome } from "../safe_state_after_end.ts";
import { describeSafeState } from "../safe_state_frame.ts";
import type { RunPlan } from "./run_plan.ts";
import { bootId } from "./run_start.ts";

/** Lines of the host. */
export interface RunLog extends Disposable {
  /** Names the device in every later line. */
  device(device: DeviceInfo): void;
  /** What whoever reads the log must know of the sandbox. */
  warning(text: string): void;
  state(state: RunnerState, cause: string | undefined): void;
  end(end: DriverProcessEnd): void;
  safeState(outcome: SafeStateOutcome): void;
}

/** Opens the host's end of a plan's log. Each line is one append, so two writers do not mix. */
export function openRunLog(plan: RunPlan, clock: Clock): RunLog {
  const file = new FileSink(plan.logPath, { syncsAside: true });
  const log = new Log({
    sink: file,
    clock,
    base: {
      driver: plan.driver.manifest.name,
      instance: "host",
      run: newRunId(Math.random),
      pid: Deno.pid,
      boot: bootId(),
      ...(plan.choice.kind === "device"
        ? { dev: idsOf(plan.choice.selector) }
        : {}),
    },
  });
  return {
    device: (device) =>
      log.addBase({ dev: deviceIds(device, device.nodePath ?? "") }),
    warning: (text) => log.record("warn", "host.sandbox", text),
    state: (state, cause) =>
      log.record("info", "host.state", cause ?? state, { state }),
    end: (end) => {
      const { exitClass, code, signal, message, failure } = end;
      log.record(
        exitClass === "clean" ? "info" : "error",
        "host.driver_ended",
        message,
        {
          class: exitClass,
          exit_code: code,
          ...(signal === undefined ? {} : { signal }),
          ...(failure === undefined
            ? {}
            : { err: { class: exitClass, code: failure.code } }),
        },
      );
    },
    safeState: (outcome) => {
      const { result, by, reason } = outcome;
      log.record(
        result === "failed" ? "error" : "info",
        "host.safe_state",
        `Safe state: ${describeSafeState(outcome)}`,
        { result, by, ...(reason === undefined ? {} : { reason }) },
      );
    },
    [Symbol.dispose]: () => {
      log.close();
      file[Symbol.dispose]();
    },
  };
}

/** What is known of a device that is not there yet. */
function idsOf(selector: DeviceSelector): Record<string, Json> {
  const { vendorId, productId, portPath } = selector;
  const id = (value: number): string => value.toString(16).padStart(4, "0");
  return {
    vid: id(vendorId),
    pid: id(productId),
    ...(portPath === undefined ? {} : { path: portPath }),
  };
}
