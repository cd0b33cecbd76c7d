/**
 * Registers the port contract for the real libusb over a transport of the
 * virtual bus. The bus lives here; libusb lives in one client process, to which
 * each test is sent by name.
 */

import { fail } from "../../driver/std.ts";
import { seededRandom, VirtualBus } from "../../driver/sim/virtual_bus.ts";
import {
  type BusTransport,
  type ClientProcess,
  isNotifyAvailable,
  isPreloadAvailable,
  showBus,
  type TransportOptions,
} from "../../ffi/linux/testing.ts";
import { ALL_FEATURES, type ContractFeature } from "./bench.ts";
import { BusController } from "./bus_controller.ts";
import type { ContractTest } from "./contract_kit.ts";
import { PORT_CONTRACT } from "./port_contract.ts";
import { StretchedClock } from "./stretched_clock.ts";
import {
  JsonLines,
  type RunnerOrder,
  type RunnerReport,
} from "./runner_protocol.ts";

/** How to register. */
export interface LibusbContractOptions extends TransportOptions {
  readonly transport: "preload" | "notify";
  /** What this transport cannot do. */
  readonly without?: readonly ContractFeature[];
}

/** A test over the whole stack takes a second at most; this is for a busy machine. */
const TEST_MS_MAX = 60_000;
/**
 * Frames of isochronous tests take so much longer than on a real bus. With 16 ms
 * of transfers in flight a busy machine is late now and then, which is a gap as
 * it is on hardware, and not what these tests are about.
 */
const ISOCHRONOUS_STRETCH = 8;
/** From spawn to the runner's connection. */
const START_MS_MAX = 60_000;

/** Registers every test of the contract. */
export async function libusbContract(
  name: string,
  options: LibusbContractOptions,
): Promise<void> {
  const answer = options.transport === "preload"
    ? await isPreloadAvailable()
    : await isNotifyAvailable();
  const runner = new ContractRunner(options);
  for (const test of PORT_CONTRACT) {
    const missing = (test.needs ?? []).filter((need) =>
      !ALL_FEATURES.has(need) || options.without?.includes(need)
    );
    const reason = !answer.isAvailable
      ? answer.reason
      : missing.length > 0
      ? `no ${missing.join(", ")} here`
      : undefined;
    Deno.test({
      name: `${name}: ${test.name}` +
        (reason === undefined ? "" : ` (ignored: ${reason})`),
      ignore: reason !== undefined,
      fn: () => runner.run(test),
    });
  }
  Deno.test.afterAll(() => runner.stop());
}

/** The client process, started with the first test and again after one that killed it. */
class ContractRunner {
  readonly #options: LibusbContractOptions;
  #session: RunnerSession | undefined;

  constructor(options: LibusbContractOptions) {
    this.#options = options;
  }

  async run(test: ContractTest): Promise<void> {
    // It may have died after its last result.
    if (this.#session?.isUsable === false) await this.stop();
    this.#session ??= await RunnerSession.start(this.#options);
    const failure = await this.#session.run(test);
    if (!this.#session.isUsable) await this.stop();
    if (failure !== undefined) fail(failure);
  }

  async stop(): Promise<void> {
    await this.#session?.stop();
    this.#session = undefined;
  }
}

/** One client process with its bus. */
class RunnerSession {
  readonly #clock: StretchedClock;
  readonly #bus: VirtualBus;
  readonly #transport: BusTransport;
  readonly #client: ClientProcess;
  readonly #lines: JsonLines<RunnerReport, RunnerOrder>;
  readonly #serving: Promise<void>;
  #controller: BusController;
  readonly #plugged: string[] = [];
  #result: ((failure: string | undefined) => void) | undefined;
  isUsable = true;

  private constructor(parts: {
    readonly clock: StretchedClock;
    readonly bus: VirtualBus;
    readonly transport: BusTransport;
    readonly client: ClientProcess;
    readonly connection: Deno.Conn;
  }) {
    const { bus, connection } = parts;
    this.#clock = parts.clock;
    this.#bus = bus;
    this.#transport = parts.transport;
    this.#client = parts.client;
    this.#controller = new BusController(bus);
    this.#lines = new JsonLines(connection);
    this.#serving = this.#serve();
  }

  static async start(options: LibusbContractOptions): Promise<RunnerSession> {
    const clock = new StretchedClock();
    const bus = new VirtualBus({ clock, random: seededRandom(1) });
    const transport = await showBus(bus, options);
    const place = await Deno.makeTempDir({ prefix: "contract." });
    const path = `${place}/runner`;
    using door = Deno.listen({ transport: "unix", path });
    try {
      const script = new URL("./libusb_runner.ts", import.meta.url).href;
      const client = await transport.spawn({
        program: Deno.execPath(),
        args: ["run", "--quiet", "--no-check", "--allow-all", script, path],
        stdin: "null",
      });
      const connection = await withDeadline(
        Promise.race([
          door.accept(),
          client.status.then(({ code }) =>
            fail(`The runner ended with exit code ${code}`)
          ),
        ]),
        START_MS_MAX,
        "The runner does not come up",
      );
      return new RunnerSession({ clock, bus, transport, client, connection });
    } catch (error) {
      await transport.close();
      throw error;
    } finally {
      await Deno.remove(place, { recursive: true });
    }
  }

  /** Runs a test; gives why it failed. The bus is empty before and after. */
  async run({ name, needs }: ContractTest): Promise<string | undefined> {
    const isIsochronous = needs?.includes("isochronous") ?? false;
    this.#clock.factor = isIsochronous ? ISOCHRONOUS_STRETCH : 1;
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#result = resolve;
    try {
      await this.#lines.send({ type: "run", name });
      const text = `No result within ${TEST_MS_MAX} ms`;
      return await withDeadline(promise, TEST_MS_MAX, text);
    } catch (error) {
      this.isUsable = false;
      return String(error);
    } finally {
      this.#result = undefined;
      this.#clear();
    }
  }

  /** Takes everything off the bus, and calls off what would come back. */
  #clear(): void {
    for (const id of this.#plugged.splice(0)) {
      this.#controller.execute({ type: "unplug", id });
    }
    this.#bus.unplugAll();
    this.#controller = new BusController(this.#bus);
  }

  async stop(): Promise<void> {
    this.#lines.close();
    await this.#client[Symbol.asyncDispose]();
    await this.#serving;
    await this.#transport.close();
    this.#bus.close();
  }

  async #serve(): Promise<void> {
    try {
      for await (const report of this.#lines) this.#take(report);
    } catch (error) {
      // Our own close, or the client's death, ends the conversation.
      const isEnd = error instanceof Deno.errors.BadResource ||
        error instanceof Deno.errors.Interrupted ||
        error instanceof Deno.errors.ConnectionReset;
      if (!isEnd) throw error;
    }
    this.isUsable = false;
    if (this.#result === undefined) return;
    const { code, signal } = await this.#client.status;
    this.#result?.(`The process that has libusb ended: ${signal ?? code}`);
  }

  #take(report: RunnerReport): void {
    if (report.type === "result") return this.#result?.(report.failure);
    const { id, command } = report;
    const reply = this.#controller.execute(command);
    const isNew = command.type === "plug" && reply.ok;
    if (isNew && typeof reply.value === "string") {
      this.#plugged.push(reply.value);
    }
    this.#lines.send({ type: "reply", id, reply }).catch(() => {});
  }
}

async function withDeadline<T>(
  promise: Promise<T>,
  limitMs: number,
  text: string,
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(text)), limitMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
