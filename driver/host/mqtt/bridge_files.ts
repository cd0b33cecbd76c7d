/**
 * What the bridge reads from files: its table of the configuration, the password
 * and the certificates named there.
 *
 * @module
 */

import { readProblem } from "../read_problem.ts";
import { CliError, EXIT } from "../cli/exit_codes.ts";
import { readSecretLine } from "../private_file.ts";
import { ConfigurationError } from "../supervisor/configuration.ts";
import { readConfiguration } from "../supervisor/read_configuration.ts";
import type { MqttSettings } from "./settings.ts";

/** A configuration that asks for a bridge. */
export interface BridgeConfiguration {
  readonly settings: MqttSettings;
  /** The supervisor's socket, where the configuration names one. */
  readonly socket: string | undefined;
}

/** What the files beside a configuration hold. */
export interface BridgeSecrets {
  readonly password?: string;
  /** Certificates to trust, as PEM. */
  readonly ca?: string;
}

/**
 * Reads a configuration.
 *
 * @throws {CliError} `config`, with every mistake, or when it asks for no bridge.
 */
export function readBridgeConfiguration(path: string): BridgeConfiguration {
  try {
    const { mqtt: settings, server } = readConfiguration(path);
    if (settings !== undefined) return { settings, socket: server.socket };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new CliError(EXIT.config, error.message);
  }
  throw new CliError(
    EXIT.config,
    `There is no table [mqtt] in ${path}`,
    'Add one: [mqtt] with broker = "mqtt://HOST:1883"',
  );
}

/**
 * Reads the other files.
 *
 * @throws {CliError} `config`, when one cannot be read or others may read the password.
 */
export function readBridgeSecrets(
  { passwordFile, caFile }: MqttSettings,
): BridgeSecrets {
  return {
    ...(passwordFile === undefined ? {} : {
      password: readNamed("password_file", passwordFile, readSecretLine),
    }),
    ...(caFile === undefined
      ? {}
      : { ca: readNamed("ca_file", caFile, readCertificates) }),
  };
}

function readNamed(
  name: string,
  path: string,
  read: (path: string) => string,
): string {
  try {
    return read(path);
  } catch (error) {
    throw new CliError(
      EXIT.config,
      `Cannot use the ${name} ${path}: ${readProblem(error)}`,
    );
  }
}

function readCertificates(path: string): string {
  const text = Deno.readTextFileSync(path);
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  throw new Error("it holds no certificate in PEM form");
}
