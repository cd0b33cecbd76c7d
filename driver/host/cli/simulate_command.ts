/**
 * `driverspace simulate`: any libusb program on virtual devices.
 *
 * @module
 */

import type { ClientProcess } from "../client_process.ts";
import { noBus } from "./bus_choice.ts";
import { type Command, type CommandCall, usageError } from "./command.ts";
import { CliError, EXIT, type ExitCode } from "./exit_codes.ts";
import { checkVirtualName } from "./run_plan.ts";
import { suggestion } from "./suggest.ts";
import { harmless } from "./text.ts";
import type { BusTransport, RunningBus } from "./toolbox.ts";

/** The command. */
export const simulateCommand: Command = {
  name: "simulate",
  summary: "Run any libusb program on virtual devices",
  usage: "DEVICE[,DEVICE...] [--transport preload|notify] -- COMMAND...",
  details: "The program sees a bus with these devices and no others, on its " +
    "own standard streams; its exit code is passed on. preload needs umockdev " +
    "and reaches programs that call the C library dynamically; notify needs " +
    "user namespaces and reaches all.",
  flags: {
    transport: {
      description: "preload or notify; default: preload where it can be had",
      value: "NAME",
    },
  },
  examples: [
    "driverspace simulate multimeter -- lsusb -v",
    "driverspace simulate multimeter,loopback -- python3 my_test.py",
    "driverspace simulate mouse --transport notify -- ./static_program",
  ],
  positionals: [1, 1],
  takesCommand: true,
  run: simulate,
};

async function simulate(call: CommandCall): Promise<ExitCode> {
  const { positionals, command, toolbox, io } = call;
  const names = (positionals[0] ?? "").split(",").filter((name) => name !== "");
  if (names.length === 0) throw usageError(simulateCommand, "Which devices?");
  for (const name of names) checkVirtualName(toolbox, name);
  if (command.length === 0) {
    throw usageError(simulateCommand, "Which program? Give it behind --");
  }
  const transport = chooseTransport(call) ?? await bestTransport(call);
  await using bus = await toolbox.startBus(names, transport);
  const client = await spawn(bus, command);
  const ignoreSignals = io.onInterrupt(() => {
    // A terminal sends its signal to the program as well.
    if (!io.isTerminal) client.kill("SIGTERM");
  });
  const { code } = await client.status;
  ignoreSignals();
  return code as ExitCode;
}

const TRANSPORTS: readonly BusTransport[] = ["preload", "notify"];

function chooseTransport(call: CommandCall): BusTransport | undefined {
  const text = call.value("transport");
  if (text === undefined) return undefined;
  const found = TRANSPORTS.find((name) => name === text);
  if (found !== undefined) return found;
  throw usageError(
    simulateCommand,
    `There is no transport ${JSON.stringify(harmless(text, 40))}.${
      suggestion(text, TRANSPORTS)
    }`,
  );
}

async function bestTransport(call: CommandCall): Promise<BusTransport> {
  const { transports } = await call.toolbox.sandboxFacts();
  if (transports.preload === "") return "preload";
  if (transports.notify === "") return "notify";
  throw noBus(`${transports.preload} ${transports.notify}`);
}

async function spawn(
  bus: RunningBus,
  command: readonly string[],
): Promise<ClientProcess> {
  try {
    return await bus.spawn(command, { stdio: "inherit" });
  } catch (error) {
    const program = JSON.stringify(harmless(command[0] ?? "", 200));
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new CliError(
        EXIT.cannotExecute,
        `Cannot run ${program}: permission denied`,
        "Name a program, or give the file its right: chmod +x",
      );
    }
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new CliError(
      EXIT.noProgram,
      `There is no program ${program}`,
      "Install it, or give its path behind --",
    );
  }
}
