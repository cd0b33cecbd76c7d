/**
 * All commands of `driverspace`, in the order of its help.
 *
 * @module
 */

import { callCommand } from "./call_command.ts";
import { chooseCommand } from "./choose_command.ts";
import type { Command } from "./command.ts";
import { dashboardCommand } from "./dashboard_command.ts";
import { completionsCommand } from "./completions_command.ts";
import { doctorCommand } from "./doctor_command.ts";
import { driversCommand } from "./drivers_command.ts";
import { explainCommand, permissionsCommand } from "./explain_command.ts";
import { installCommand } from "./install_command.ts";
import { listCommand } from "./list_command.ts";
import { logsCommand } from "./logs_command.ts";
import { mqttCommand } from "./mqtt_command.ts";
import { replayCommand } from "./replay_command.ts";
import { runCommand } from "./run_command.ts";
import { serveCommand } from "./serve_command.ts";
import { simulateCommand } from "./simulate_command.ts";
import { statusCommand } from "./status_command.ts";
import { topCommand } from "./top_command.ts";
import { udevCommand } from "./udev_command.ts";
import { unitCommand } from "./unit_command.ts";

/** Every command. */
export const COMMANDS: readonly Command[] = [
  runCommand,
  callCommand,
  listCommand,
  chooseCommand,
  doctorCommand,
  driversCommand,
  explainCommand,
  permissionsCommand,
  simulateCommand,
  replayCommand,
  udevCommand,
  serveCommand,
  statusCommand,
  topCommand,
  dashboardCommand,
  logsCommand,
  mqttCommand,
  unitCommand,
  installCommand,
  completionsCommand,
];
