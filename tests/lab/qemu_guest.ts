/** Runs a command in a QEMU guest: restore, plug, mount, run, report, end. */

import { guestScript, quote } from "./guest_script.ts";
import {
  endProcess,
  IGNORE_SHARED,
  machineArguments,
  snapshot,
  startQemu,
} from "./machine.ts";
import type { LabOptions, Output } from "./options.ts";
import { connectUnix, delay, Qmp, readLines, writeAll } from "./qmp.ts";

/** Exit code of a run that took too long, as timeout(1) has it. */
export const EXIT_TIMEOUT = 124;

/** What a run needs besides its command. */
export interface GuestRun {
  readonly options: LabOptions;
  readonly cache: string;
  readonly output: Output;
}

/** Runs `command` in the guest and gives its exit code. */
export async function runInQemu(
  run: GuestRun,
  command: readonly string[],
): Promise<number> {
  const { options, cache } = run;
  const log = stopwatch(options.time);
  const stored = options.snapshot ? await snapshot(options, cache) : undefined;
  const folder = await Deno.makeTempDir({ prefix: "lab-" });
  const qemu = startQemu([
    ...machineArguments(options, {
      cache,
      folder,
      share: await Deno.realPath(options.share),
      ram: stored === undefined ? `${folder}/ram` : `${stored}/ram`,
      keepRam: false,
    }),
    ...options.qemu,
    ...(stored === undefined ? [] : ["-incoming", "defer", "-S"]),
    ...(options.qmp === ""
      ? []
      : ["-qmp", `unix:${options.qmp},server=on,wait=off`]),
  ]);
  const end = (): void => endProcess(qemu);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    console.error(`lab: time limit of ${options.timeoutSeconds} s passed`);
    end();
  }, options.timeoutSeconds * 1_000);
  for (const signal of SIGNALS) Deno.addSignalListener(signal, end);
  let isBroken = false;
  try {
    return await drive({ ...run, folder, stored, log, qemu }, command);
  } catch (error) {
    isBroken = true;
    if (isLate) return EXIT_TIMEOUT;
    throw error;
  } finally {
    clearTimeout(timer);
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, end);
    end();
    if (options.console || isBroken) await printConsole(folder);
    await Deno.remove(folder, { recursive: true });
    log("done");
  }
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

interface Driven extends GuestRun {
  readonly folder: string;
  readonly stored: string | undefined;
  readonly log: (stage: string) => void;
  readonly qemu: Deno.ChildProcess;
}

async function drive(
  run: Driven,
  command: readonly string[],
): Promise<number> {
  const { folder, options, output, log, stored } = run;
  const qmp = await Qmp.open(`${folder}/qmp`);
  const copied = Promise.allSettled([
    copy(`${folder}/out`, (chunk) => output.out(chunk)),
    copy(`${folder}/err`, (chunk) => output.err(chunk)),
  ]);
  const control = await connectUnix(`${folder}/ctl`);
  const lines = readLines(control.readable);
  if (stored === undefined) await lines.read(); // "ready"
  else await restore(qmp, stored);
  log(stored === undefined ? "booted" : "restored");
  for (const device of options.device) await plug(qmp, device);
  if (stored !== undefined) await qmp.command("cont");
  await writeAll(control, encodeScript(options, command));
  const code = await exitCode(lines);
  log("command ended");
  await qmp.command("quit").catch(() => {});
  await run.qemu.status;
  await copied;
  return code;
}

async function restore(qmp: Qmp, stored: string): Promise<void> {
  await qmp.command("migrate-set-capabilities", IGNORE_SHARED);
  await qmp.command("migrate-incoming", { uri: `exec:cat ${stored}/state` });
  while ((await qmp.command("query-status")).status === "inmigrate") {
    await delay(5);
  }
}

async function plug(qmp: Qmp, device: string): Promise<void> {
  const [driver, ...rest] = device.split(",");
  const properties = Object.fromEntries(rest.map((pair) => pair.split("=")));
  await qmp.command("device_add", { driver, bus: "xhci.0", ...properties });
}

async function copy(
  path: string,
  to: (chunk: Uint8Array) => void,
): Promise<void> {
  for await (const chunk of (await connectUnix(path)).readable) to(chunk);
}

function encodeScript(
  options: LabOptions,
  command: readonly string[],
): Uint8Array {
  const at = quote(options.share);
  const script = [
    `mkdir -p ${at}`,
    // Nobody else changes the files while the guest runs, so it may cache them.
    `mount -t 9p -o rw,trans=virtio,version=9p2000.L,msize=512000,cache=loose work ${at}`,
    // The snapshot's clock is as old as the snapshot.
    `date -s @${Math.round(Date.now() / 1_000)} >/dev/null`,
    ...guestScript(options, command),
  ].join("\n");
  const bytes = new TextEncoder().encode(script);
  return new TextEncoder().encode(
    btoa(String.fromCharCode(...bytes)) + "\n",
  );
}

async function exitCode(
  lines: ReadableStreamDefaultReader<string>,
): Promise<number> {
  for (;;) {
    const { value, done } = await lines.read();
    if (done) throw new Error("The guest stopped before its command ended");
    const found = /^exit (\d+)$/.exec(value);
    if (found !== null) return Number(found[1]);
  }
}

function stopwatch(isOn: boolean): (stage: string) => void {
  const startMs = performance.now();
  return (stage) => {
    if (!isOn) return;
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(2);
    console.error(`lab: ${seconds} s ${stage}`);
  };
}

async function printConsole(folder: string): Promise<void> {
  console.error(await Deno.readTextFile(`${folder}/console`).catch(() => ""));
}
