/**
 * The process of the bridge. Starts only with exactly the rights it needs, reads
 * its files, gives up reading them, and bridges until it is told to stop.
 *
 * @module
 */

import { CliError, EXIT, type ExitCode } from "../cli/exit_codes.ts";
import { harmlessLines } from "../cli/text.ts";
import { parseArgs } from "../../std.ts";
import { askRuntime } from "../permissions.ts";
import { UnreachableError } from "../supervisor/client.ts";
import { systemClock } from "../system_clock.ts";
import { VERSION } from "../version.ts";
import { Bridge } from "./bridge.ts";
import {
  type BridgeSecrets,
  readBridgeConfiguration,
  readBridgeSecrets,
} from "./bridge_files.ts";
import { bridgeLog } from "./bridge_log.ts";
import { BrokerError, connectBroker } from "./broker_link.ts";
import {
  type BridgeGrants,
  checkBridgePermissions,
  giveUpFiles,
} from "./permissions.ts";
import type { MqttSettings } from "./settings.ts";

/** Runs the bridge; gives the code to end with. */
export async function bridgeMain(args: readonly string[]): Promise<ExitCode> {
  try {
    const { grants, untilStdinCloses } = readArguments(args);
    checkRights(grants);
    const secrets = readBridgeSecrets(grants.settings);
    giveUpFiles(grants, (right) => void Deno.permissions.revokeSync(right));
    await bridge(grants, secrets, { untilStdinCloses });
    return EXIT.done;
  } catch (error) {
    const told = asCliError(error);
    const next = told.advice === undefined ? "" : `\n${told.advice}`;
    const text = harmlessLines(`driverspace mqtt: ${told.message}${next}`);
    Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
    return told.code;
  }
}

async function bridge(
  { settings, socket }: BridgeGrants,
  secrets: BridgeSecrets,
  { untilStdinCloses }: { readonly untilStdinCloses: boolean },
): Promise<void> {
  const log = bridgeLog();
  const stop = new AbortController();
  const stopped = (): void => stop.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, stopped);
  }
  if (untilStdinCloses) void endOfStdin().then(stopped);
  if (secrets.password !== undefined && isReadable(settings)) {
    log.write(
      "warn",
      "broker.readable",
      "The password goes over the network as it is: use mqtts://",
    );
  }
  try {
    await new Bridge({
      settings,
      socket,
      clock: systemClock(),
      random: () => Math.random(),
      connect: (link) => connectBroker({ settings, ...secrets, ...link }),
      note: (...line) => log.write(...line),
      version: VERSION,
    }).run(stop.signal);
  } finally {
    log.close();
  }
}

function readArguments(
  args: readonly string[],
): { readonly grants: BridgeGrants; readonly untilStdinCloses: boolean } {
  const parsed = parseArgs(args, {
    string: ["_", "socket"],
    boolean: ["until-stdin-closes"],
  });
  const [configuration = ""] = parsed._.map(String);
  const socket = String(parsed["socket"] ?? "");
  if (!configuration.startsWith("/") || !socket.startsWith("/")) {
    throw new CliError(
      EXIT.usage,
      "It is started with the absolute paths of CONFIG and --socket",
      "driverspace mqtt CONFIG does, and driverspace unit CONFIG prints how",
    );
  }
  const { settings } = readBridgeConfiguration(configuration);
  return {
    grants: { settings, socket, configuration },
    untilStdinCloses: parsed["until-stdin-closes"] === true,
  };
}

function checkRights(grants: BridgeGrants): void {
  const { missing, excess } = checkBridgePermissions(grants, askRuntime);
  if (missing.length === 0 && excess.length === 0) return;
  const parts = [
    ...missing.map((flag) => `it lacks ${flag}`),
    ...excess.map((flag) => `${flag} is more than it needs`),
  ];
  throw new CliError(
    EXIT.permission,
    `Its rights are not what they must be: ${parts.join(", ")}`,
    "driverspace mqtt CONFIG starts it with exactly those, and prints them",
  );
}

/** Whether others on the network see what is sent. */
function isReadable({ host, isTls }: MqttSettings): boolean {
  return !isTls && host !== "localhost" && host !== "::1" &&
    !host.startsWith("127.");
}

async function endOfStdin(): Promise<void> {
  try {
    for await (const _ of Deno.stdin.readable);
  } catch {
    // As good as its end.
  }
}

function asCliError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof BrokerError) {
    const code = error.kind === "unsupported" ? EXIT.protocol : EXIT.permission;
    return new CliError(code, error.message, error.advice);
  }
  if (error instanceof UnreachableError) {
    return new CliError(
      EXIT.permission,
      error.message,
      "The bridge runs as the user who runs the supervisor",
    );
  }
  throw error;
}

if (import.meta.main) Deno.exit(await bridgeMain(Deno.args));
