/**
 * Reads the data parts of a driver that somebody else wrote, without running
 * its code with any right of ours: a process with no permission at all imports
 * it and prints them.
 *
 * @module
 */

import { configFlags, nearestConfig } from "./module_config.ts";
import type { DriverManifest } from "./manifest.ts";
import { anObject, jsonObject, WireError } from "./wire_check.ts";

/** A driver's module cannot be used. */
export class DriverModuleError extends Error {
  override readonly name = "DriverModuleError";
}

/** From spawn to the last byte: a cold cache transpiles the module and what it imports. */
const LOAD_TIMEOUT_MS = 20_000;
/** Far more than the data of any driver. */
const MANIFEST_BYTES_MAX = 256 * 1024;

/**
 * Loads a manifest.
 *
 * @throws {DriverModuleError} With one sentence: no such file, no default export, not a driver.
 */
export async function loadManifest(moduleUrl: string): Promise<DriverManifest> {
  const main = `data:application/javascript,${
    encodeURIComponent(
      `import driver from ${JSON.stringify(moduleUrl)};\n` +
        `import { manifestOf } from ${JSON.stringify(MANIFEST_URL)};\n` +
        "console.log(JSON.stringify(manifestOf(driver)));",
    )
  }`;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    // Not --cached-only: what the driver imports may be fetched, once.
    args: [
      ...["run", "--quiet", "--no-prompt"],
      ...configFlags(await nearestConfig(moduleUrl)),
      main,
    ],
    stdin: "null",
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(LOAD_TIMEOUT_MS),
  }).output();
  if (!success) throw moduleError(moduleUrl, new TextDecoder().decode(stderr));
  return read(moduleUrl, stdout);
}

const MANIFEST_URL = new URL("./manifest.ts", import.meta.url).href;

function read(moduleUrl: string, bytes: Uint8Array): DriverManifest {
  try {
    if (bytes.length > MANIFEST_BYTES_MAX) throw new Error("too much data");
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const manifest = jsonObject(anObject(value, "driver"), "driver");
    return checked(manifest as unknown as DriverManifest);
  } catch (error) {
    const isOurs = error instanceof WireError || error instanceof Error;
    throw new DriverModuleError(
      `Cannot use ${moduleUrl} as a driver: ${
        isOurs ? error.message : "its data are not JSON"
      }`,
    );
  }
}

/** `defineDriver` holds the rest, in the driver's own process. */
function checked(manifest: DriverManifest): DriverManifest {
  const isDriver = typeof manifest.name === "string" &&
    /^[a-z][a-z0-9-]{0,31}$/.test(manifest.name) &&
    Array.isArray(manifest.match) && Array.isArray(manifest.interfaces) &&
    [undefined, "default", "jitless"].includes(manifest.profile);
  if (isDriver) return manifest;
  throw new Error("its default export is not a driver made by defineDriver");
}

function moduleError(moduleUrl: string, stderr: string): DriverModuleError {
  const line = stderr.split("\n").find((text) => text.startsWith("error:")) ??
    stderr.split("\n")[0] ?? "";
  const isOurs = line.includes('"@driverspace/usb" not a dependency');
  const next = isOurs
    ? ". Name it in the deno.json beside the driver: deno add jsr:@driverspace/usb"
    : "";
  const reason = line.replace(/^error: (Uncaught (\(in promise\) )?)?/, "");
  return new DriverModuleError(
    `Cannot load the driver ${moduleUrl}: ${reason.slice(0, 500)}${next}`,
  );
}
