/**
 * `driverspace unit`: the systemd unit that keeps a supervisor running.
 *
 * @module
 */

import { systemdUnit, type UnitFile } from "../systemd/unit.ts";
import type { Command, CommandCall } from "./command.ts";
import { CliError, EXIT, type ExitCode } from "./exit_codes.ts";

/** The command. */
export const unitCommand: Command = {
  name: "unit",
  summary: "Print a hardened systemd unit for a supervisor",
  usage: "CONFIG [--user NAME]",
  details: "Prints the unit only; where to put it and how to put it in force " +
    "stand in its comments. Installs nothing.",
  flags: {
    user: {
      description: "Who runs it, default driverspace",
      value: "NAME",
    },
  },
  examples: [
    "driverspace unit /etc/driverspace/lab.toml",
    "driverspace unit /etc/driverspace/lab.toml --user lab",
  ],
  positionals: [1, 1],
  run: unit,
};

function unit(call: CommandCall): Promise<ExitCode> {
  const file = unitFor(call);
  call.io.out(
    [
      `# ${file.path}`,
      "# After it is in its place, as root:",
      ...file.commands.map((command) => `#   ${command}`),
      file.text,
    ].join("\n"),
  );
  return Promise.resolve(EXIT.done);
}

function unitFor({ positionals, value }: CommandCall): UnitFile {
  const [path = ""] = positionals;
  const user = value("user");
  try {
    if (!path.startsWith("/")) {
      throw new TypeError(
        `Cannot make a unit for ${path}: give the absolute path of CONFIG`,
      );
    }
    return systemdUnit({
      command: [...ownCommand(), "serve", path],
      ...(user === undefined ? {} : { user }),
    });
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) {
      throw new CliError(EXIT.usage, error.message);
    }
    throw error;
  }
}

/** How this program was started, so that the unit starts the same one. */
function ownCommand(): string[] {
  const main = Deno.mainModule;
  const isCompiled = Deno.build.standalone === true;
  if (isCompiled) return [Deno.execPath()];
  const module = main.startsWith("file://")
    ? decodeURIComponent(new URL(main).pathname)
    : main;
  return [
    Deno.execPath(),
    "run",
    "--quiet",
    "--unstable-net",
    "--allow-all",
    module,
  ];
}
