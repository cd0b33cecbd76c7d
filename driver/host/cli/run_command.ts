/**
 * `driverspace run`: one driver with one device, until Ctrl-C.
 *
 * @module
 */

import type { DriverProcessEnd } from "../driver_process.ts";
import { DriverRunner, type RunnerOutcome } from "../driver_runner.ts";
import { keepRotated } from "../log_rotation.ts";
import { parseRefusal } from "../sandbox_policy_failures.ts";
import type { Command, CommandCall } from "./command.ts";
import {
  CliError,
  EXIT,
  type ExitCode,
  exitCodeOfClass,
  exitCodeOfRefusal,
  exitCodeOfUsbError,
  isUsbErrorCode,
} from "./exit_codes.ts";
import { Interrupts } from "./interrupts.ts";
import { openRunLog, type RunLog } from "./run_log.ts";
import { RunCrashes } from "./run_crashes.ts";
import { type RunOutput, runOutput, tellFailure } from "./run_output.ts";
import {
  absentError,
  DRIVER_FLAGS,
  planRun,
  type RunPlan,
  startLimit,
} from "./run_plan.ts";
import { type StartedRun, startRun } from "./run_start.ts";
import { RunStatus } from "./run_status.ts";
import { parseDuration } from "./text.ts";

/** The command. */
export const runCommand: Command = {
  name: "run",
  summary: "Run a driver with a device, sandboxed, until Ctrl-C",
  usage:
    "DRIVER (--device VID:PID[:SERIAL|@PORT] | --virtual NAME) [--log PATH]",
  details: "DRIVER is a name (driverspace drivers) or a path such as " +
    "./my_driver.ts. The driver runs in a process of its own that holds one " +
    "device and one log, follows the device over unplug and replug, and is " +
    "started again when it fails. Ctrl-C stops in order: safe state, drain, " +
    "release; a second Ctrl-C kills.",
  flags: {
    ...DRIVER_FLAGS,
    "log": {
      description: "Write structured lines here; default: our own folder",
      value: "PATH",
    },
    "log-level": {
      description: "debug, info (default), warn or error",
      value: "LEVEL",
    },
    "for": {
      description: "Stop after this time: 500ms, 12s, 5m",
      value: "TIME",
    },
    "wait": { description: "Wait for the device instead of ending without it" },
    "record-payloads": {
      description: "Crash bundles hold every byte of the device, for replay",
    },
    "json": { description: "One JSON object per event" },
    "allow-excess-permissions": {
      description: "With --direct: start even if the runtime grants too much",
    },
  },
  examples: [
    "driverspace run usbtmc --virtual multimeter --for 10s",
    "driverspace run usbtmc --device 0957:1755 --log dmm.log",
    "driverspace run usbtmc --device 0957:1755 --set poll=READ? --json",
    "driverspace run ./my_driver.ts --device 046d:c077 --direct",
  ],
  positionals: [1, 1],
  run,
};

/** With `--json` a failure is told where a machine reads, and on stderr for people. */
async function run(call: CommandCall): Promise<ExitCode> {
  try {
    return await follow(call);
  } catch (error) {
    if (call.has("json")) tellFailure(call.io, error);
    throw error;
  }
}

async function follow(call: CommandCall): Promise<ExitCode> {
  const { io } = call;
  const forMs = durationOf(call);
  const logLevel = logLevelOf(call);
  const plan = await planRun(call, { takesSuggestions: true });
  const name = plan.driver.manifest.name;
  const status = new RunStatus(name);
  const output = runOutput(io, status, { isJson: call.has("json") });
  await using started = await startRun(plan, call.toolbox, {
    clock: io.clock,
    allowExcess: call.has("allow-excess-permissions"),
    ...(logLevel === undefined ? {} : { logLevel }),
    ...(call.has("record-payloads") ? { journal: "full" as const } : {}),
  });
  using log = openRunLog(plan, io.clock);
  await using crashes = new RunCrashes({
    plan,
    clock: io.clock,
    version: call.toolbox.version,
    say: (text) => output.say(text),
  });
  announce({ plan, call, started, output });
  if (started.warning !== undefined) log.warning(started.warning);
  const runner = makeRunner({
    plan,
    call,
    started,
    status,
    output,
    log,
    crashes,
  });
  const rotation = keepRotated(plan.logPath, { clock: io.clock });
  const timer = forMs === undefined
    ? undefined
    : io.clock.setTimer(forMs, () => runner.stop("The time is over"));
  const ignoreSignals = io.onInterrupt(
    interrupt(runner, output, new Interrupts(io.clock)),
  );
  try {
    const outcome = await runner.run();
    await crashes[Symbol.asyncDispose]();
    output.close();
    return conclude(outcome, plan);
  } finally {
    ignoreSignals();
    timer?.cancel();
    rotation.stop();
  }
}

interface RunnerParts {
  readonly plan: RunPlan;
  readonly call: CommandCall;
  readonly started: StartedRun;
  readonly status: RunStatus;
  readonly output: RunOutput;
  readonly log: RunLog;
  readonly crashes: RunCrashes;
}

function makeRunner(parts: RunnerParts): DriverRunner {
  const { plan, call, started, status, output, log, crashes } = parts;
  const { clock, random } = call.io;
  return new DriverRunner({
    clock,
    random,
    find: async () => {
      const device = await started.find();
      if (device !== undefined) log.device(device);
      return device;
    },
    spawn: (device) => {
      crashes.device = device;
      return started.spawn(device);
    },
    refusal: (ready) => started.refusal(ready),
    makeSafe: started.makeSafe,
    onSafeState: (outcome) => {
      log.safeState(outcome);
      output.safeState(outcome);
    },
    isPatient: call.has("wait"),
    process: startLimit(plan),
    onState: (state, cause) => {
      status.state = state;
      status.cause = cause;
      if (state === "starting") status.starts++;
      log.state(state, cause);
      crashes.state(state, cause);
      output.state(state, cause);
    },
    onFrame: (frame) => {
      status.take(frame, clock.nowMs());
      crashes.frame(frame);
      output.frame(frame);
    },
    onEnd: (end) => {
      status.ended();
      log.end(end);
      output.end(end);
      crashes.end(end);
    },
  });
}

/** First in order, then by force. */
function interrupt(
  runner: DriverRunner,
  output: RunOutput,
  interrupts: Interrupts,
): () => void {
  return () => {
    switch (interrupts.next()) {
      case "stop":
        output.say("Stopping: safe state, drain, release. Ctrl-C again kills.");
        return runner.stop("Ctrl-C");
      case "kill":
        return runner.kill();
    }
  };
}

function announce(
  { plan, call, started, output }: Pick<
    RunnerParts,
    "plan" | "call" | "started" | "output"
  >,
): void {
  const { manifest } = plan.driver;
  const options = Object.entries(plan.options)
    .map(([name, value]) => ` ${name}=${value}`).join("");
  output.say(`driver ${manifest.name}:${options || " default options"}`);
  const how = started.isDirect ? "NOT CONFINED:" : "confined by";
  output.say(`${how} ${started.confinement}`);
  if (started.warning !== undefined) output.say(started.warning);
  output.say(`log ${plan.logPath}`);
  if (call.has("record-payloads")) {
    output.say(
      "RECORDING every byte of the device: a crash bundle will hold what it " +
        "sends and is sent, and its serial number",
    );
  }
}

function conclude(outcome: RunnerOutcome, plan: RunPlan): ExitCode {
  const { kind, end } = outcome;
  if (kind === "stopped") return EXIT.done;
  if (kind === "absent" || end === undefined) throw absentError(plan.choice);
  throw endError(plan.driver.manifest.name, end);
}

/** The sentence and the code for a driver that ended for good. */
export function endError(name: string, end: DriverProcessEnd): CliError {
  const refusal = parseRefusal(end.stderrTail);
  const code = end.failure?.code;
  const exitCode = refusal !== undefined
    ? exitCodeOfRefusal(refusal.refusal)
    : code !== undefined && isUsbErrorCode(code)
    ? exitCodeOfUsbError(code)
    : exitCodeOfClass(end.exitClass);
  const message = refusal?.message ?? end.message;
  const isSilent = end.failure === undefined && refusal === undefined;
  const tail = isSilent ? lastLines(end.stderrTail) : undefined;
  const how = end.signal === undefined ? "" : `, ${end.signal}`;
  // What kept it from starting says all there is to say.
  const isPlain = !end.wasReady && !isSilent;
  const sentence = isPlain
    ? message
    : `Driver ${name} ended (${end.exitClass}${how}): ${message}`;
  return new CliError(exitCode, sentence, tail);
}

/** What a process that could not explain itself said last. */
function lastLines(text: string): string | undefined {
  const lines = text.trim().split("\n").slice(-5).join("\n");
  return lines === "" ? undefined : lines;
}

function durationOf(call: CommandCall): number | undefined {
  const text = call.value("for");
  return text === undefined ? undefined : parseDuration(text, "for");
}

const LEVELS = ["debug", "info", "warn", "error"] as const;

function logLevelOf(call: CommandCall): (typeof LEVELS)[number] | undefined {
  const text = call.value("log-level");
  if (text === undefined) return undefined;
  const found = LEVELS.find((level) => level === text);
  if (found !== undefined) return found;
  throw new CliError(
    EXIT.usage,
    `There is no log level ${JSON.stringify(text)}: ${LEVELS.join(", ")}`,
  );
}
