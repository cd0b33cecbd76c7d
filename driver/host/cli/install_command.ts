/**
 * `driverspace install`: udev rules, user, service and configuration, shown
 * exactly before they are written, and taken back as they were written.
 *
 * @module
 */

import {
  type FileOnDisk,
  InstallDisk,
  InTheWayError,
} from "../install/install_disk.ts";
import {
  type PlannedCommand,
  removalCommands,
} from "../install/install_plan.ts";
import { InstalledError } from "../install/installed.ts";
import type { CliIo, Command, CommandCall } from "./command.ts";
import { usageError } from "./command.ts";
import { CliError, EXIT, type ExitCode } from "./exit_codes.ts";
import { planInstall } from "./install_options.ts";
import { type PlanToPrint, printPlan } from "./install_text.ts";
import { harmlessLines } from "./text.ts";

/** The command. */
export const installCommand: Command = {
  name: "install",
  summary: "Install the service: udev rules, user, unit, configuration",
  usage: "[CONFIG] [--dry-run] [--start] [--force] [--uninstall] [--root DIR]",
  details: "Without CONFIG it is /etc/driverspace/driverspace.toml, which is " +
    "begun with the devices that are plugged in. Writes each file whole or " +
    "not at all, none when one is in the way, and never over what somebody " +
    "changed; then puts them in force, and says how to start the service. " +
    "--uninstall removes what was written and is unchanged, and nothing else: " +
    "the user and what the service kept stay.",
  flags: {
    "dry-run": {
      description: "Show every file and command, and do nothing of it",
    },
    start: { description: "Also start the service, now and at every boot" },
    force: { description: "Also over files that were changed or are not ours" },
    uninstall: { description: "Remove what was installed" },
    root: {
      description: "Write below DIR and run nothing, for packages",
      value: "DIR",
    },
    program: {
      description: "Program of the service, default: this one",
      value: "PATH",
    },
    user: {
      description: "Who runs it, and group of the devices; default driverspace",
      value: "NAME",
    },
    seat: { description: "Devices also for whoever sits here (uaccess)" },
    json: { description: "With --dry-run: one JSON document" },
  },
  examples: [
    "driverspace install --dry-run",
    "sudo driverspace install /etc/driverspace/lab.toml --start",
    "driverspace install --root ./package --program /usr/bin/driverspace",
    "sudo driverspace install --uninstall",
  ],
  positionals: [0, 1],
  run: install,
};

/** Runs a command of a plan. An argument, so that tests put nothing in force. */
export type RunCommand = (line: readonly string[]) => Promise<boolean>;

/** What an installation reaches besides files. */
export interface InstallSurroundings {
  readonly run: RunCommand;
  /** Whether we may write below `/etc`. */
  readonly isRoot: boolean;
  /** Where this machine's `/` is. */
  readonly machine: string;
}

async function install(call: CommandCall): Promise<ExitCode> {
  return await installWith(call, {
    run: runInherited,
    isRoot: Deno.uid() === 0,
    machine: "",
  });
}

/** The command, in surroundings of the caller. */
export async function installWith(
  call: CommandCall,
  surroundings: InstallSurroundings,
): Promise<ExitCode> {
  checkFlags(call);
  const root = call.value("root");
  const disk = new InstallDisk(root ?? surroundings.machine);
  const mayWrite = root !== undefined || surroundings.isRoot;
  if (!mayWrite && !call.has("dry-run")) throw notRoot(call);
  try {
    return call.has("uninstall")
      ? await uninstall(call, disk, surroundings)
      : await putIn(call, disk, surroundings);
  } catch (error) {
    throw asCliError(error);
  }
}

async function putIn(
  call: CommandCall,
  disk: InstallDisk,
  { run }: InstallSurroundings,
): Promise<ExitCode> {
  const { io } = call;
  const { plan, notes } = await planInstall(call, disk);
  const files = await disk.look(plan);
  const obsolete = await disk.lookObsolete(plan);
  const isPackage = call.has("root");
  const shown: PlanToPrint = { plan, files, obsolete, notes, isPackage };
  if (call.has("dry-run")) {
    printPlan(io, shown, { isJson: call.has("json") });
    return isInTheWay(files) && !call.has("force") ? EXIT.failed : EXIT.done;
  }
  const { written, removed } = await disk.write(plan, {
    isForced: call.has("force"),
  });
  tellFiles(io, files, { written, removed });
  for (const note of notes) io.err(`driverspace: ${harmlessLines(note)}\n`);
  if (isPackage) return EXIT.done;
  const isInForce = await runAll(io, plan.commands, run);
  if (!call.has("start")) {
    if (!plan.isEmpty) io.out(`To start it: ${plan.start.line.join(" ")}\n`);
    return isInForce ? EXIT.done : EXIT.failed;
  }
  return await runAll(io, [plan.start], run) && isInForce
    ? EXIT.done
    : EXIT.failed;
}

async function uninstall(
  call: CommandCall,
  disk: InstallDisk,
  { run }: InstallSurroundings,
): Promise<ExitCode> {
  const { io } = call;
  const isForced = call.has("force");
  const files = await disk.lookInstalled();
  if (files.length === 0) {
    io.out("Nothing is installed\n");
    return EXIT.done;
  }
  const kept = files.filter(({ state, isSample }) =>
    state === "changed" && (isSample || !isForced)
  );
  const going = files.filter((file) =>
    file.state !== "gone" && !kept.includes(file)
  );
  const isPackage = call.has("root");
  const { before, after } = isPackage
    ? { before: [], after: [] }
    : removalCommands(going.map(({ path }) => path));
  if (call.has("dry-run")) {
    for (const { path } of going) io.out(`would remove  ${path}\n`);
    for (const { path } of kept) io.out(`would keep    ${path}: changed\n`);
    tellCommands(io, [...before, ...after]);
    return EXIT.done;
  }
  const isStopped = await runAll(io, before, run);
  for (const path of await disk.remove({ isForced })) {
    io.out(`removed  ${path}\n`);
  }
  for (const { path, isSample } of kept) {
    const why = isSample ? "it is yours" : "changed; --force removes it";
    io.out(`kept     ${path}: ${why}\n`);
  }
  const isInForce = await runAll(io, after, run);
  if (!isPackage) {
    io.out(
      "The user, /var/lib/driverspace and /var/log/driverspace stay: " +
        "they hold what the service kept\n",
    );
  }
  const isWhole = kept.every(({ isSample }) => isSample);
  return isWhole && isStopped && isInForce ? EXIT.done : EXIT.failed;
}

function checkFlags(call: CommandCall): void {
  const apart: readonly [string, string][] = [
    ["uninstall", "start"],
    ["root", "start"],
  ];
  for (const [one, other] of apart) {
    if (!call.has(one) || !call.has(other)) continue;
    throw usageError(installCommand, `Give --${one} or --${other}, not both`);
  }
  if (call.has("json") && (!call.has("dry-run") || call.has("uninstall"))) {
    throw usageError(installCommand, "--json goes with --dry-run");
  }
}

function isInTheWay(files: readonly FileOnDisk[]): boolean {
  return files.some(({ state }) => state === "changed" || state === "foreign");
}

function tellFiles(
  io: CliIo,
  files: readonly FileOnDisk[],
  done: {
    readonly written: readonly string[];
    readonly removed: readonly string[];
  },
): void {
  for (const { file: { path }, state } of files) {
    const word = done.written.includes(path)
      ? state === "new" ? "wrote   " : "replaced"
      : state === "kept"
      ? "kept    "
      : "is there";
    io.out(`${word}  ${path}\n`);
  }
  for (const path of done.removed) io.out(`removed   ${path}\n`);
}

function tellCommands(io: CliIo, commands: readonly PlannedCommand[]): void {
  for (const { line } of commands) io.out(`would run     ${line.join(" ")}\n`);
}

/** Each is shown; one that fails does not keep the next from its work. */
async function runAll(
  io: CliIo,
  commands: readonly PlannedCommand[],
  run: RunCommand,
): Promise<boolean> {
  let isDone = true;
  for (const { line, why } of commands) {
    const text = line.join(" ");
    io.out(`$ ${text}\n`);
    if (await run(line)) continue;
    isDone = false;
    io.err(`driverspace: That failed; to ${why}, run it again:\n  ${text}\n`);
  }
  return isDone;
}

async function runInherited(line: readonly string[]): Promise<boolean> {
  const [program = "", ...args] = line;
  try {
    const command = new Deno.Command(program, { args, stdin: "null" });
    return (await command.spawn().status).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function notRoot(call: CommandCall): CliError {
  return new CliError(
    EXIT.permission,
    `Cannot ${
      call.has("uninstall") ? "uninstall" : "install"
    } as this user: it is about files below /etc`,
    "Run it with sudo; --dry-run shows what it would do, --root DIR writes " +
      "below DIR",
  );
}

function asCliError(error: unknown): unknown {
  if (error instanceof InTheWayError) {
    return new CliError(
      EXIT.config,
      error.message,
      "--dry-run shows what they would be, --force replaces them",
    );
  }
  if (error instanceof InstalledError) {
    return new CliError(
      EXIT.config,
      `Cannot tell what is installed: ${error.message}`,
      "Look at it, and remove it if it is of no use",
    );
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new CliError(EXIT.permission, `Cannot install: ${error.message}`);
  }
  const isDisk = error instanceof Error &&
    /os error (28|30)\b/.test(error.message);
  if (!isDisk) return error;
  return new CliError(EXIT.io, `Cannot install: ${error.message}`);
}
