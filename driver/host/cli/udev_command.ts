/**
 * `driverspace udev`: the rule that gives a group access to a device.
 *
 * @module
 */

import { parseDeviceSelector } from "../../match.ts";
import { type UdevRule, udevRule } from "../udev.ts";
import type { Command, CommandCall } from "./command.ts";
import { CliError, EXIT, type ExitCode } from "./exit_codes.ts";

/** The command. */
export const udevCommand: Command = {
  name: "udev",
  summary: "Print the udev rule that gives one group access to a device",
  usage: "VID:PID [--group NAME] [--seat]",
  details: "Prints the rule only; where to put it and how to put it in force " +
    "stand in its comments. Installs nothing.",
  flags: {
    group: {
      description: "Group that may use the device, default driverspace",
      value: "NAME",
    },
    seat: { description: "Also whoever sits at this machine (uaccess)" },
  },
  examples: [
    "driverspace udev 0957:1755",
    "driverspace udev 0957:1755 --group plugdev --seat",
  ],
  positionals: [1, 1],
  run: udev,
};

function udev(call: CommandCall): Promise<ExitCode> {
  const rule = ruleFor(call);
  call.io.out(
    [
      `# ${rule.path}`,
      rule.text.trimEnd(),
      "# Then, as root:",
      ...rule.commands.map((command) => `#   ${command}`),
      "",
    ].join("\n"),
  );
  return Promise.resolve(EXIT.done);
}

function ruleFor({ positionals, value, has }: CommandCall): UdevRule {
  try {
    const { vendorId, productId } = parseDeviceSelector(positionals[0] ?? "");
    const group = value("group");
    return udevRule({
      vendorId,
      productId,
      seat: has("seat"),
      ...(group === undefined ? {} : { group }),
    });
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) {
      throw new CliError(EXIT.usage, error.message);
    }
    throw error;
  }
}
