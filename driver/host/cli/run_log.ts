/**
 * The host's own lines in a driver's log: states, restarts and ends, which a
 * dead driver cannot write.
 *
 * @module
 */

import type { Clock } from "../../loop/clock.ts";
import type { DriverProcessEnd } from "../driver_process.ts";
import type { RunnerState } from "../driver_runner.ts";
import { Log } from "../log.ts";
import { FileSink } from "../log_sink.ts";
import type { RunPlan } from "./run_plan.ts";
import { bootId } from "./run_start.ts";

/** Lines of the host. */
export interface RunLog extends Disposable {
  state(state: RunnerState, cause: string | undefined): void;
  end(end: DriverProcessEnd): void;
}

/** Opens the host's end of a plan's log. Each line is one append, so two writers do not mix. */
export function openRunLog(plan: RunPlan, clock: Clock): RunLog {
  const file = new FileSink(plan.logPath);
  const log = new Log({
    sink: file,
    clock,
    base: {
      driver: plan.driver.manifest.name,
      instance: "host",
      pid: Deno.pid,
      boot: bootId(),
    },
  });
  return {
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
    [Symbol.dispose]: () => {
      log.close();
      file[Symbol.dispose]();
    },
  };
}
