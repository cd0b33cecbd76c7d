/**
 * `driverspace unit`: the systemd unit that keeps a supervisor running.
 *
 * @module
 */

import { systemdUnit, type UnitFile } from "../systemd/unit.ts";
import type { Command, CommandCall } from "./command.ts";
import { CliError, EXIT, type ExitCode } from "./exit_codes.ts";
import { hiddenFromService, ownProgram } from "./own_program.ts";

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
  const { file, hidden } = unitFor(call);
  for (const path of hidden) {
    call.io.err(
      `driverspace: The unit hides ${path}: move it, to /opt for instance\n`,
    );
  }
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

function unitFor(
  { positionals, value }: CommandCall,
): { readonly file: UnitFile; readonly hidden: readonly string[] } {
  const [path = ""] = positionals;
  const user = value("user");
  const command = [...ownProgram(), "serve", path];
  try {
    if (!path.startsWith("/")) {
      throw new TypeError(
        `Cannot make a unit for ${path}: give the absolute path of CONFIG`,
      );
    }
    const file = systemdUnit({
      command,
      ...(user === undefined ? {} : { user }),
    });
    return { file, hidden: hiddenFromService(command) };
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) {
      throw new CliError(EXIT.usage, error.message);
    }
    throw error;
  }
}
