/**
 * Completion for bash, zsh and fish as text. Everything that is put in is quoted
 * as its shell has it.
 *
 * @module
 */

import type {
  CompletedCommand,
  CompletedFlag,
  Following,
  SHELLS,
} from "./completion_words.ts";

/** The script for a shell. */
export function completionScript(
  shell: (typeof SHELLS)[number],
  commands: readonly CompletedCommand[],
): string {
  const makers = { bash: bashScript, zsh: zshScript, fish: fishScript };
  return makers[shell](commands).join("\n") + "\n";
}

function bashScript(commands: readonly CompletedCommand[]): string[] {
  const all = [...commands.map(({ name }) => name), "--help", "--version"];
  return [
    "# driverspace completions bash",
    "_driverspace() {",
    "  local word=$2 before=$3 command=${COMP_WORDS[1]} words= paths=",
    "  if ((COMP_CWORD == 1)); then",
    `    words=${quoted(all.join(" "))}`,
    "  else",
    "    case $command:$before in",
    ...commands.flatMap(bashValues),
    "    *)",
    "      case $command in",
    ...commands.map(bashArguments),
    "      esac ;;",
    "    esac",
    "  fi",
    "  local IFS=$'\\n'",
    '  COMPREPLY=($(compgen -W "${words// /$IFS}" -- "$word"))',
    "  if [[ $paths ]]; then",
    "    compopt -o filenames 2>/dev/null",
    '    COMPREPLY+=($(compgen -A "$paths" -- "$word"))',
    "  fi",
    "}",
    "complete -F _driverspace driverspace",
  ];
}

function bashValues({ name, flags }: CompletedCommand): string[] {
  return flags.flatMap(({ name: flag, short, value }) => {
    if (value === undefined) return [];
    const patterns = [
      `--${flag}`,
      ...(short === undefined ? [] : [`-${short}`]),
    ];
    return [
      `    ${patterns.map((word) => `${name}:${word}`).join("|")}) ${
        bashFollowing(value)
      } ;;`,
    ];
  });
}

/** Flags only once a dash says so: among files they would be in the way. */
function bashArguments({ name, flags, argument }: CompletedCommand): string {
  const words = flags.map(({ name }) => `--${name}`);
  const flagWords = bashFollowing({ words, paths: "none" });
  return `      ${name}) if [[ $word == -* ]]; then ${flagWords}; else ${
    bashFollowing(argument)
  }; fi ;;`;
}

function bashFollowing({ words, paths }: Following): string {
  const action = { none: "", files: "file", folders: "directory" }[paths];
  return [
    ...(words.length === 0 ? [] : [`words=${quoted(words.join(" "))}`]),
    ...(action === "" ? [] : [`paths=${action}`]),
  ].join("; ") || ":";
}

function zshScript(commands: readonly CompletedCommand[]): string[] {
  return [
    "#compdef driverspace",
    "# driverspace completions zsh",
    "_driverspace() {",
    "  local -a commands=(",
    ...commands.map(({ name, summary }) =>
      `    ${quoted(`${name}:${summary.replaceAll(":", "\\:")}`)}`
    ),
    "  )",
    "  if ((CURRENT == 2)); then",
    "    _describe -t commands command commands",
    "    return",
    "  fi",
    "  local command=$words[2]",
    "  shift words",
    "  ((CURRENT--))",
    "  case $command in",
    ...commands.flatMap(zshCommand),
    "  esac",
    "}",
    // Sourced it is defined; loaded as a function of completion it is called.
    'if [[ $funcstack[1] == _driverspace ]]; then _driverspace "$@"',
    "else compdef _driverspace driverspace; fi",
  ];
}

function zshCommand({ name, flags, argument }: CompletedCommand): string[] {
  return [
    `  ${name})`,
    "    _arguments -s \\",
    ...flags.flatMap(zshFlags).map((spec) => `      ${quoted(spec)} \\`),
    `      ${quoted(`*:argument:${zshAction(argument)}`)} ;;`,
  ];
}

function zshFlags(
  { name, short, description, value }: CompletedFlag,
): string[] {
  const text = description.replaceAll(/[\\\][:]/g, "\\$&");
  const behind = value === undefined ? "" : `:value:${zshAction(value)}`;
  const names = [`--${name}`, ...(short === undefined ? [] : [`-${short}`])];
  return names.map((flag) => `*${flag}[${text}]${behind}`);
}

function zshAction({ words, paths }: Following): string {
  const list = words.join(" ");
  if (paths === "none") return words.length === 0 ? " " : `(${list})`;
  const files = paths === "files" ? "_files" : "_files -/";
  return words.length === 0
    ? files
    : `{_alternative "words:word:(${list})" "paths:path:${files}"}`;
}

function fishScript(commands: readonly CompletedCommand[]): string[] {
  const first = "complete -c driverspace -n __fish_use_subcommand";
  return [
    "# driverspace completions fish",
    "complete -c driverspace -f",
    ...commands.map(({ name, summary }) =>
      `${first} -a ${name} -d ${fishQuoted(summary)}`
    ),
    `${first} -l help -d 'All commands'`,
    `${first} -l version -d 'Versions'`,
    ...commands.flatMap(fishCommand),
  ];
}

function fishCommand({ name, flags, argument }: CompletedCommand): string[] {
  const begin =
    `complete -c driverspace -n '__fish_seen_subcommand_from ${name}'`;
  return [
    ...fishFollowing(argument).map((rest) => `${begin} ${rest}`),
    ...flags.map(({ name: flag, short, description, value }) =>
      [
        begin,
        `-l ${flag}`,
        ...(short === undefined ? [] : [`-s ${short}`]),
        ...(value === undefined ? [] : [fishValue(value)]),
        `-d ${fishQuoted(description)}`,
      ].join(" ")
    ),
  ];
}

function fishFollowing({ words, paths }: Following): string[] {
  return [
    ...(words.length === 0 ? [] : [`-a ${fishQuoted(words.join(" "))}`]),
    ...(paths === "none" ? [] : [fishPaths(paths)]),
  ];
}

/** A value must follow; `-x` is without files. */
function fishValue({ words, paths }: Following): string {
  if (paths !== "none") return `-r ${fishPaths(paths)}`;
  return words.length === 0 ? "-x" : `-x -a ${fishQuoted(words.join(" "))}`;
}

function fishPaths(paths: "files" | "folders"): string {
  return paths === "files" ? "-F" : "-a '(__fish_complete_directories)'";
}

/** A single-quoted word of POSIX shells. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, "\\$&")}'`;
}
