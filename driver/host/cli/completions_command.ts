/**
 * `driverspace completions`: what a shell needs to complete its command lines.
 *
 * @module
 */

import { type Command, type CommandCall, usageError } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { completionScript } from "./completion_scripts.ts";
import { completedCommands, SHELLS } from "./completion_words.ts";
import { EXIT, type ExitCode } from "./exit_codes.ts";
import { harmless } from "./text.ts";

/** The command. */
export const completionsCommand: Command = {
  name: "completions",
  summary: "Print the completion script for a shell",
  usage: "bash|zsh|fish",
  details: "Made from the commands of this version: print it anew after an " +
    "upgrade.",
  flags: {},
  examples: [
    'eval "$(driverspace completions bash)"   # in ~/.bashrc',
    'eval "$(driverspace completions zsh)"    # in ~/.zshrc, after compinit',
    "driverspace completions fish > ~/.config/fish/completions/driverspace.fish",
  ],
  positionals: [1, 1],
  run: ({ positionals, io, toolbox }: CommandCall): Promise<ExitCode> => {
    const [text = ""] = positionals;
    const shell = SHELLS.find((name) => name === text);
    if (shell === undefined) {
      throw usageError(
        completionsCommand,
        `There is no completion for ${
          JSON.stringify(harmless(text, 40))
        }: the shells are ${SHELLS.join(", ")}`,
      );
    }
    const commands = completedCommands(COMMANDS, toolbox);
    io.out(completionScript(shell, commands));
    return Promise.resolve(EXIT.done);
  },
};
