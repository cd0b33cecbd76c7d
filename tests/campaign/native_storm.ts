/**
 * Devices that come, go, fail and lie at random moments, under programs that
 * open, claim, reset, cancel and close at random moments: libusb must neither
 * crash nor lose a completion. Several programs run at once, each on its own
 * bus; the time a drain may take is cut to a few milliseconds, so that handles
 * are closed under transfers that the kernel still has.
 *
 *     deno run -A tests/campaign/native_storm.ts [--minutes 10] [--seed 1]
 *         [--transport preload|notify] [--clients 2] [--drain 3]
 */

import { Chance } from "../../driver/loop/chance.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import type { Fault, FaultRule } from "../../driver/sim/faults.ts";
import { MALFORMATIONS } from "../../driver/sim/malformed.ts";
import { USBDEVFS } from "../../driver/sim/usbfs_constants.ts";
import { seededRandom, VirtualBus } from "../../driver/sim/virtual_bus.ts";
import type { VirtualDevice } from "../../driver/sim/virtual_device.ts";
import { parseArgs } from "../../driver/std.ts";
import {
  showBus,
  SystemClock,
  type TransportName,
} from "../../ffi/linux/testing.ts";

/** How to storm. */
export interface StormOptions {
  readonly transport: TransportName;
  readonly seconds: number;
  readonly seed: number;
  /** DRAIN_TIMEOUT_MS of the client; default: as it is. */
  readonly drainMs?: number;
}

/** What came of it. */
export interface StormResult {
  /** Exit code, or 128 and the signal. */
  readonly code: number;
  readonly signal: string | null;
  /** Last line of the client: what it counted, as JSON. */
  readonly tally: Readonly<Record<string, number>> | undefined;
  /** What it said in error. */
  readonly errors: string;
}

const CLIENT = new URL("./native_storm_client.ts", import.meta.url).href;
const LIMITS = new URL("../../driver/limits.ts", import.meta.url);
const CONFIG = new URL("../../deno.json", import.meta.url);
/** Ports in use. */
const DEVICES = 3;
/** Addresses of a bus come round after 127; a program that hangs would still have the old node. */
const PLUGS_MAX = 120;
/** Between two deeds of the bus. */
const DEED_MS_MAX = 25;
/** One storm of a campaign: by then all plugs are used up. */
const STORM_SECONDS_MAX = 15;
/** Beyond the client's own time: start, last close, exit. */
const GRACE_MS = 40_000;

/** Runs one client through one storm. */
export async function storm(options: StormOptions): Promise<StormResult> {
  const clock = new SystemClock();
  const bus = new VirtualBus({ clock, random: seededRandom(options.seed) });
  const transport = await showBus(bus, { transport: options.transport });
  const weather = new Weather(bus, new Chance(options.seed));
  const place = await Deno.makeTempDir({ prefix: "storm." });
  try {
    const map = await importMap(place, options.drainMs);
    await using client = await transport.spawn({
      program: Deno.execPath(),
      args: [
        ...["run", "--quiet", "--no-prompt", "--no-check", "--allow-all"],
        ...[`--import-map=${map}`, "--v8-flags=--expose-gc", CLIENT],
        ...[String(options.seconds), String(options.seed)],
      ],
      // Freed memory is overwritten, so that its use shows.
      env: { MALLOC_CHECK_: "3", MALLOC_PERTURB_: "165" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
    const killer = setTimeout(
      () => client.kill("SIGKILL"),
      options.seconds * 1000 + GRACE_MS,
    );
    const [output, errors, status] = await Promise.all([
      new Response(client.child.stdout).text(),
      new Response(client.child.stderr).text(),
      client.status,
    ]);
    clearTimeout(killer);
    const { code, signal } = status;
    return { code, signal, tally: lastLine(output), errors };
  } finally {
    weather.end();
    bus.unplugAll();
    await transport.close();
    bus.close();
    await Deno.remove(place, { recursive: true });
  }
}

function lastLine(output: string): StormResult["tally"] {
  const line = output.trimEnd().split("\n").at(-1) ?? "";
  return line.startsWith("{") ? JSON.parse(line) : undefined;
}

/** The client's import map: ours, and other limits in place of those of the product. */
async function importMap(
  place: string,
  drainMs: number | undefined,
): Promise<string> {
  const config = JSON.parse(await Deno.readTextFile(CONFIG));
  const imports: Record<string, string> = { ...config.imports };
  if (drainMs !== undefined) {
    const text = await Deno.readTextFile(LIMITS);
    const changed = text
      .replace(/DRAIN_TIMEOUT_MS = \d+/, `DRAIN_TIMEOUT_MS = ${drainMs}`)
      .replace('"./assert.ts"', `"${new URL("./assert.ts", LIMITS).href}"`);
    if (changed === text) throw new Error("There is no DRAIN_TIMEOUT_MS");
    await Deno.writeTextFile(`${place}/limits.ts`, changed);
    imports[LIMITS.href] = `file://${place}/limits.ts`;
  }
  await Deno.writeTextFile(`${place}/map.json`, JSON.stringify({ imports }));
  return `${place}/map.json`;
}

/** What the bus does to its devices. */
class Weather {
  readonly #bus: VirtualBus;
  readonly #chance: Chance;
  readonly #devices: VirtualDevice[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #plugs = 0;

  constructor(bus: VirtualBus, chance: Chance) {
    this.#bus = bus;
    this.#chance = chance;
    for (let n = 0; n < DEVICES; n++) this.#plug();
    this.#next();
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #next(): void {
    this.#timer = setTimeout(() => {
      this.#deed();
      this.#next();
    }, this.#chance.integer(0, DEED_MS_MAX));
  }

  #deed(): void {
    const device = this.#chance.pick(this.#devices);
    const plugged = this.#bus.find(device);
    const firstDeed = this.#plugs < PLUGS_MAX ? 0 : 2;
    switch (this.#chance.integer(firstDeed, 9)) {
      case 0:
        this.#bus.unplug(device);
        this.#devices.splice(this.#devices.indexOf(device), 1);
        return this.#plug();
      case 1:
        if (plugged === undefined) return;
        this.#plugs++;
        return this.#bus.replug(device, this.#chance.integer(0, 30));
      case 2:
      case 3:
        return plugged?.device.faults.clear();
      default:
        if (plugged === undefined) return;
        if (this.#chance.happens(0.1)) plugged.device.faults.clear();
        plugged.device.faults.add(this.#rule());
    }
  }

  #plug(): void {
    this.#plugs++;
    const chance = this.#chance;
    const device = chance.integer(0, 5) === 0
      ? new Loopback({
        malformation: {
          kind: chance.pick(MALFORMATIONS),
          seed: chance.bits(),
        },
      })
      : new Loopback({ leavesOnReset: chance.integer(0, 3) === 0 });
    this.#devices.push(device);
    this.#bus.plug(device);
  }

  #rule(): FaultRule {
    const chance = this.#chance;
    const times = chance.integer(1, 4);
    if (chance.integer(0, 1) === 0) {
      const ioctl = chance.pick(IOCTLS);
      const errno = chance.pick(IOCTL_ERRORS);
      return { ioctl, times, fault: { kind: "status", errno } };
    }
    const endpoint = chance.pick([0, 0x81, 0x82, 0x83, 0x84, 0x01]);
    return { endpoint, times, fault: chance.pick(FAULTS) };
  }
}

const IOCTLS = [
  USBDEVFS.SUBMITURB,
  USBDEVFS.DISCARDURB,
  USBDEVFS.REAPURBNDELAY,
  USBDEVFS.SETINTERFACE,
  USBDEVFS.SETCONFIGURATION,
  USBDEVFS.CLAIMINTERFACE,
  USBDEVFS.RELEASEINTERFACE,
  USBDEVFS.RESET,
  USBDEVFS.CLEAR_HALT,
  USBDEVFS.GETDRIVER,
  USBDEVFS.GET_CAPABILITIES,
  USBDEVFS.DISCONNECT_CLAIM,
];
const IOCTL_ERRORS = [
  "IO",
  "NOMEM",
  "BUSY",
  "NODEV",
  "INVAL",
  "NOTTY",
  "NOENT",
  "AGAIN",
  "REMOTEIO",
] as const;
const FAULTS: readonly Fault[] = [
  { kind: "stall" },
  { kind: "babble" },
  { kind: "short", lengthBytes: 3 },
  { kind: "zeroLength" },
  { kind: "late", delayMs: 5 },
  { kind: "silent" },
  { kind: "status", errno: "PROTO" },
  { kind: "status", errno: "SHUTDOWN" },
  { kind: "disconnect", when: "before" },
  { kind: "disconnect", when: "during", atBytes: 10 },
  { kind: "disconnect", when: "after" },
];

async function main(): Promise<number> {
  const flags = parseArgs(Deno.args, {
    string: ["minutes", "seed", "transport", "clients", "drain"],
    default: { minutes: "10", seed: "1", clients: "2", drain: "3" },
    unknown: (argument) => {
      console.error(`Unknown argument ${argument}`);
      Deno.exit(2);
    },
  });
  const seconds = Number(flags.minutes) * 60;
  const clients = Number(flags.clients);
  const transports: readonly TransportName[] = flags.transport === undefined
    ? ["preload", "notify"]
    : [flags.transport === "notify" ? "notify" : "preload"];
  const until = performance.now() + seconds * 1000;
  let seed = Number(flags.seed);
  const failures: string[] = [];
  let storms = 0;
  const one = async (n: number): Promise<void> => {
    while (performance.now() < until) {
      const transport = transports[n % transports.length] ?? "preload";
      const own = seed++;
      const result = await storm({
        transport,
        seconds: Math.min(STORM_SECONDS_MAX, seconds),
        seed: own,
        drainMs: Number(flags.drain),
      });
      storms++;
      const { code, signal, tally } = result;
      console.log(JSON.stringify({ transport, seed: own, code, ...tally }));
      if (code === 0) continue;
      failures.push(`seed ${own}, ${transport}: ${signal ?? code}`);
      console.log(result.errors.slice(-4_000));
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, n) => one(n)));
  for (const failure of failures) console.log(failure);
  console.log(`${storms - failures.length} passed, ${failures.length} failed`);
  return failures.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
