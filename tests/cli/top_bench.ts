/** A supervisor's answers and a terminal, in a test's hands. */

import { CliError, EXIT } from "../../driver/host/cli/exit_codes.ts";
import type { FullTerminal } from "../../driver/host/cli/terminal.ts";
import type { TopDriver } from "../../driver/host/cli/top_answers.ts";
import type { ScreenSize } from "../../driver/host/cli/top_screen.ts";
import type { Ask } from "../../driver/host/cli/top_source.ts";

/** A driver as a supervisor tells of it. */
export function topDriver(parts: Partial<TopDriver> = {}): TopDriver {
  return {
    name: "dmm",
    driver: "usbtmc",
    state: "ready",
    since: "1970-01-01T00:00:00.000Z",
    cause: null,
    degraded: null,
    device: { label: "0957:1755@1-4", product: "34410A" },
    pid: 7,
    starts: 1,
    reports: 0,
    dropped: 0,
    in_flight: 2,
    mailbox: { control: 0, commands: 1, reports: 2 },
    queued_commands: 0,
    last_exit: null,
    ...parts,
  };
}

/** Answers requests as a supervisor does. */
export class FakeSupervisor {
  drivers: TopDriver[] = [topDriver()];
  log: { at: string; level: string; event: string; message: string }[] = [];
  /** Nobody answers. */
  isAway = false;
  readonly retried: string[] = [];
  readonly ask: Ask = (path, { method = "GET" } = {}) => {
    if (this.isAway) {
      return Promise.reject(
        new CliError(EXIT.unavailable, "Cannot reach a supervisor at /x"),
      );
    }
    const body = this.#answer(path, method);
    return Promise.resolve({
      status: body === undefined ? 404 : method === "POST" ? 202 : 200,
      body: JSON.stringify(body ?? { error: { message: "not found" } }),
    });
  };

  #answer(path: string, method: string): unknown {
    if (path === "/status") {
      const drivers = this.drivers.map(({ name, state, since, driver }) => ({
        ...{ name, state, since, driver },
      }));
      return { version: "0.1.0", stopping: false, uptime_ms: 65_000, drivers };
    }
    const [, , name = "", what] = path.split(/[/?]/);
    const driver = this.drivers.find((one) => one.name === name);
    if (driver === undefined) return undefined;
    if (what === "log") return { lines: this.log };
    if (what === "retry" && method === "POST") {
      this.retried.push(name);
      return { accepted: true };
    }
    return driver;
  }
}

/** A terminal without a screen. */
export class FakeTerminal implements FullTerminal {
  drawn: readonly string[] = [];
  isGone = false;
  isEntered = false;
  /** What was done to it: `enter`, `leave`, `stop`. */
  readonly story: string[] = [];
  now: ScreenSize = { columns: 100, rows: 12 };
  handlers: Parameters<FullTerminal["onChange"]>[0] | undefined;
  #typed = Promise.withResolvers<Uint8Array | undefined>();

  /** What is shown, without its looks. */
  get text(): string {
    // deno-lint-ignore no-control-regex -- what is taken away
    return this.drawn.join("\n").replaceAll(/\x1b\[[0-9;]*m/g, "");
  }

  /** Types; resolves when it was read and acted on. */
  async type(text: string): Promise<void> {
    const typed = this.#typed;
    this.#typed = Promise.withResolvers();
    typed.resolve(new TextEncoder().encode(text));
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  }

  enter(): void {
    this.isEntered = true;
    this.story.push("enter");
  }

  leave(): void {
    if (this.isEntered) this.story.push("leave");
    this.isEntered = false;
  }

  draw(lines: readonly string[]): void {
    this.drawn = lines;
  }

  size(): ScreenSize {
    return this.now;
  }

  read(): Promise<Uint8Array | undefined> {
    return this.#typed.promise;
  }

  onChange(handlers: Parameters<FullTerminal["onChange"]>[0]): () => void {
    this.handlers = handlers;
    return () => this.handlers = undefined;
  }

  stop(): void {
    this.story.push("stop");
    this.isEntered = false;
  }
}
