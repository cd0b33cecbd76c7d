/**
 * `driverspace call`: one command of a driver, and its answer.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import { UsbError } from "../../errors.ts";
import { COMMAND_TIMEOUT_MS } from "../../limits.ts";
import type { DeviceInfo } from "../../port.ts";
import {
  CommandFailure,
  DriverProcess,
  type DriverProcessEnd,
} from "../driver_process.ts";
import type { DriverManifest } from "../manifest.ts";
import { parseParameters } from "../parameters.ts";
import { safeAfter } from "../safe_state_after_end.ts";
import { describeSafeState } from "../safe_state_frame.ts";
import type { Command, CommandCall } from "./command.ts";
import { describeCommand } from "./drivers_command.ts";
import {
  CliError,
  EXIT,
  type ExitCode,
  exitCodeOfUsbError,
  isUsbErrorCode,
} from "./exit_codes.ts";
import { endError } from "./run_command.ts";
import { openRunLog } from "./run_log.ts";
import {
  absentError,
  chooseDriver,
  DRIVER_FLAGS,
  parameterError,
  planRun,
  startLimit,
} from "./run_plan.ts";
import { type StartedRun, startRun } from "./run_start.ts";
import { suggestion } from "./suggest.ts";
import { harmless, harmlessLines, parseDuration } from "./text.ts";

/** The command. */
export const callCommand: Command = {
  name: "call",
  summary: "Have a driver carry out one command, and print its answer",
  usage: "DRIVER COMMAND [NAME=VALUE...] (--device VID:PID | --virtual NAME)",
  details: "Starts the driver as run does, sends the command, prints the " +
    "answer and stops. driverspace drivers shows the commands. A text that is " +
    "no command is sent as one where the driver has query and write: with a " +
    "question mark as a query, else as a write.",
  flags: {
    ...DRIVER_FLAGS,
    log: { description: "Write structured lines here", value: "PATH" },
    timeout: { description: "Wait this long for the answer", value: "TIME" },
    json: { description: "Print the answer as JSON" },
  },
  examples: [
    "driverspace call usbtmc '*IDN?' --virtual multimeter",
    "driverspace call usbtmc query command='MEAS:VOLT:DC?' --device 0957:1755",
    "driverspace call usbtmc read-status-byte --device 0957:1755 --json",
  ],
  positionals: [2, 32],
  run: call,
};

/** A command of a driver with its parameters, as the wire takes them. */
interface Request {
  readonly command: string;
  readonly params: Record<string, Json>;
  readonly timeoutMs: number;
}

async function call(given: CommandCall): Promise<ExitCode> {
  const { manifest } = await chooseDriver(
    given.toolbox,
    given.positionals[0] ?? "",
  );
  // Before anything is opened: what is wrong costs nothing.
  const request = readRequest(manifest, given);
  const answer = await ask(given, request);
  given.io.out(
    given.has("json") ? `${JSON.stringify(answer)}\n` : show(answer),
  );
  return EXIT.done;
}

async function ask(given: CommandCall, request: Request): Promise<Json> {
  const { io, toolbox } = given;
  const plan = await planRun(given, { takesSuggestions: false });
  await using started = await startRun(plan, toolbox, { clock: io.clock });
  if (started.warning !== undefined) {
    io.err(`${started.warning}\n`);
    using log = openRunLog(plan, io.clock);
    log.warning(started.warning);
  }
  const device = await started.find();
  if (device === undefined) throw absentError(plan.choice);
  const driver = new DriverProcess(await started.spawn(device), {
    clock: io.clock,
    onFrame: () => {},
    ...startLimit(plan),
    refusal: (ready) => started.refusal(ready),
  });
  const ignoreSignals = io.onInterrupt(() => driver.stop("Ctrl-C"));
  try {
    if (await driver.ready === undefined) {
      throw endError(plan.driver.manifest.name, await driver.ended);
    }
    return await carryOut(driver, request);
  } finally {
    driver.stop("The call is done");
    await leaveSafe(await driver.ended, { given, started, device });
    ignoreSignals();
  }
}

/** A driver that died with a command leaves its device as it was. */
async function leaveSafe(
  end: DriverProcessEnd,
  parts: {
    readonly given: CommandCall;
    readonly started: StartedRun;
    readonly device: DeviceInfo;
  },
): Promise<void> {
  const { given: { io }, started: { makeSafe }, device } = parts;
  if (makeSafe === undefined) return;
  const { clock } = io;
  const outcome = await safeAfter(end, { clock, make: () => makeSafe(device) });
  if (outcome?.result !== "failed") return;
  io.err(`Safe state ${harmless(describeSafeState(outcome), 2_000)}\n`);
}

async function carryOut(
  driver: DriverProcess,
  request: Request,
): Promise<Json> {
  const { command, params, timeoutMs } = request;
  try {
    return await driver.call(command, params, { timeoutMs });
  } catch (error) {
    if (error instanceof UsbError) throw error;
    if (!(error instanceof CommandFailure)) throw error;
    throw new CliError(codeOf(error.code), error.message);
  }
}

function codeOf(code: string): ExitCode {
  if (isUsbErrorCode(code)) return exitCodeOfUsbError(code);
  return code === "refused" ? EXIT.usage : EXIT.fault;
}

function readRequest(manifest: DriverManifest, given: CommandCall): Request {
  const [, name = "", ...texts] = given.positionals;
  const timeout = given.value("timeout");
  const limitMs = timeout === undefined
    ? undefined
    : parseDuration(timeout, "timeout");
  const command = manifest.commands[name];
  if (command === undefined || !Object.hasOwn(manifest.commands, name)) {
    return shortForm(manifest, { name, texts, limitMs });
  }
  try {
    return {
      command: name,
      params: parseParameters(command.params, texts, { what: name }),
      timeoutMs: limitMs ?? command.timeoutMs ?? COMMAND_TIMEOUT_MS,
    };
  } catch (error) {
    throw parameterError(error, EXIT.usage);
  }
}

/** `*IDN?` for `query command='*IDN?'`. */
function shortForm(
  manifest: DriverManifest,
  given: {
    readonly name: string;
    readonly texts: readonly string[];
    readonly limitMs: number | undefined;
  },
): Request {
  const { name, texts, limitMs } = given;
  const command = name.includes("?") ? "query" : "write";
  const parameter = textParameter(manifest, command);
  const isText = /[?*: ]/.test(name) && texts.length === 0;
  if (!isText || parameter === undefined) throw unknownCommand(manifest, name);
  return {
    command,
    params: { [parameter]: name },
    timeoutMs: limitMs ?? manifest.commands[command]?.timeoutMs ??
      COMMAND_TIMEOUT_MS,
  };
}

/** The one text that a command cannot do without. */
function textParameter(
  manifest: DriverManifest,
  command: string,
): string | undefined {
  const needed = Object.entries(manifest.commands[command]?.params ?? {})
    .filter(([, spec]) => spec.optional !== true);
  const [name, spec] = needed[0] ?? [];
  return needed.length === 1 && spec?.type === "string" ? name : undefined;
}

function unknownCommand(manifest: DriverManifest, name: string): CliError {
  const known = Object.keys(manifest.commands);
  const lines = Object.entries(manifest.commands).map(([key, command]) =>
    `  ${describeCommand(key, command)}`
  );
  return new CliError(
    EXIT.usage,
    `Driver ${manifest.name} has no command ${
      JSON.stringify(harmless(name, 80))
    }.${suggestion(name, known)}`,
    ["Commands:", ...lines].join("\n"),
  );
}

function show(answer: Json): string {
  if (answer === null) return "";
  if (typeof answer === "string") return `${harmlessLines(answer.trimEnd())}\n`;
  return `${JSON.stringify(answer, undefined, 2)}\n`;
}
