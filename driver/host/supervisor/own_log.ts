/**
 * The supervisor's own log: prepared, rotated by size, opened anew when told.
 *
 * @module
 */

import type { Clock } from "../../loop/clock.ts";
import { Log } from "../log.ts";
import type { Redactor } from "../log_redaction.ts";
import {
  keepOwnRotated,
  prepareLogFile,
  renewOwnLog,
} from "../log_rotation.ts";
import { newRunId } from "../log_run.ts";
import { FileSink } from "../log_sink.ts";

/** What it is made of. */
export interface OwnLogOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly path: string;
  /** Id of this boot of the system. */
  readonly boot: string;
  readonly redactor: Redactor;
}

/** A log of this process. */
export interface OwnLog extends Disposable {
  readonly log: Log;
  /** Opens another file if somebody moved this one, as programs that rotate logs do. */
  renew(): void;
}

/**
 * Opens it.
 *
 * @throws {LogFileError} With one sentence.
 */
export function openOwnLog(options: OwnLogOptions): OwnLog {
  const { clock, random, path, boot, redactor } = options;
  prepareLogFile(path);
  const sink = new FileSink(path, { syncsAside: true });
  // Lines about a driver name it; the others are of the supervisor itself.
  const base = {
    instance: "supervisor",
    run: newRunId(random),
    pid: Deno.pid,
    boot,
  };
  const log = new Log({ sink, clock, base, redactor });
  const tell = (error: unknown): void =>
    log.write("error", "log.not_rotated", `Cannot rotate the log: ${error}`);
  const rotation = keepOwnRotated(sink, {
    clock,
    isTorn: () => log.isTorn,
    onFailure: tell,
  });
  return {
    log,
    renew: () => {
      try {
        // A line that is there in part is completed first; the next look renews.
        if (!log.isTorn) renewOwnLog(sink);
      } catch (error) {
        tell(error);
      }
    },
    [Symbol.dispose]: () => {
      rotation.stop();
      log.close();
      sink[Symbol.dispose]();
    },
  };
}
