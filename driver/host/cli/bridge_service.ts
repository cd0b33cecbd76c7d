/**
 * The service of the bridge to an MQTT broker, where a configuration asks for
 * one: what its unit is made of.
 *
 * @module
 */

import {
  bridgeCommand,
  fetchCommand,
  moduleFlags,
} from "../mqtt/bridge_command.ts";
import type { SupervisorConfiguration } from "../supervisor/configuration.ts";
import type { MqttUnitOptions } from "../systemd/mqtt_unit.ts";
import { SERVICE_SOCKET } from "./supervisor_access.ts";

/** What a unit of the bridge needs to know, but for its user. */
export type BridgeService = Omit<MqttUnitOptions, "user">;

/** For the configuration at an absolute path; `undefined` without a table `[mqtt]`. */
export async function bridgeService(
  path: string,
  configuration: SupervisorConfiguration | undefined,
): Promise<BridgeService | undefined> {
  const settings = configuration?.mqtt;
  if (settings === undefined) return undefined;
  const flags = await moduleFlags();
  const command = bridgeCommand({
    settings,
    socket: configuration?.server.socket ?? SERVICE_SOCKET,
    configuration: path,
    moduleFlags: flags,
  });
  return { command, fetch: fetchCommand(flags), host: settings.host };
}
