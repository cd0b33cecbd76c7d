/** A supervisor with virtual devices, and the way a browser takes to it. */

import { askSupervisor } from "../../driver/host/supervisor/client.ts";
import { Folder, Spawned } from "../cli/spawned.ts";

/** A test with a browser takes longer than a call of a command. */
const LIMIT_MS = 600_000;
const LOOK_MS = 250;

const MOUSE = new URL("../../docs/examples/mouse_driver.ts", import.meta.url)
  .pathname;

/** Entries of a configuration, for tests and pictures. */
export const ENTRIES = {
  multimeter: `[drivers.dmm]
driver = "usbtmc"
device = { virtual = "multimeter" }
[drivers.dmm.options]
poll = "MEASure:VOLTage:DC?"
poll-interval-ms = 250
service-request = true
`,
  mouse: `[drivers.mouse]
driver = "${MOUSE}"
device = { virtual = "mouse" }
`,
  absent: `[drivers.balance]
driver = "usbtmc"
device = { vendor = "0eb8", product = "2200" }
required = false
`,
  failing: `[drivers.pump]
driver = "${fixture("../cli/fixtures/counting_driver.ts")}"
device = { virtual = "loopback" }
required = false
[drivers.pump.options]
throw-at = 3
[drivers.pump.restart]
failures_max = 3
backoff_ms_max = 400
quarantine_ms = 600000
`,
  hostile: `[drivers.hostile]
driver = "${fixture("./fixtures/hostile_driver.ts")}"
device = { virtual = "loopback" }
`,
} as const;

/** How a lab is set up. */
export interface LabOptions {
  readonly entries: readonly (keyof typeof ENTRIES)[];
  /** Serves on a port of its own besides, behind this token. */
  readonly server?: { readonly port: number; readonly token: string };
}

/** A supervisor that runs. */
export class Lab implements AsyncDisposable {
  readonly #folder = new Folder();
  readonly #options: LabOptions;
  #serving: Spawned | undefined;
  #leading: Spawned | undefined;

  private constructor(options: LabOptions) {
    this.#options = options;
  }

  /** Starts one; resolves when it answers. */
  static async start(options: LabOptions): Promise<Lab> {
    const lab = new Lab(options);
    try {
      lab.#configure();
      await lab.serve();
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Path of the supervisor's socket. */
  get socket(): string {
    return `${this.#folder.path}/socket`;
  }

  /** Starts the supervisor, again if need be. */
  async serve(): Promise<void> {
    this.#serving = new Spawned(["serve", `${this.#folder.path}/lab.toml`], {
      XDG_STATE_HOME: `${this.#folder.path}/state`,
    });
    this.#serving.keep(LIMIT_MS);
    await this.#until(() => this.ask("/livez").then(() => true));
  }

  /** Another token, for the next supervisor. */
  setToken(token: string): void {
    Deno.writeTextFileSync(`${this.#folder.path}/token`, token);
  }

  /** Kills the supervisor, and its drivers die with it. */
  async kill(): Promise<void> {
    await this.#serving?.[Symbol.asyncDispose]();
    this.#serving = undefined;
  }

  /** The address that `driverspace dashboard` prints. */
  async address(): Promise<string> {
    const leading = new Spawned(["dashboard", "--socket", this.socket]);
    this.#leading = leading;
    leading.keep(LIMIT_MS);
    await leading.printed(/\n/);
    return leading.text.trim();
  }

  /** What the supervisor says at a path. */
  // deno-lint-ignore no-explicit-any -- JSON of any shape
  async ask(path: string): Promise<any> {
    return JSON.parse((await askSupervisor(this.socket, path)).body);
  }

  /** Waits until a driver is in a state; gives what is known of it. */
  // deno-lint-ignore no-explicit-any -- JSON of any shape
  async until(driver: string, state: string): Promise<any> {
    let found;
    await this.#until(async () => {
      found = await this.ask(`/drivers/${driver}`);
      return found.state === state;
    });
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#leading?.[Symbol.asyncDispose]();
    await this.kill();
    this.#folder[Symbol.dispose]();
  }

  #configure(): void {
    const { entries, server } = this.#options;
    const { path } = this.#folder;
    const token = `${path}/token`;
    const lines = [
      `state_file = "${path}/state.json"`,
      "[server]",
      `socket = "${this.socket}"`,
    ];
    if (server !== undefined) {
      Deno.writeTextFileSync(token, server.token, { mode: 0o600 });
      lines.push(`port = ${server.port}`, `token_file = "${token}"`);
    }
    lines.push(...entries.map((name) => ENTRIES[name]));
    Deno.writeTextFileSync(`${path}/lab.toml`, lines.join("\n"));
  }

  async #until(isSo: () => Promise<boolean>): Promise<void> {
    const dueMs = Date.now() + LIMIT_MS / 4;
    while (!(await isSo().catch(() => false))) {
      if (Date.now() > dueMs) {
        const status = await this.ask("/status").catch(String);
        throw new Error(`Waited in vain; ${JSON.stringify(status)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}

/** Path of a driver beside this file. */
function fixture(name: string): string {
  return new URL(name, import.meta.url).pathname;
}
