/**
 * `driverspace mqtt`: the bridge to an MQTT broker, in a process that has rights
 * to that broker and the supervisor's socket and to nothing else.
 *
 * @module
 */

import {
  bridgeCommand,
  fetchCommand,
  moduleFlags,
} from "../mqtt/bridge_command.ts";
import {
  readBridgeConfiguration,
  readBridgeSecrets,
} from "../mqtt/bridge_files.ts";
import { bridgeFlags, type BridgeGrants } from "../mqtt/permissions.ts";
import { brokerAddress } from "../mqtt/settings.ts";
import type { Command, CommandCall } from "./command.ts";
import { CliError, EXIT, type ExitCode } from "./exit_codes.ts";
import { SOCKET_FLAG, socketOf } from "./supervisor_access.ts";

/** The command. */
export const mqttCommand: Command = {
  name: "mqtt",
  summary: "Bridge a running supervisor to an MQTT broker",
  usage: "CONFIG [--check] [--socket PATH]",
  details: "CONFIG is the supervisor's own, with a table [mqtt]; " +
    "docs/operations.md describes it. The bridge is a process of its own that " +
    "may reach the broker and the supervisor's socket and nothing else. Either " +
    "may come and go. Ctrl-C says offline and ends it.",
  flags: {
    check: { description: "Only check CONFIG and print the rights" },
    ...SOCKET_FLAG,
  },
  examples: [
    "driverspace mqtt /etc/driverspace/lab.toml",
    "driverspace mqtt lab.toml --check",
  ],
  positionals: [1, 1],
  run: mqtt,
};

async function mqtt(call: CommandCall): Promise<ExitCode> {
  const grants = grantsOf(call);
  const rights = [
    `Bridge to ${brokerAddress(grants.settings)}, with these rights only:`,
    ...flagsOf(grants).map((flag) => `  ${flag}`),
    "",
  ].join("\n");
  // What is wrong with its files is told here, before anything is fetched or started.
  readBridgeSecrets(grants.settings);
  if (call.has("check")) {
    call.io.out(rights);
    return EXIT.done;
  }
  call.io.err(rights);
  const flags = await moduleFlags();
  await fetchModules(flags);
  const options = { ...grants, moduleFlags: flags, untilStdinCloses: true };
  return await run(call, bridgeCommand(options));
}

function grantsOf(call: CommandCall): BridgeGrants {
  const [given = ""] = call.positionals;
  const configuration = absolute(given);
  const { settings, socket } = readBridgeConfiguration(configuration);
  const named = call.value("socket") ?? socket ?? socketOf(call);
  return { settings, configuration, socket: absolute(named) };
}

function flagsOf(grants: BridgeGrants): string[] {
  try {
    return bridgeFlags(grants);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new CliError(EXIT.config, error.message);
  }
}

/** Only what is not there yet; the bridge itself fetches nothing. */
async function fetchModules(flags: readonly string[]): Promise<void> {
  if (Deno.build.standalone === true) {
    throw new CliError(
      EXIT.config,
      "A compiled program has one set of rights, and the bridge needs fewer",
      "Start the bridge with Deno: deno run --allow-all cli.ts mqtt CONFIG",
    );
  }
  const [program = "", ...args] = fetchCommand(flags);
  const { success } = await new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "null",
  }).output();
  if (success) return;
  throw new CliError(
    EXIT.unavailable,
    "Cannot fetch the MQTT client, which is done once: see above",
  );
}

async function run(
  { io }: CommandCall,
  command: readonly string[],
): Promise<ExitCode> {
  const [program = "", ...args] = command;
  const child = new Deno.Command(program, {
    args,
    clearEnv: true,
    env: environment(),
    // Held open: when we are gone, however we went, it sees the end of it.
    stdin: "piped",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  const ignore = io.onInterrupt(() => {
    // A terminal sends its signal to the bridge as well.
    if (!io.isTerminal) child.kill("SIGTERM");
  });
  const { code } = await child.status;
  ignore();
  return code as ExitCode;
}

/** Where Deno has its cache, and whether colours are wanted. */
function environment(): Record<string, string> {
  const kept = ["DENO_DIR", "HOME", "XDG_CACHE_HOME", "NO_COLOR"];
  return Object.fromEntries(
    kept.flatMap((name) => {
      const value = Deno.env.get(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function absolute(path: string): string {
  return path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
}
