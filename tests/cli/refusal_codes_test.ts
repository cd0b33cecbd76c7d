/** What each refusal of the launcher means to whoever waits for the driver: a class, and a code. */

import { exitCodeOfRefusal } from "../../driver/host/cli/exit_codes.ts";
import {
  classifyExit,
  type ExitClass,
  mayRetry,
} from "../../driver/host/exit_class.ts";
import {
  LAUNCHER_REFUSALS,
  type LauncherRefusal,
  LaunchRefused,
} from "../../driver/host/sandbox_policy_failures.ts";
import { assertEquals, assertMatch } from "../../driver/std.ts";

/** For a supervisor, and for a shell. */
type Meaning = readonly [exitClass: ExitClass, code: number];

const NO_SANDBOX: Meaning = ["permission", 77];
const NO_LOG: Meaning = ["permission", 73];
const LEFT: Meaning = ["device-gone", 69];

/** All there are: one that is missing here does not compile. */
const MEANINGS: Readonly<Record<LauncherRefusal, Meaning>> = {
  "configuration": ["config", 78],
  "library": ["permission", 72],
  "device-missing": LEFT,
  "device-access": ["permission", 77],
  "device-symlink": ["permission", 77],
  "device-not-usb": ["permission", 77],
  "device-other": LEFT,
  "device-io": ["fault", 74],
  "interface-busy": ["fault", 75],
  "interface-mask": NO_SANDBOX,
  "log-missing": NO_LOG,
  "log-access": NO_LOG,
  "log-symlink": NO_LOG,
  "log-not-file": NO_LOG,
  "log-hard-link": NO_LOG,
  "log-folder-shared": NO_LOG,
  "log-overlap": NO_LOG,
  "landlock-missing": NO_SANDBOX,
  "executable-memory": NO_SANDBOX,
  "landlock-old": NO_SANDBOX,
  "landlock-path": NO_SANDBOX,
  "seccomp": NO_SANDBOX,
  "descriptors": NO_SANDBOX,
  "parent-gone": NO_SANDBOX,
  "limits": NO_SANDBOX,
  "identity": NO_SANDBOX,
  "namespaces": NO_SANDBOX,
  "memory": ["fault", 77],
  "execute": NO_SANDBOX,
  "not-confined": NO_SANDBOX,
  "internal": NO_SANDBOX,
};

const REFUSALS = Object.keys(LAUNCHER_REFUSALS) as LauncherRefusal[];

Deno.test("Every refusal has its class, its code and a remedy", () => {
  for (const refusal of REFUSALS) {
    const { exitCode, message } = new LaunchRefused(refusal, "Cannot start");
    const exitClass = classifyExit({
      report: undefined,
      code: exitCode,
      signal: undefined,
      sent: undefined,
      wasReady: false,
      refusal,
    });
    const meaning: Meaning = [exitClass, exitCodeOfRefusal(refusal)];
    assertEquals(meaning, MEANINGS[refusal], refusal);
    assertMatch(message, /^Cannot start\. [A-Z].{10,}[^.]$/, refusal);
  }
});

Deno.test("Only what may be over at the next try is tried again", () => {
  const retried = REFUSALS.filter((name) => mayRetry(MEANINGS[name][0]));
  assertEquals(retried, [
    "device-missing",
    "device-other",
    "device-io",
    "interface-busy",
    "memory",
  ]);
});
