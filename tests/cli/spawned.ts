/** Runs the real `driverspace` as a person would, and what these tests need of the system. */

import {
  isNotifyAvailable,
  isPreloadAvailable,
} from "../../ffi/linux/virtual_bus_available.ts";

const CLI = new URL("../../cli.ts", import.meta.url).pathname;

const [PRELOAD, NOTIFY] = await Promise.all([
  isPreloadAvailable(),
  isNotifyAvailable(),
]);

/** Whether the transports of the virtual bus are there. */
export const HAS_PRELOAD = PRELOAD.isAvailable;
export const HAS_NOTIFY = NOTIFY.isAvailable;

/** Registers a test of one transport; ignored, with the reason in its name, where that cannot be had. */
export function testOn(
  transport: "preload" | "notify",
  name: string,
  fn: () => void | Promise<void>,
): void {
  const answer = transport === "preload" ? PRELOAD : NOTIFY;
  const reason = answer.isAvailable ? "" : ` [not run: ${answer.reason}]`;
  Deno.test({ name: name + reason, ignore: !answer.isAvailable, fn });
}

/** Far more than any of these takes, on a busy machine. */
const LIMIT_MS = 180_000;

/** Logs and crash bundles of these calls, which must not lie among the person's own. */
const STATE_HOME = Deno.makeTempDirSync({ prefix: "driverspace_state." });
globalThis.addEventListener(
  "unload",
  () => Deno.removeSync(STATE_HOME, { recursive: true }),
);

/** What a call printed and ended with. */
export interface SpawnedResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A call of `driverspace` that is under way. */
export class Spawned implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  #limit: ReturnType<typeof setTimeout>;
  #out = "";
  readonly #outDone: Promise<void>;
  readonly #err: Promise<string>;
  #watch: (() => void) | undefined;

  /** `before` are words in front of the command line, `nohup` for instance. */
  constructor(
    args: readonly string[],
    env: Record<string, string> = {},
    before: readonly string[] = [],
  ) {
    const [program = "", ...rest] = [
      ...before,
      ...[Deno.execPath(), "run", "--quiet", "--allow-all", CLI, ...args],
    ];
    this.#child = new Deno.Command(program, {
      args: rest,
      env: { NO_COLOR: "1", XDG_STATE_HOME: STATE_HOME, ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#limit = setTimeout(() => this.signal("SIGKILL"), LIMIT_MS);
    this.#outDone = this.#readOut();
    this.#err = new Response(this.#child.stderr).text();
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** What it printed so far. */
  get text(): string {
    return this.#out;
  }

  /** Another limit to its life, from now on. */
  keep(limitMs: number): void {
    clearTimeout(this.#limit);
    this.#limit = setTimeout(() => this.signal("SIGKILL"), limitMs);
  }

  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It ended already.
    }
  }

  /** Resolves when it has printed something that matches; rejects when it ends without. */
  async printed(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#out)) {
      const more = new Promise<"more">((resolve) => {
        this.#watch = () => resolve("more");
      });
      const what = await Promise.race([more, this.#outDone]);
      if (what === "more" || pattern.test(this.#out)) continue;
      throw new Error(
        `It ended without ${pattern}:\n${this.#out}\n${await this.#err}`,
      );
    }
  }

  async result(): Promise<SpawnedResult> {
    const { code } = await this.#child.status;
    clearTimeout(this.#limit);
    await this.#outDone;
    return { code, out: this.#out, err: await this.#err };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGKILL");
    await this.result();
  }

  async #readOut(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const piece of this.#child.stdout) {
      this.#out += decoder.decode(piece, { stream: true });
      this.#watch?.();
    }
  }
}

/** Calls `driverspace` and waits for its end. */
export async function driverspace(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<SpawnedResult> {
  await using spawned = new Spawned(args, env);
  return await spawned.result();
}

/**
 * Calls `driverspace run`, and stops it in order once it has printed all of
 * these, however long a busy machine takes.
 */
export async function ranUntil(
  patterns: readonly RegExp[],
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<SpawnedResult> {
  await using spawned = new Spawned(["run", ...args], env);
  for (const pattern of patterns) await spawned.printed(pattern);
  spawned.signal("SIGTERM");
  return await spawned.result();
}

/** A folder that is removed at the end. */
export class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "driverspace_cli." });
  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}
