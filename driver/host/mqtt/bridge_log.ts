/**
 * What the bridge tells of itself, on standard error: it may write to no file.
 * For people at a terminal a sentence, else one JSON object a line, which the
 * journal keeps.
 *
 * @module
 */

import { harmless } from "../cli/text.ts";
import { Log, type LogSink } from "../log.ts";
import { systemClock } from "../system_clock.ts";

/** Makes the log of this process. */
export function bridgeLog(): Log {
  return new Log({
    sink: Deno.stderr.isTerminal() ? forPeople(STDERR) : STDERR,
    clock: systemClock(),
    base: { instance: "mqtt", pid: Deno.pid },
  });
}

/** Lines as sentences. */
export function forPeople(sink: LogSink): LogSink {
  return {
    write(line: Uint8Array): void {
      const { ts, level, msg } = JSON.parse(new TextDecoder().decode(line));
      const mark = level === "info" ? "" : `${level}: `;
      const text = `${ts.slice(11, 19)} ${mark}${harmless(msg, 2_000)}\n`;
      sink.write(new TextEncoder().encode(text));
    },
  };
}

const STDERR: LogSink = {
  write(line: Uint8Array): void {
    for (let done = 0; done < line.length;) {
      done += Deno.stderr.writeSync(line.subarray(done));
    }
  },
};
