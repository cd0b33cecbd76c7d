/** The faults, and what has to come of each. */

import type { Followed } from "./follower.ts";
import type { DrilledService } from "./service.ts";

/** What a drill measured. Milliseconds from the fault; `undefined`: does not apply. */
export interface Outcome {
  readonly detectedMs: number | undefined;
  readonly safeMs: number | undefined;
  readonly readyMs: number | undefined;
  /** One phrase: what was lost, and how it is known. */
  readonly events: string;
  /** What it was called, or what else there is to say. */
  readonly note: string;
  /** Promises that were not kept. */
  readonly broken: readonly string[];
}

/** One fault. */
export interface Drill {
  readonly name: string;
  run(service: DrilledService): Promise<Outcome>;
}

/** Nothing takes as long unless it is broken. */
const STEP_TIMEOUT_MS = 15_000;
/** The policy of the drill forgets failures after a second. */
const HEALTHY_MS = 1_300;
/** The promises of README and docs/operations.md. */
const HANG_MS_MAX = 1_000;
const REBOUND_MS_MAX = 1_000;
const ORPHAN_MS_MAX = 500;

/** In the order in which they are held. */
export const DRILLS: readonly Drill[] = [
  failing("kill -9", "out-of-memory", async (service) => {
    const { pid } = await service.driver();
    return () => Deno.kill(Number(pid), "SIGKILL");
  }),
  failing("endless loop", "hang", commanding("hang"), HANG_MS_MAX),
  failing("native crash", "native-crash", commanding("crash")),
  failing("memory leak", "out-of-memory", commanding("leak")),
  { name: "unplug, replug", run: replug },
  { name: "storm of stalls", run: stallStorm },
  { name: "disk full", run: diskFull },
  { name: "supervisor killed", run: supervisorKilled },
];

/** Waits until the driver serves, heats, has done so for a healthy while, and its standby waits. */
export async function settled(service: DrilledService): Promise<void> {
  const { follower, heater } = service;
  const endMs = performance.now() + STEP_TIMEOUT_MS;
  for (;;) {
    if ((await service.driver())["state"] === "ready" && heater.isOn) break;
    if (performance.now() > endMs) throw new Error("The driver is not ready");
    await sleep(50);
  }
  await follower.next(follower.mark, isReading, due("a reading"));
  await sleep(HEALTHY_MS);
  while ((await service.driver())["standby"] !== true) {
    if (performance.now() > endMs) throw new Error("No standby waits");
    await sleep(50);
  }
}

type Break = () => void | Promise<void>;

function commanding(name: string): (service: DrilledService) => Break {
  return (service) => () => service.command(name);
}

/** A fault that ends the driver's process. */
function failing(
  name: string,
  exitClass: string,
  prepare: (service: DrilledService) => Break | Promise<Break>,
  detectedMsMax = Infinity,
): Drill {
  return {
    name,
    async run(service): Promise<Outcome> {
      const { follower, heater } = service;
      const breakIt = await prepare(service);
      const losses = new Losses(service);
      const { mark } = follower;
      const startMs = performance.now();
      await breakIt();
      const left = await follower.next(mark, isLeaving, due("its detection"));
      const ended = await follower.next(mark, isEnd, due("its end"));
      const ready = await follower.next(mark, isReady, due("READY"));
      await follower.next(follower.mark, isReading, due("a reading"));
      const safeMs = heater.offAtMs - startMs;
      const detectedMs = left.atMs - startMs;
      const named = String(ended.data["exit_class"]);
      return {
        detectedMs,
        safeMs: safeMs > 0 ? safeMs : undefined,
        readyMs: ready.atMs - startMs,
        events: losses.text(),
        note: named,
        broken: broken(
          [named === exitClass, `it was called ${named}, not ${exitClass}`],
          [safeMs > 0, "the heater was not turned off"],
          [safeMs <= ready.atMs - startMs, "it was ready before it was safe"],
          [detectedMs <= detectedMsMax, `detected after ${detectedMsMax} ms`],
          [losses.areSound, "readings came twice or out of order"],
        ),
      };
    },
  };
}

/** Away for a second: a state, no failure. */
async function replug(service: DrilledService): Promise<Outcome> {
  const { follower, heater, bus } = service;
  const before = await service.driver();
  const losses = new Losses(service);
  const { mark } = follower;
  const startMs = performance.now();
  bus.unplug(heater);
  const left = await follower.next(
    mark,
    (event) => becomes(event, "waiting-device"),
    due("its detection"),
  );
  await sleep(500);
  const backMs = performance.now();
  bus.plug(heater);
  const ready = await follower.next(mark, isReady, due("READY"));
  await follower.next(follower.mark, isReading, due("a reading"));
  const readyMs = ready.atMs - backMs;
  const after = await service.driver();
  return {
    detectedMs: left.atMs - startMs,
    safeMs: undefined,
    readyMs,
    events: losses.text(),
    note: "without power it is off",
    broken: broken(
      [readyMs <= REBOUND_MS_MAX, `bound again after ${REBOUND_MS_MAX} ms`],
      [after["failures"] === before["failures"], "it counted as a failure"],
      [losses.areSound, "readings came twice or out of order"],
    ),
  };
}

/** Three of ten transfers stall, for two seconds: the driver clears halts and goes on. */
async function stallStorm(service: DrilledService): Promise<Outcome> {
  const { follower, heater, bus } = service;
  const faults = bus.find(heater)?.device.faults;
  if (faults === undefined) throw new Error("The heater is not plugged in");
  const before = await service.driver();
  const losses = new Losses(service);
  const { mark } = follower;
  const injected = faults.injected;
  const startMs = performance.now();
  faults.add({
    endpoint: 0x81,
    times: 0,
    probability: 0.3,
    fault: { kind: "stall" },
  });
  await sleep(2_000);
  faults.clear();
  const clearedMs = performance.now();
  const reading = await follower.next(
    follower.mark,
    isReading,
    due("a reading"),
  );
  const count = faults.injected - injected;
  const after = await service.driver();
  return {
    detectedMs: undefined,
    safeMs: undefined,
    readyMs: reading.atMs - clearedMs,
    events: losses.text(),
    note: `${count} stalls in ${Math.round(clearedMs - startMs)} ms`,
    broken: broken(
      [count > 0, "there was no stall"],
      [before["pid"] === after["pid"], "the driver was restarted"],
      [follower.since(mark).some(isReading), "no reading came through"],
      [losses.areSound, "readings came twice or out of order"],
    ),
  };
}

/** Nothing can be written for three seconds: the driver serves, the log says what it lost. */
async function diskFull(service: DrilledService): Promise<Outcome> {
  const { follower } = service;
  const losses = new Losses(service);
  const { mark } = follower;
  const startMs = performance.now();
  await service.disk("fill");
  const detectedMs = await degradation(service, true) - startMs;
  await sleep(1_500);
  const served = follower.since(mark).filter(isReading).length;
  const freedMs = performance.now();
  await service.disk("free");
  const readyMs = await degradation(service, false) - freedMs;
  await sleep(500);
  const log = gapsOf(await service.log());
  return {
    detectedMs,
    safeMs: undefined,
    readyMs,
    events: losses.text(),
    note: `log: ${log.missing} lines lost, ${log.told} told`,
    broken: broken(
      [served > 10, "the driver stopped serving"],
      [log.broken === 0, `${log.broken} lines of the log are torn`],
      [log.missing === log.told, "the log does not say what it lost"],
      [losses.areSound && losses.count === 0, "readings were lost"],
    ),
  };
}

/** Nobody is left to watch: the driver must not live on, and the next supervisor puts things right. */
async function supervisorKilled(service: DrilledService): Promise<Outcome> {
  const { heater } = service;
  const pid = Number((await service.driver())["pid"]);
  const losses = new Losses(service);
  const startMs = performance.now();
  await service.killSupervisor();
  const goneMs = await ended(pid) - startMs;
  await service.start();
  await settled(service);
  const safeMs = heater.offAtMs - startMs;
  const { follower } = service;
  const driver = await service.driver();
  const readyMs = Date.parse(String(driver["since"])) -
    (performance.timeOrigin + startMs);
  const seen = follower.since(0).find(isReading);
  return {
    detectedMs: goneMs,
    safeMs: safeMs > 0 ? safeMs : undefined,
    readyMs,
    events: losses.text(),
    note: "driver ended; a new supervisor by hand",
    broken: broken(
      [goneMs <= ORPHAN_MS_MAX, `the driver lived on for ${ORPHAN_MS_MAX} ms`],
      [safeMs > 0, "the heater was not turned off"],
      [seen !== undefined, "no reading came through"],
    ),
  };
}

/** Readings by their numbers, as a client gets them: what is missing shows. */
class Losses {
  readonly #service: DrilledService;
  readonly #follower: DrilledService["follower"];
  readonly #mark: number;
  readonly #overwritten: number;

  constructor(service: DrilledService) {
    this.#service = service;
    this.#follower = service.follower;
    // The reading before the fault is the first of the count.
    const all = this.#follower.since(0);
    this.#mark = all.findLastIndex(isReading);
    this.#overwritten = overwrittenBy(service);
  }

  get count(): number {
    const numbers = this.#numbers();
    const first = numbers[0] ?? 0;
    const last = numbers.at(-1) ?? 0;
    return last - first + 1 - numbers.length;
  }

  get areSound(): boolean {
    const numbers = this.#numbers();
    return numbers.every((number, at) => at === 0 || number > numbers[at - 1]!);
  }

  text(): string {
    const device = overwrittenBy(this.#service) - this.#overwritten;
    const { count } = this;
    if (count === 0) return "none lost";
    const unfetched = Math.min(device, count);
    return `${count} lost: ${unfetched} not fetched, ${
      count - unfetched
    } with the process`;
  }

  #numbers(): number[] {
    const followers = new Set([this.#follower, this.#service.follower]);
    return [...followers].flatMap((follower) =>
      follower.since(follower === this.#follower ? this.#mark : 0)
        .filter(isReading)
        .map(({ data }) => (data["data"] as { number: number }).number)
    );
  }
}

function overwrittenBy({ heater }: DrilledService): number {
  return heater.observed()["overwritten"] ?? 0;
}

/** Numbers of lines that are missing in a log, and how many of them a line tells. */
function gapsOf(text: string): {
  readonly missing: number;
  readonly told: number;
  readonly broken: number;
} {
  const lastOf = new Map<string, number>();
  let [missing, told, torn] = [0, 0, 0];
  for (const line of text.split("\n")) {
    if (line === "") continue;
    try {
      const entry = JSON.parse(line);
      // A standby that made the device safe counts anew as the driver.
      const writer = `${entry.pid} ${entry.run}`;
      const last = lastOf.get(writer);
      if (last !== undefined) missing += entry.seq - last - 1;
      lastOf.set(writer, entry.seq);
      if (entry.event !== "log.dropped") continue;
      const { debug, info, warn, error } = entry;
      told += debug + info + warn + error;
    } catch {
      torn++;
    }
  }
  return { missing, told, broken: torn };
}

/** When a process is no more; a zombie that nobody has buried yet is none. */
async function ended(pid: number): Promise<number> {
  const endMs = performance.now() + STEP_TIMEOUT_MS;
  while (performance.now() < endMs) {
    try {
      const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
      if (stat.slice(stat.lastIndexOf(")")).startsWith(") Z")) break;
    } catch {
      break;
    }
    await sleep(5);
  }
  return performance.now();
}

/** When the supervisor says that the driver is not well, or is well again. */
async function degradation(
  service: DrilledService,
  isExpected: boolean,
): Promise<number> {
  const endMs = performance.now() + STEP_TIMEOUT_MS;
  while (performance.now() < endMs) {
    const { degraded } = await service.driver();
    if ((degraded !== null) === isExpected) return performance.now();
    await sleep(20);
  }
  throw new Error(isExpected ? "It was not noticed" : "It did not recover");
}

function becomes({ event, data }: Followed, state: string): boolean {
  return event === "driver.state" && data["to"] === state;
}

function isReady(event: Followed): boolean {
  return becomes(event, "ready");
}

function isLeaving({ event, data }: Followed): boolean {
  return event === "driver.state" && data["from"] === "ready";
}

function isEnd({ event }: Followed): boolean {
  return event === "driver.ended";
}

function isReading({ event, data }: Followed): boolean {
  return event === "driver.event" && data["event"] === "temperature";
}

function due(what: string): { what: string; timeoutMs: number } {
  return { what, timeoutMs: STEP_TIMEOUT_MS };
}

function broken(
  ...promises: readonly (readonly [boolean, string])[]
): string[] {
  return promises.filter(([isKept]) => !isKept).map(([, what]) => what);
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
