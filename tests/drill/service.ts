/**
 * What a drill is held on: a virtual bus with a heater, and on it, as a program
 * of its own that knows nothing of the drill, `driverspace serve` with the real
 * libusb, the real sandbox and one driver.
 */

import { VirtualBus } from "../../driver/sim/virtual_bus.ts";
import { seededRandom } from "../../driver/sim/virtual_bus.ts";
import { SystemClock } from "../../ffi/linux/virtual_bus_clock.ts";
import { NotifyTransport } from "../../ffi/linux/virtual_bus_notify.ts";
import type { ClientProcess } from "../../ffi/linux/virtual_bus_process.ts";
import { Follower } from "./follower.ts";
import { ReportingHeater } from "./heater.ts";

const CLI = new URL("../../cli.ts", import.meta.url).pathname;
const DRIVER = new URL("./heater_driver.ts", import.meta.url).pathname;

/** A first start bundles the driver and its launcher. */
const START_TIMEOUT_MS = 60_000;
/** A log of 50 lines a second fits for the time of the drill. */
const DISK = "8m";

/**
 * A disk of its own for the log, small enough to be filled; then obeys one word
 * a line: `fill`, `free`, `copy`.
 */
const SHELL = `
mount -t tmpfs -o size=${DISK},mode=0700 none "$1" || exit 71
exec 3<&0
while read -r word; do
  case "$word" in
    fill) cat /dev/zero > "$1/filler" 2>/dev/null ;;
    free) rm -f "$1/filler" ;;
    copy) cat "$1"/heater.log* > "$2.part" && mv "$2.part" "$2" ;;
  esac
done <&3 &
shift 2
exec "$@" </dev/null
`;

/** A bus, a heater, and a supervisor that can be killed and started again. */
export class DrilledService implements AsyncDisposable {
  readonly heater: ReportingHeater = new ReportingHeater();
  readonly bus: VirtualBus = new VirtualBus({
    clock: new SystemClock(),
    random: seededRandom(1),
  });
  readonly #transport: NotifyTransport;
  readonly #folder: string;
  #supervisor: ClientProcess | undefined;
  #follower: Follower | undefined;

  /** Plugs the heater in. */
  constructor() {
    this.bus.plug(this.heater);
    this.#transport = new NotifyTransport(this.bus);
    this.#folder = Deno.makeTempDirSync({ prefix: "driverspace_drill." });
    Deno.mkdirSync(`${this.#folder}/disk`);
    Deno.writeTextFileSync(`${this.#folder}/drill.toml`, this.#configuration());
  }

  /** The events of the supervisor that runs. */
  get follower(): Follower {
    if (this.#follower === undefined) throw new Error("Nothing is started");
    return this.#follower;
  }

  /** Process id of the supervisor. */
  get supervisorPid(): number {
    return this.#supervisor?.child.pid ?? 0;
  }

  /** Starts the supervisor. Resolves when it answers; its driver may still be away. */
  async start(): Promise<void> {
    const serve = [
      ...[Deno.execPath(), "run", "--quiet", "--allow-all", CLI],
      ...["serve", `${this.#folder}/drill.toml`],
    ];
    this.#supervisor = await this.#transport.spawn({
      program: "sh",
      args: ["-c", SHELL, "drill", this.#disk, this.#copy, ...serve],
      env: { NO_COLOR: "1", XDG_STATE_HOME: `${this.#folder}/own` },
      stdin: "piped",
      stdout: "null",
      stderr: "inherit",
    });
    this.#follower = await Follower.open(this.#socket, START_TIMEOUT_MS);
  }

  /** Kills the supervisor. */
  async killSupervisor(): Promise<void> {
    Deno.kill(this.supervisorPid, "SIGKILL");
    this.#follower?.[Symbol.dispose]();
    await this.#supervisor?.child.stdin.close().catch(() => {});
    await this.#supervisor?.status;
  }

  /** Has the disk of the log filled, or given back. */
  async disk(word: "fill" | "free"): Promise<void> {
    await this.#tell(word);
  }

  /** The log as it is on the disk. */
  async log(): Promise<string> {
    await Deno.remove(this.#copy).catch(() => {});
    await this.#tell("copy");
    for (let attempt = 0; attempt < 100; attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      try {
        return await Deno.readTextFile(this.#copy);
      } catch {
        // It is not there yet.
      }
    }
    throw new Error("The log cannot be read");
  }

  /** What the supervisor says of its driver. */
  async driver(): Promise<{ readonly [key: string]: unknown }> {
    const answer = await this.follower.request("/drivers/heater");
    return await answer.json();
  }

  /** Has a command of the driver carried out; what comes of it is not waited for. */
  async command(name: string): Promise<void> {
    const sent = this.follower.request(`/drivers/heater/commands/${name}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ params: {}, timeout_ms: 500 }),
    });
    void sent.then((answer) => answer.body?.cancel()).catch(() => {});
    await Promise.resolve();
  }

  /** Ends everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#follower?.[Symbol.dispose]();
    this.#supervisor?.kill("SIGTERM");
    await this.#supervisor?.child.stdin.close().catch(() => {});
    await this.#transport.close();
    this.bus.close();
    await Deno.remove(this.#folder, { recursive: true });
  }

  get #disk(): string {
    return `${this.#folder}/disk`;
  }

  get #copy(): string {
    return `${this.#folder}/copy`;
  }

  get #socket(): string {
    return `${this.#folder}/socket`;
  }

  async #tell(word: string): Promise<void> {
    const writer = this.#supervisor?.child.stdin.getWriter();
    await writer?.write(new TextEncoder().encode(`${word}\n`));
    writer?.releaseLock();
  }

  /** Every drill is a first failure: a healthy while passes between two. */
  #configuration(): string {
    return `state_file = "${this.#folder}/state.json"
[server]
socket = "${this.#socket}"
[drivers.heater]
driver = "${DRIVER}"
device = { vendor = "1209", product = "00f5" }
log = "${this.#disk}/heater.log"
[drivers.heater.restart]
healthy_ms = 1000
`;
  }
}
