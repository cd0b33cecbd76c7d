/**
 * Whether a transport of the virtual bus can be had on this machine, and if
 * not, why.
 *
 * @module
 */

import { Libc } from "./libc.ts";
import { filterRefusal } from "./seccomp_available.ts";
import { assembleFilter } from "./virtual_bus_filter.ts";
import { ABIS } from "./virtual_bus_abi.ts";
import { PRELOAD_LIBRARY } from "./virtual_bus_preload_client.ts";
import { assert } from "../../driver/assert.ts";

/** Yes, or why not, as a sentence with the next step. */
export type Availability =
  | { readonly isAvailable: true }
  | { readonly isAvailable: false; readonly reason: string };

/** First kernel that gives a client its descriptor and its answer in one step. */
const NOTIFY_KERNEL = [5, 14] as const;

/** Whether clients can be preloaded. */
export async function isPreloadAvailable(): Promise<Availability> {
  if (Deno.build.os !== "linux") return no("It needs Linux.");
  const seen = await run("true", { LD_PRELOAD: PRELOAD_LIBRARY });
  // The loader says what it cannot preload, and goes on without it.
  if (seen.isSuccess && !seen.text.includes(PRELOAD_LIBRARY)) return YES;
  return no(`${PRELOAD_LIBRARY} is not there. Install the package umockdev.`);
}

/** Whether clients can be run in namespaces and be notified of. */
export async function isNotifyAvailable(): Promise<Availability> {
  if (Deno.build.os !== "linux") return no("It needs Linux.");
  const abi = ABIS[Deno.build.arch];
  if (abi === undefined) return no(`${Deno.build.arch} is not known here.`);
  assert(assembleFilter(abi).length > 0, "The filter must assemble");
  const [major = 0, minor = 0] = Deno.osRelease().split(".").map(Number);
  const [majorMin, minorMin] = NOTIFY_KERNEL;
  if (major < majorMin || (major === majorMin && minor < minorMin)) {
    return no(
      `Linux ${Deno.osRelease()} is older than ${majorMin}.${minorMin}.`,
    );
  }
  if (!actionsOfSeccomp().includes("user_notif")) {
    return no("This kernel's seccomp has no user notification.");
  }
  const refused = listenerRefusal();
  if (refused !== undefined) {
    return no(
      `seccomp filters are refused here (${refused}). ` +
        "In a container, use one whose own profile allows seccomp.",
    );
  }
  const seen = await run("unshare", {}, ["-rmn", "true"]);
  if (seen.isSuccess) return YES;
  return no(
    `Unprivileged user namespaces are refused (${
      seen.text.trim() || "unshare failed"
    }). Allow them, or use the preload transport.`,
  );
}

const YES: Availability = { isAvailable: true };

function no(reason: string): Availability {
  return { isAvailable: false, reason };
}

/** Why a filter with a listener would be refused. */
function listenerRefusal(): string | undefined {
  try {
    using libc = Libc.open("libc.so.6");
    return filterRefusal(libc, { hasListener: true });
  } catch {
    // Who may not ask may start no client either, and hears then why.
    return undefined;
  }
}

function actionsOfSeccomp(): string {
  try {
    return Deno.readTextFileSync("/proc/sys/kernel/seccomp/actions_avail");
  } catch {
    return "";
  }
}

async function run(
  program: string,
  env: Record<string, string>,
  args: string[] = [],
): Promise<{ readonly isSuccess: boolean; readonly text: string }> {
  try {
    const { success, stderr } = await new Deno.Command(program, {
      args,
      env,
      stdin: "null",
      stdout: "null",
    }).output();
    return { isSuccess: success, text: new TextDecoder().decode(stderr) };
  } catch (error) {
    return { isSuccess: false, text: String(error) };
  }
}
