/**
 * `driverspace serve` as a service would run it, with scoped permissions, on a
 * virtual bus around it that a test plugs and unplugs. To the supervisor it is a
 * real bus: the nodes are there for every process it starts.
 */

import { serveFlags } from "../../driver/host/serve_permissions.ts";
import { askSupervisor } from "../../driver/host/supervisor/client.ts";
import { systemClock } from "../../driver/host/system_clock.ts";
import { VirtualMultimeter } from "../../driver/sim/devices/multimeter.ts";
import { VirtualBus } from "../../driver/sim/virtual_bus.ts";
import {
  type ClientProcess,
  NotifyTransport,
} from "../../ffi/linux/testing.ts";
import { driverspace, Folder } from "./spawned.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Far more than anything here takes, on a busy machine. */
const LIMIT_MS = 60_000;
const LOOK_MS = 50;

/** A process below the supervisor. */
export interface Descendant {
  readonly pid: number;
  readonly commandLine: string;
}

/** The bus with its supervisor. */
export class ServedBus implements AsyncDisposable {
  readonly bus = new VirtualBus({ clock: systemClock(), random: () => 0.5 });
  readonly meter = new VirtualMultimeter();
  readonly #transport = new NotifyTransport(this.bus);
  readonly #folder = new Folder();
  #client: ClientProcess | undefined;
  #stderr: Promise<string> | undefined;
  /**
   * Whether the supervisor is the child of another client of the bus. Then the
   * bus goes on for what outlives it.
   */
  protected readonly isInner: boolean = false;

  /** `driver` as a configuration names it; `more` are lines of its entry. */
  constructor(driver = "usbtmc", more = "") {
    this.bus.plug(this.meter);
    for (const name of ["etc", "state", "run", "cache"]) {
      Deno.mkdirSync(`${this.#folder.path}/${name}`, { mode: 0o700 });
    }
    Deno.writeTextFileSync(
      this.path("etc/lab.toml"),
      `state_file = "${this.path("state/state.json")}"
[server]
socket = "${this.socket}"
[drivers.dmm]
driver = "${driver}"
device = { vendor = "1209", product = "0002", serial = "DS0001" }
log = "${this.path("state/dmm.log")}"
${more}`,
    );
  }

  /** Below a folder of the test's own. */
  path(name: string): string {
    return `${this.#folder.path}/${name}`;
  }

  get socket(): string {
    return this.path("run/socket");
  }

  /** The supervisor's process. */
  get pid(): number {
    const { pid } = this.#running().child;
    if (!this.isInner) return pid;
    const inner = descendants(pid).find(({ commandLine }) =>
      commandLine.includes("cli.ts serve ")
    );
    if (inner === undefined) throw new Error("There is no supervisor");
    return inner.pid;
  }

  /** Starts a supervisor and waits until its driver is ready. */
  async serve(): Promise<void> {
    await this.begin();
    await this.until(/dmm +ready/);
  }

  /** Starts a supervisor with the flags of a service. */
  async begin(): Promise<void> {
    const folders = ["state", "run", "cache"].map((name) => this.path(name));
    const denoFolder = await denoDir();
    const outer = this.isInner
      ? { program: "/bin/sh", args: ["-c", '"$0" "$@"; exec sleep 600'] }
      : undefined;
    const client = await this.#transport.spawn({
      program: outer?.program ?? Deno.execPath(),
      args: [
        ...(outer === undefined ? [] : [...outer.args, Deno.execPath()]),
        ...["run", "--quiet", "--unstable-net"],
        ...serveFlags({
          denoPath: Deno.execPath(),
          reads: [this.path("etc"), ROOT, denoFolder],
          writes: folders,
          sockets: [this.socket],
        }),
        ...[`${ROOT}cli.ts`, "serve", this.path("etc/lab.toml")],
      ],
      env: {
        DENO_DIR: denoFolder,
        XDG_CACHE_HOME: this.path("cache"),
        XDG_STATE_HOME: this.path("state"),
        PATH: Deno.env.get("PATH") ?? "",
        NO_COLOR: "1",
        DENO_NO_UPDATE_CHECK: "1",
      },
      clearEnv: true,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    });
    this.#client = client;
    this.#stderr = new Response(client.child.stderr).text();
  }

  /** Waits until `driverspace status` prints something like it. */
  async until(pattern: RegExp): Promise<string> {
    const endMs = performance.now() + LIMIT_MS;
    for (;;) {
      const { out, err } = await driverspace([
        "status",
        "--socket",
        this.socket,
      ]);
      if (pattern.test(out)) return out;
      if (performance.now() > endMs) {
        this.signal("SIGKILL");
        throw new Error(`No ${pattern}: ${out}${err}${await this.#stderr}`);
      }
    }
  }

  /** Waits until the supervisor's log has a line of an event with these members, after the first `skip`. */
  async logged(
    event: string,
    members: Readonly<Record<string, unknown>> = {},
    skip = 0,
  ): Promise<Record<string, unknown>> {
    const endMs = performance.now() + LIMIT_MS;
    const wanted = Object.entries({ event, ...members });
    for (;;) {
      const found = this.log().filter((line) =>
        wanted.every(([name, value]) =>
          line[name] === value
        )
      )[skip];
      if (found !== undefined) return found;
      if (performance.now() > endMs) throw new Error(`No ${event} in the log`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** The supervisor's own log. */
  log(): Record<string, unknown>[] {
    try {
      return Deno.readTextFileSync(
        this.path("state/driverspace/supervisor.log"),
      ).trimEnd().split("\n").map((line): Record<string, unknown> =>
        JSON.parse(line)
      );
    } catch {
      // It is not there yet, or its last line is not whole.
      return [];
    }
  }

  /** The process that watches the bus. */
  watcher(): number {
    return this.#one(/ --allow-ffi=\S+ --allow-read=\S+ \S+\.js$/);
  }

  /** The driver's process. Its standby looks alike from outside. */
  async driver(name = "dmm"): Promise<number> {
    const { body } = await askSupervisor(this.socket, `/drivers/${name}`);
    const { pid }: { pid: unknown } = JSON.parse(body);
    if (typeof pid === "number") return pid;
    throw new Error(`There is no process: ${body}`);
  }

  signal(signal: Deno.Signal): void {
    if (this.isInner) Deno.kill(this.pid, signal);
    else this.#client?.kill(signal);
  }

  /** Waits for the supervisor's end. */
  async ended(): Promise<number> {
    return (await this.#running().status).code;
  }

  #running(): ClientProcess {
    if (this.#client === undefined) throw new Error("Nothing was started");
    return this.#client;
  }

  #one(pattern: RegExp): number {
    const found = descendants(this.pid).filter(({ commandLine }) =>
      pattern.test(commandLine)
    );
    const [only, second] = found;
    if (only !== undefined && second === undefined) return only.pid;
    throw new Error(`Not one but ${JSON.stringify(found)} like ${pattern}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // One within another client would outlive that.
    try {
      if (this.isInner) this.signal("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#transport.close();
    this.bus.close();
    this.#folder[Symbol.dispose]();
  }
}

/** Whether a process is there and no mere entry of the table. */
export function isAlive(pid: number): boolean {
  const state = statOf(pid)?.state;
  return state !== undefined && state !== "Z" && state !== "X";
}

/** Children and theirs, of a process that a test started. */
export function descendants(pid: number): Descendant[] {
  const found: Descendant[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    const other = Number(name);
    if (!Number.isInteger(other) || statOf(other)?.parent !== pid) continue;
    const commandLine = readText(`/proc/${other}/cmdline`)
      ?.replaceAll("\0", " ").trim() ?? "";
    found.push({ pid: other, commandLine }, ...descendants(other));
  }
  return found;
}

function statOf(pid: number): { state: string; parent: number } | undefined {
  // The name in the middle may hold anything; what matters comes after it.
  const [state = "", parent = ""] =
    readText(`/proc/${pid}/stat`)?.split(") ").at(-1)?.split(" ") ?? [];
  return state === "" ? undefined : { state, parent: Number(parent) };
}

function readText(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

async function denoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json"],
    stdin: "null",
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}
