/** Debian's broker and its clients: independent peers, each a process of its own. */

import { assert } from "../../../driver/std.ts";
import { LineSplitter } from "../../../driver/host/line_splitter.ts";
import { freePort } from "../../free_port.ts";

/** Far more than anything here takes, on a busy machine. */
const LIMIT_MS = 60_000;

/** Whether the broker and its clients are installed. */
export const HAS_MOSQUITTO = ["mosquitto", "mosquitto_sub", "mosquitto_pub"]
  .every((name) =>
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"].some((
      folder,
    ) => isFile(`${folder}/${name}`))
  );

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** A program and the lines it prints. */
export class Peer implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #name: string;
  readonly #done: Promise<unknown>;
  #more = Promise.withResolvers<void>();
  #isOver = false;

  constructor(
    command: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ) {
    const [program = "", ...args] = command;
    this.#name = program.split("/").at(-1) ?? "";
    this.#child = new Deno.Command(program, {
      args,
      env: { NO_COLOR: "1", PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#done = Promise.all([
      this.#read(this.#child.stdout),
      this.#read(this.#child.stderr),
    ]).then(() => {
      this.#isOver = true;
      this.#wake();
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It ended already.
    }
  }

  /** The exit code, once it ended. */
  async code(): Promise<number> {
    const limit = setTimeout(() => this.signal("SIGKILL"), LIMIT_MS);
    const { code } = await this.#child.status;
    await this.#done;
    clearTimeout(limit);
    return code;
  }

  /** Resolves when what it printed is enough; fails when it ends or the time passes before. */
  async until(
    what: string,
    isEnough: (lines: readonly string[]) => boolean,
  ): Promise<void> {
    const late = Promise.withResolvers<"late">();
    const limit = setTimeout(() => late.resolve("late"), LIMIT_MS);
    try {
      while (!isEnough(this.lines)) {
        const came = await Promise.race([this.#more.promise, late.promise]);
        if (isEnough(this.lines)) break;
        assert(
          came !== "late" && !this.#isOver,
          `${this.#name} did not show ${what}:\n${this.lines.join("\n")}`,
        );
      }
    } finally {
      clearTimeout(limit);
    }
  }

  /** Resolves when a line matches, from the `from`th on. */
  untilLine(pattern: RegExp, from = 0): Promise<void> {
    return this.until(
      String(pattern),
      (lines) => lines.slice(from).some((line) => pattern.test(line)),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGKILL");
    await this.code();
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const splitter = new LineSplitter();
    for await (const piece of stream) {
      for (const line of splitter.push(piece)) {
        this.lines.push(new TextDecoder().decode(line));
        this.#wake();
      }
    }
  }

  #wake(): void {
    this.#more.resolve();
    this.#more = Promise.withResolvers();
  }
}

/** A broker on a loopback port of its own. */
export class Mosquitto implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "driverspace_mqtt." });
  readonly port: number;
  readonly #configuration: string;
  #process: Peer | undefined;

  private constructor(port: number, lines: readonly string[]) {
    this.port = port;
    this.#configuration = `${this.folder}/mosquitto.conf`;
    Deno.writeTextFileSync(
      this.#configuration,
      [
        `listener ${port} 127.0.0.1`,
        // As root it would become another user, who may not read our files.
        ...(Deno.uid() === 0 ? ["user root"] : []),
        "persistence true",
        `persistence_location ${this.folder}/`,
        "max_queued_messages 0",
        ...lines.map((line) => line.replaceAll("FOLDER", this.folder)),
        "",
      ].join("\n"),
    );
  }

  /** Starts one. `FOLDER` in a line is its own folder, which `prepare` may fill. */
  static async start(
    lines: readonly string[] = ["allow_anonymous true"],
    prepare: (folder: string) => Promise<void> = () => Promise.resolve(),
  ): Promise<Mosquitto> {
    for (;;) {
      const broker = new Mosquitto(freePort(), lines);
      await prepare(broker.folder);
      try {
        await broker.run();
        return broker;
      } catch (error) {
        // Somebody else was given the same port in between.
        await broker[Symbol.asyncDispose]();
        if (!String(error).includes("Address already in use")) throw error;
      }
    }
  }

  /** Starts it, again after `halt`. */
  async run(): Promise<void> {
    this.#process = new Peer(["mosquitto", "-c", this.#configuration]);
    await this.#process.untilLine(/ running$/);
  }

  /** Ends it in order: what must survive is written. */
  async halt(): Promise<void> {
    this.#process?.signal("SIGTERM");
    await this.#process?.code();
  }

  /** Follows topics; resolves when it is subscribed. */
  async follow(
    topics: readonly string[] = ["#"],
    options: {
      readonly args?: readonly string[];
      /** The broker keeps what it misses. */
      readonly id?: string;
    } = {},
  ): Promise<Subscriber> {
    const { args = [], id } = options;
    const probe = "probe";
    await this.publish(probe, "there", ["--retain", ...args]);
    const subscriber = new Subscriber([
      "mosquitto_sub",
      ...["-h", "127.0.0.1", "-p", String(this.port)],
      ...["-q", "1", "-F", "%r %t %p"],
      ...[...topics, probe].flatMap((topic) => ["-t", topic]),
      ...(id === undefined ? [] : ["-c", "-i", id]),
      ...args,
    ]);
    await subscriber.until(
      "its subscription",
      (lines) => lines.some((line) => line.endsWith(" probe there")),
    );
    return subscriber;
  }

  /** Publishes, and resolves when the broker has it. */
  async publish(
    topic: string,
    payload: string | Uint8Array,
    args: readonly string[] = [],
  ): Promise<void> {
    const child = new Deno.Command("mosquitto_pub", {
      args: [
        ...["-h", "127.0.0.1", "-p", String(this.port), "-q", "1"],
        ...["-t", topic, ...args],
        ...(payload.length === 0 ? ["-n"] : ["-s"]),
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    const bytes = typeof payload === "string"
      ? new TextEncoder().encode(payload)
      : payload;
    await writer.write(bytes).catch(() => {});
    await writer.close().catch(() => {});
    const { code, stderr } = await child.output();
    assert(code === 0, new TextDecoder().decode(stderr));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** What somebody else sees of the broker. */
export class Subscriber extends Peer {
  /** Payloads of a topic, in the order they came. */
  payloads(topic: string): string[] {
    return this.lines.flatMap((line) => {
      const [, name, payload = ""] = /^[01] (\S+) ?(.*)$/.exec(line) ?? [];
      return name === topic ? [payload] : [];
    });
  }

  /** Resolves when the last of a topic is this. */
  untilLast(topic: string, payload: string | RegExp): Promise<void> {
    return this.until(`${payload} on ${topic}`, () => {
      const last = this.payloads(topic).at(-1);
      if (last === undefined) return false;
      return typeof payload === "string"
        ? last === payload
        : payload.test(last);
    });
  }

  /** Resolves when a topic has had so many messages. */
  untilCount(topic: string, count: number): Promise<void> {
    return this.until(
      `${count} messages on ${topic}`,
      () => this.payloads(topic).length >= count,
    );
  }
}
