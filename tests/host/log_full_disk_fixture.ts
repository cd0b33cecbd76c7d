/**
 * Logs onto a small disk until it is full, goes on, and makes room in the end.
 *
 *     log_full_disk_fixture.ts FOLDER
 *
 * One JSON line: the counters, and what a read-only place says.
 */

import { Log } from "../../driver/host/log.ts";
import {
  LogFileError,
  prepareLogFile,
} from "../../driver/host/log_rotation.ts";
import { FileSink } from "../../driver/host/log_sink.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";

const [folder = ""] = Deno.args;
const clock = new VirtualClock();
using sink = new FileSink(`${folder}/a.log`);
Deno.writeFileSync(`${folder}/ballast`, new Uint8Array(32 * 1024));
const log = new Log({ sink, clock, base: { run: "r" }, capacity: 50 });
for (let number = 0; number < 1_000; number++) {
  log.record(number % 50 === 0 ? "error" : "info", "fill", `line ${number}`);
  if (number % 100 === 0) await clock.advance(1_000);
}
const whileFull = log.counters;
Deno.removeSync(`${folder}/ballast`);
await clock.advance(60_000);
log.record("info", "end", "the end");
log.close();

/** A mount of the outer script's, which nothing can be written to. */
function refusal(): string {
  try {
    prepareLogFile(`${folder}/read_only/a.log`);
    return "";
  } catch (error) {
    if (error instanceof LogFileError) return error.message;
    throw error;
  }
}

console.log(JSON.stringify({
  whileFull,
  after: log.counters,
  refusal: refusal(),
  text: Deno.readTextFileSync(`${folder}/a.log`),
}));
