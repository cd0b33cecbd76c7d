/**
 * `driverspace unit`: the systemd unit that keeps a supervisor running.
 *
 * @module
 */

import {
  ConfigurationError,
  type SupervisorConfiguration,
} from "../supervisor/configuration.ts";
import { readConfiguration } from "../supervisor/read_configuration.ts";
import { mqttUnit } from "../systemd/mqtt_unit.ts";
import { systemdUnit, type UnitFile } from "../systemd/unit.ts";
import { bridgeService } from "./bridge_service.ts";
import type { Command, CommandCall } from "./command.ts";
import { CliError, EXIT, type ExitCode } from "./exit_codes.ts";
import { hiddenFromService, ownProgram } from "./own_program.ts";
import { serviceCommand } from "./service_command.ts";

/** The command. */
export const unitCommand: Command = {
  name: "unit",
  summary: "Print a hardened systemd unit for a supervisor",
  usage: "CONFIG [--user NAME]",
  details: "Prints the unit only; where to put it and how to put it in force " +
    "stand in its comments. Where CONFIG has a table [mqtt], the unit of its " +
    "bridge comes second. Installs nothing. The service gets the Deno " +
    "permissions that CONFIG needs: print it again when CONFIG names other " +
    "places.",
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

async function unit(call: CommandCall): Promise<ExitCode> {
  const units = await unitsFor(call);
  const hidden = new Set(units.flatMap((unit) => unit.hidden));
  for (const path of hidden) {
    call.io.err(
      `driverspace: The unit hides ${path}: move it, to /opt for instance\n`,
    );
  }
  call.io.out(
    units.map(({ file }) =>
      [
        `# ${file.path}`,
        "# After it is in its place, as root:",
        ...file.commands.map((command) => `#   ${command}`),
        file.text,
      ].join("\n")
    ).join("\n"),
  );
  return EXIT.done;
}

interface ShownUnit {
  readonly file: UnitFile;
  /** Paths the service would not find. */
  readonly hidden: readonly string[];
}

async function unitsFor(
  { positionals, value }: CommandCall,
): Promise<ShownUnit[]> {
  const [path = ""] = positionals;
  const user = value("user");
  try {
    if (!path.startsWith("/")) {
      throw new TypeError(
        `Cannot make a unit for ${path}: give the absolute path of CONFIG`,
      );
    }
    const configuration = configurationAt(path);
    const program = ownProgram();
    const file = systemdUnit({
      command: serviceCommand({ program, path, configuration }),
      ...(user === undefined ? {} : { user }),
    });
    const hidden = hiddenFromService([...program, path]);
    const bridge = await bridgeUnits({ path, user, configuration });
    return [{ file, hidden }, ...bridge];
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) {
      throw new CliError(EXIT.usage, error.message);
    }
    throw error;
  }
}

/** The bridge has a unit of its own, where the configuration is there and asks for one. */
async function bridgeUnits(
  { path, user, configuration }: {
    readonly path: string;
    readonly user: string | undefined;
    readonly configuration: SupervisorConfiguration | undefined;
  },
): Promise<ShownUnit[]> {
  const service = await bridgeService(path, configuration);
  if (service === undefined) return [];
  const file = mqttUnit({
    ...service,
    ...(user === undefined ? {} : { user }),
  });
  return [{ file, hidden: hiddenFromService(service.command) }];
}

/** @throws {CliError} When the configuration is there and cannot be used. */
function configurationAt(path: string): SupervisorConfiguration | undefined {
  try {
    Deno.statSync(path);
  } catch {
    // A unit may be printed for another machine.
    return undefined;
  }
  try {
    return readConfiguration(path);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new CliError(EXIT.config, error.message);
  }
}
