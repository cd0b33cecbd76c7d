/**
 * Tries, after stage 2, what a driver may want: its own tools must work, what
 * leads out must not. Prints one JSON object of `true`, or what went wrong.
 *
 *     tools_driver.ts LIBRARY
 */

import { fsyncSync, writeSync } from "node:fs";
import process from "node:process";
import { takeLauncherReport } from "../../driver/host/sandbox_policy_report.ts";
import { Libc } from "../../ffi/linux/libc.ts";
import { LOG_DESCRIPTOR } from "../../ffi/linux/seccomp.ts";
import { enterStage2 } from "../../ffi/linux/stage2.ts";

const MEGABYTE = 1024 * 1024;

/** Each gives whether it worked. */
function tools(libc: Libc): Record<string, () => unknown> {
  return {
    "write the log": () => writeSync(LOG_DESCRIPTOR, "line\n") === 5,
    "sync the log": () => fsyncSync(LOG_DESCRIPTOR) === undefined,
    "read stdin": async () => await Deno.stdin.read(new Uint8Array(8)) !== 0,
    "timers": () =>
      new Promise((resolve) => setTimeout(() => resolve(true), 1)),
    "chance": () => crypto.getRandomValues(new Uint8Array(2)).length === 2,
    "a digest": async () =>
      (await crypto.subtle.digest("SHA-256", new Uint8Array(1))).byteLength ===
        32,
    "zones of Intl": () => {
      const zone = { timeZone: "Europe/Berlin", hour: "2-digit" } as const;
      return new Intl.DateTimeFormat("de", zone).format(0).startsWith("01");
    },
    "its memory": () => process.resourceUsage().maxRSS > 0,
    "a signal listener": () => {
      const listener = (): void => {};
      Deno.addSignalListener("SIGTERM", listener);
      Deno.removeSignalListener("SIGTERM", listener);
      return true;
    },
    "a worker of its own code": runWorker,
    "a call on a pool thread": async () =>
      await libc.callOnPool("getpid") === Deno.pid,
    "100 MB of memory": () => {
      const kept = Array.from(
        { length: 100 },
        () => new Uint8Array(MEGABYTE).fill(1),
      );
      return kept.length === 100;
    },
  };
}

/** Each must throw. */
function ways(library: string): Record<string, () => unknown> {
  return {
    "no file": () => Deno.readTextFileSync("/etc/hostname"),
    // Made at run time, since a bundle with such an import is refused.
    "no module": () =>
      new Function("path", "return import(path)")("file:///etc/hostname.js"),
    // SAFETY: it must throw before anything is loaded.
    "no library (C11)": () => Deno.dlopen(library, {}),
    "no connection": () => Deno.connect({ port: 9 }),
    "no program": () => new Deno.Command("/bin/true").outputSync(),
    "no variable": () => Deno.env.get("PATH"),
    "no name of the host": () => Deno.hostname(),
  };
}

function runWorker(): Promise<boolean> {
  const code = new Blob(["postMessage(1)"], { type: "text/javascript" });
  const worker = new Worker(URL.createObjectURL(code), { type: "module" });
  return new Promise((resolve) => {
    worker.onmessage = (): void => {
      worker.terminate();
      resolve(true);
    };
    worker.onerror = (event): void => {
      event.preventDefault();
      resolve(false);
    };
  });
}

async function main(): Promise<void> {
  const { report, rest } = takeLauncherReport(Deno.args);
  const [library = ""] = rest;
  const libc = Libc.open(library);
  await enterStage2(libc, report);
  const results: Record<string, unknown> = {};
  for (const [name, tool] of Object.entries(tools(libc))) {
    results[name] = await Promise.try(tool).catch(String);
  }
  for (const [name, way] of Object.entries(ways(library))) {
    results[name] = await Promise.try(way).then(() => "open", () => true);
  }
  console.log(JSON.stringify(results));
  Deno.exit(0);
}

await main();
