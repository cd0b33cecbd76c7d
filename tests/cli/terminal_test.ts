import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../../driver/std.ts";
import { Folder, HAS_PRELOAD } from "./spawned.ts";

const CLI = new URL("../../cli.ts", import.meta.url).pathname;

/** Whether there is a program that gives another a terminal. */
async function hasScript(): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("script", {
      args: ["--version"],
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch {
    return false;
  }
}

/** Whether its driver was shown ready and measuring: whichever came first. */
function isDriving(text: string): boolean {
  return /state +ready/.test(text) && /reading .* V/.test(text);
}

const isPossible = HAS_PRELOAD && await hasScript();
const reason = isPossible
  ? ""
  : " [not run: needs the virtual bus A and script(1)]";

Deno.test(
  `On a terminal the view is redrawn in place, and Ctrl-C, which reaches the driver as well, stops in order${reason}`,
  { ignore: !isPossible },
  async () => {
    using folder = new Folder();
    const command = [
      // Else a shell that stays, as dash does, is hit by the ^C itself.
      ...["exec", Deno.execPath(), "run", "--quiet", "--allow-all", CLI],
      ...["run", "usbtmc", "--virtual", "multimeter", "--direct"],
      ...["--log", `${folder.path}/a.log`],
    ].join(" ");
    const child = new Deno.Command("script", {
      args: ["--quiet", "--return", "--command", command, "/dev/null"],
      env: { SHELL: "/bin/sh" },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const limit = setTimeout(() => child.kill("SIGKILL"), 60_000);
    const writer = child.stdin.getWriter();
    let text = "";
    let isInterrupted = false;
    for await (const piece of child.stdout) {
      text += new TextDecoder().decode(piece);
      if (isInterrupted || !isDriving(text)) continue;
      isInterrupted = true;
      await writer.write(Uint8Array.of(3));
    }
    const { code } = await child.status;
    clearTimeout(limit);
    await writer.abort();
    assertEquals(code, 0, text);
    assertStringIncludes(text, "\x1b[J");
    assertStringIncludes(text, "Stopping: safe state, drain, release");
    assertMatch(text, /interrupts .*\/s/);
    assertMatch(text.trimEnd().split("\x1b[J").at(-2) ?? "", /state +stopped/);
    const log = Deno.readTextFileSync(`${folder.path}/a.log`);
    assert(log.includes('"safe_state":"done"'), log);
  },
);
