/** Completion: every command and flag is there, and the shells themselves take it. */

import { COMMANDS } from "../../driver/host/cli/commands.ts";
import { SHELLS } from "../../driver/host/cli/completion_words.ts";
import { assertEquals, assertStringIncludes } from "../../driver/std.ts";
import { call } from "./fake_parts.ts";
import { Folder } from "./spawned.ts";

async function has(shell: string): Promise<boolean> {
  try {
    const command = new Deno.Command(shell, {
      args: ["-c", "true"],
      stdout: "null",
      stderr: "null",
    });
    return (await command.output()).success;
  } catch {
    return false;
  }
}

/** Runs lines in a shell, in a folder with one file, with the script sourced. */
async function inShell(
  shell: string,
  lines: string,
  flags: readonly string[] = [],
): Promise<string[]> {
  using folder = new Folder();
  const { out } = await call(["completions", shell]);
  Deno.writeTextFileSync(`${folder.path}/script`, out);
  Deno.mkdirSync(`${folder.path}/here`);
  Deno.writeTextFileSync(`${folder.path}/here/lab.toml`, "");
  const { code, stdout, stderr } = await new Deno.Command(shell, {
    args: [...flags, "-c", `source ../script\n${lines}`],
    cwd: `${folder.path}/here`,
    env: { HOME: folder.path, XDG_CONFIG_HOME: folder.path },
  }).output();
  const said = new TextDecoder().decode(stderr);
  assertEquals([code, said], [0, ""]);
  return new TextDecoder().decode(stdout).trimEnd().split("\n");
}

/** What is typed, and what completes it. */
const TYPED: readonly [words: string, completed: readonly string[]][] = [
  ["driverspace insta", ["install"]],
  ["driverspace run --virt", ["--virtual"]],
  ["driverspace run --virtual mult", ["multimeter"]],
  ["driverspace run usb", ["usbtmc"]],
  ["driverspace logs --level w", ["warn"]],
  ["driverspace simulate --transport n", ["notify"]],
  ["driverspace serve la", ["lab.toml"]],
  ["driverspace help exit", ["exit-codes"]],
  ["driverspace completions z", ["zsh"]],
];

const missing = new Map(
  await Promise.all(
    SHELLS.map(async (shell) =>
      [
        shell,
        await has(shell) ? "" : ` [not run: there is no ${shell}]`,
      ] as const
    ),
  ),
);

Deno.test("Every command and every flag stands in every script", async () => {
  for (const shell of SHELLS) {
    const { code, out } = await call(["completions", shell]);
    assertEquals(code, 0);
    for (const { name, flags } of COMMANDS) {
      assertStringIncludes(out, name);
      for (const flag of Object.keys(flags)) assertStringIncludes(out, flag);
    }
  }
});

Deno.test("A shell nobody knows is refused with those that are", async () => {
  const { code, err } = await call(["completions", "fisch"]);
  assertEquals(code, 2);
  assertStringIncludes(err, "the shells are bash, zsh, fish");
});

Deno.test({
  name: `bash completes commands, flags, their values and files${
    missing.get("bash")
  }`,
  ignore: missing.get("bash") !== "",
  fn: async () => {
    const lines = TYPED.map(([words]) =>
      `COMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); ` +
      "_driverspace driverspace ${COMP_WORDS[COMP_CWORD]} " +
      "${COMP_WORDS[COMP_CWORD-1]} 2>/dev/null; " +
      'echo "${COMPREPLY[*]}"'
    );
    const found = await inShell("bash", lines.join("\n"), ["--norc"]);
    assertEquals(found, TYPED.map(([, completed]) => completed.join(" ")));
  },
});

Deno.test({
  name: `fish completes commands, flags, their values and files${
    missing.get("fish")
  }`,
  ignore: missing.get("fish") !== "",
  fn: async () => {
    for (const [words, completed] of TYPED) {
      const found = await inShell("fish", `complete -C '${words}'`);
      const bare = found.map((line) => line.split("\t")[0]);
      assertEquals(bare, [...completed], words);
    }
  },
});

Deno.test({
  name: `zsh takes the script as the completion of driverspace${
    missing.get("zsh")
  }`,
  ignore: missing.get("zsh") !== "",
  fn: async () => {
    using folder = new Folder();
    const { out } = await call(["completions", "zsh"]);
    Deno.writeTextFileSync(`${folder.path}/script`, out);
    const { stdout, stderr } = await new Deno.Command("zsh", {
      args: [
        "-fc",
        "autoload -U compinit; compinit -D -u; source ./script; " +
        "print -r -- $_comps[driverspace]",
      ],
      cwd: folder.path,
    }).output();
    assertEquals(new TextDecoder().decode(stdout), "_driverspace\n");
    assertEquals(new TextDecoder().decode(stderr), "");
  },
});
