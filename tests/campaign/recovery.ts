/**
 * How soon a supervised driver serves again: over the real supervisor, sandbox
 * and libusb on the virtual bus, beside a plain `deno run` of one line on the
 * same machine in the same minutes.
 *
 *     deno run --allow-all tests/campaign/recovery.ts [ROUNDS]
 *
 * A recovery counts from the signal to READY, which follows on transfers that
 * passed. With a standby, which each death here waits for, one process that is
 * there makes the device safe and is the driver; this is what is promised. What
 * two starts in a row take without one is told. The supervisor runs as a client
 * of the bus, so that a start costs what it does on a real one; in times to a
 * safe device without a standby, and of hangs, there is one more start of the
 * runtime, the bus's own.
 */

import {
  CONFIGURED,
  HeaterLab,
  MADE_SAFE,
} from "../host/safe_state/heater_lab.ts";
import { ServedBus } from "../cli/served_bus.ts";

/** Failures in a row are no reason to wait here: the pauses are another matter. */
const AT_ONCE = "restart = { backoff_ms_base = 0, failures_max = 1000 }\n";
const COLD = `${AT_ONCE}standby = false\n`;
const HEATER_AT_ONCE = `
[drivers.heater.restart]
backoff_ms_base = 0
failures_max = 1000
`;
/** It declares no safe state, and takes any device of the test's. */
const CARELESS =
  new URL("../cli/fixtures/counting_driver.ts", import.meta.url).pathname;
/** Of the line of a standby that is there. */
const WAITING = { msg: "A standby waits" };
/** Promised: beyond a plain start, in milliseconds. */
const BEYOND_P50_MS = 100;
const BEYOND_P99_MS = 250;
const HANG_MS = 1_000;
const REBOUND_MS = 1_000;
const SLOW_ROUNDS = 5;

async function main(rounds: number): Promise<void> {
  const plain = await times(rounds, plainStart);
  tell("plain deno run", plain);
  for (
    const [name, driver] of [
      ["SIGKILL to READY, no safe state", CARELESS],
      ["SIGKILL to READY, with a safe state", "usbtmc"],
    ] as const
  ) {
    const recoveries = await recover(driver, { rounds, isCold: false });
    tell(name, recoveries);
    const cold = await recover(driver, { rounds, isCold: true });
    tell(`${name}, no standby`, cold);
    judge(`${name}, p50 beyond a plain start`, {
      ms: quantile(recoveries, 0.5) - quantile(plain, 0.5),
      mostMs: BEYOND_P50_MS,
    });
    judge(`${name}, p99 beyond a plain start`, {
      ms: quantile(recoveries, 0.99) - quantile(plain, 0.99),
      mostMs: BEYOND_P99_MS,
    });
  }
  await measureSafety(rounds);
  await measureHangs();
  await measureReplugs();
}

async function measureSafety(rounds: number): Promise<void> {
  for (const hasStandby of [true, false]) {
    const options = HEATER_AT_ONCE;
    await using lab = await HeaterLab.open({ options, hasStandby });
    const name = hasStandby ? "" : ", no standby";
    const took = await times(rounds, async () => {
      const event = { message: WAITING.msg };
      if (hasStandby) await lab.next("driver.standby", event);
      return await safety(lab);
    });
    tell(`SIGKILL to device safe${name}`, took);
  }
}

async function measureHangs(): Promise<void> {
  await using lab = await HeaterLab.open({ options: HEATER_AT_ONCE });
  const hangs = await times(SLOW_ROUNDS, () => hang(lab));
  tell("hang to its detection", hangs);
  judge("hang, slowest", { ms: Math.max(...hangs), mostMs: HANG_MS });
}

async function measureReplugs(): Promise<void> {
  await using served = new ServedBus();
  await served.serve();
  let ready = 1;
  const replugs = await times(SLOW_ROUNDS, async () => {
    served.bus.unplug(served.meter);
    await served.logged("driver.state", { to: "waiting-device" }, ready - 1);
    const atMs = Date.now();
    served.bus.plug(served.meter);
    const line = await served.logged("driver.state", { to: "ready" }, ready++);
    return Date.parse(String(line["ts"])) - atMs;
  });
  tell("node there to READY", replugs);
  judge("node there to READY, slowest", {
    ms: Math.max(...replugs),
    mostMs: REBOUND_MS,
  });
}

async function times(
  count: number,
  measure: () => Promise<number>,
): Promise<number[]> {
  const measured: number[] = [];
  for (let round = 0; round < count; round++) measured.push(await measure());
  return measured;
}

async function plainStart(): Promise<number> {
  const startMs = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-config", "--no-lock", SCRIPT],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  const tookMs = performance.now() - startMs;
  await reader.cancel();
  await child.status;
  return tookMs;
}

const SCRIPT = 'data:application/javascript,console.log("hello")';

async function recover(
  driver: string,
  { rounds, isCold }: { readonly rounds: number; readonly isCold: boolean },
): Promise<number[]> {
  await using served = new ServedBus(driver, isCold ? COLD : AT_ONCE);
  await served.serve();
  let ready = 1;
  return await times(rounds, async () => {
    if (!isCold) await served.logged("driver.standby", WAITING, ready - 1);
    return await recovery(served, ready++);
  });
}

/** To the millisecond in which the supervisor logs it. */
async function recovery(served: ServedBus, ready: number): Promise<number> {
  const pid = await served.driver();
  const atMs = Date.now();
  Deno.kill(pid, "SIGKILL");
  const line = await served.logged("driver.state", { to: "ready" }, ready);
  return Date.parse(String(line["ts"])) - atMs;
}

async function safety(lab: HeaterLab): Promise<number> {
  const { toldAtMs, told } = lab.heater;
  const before = told.length;
  const startMs = performance.now();
  lab.kill("SIGKILL");
  await lab.ready();
  const expected = [...MADE_SAFE, ...CONFIGURED].join();
  if (told.slice(before).join() !== expected) throw new Error("Not made safe");
  return (toldAtMs[before] ?? NaN) - startMs;
}

/** From the command that never ends to the kill: the state is left. */
async function hang(lab: HeaterLab): Promise<number> {
  const startMs = performance.now();
  lab.die("hang");
  await lab.next("driver.state", { from: "ready" });
  const tookMs = performance.now() - startMs;
  await lab.ready();
  return tookMs;
}

function tell(name: string, ms: readonly number[]): void {
  const [p50, p99] = [quantile(ms, 0.5), quantile(ms, 0.99)];
  console.log(
    `${name}: p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, ` +
      `least ${Math.min(...ms).toFixed(0)} ms (${ms.length} times)`,
  );
}

let missed = 0;

function judge(
  name: string,
  { ms, mostMs }: { readonly ms: number; readonly mostMs: number },
): void {
  const isKept = ms <= mostMs;
  if (!isKept) missed++;
  const word = isKept ? "kept" : "MISSED";
  console.log(`  ${word}: ${name} ${ms.toFixed(0)} ms, at most ${mostMs} ms`);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[
    Math.min(sorted.length - 1, Math.floor(sorted.length * share))
  ] ??
    NaN;
}

if (import.meta.main) {
  const rounds = Number(Deno.args[0] ?? 30);
  if (!Number.isInteger(rounds) || rounds < 1) {
    console.error(`How many rounds is ${JSON.stringify(Deno.args[0])}?`);
    Deno.exit(2);
  }
  await main(rounds);
  console.log(missed === 0 ? "all kept" : `${missed} missed`);
  Deno.exit(missed === 0 ? 0 : 1);
}
