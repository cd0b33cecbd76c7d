/** `driverspace top` in a real terminal: what it leaves behind, whatever ends it. */

import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../driver/std.ts";
import { Folder } from "./spawned.ts";
import { FakeSupervisor } from "./top_bench.ts";

const CLI = new URL("../../cli.ts", import.meta.url).pathname;
const ENTER = "\x1b[?1049h";
const LEAVE = "\x1b[?1049l";

async function hasScript(): Promise<boolean> {
  try {
    const options = { stdout: "null", stderr: "null" } as const;
    const command = new Deno.Command("script", {
      args: ["--version"],
      ...options,
    });
    return (await command.output()).success;
  } catch {
    return false;
  }
}

const isPossible = await hasScript();
const reason = isPossible ? "" : " [not run: there is no script(1)]";

/** A supervisor's socket with made-up answers behind it. */
class Socket implements AsyncDisposable {
  readonly supervisor = new FakeSupervisor();
  readonly #server: Deno.HttpServer;

  constructor(readonly path: string) {
    this.#server = Deno.serve({ path, onListen: () => {} }, async (request) => {
      const { pathname, search } = new URL(request.url);
      const method = request.method === "POST" ? "POST" : "GET";
      const { status, body } = await this.supervisor.ask(
        `${pathname}${search}`,
        { method },
      );
      return new Response(body, { status });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** A shell in a terminal that says its settings before and after `top`, and its name and number. */
class TerminalRun implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #limit: ReturnType<typeof setTimeout>;
  readonly #over: Promise<void>;
  #watch = (): void => {};
  text = "";

  constructor(socket: string) {
    const top = [Deno.execPath(), "run", "--quiet", "--allow-all", CLI, "top"];
    const shell = 'echo "tty $(tty)"; stty cols 90 rows 14; ' +
      'echo "before $(stty -g)"; ' +
      `sh -c 'echo "pid $$"; exec ${top.join(" ")} --socket ${socket}'; ` +
      'echo "code $?"; echo "after $(stty -g)"';
    this.#child = new Deno.Command("script", {
      args: ["--quiet", "--return", "--command", shell, "/dev/null"],
      env: { SHELL: "/bin/sh", TERM: "xterm-256color" },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#limit = setTimeout(() => this.#child.kill("SIGKILL"), 60_000);
    this.#over = this.#read();
  }

  /** Of a line that the shell printed. */
  said(name: string): string {
    return new RegExp(`${name} ([^\\r\\n]+)`).exec(this.text)?.[1] ?? "";
  }

  /** Resolves when it has shown this since it last did. */
  async shows(part: string): Promise<void> {
    for (let at = -1; at < 0;) {
      at = this.text.indexOf(part);
      if (at >= 0) break;
      const more = new Promise<"more">((resolve) => {
        this.#watch = () => resolve("more");
      });
      const what = await Promise.race([more, this.#over]);
      if (what !== "more" && !this.text.includes(part)) {
        throw new Error(`It ended without ${part}:\n${this.text}`);
      }
    }
  }

  type(text: string): Promise<void> {
    return this.#writer.write(new TextEncoder().encode(text));
  }

  async over(): Promise<void> {
    await this.#over;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#limit);
    await this.#writer.abort().catch(() => {});
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It ended already.
    }
    await this.#child.status;
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const piece of this.#child.stdout) {
      this.text += decoder.decode(piece, { stream: true });
      this.#watch();
    }
  }
}

/** Runs `top` until it shows a driver, then ends it. */
async function run(
  end: (run: TerminalRun, socket: Socket) => unknown,
): Promise<TerminalRun> {
  using folder = new Folder();
  await using socket = new Socket(`${folder.path}/socket`);
  await using terminal = new TerminalRun(socket.path);
  await terminal.shows("Enter details");
  await end(terminal, socket);
  await terminal.over();
  return terminal;
}

/** The same settings as before, and the screen from before. */
function assertGivenBack(terminal: TerminalRun): void {
  const { text } = terminal;
  assert(terminal.said("before").length > 10, text);
  assertEquals(terminal.said("after"), terminal.said("before"));
  assertEquals(text.split(ENTER).length, text.split(LEAVE).length);
  assert(text.lastIndexOf(LEAVE) > text.lastIndexOf(ENTER));
  assert(text.lastIndexOf("\x1b[?25h") > text.lastIndexOf("\x1b[?25l"));
  assert(text.lastIndexOf("\x1b[?7h") > text.lastIndexOf("\x1b[?7l"));
}

const ENDS: readonly [name: string, end: (run: TerminalRun) => unknown][] = [
  ["q", (run) => run.type("q")],
  ["Ctrl-C", (run) => run.type("\x03")],
  ["SIGTERM", (run) => Deno.kill(Number(run.said("pid")), "SIGTERM")],
  ["SIGINT", (run) => Deno.kill(Number(run.said("pid")), "SIGINT")],
];

for (const [name, end] of ENDS) {
  Deno.test({
    name: `A terminal is as it was after ${name}${reason}`,
    ignore: !isPossible,
    fn: async () => {
      const terminal = await run(end);
      assertEquals(terminal.said("code"), "0", terminal.text);
      assertGivenBack(terminal);
    },
  });
}

Deno.test({
  name:
    `A terminal that changes its size is drawn anew, each line within it${reason}`,
  ignore: !isPossible,
  fn: async () => {
    const terminal = await run(async (run) => {
      await new Deno.Command("stty", {
        args: ["-F", run.said("tty"), "cols", "34", "rows", "8"],
      }).output();
      await run.shows("q quit  Enter");
      await run.type("q");
    });
    const last = terminal.text.split("\x1b[?2026h").at(-1) ?? "";
    const lines = last.split("\x1b[J")[0]?.split("\r\n") ?? [];
    assertEquals(lines.length, 8);
    assertGivenBack(terminal);
  },
});

Deno.test({
  name:
    `A supervisor that is gone is shown as such, and a terminal that is closed ends it${reason}`,
  ignore: !isPossible,
  fn: async () => {
    const terminal = await run(async (run, socket) => {
      socket.supervisor.drivers = [];
      await run.shows("no drivers");
      await socket[Symbol.asyncDispose]();
      await run.shows("STALE for");
      Deno.kill(Number(run.said("pid")), "SIGHUP");
    });
    assertGivenBack(terminal);
    assertStringIncludes(terminal.text, "Cannot reach a supervisor");
  },
});
