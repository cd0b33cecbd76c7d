import { assert, assertEquals } from "../../driver/std.ts";
import {
  ALLOWED_CALLS,
  CHECKED_CALLS,
} from "../../driver/host/sandbox_policy_calls.ts";
import { USB_REQUESTS } from "../../driver/host/sandbox_policy_requests.ts";
import { canSandbox, noSandbox } from "./harness.ts";
import { runKill, runProbe } from "./matrix_run.ts";
import {
  KEPT_CALLS,
  KEPT_REQUESTS,
  neededCalls,
  neededRequests,
} from "./minimality.ts";
import { PROBE_MODES, PROBE_ROWS } from "./probe_rows.ts";
import { refusalsUntried, runRefusals } from "./refusals.ts";

/** What a mode is for, as a test's name says it. */
const CLAIMS = {
  none: "Without a sandbox every hostile attempt reaches its target",
  landlock: "Landlock alone leaves to seccomp what is listed, and no more",
  seccomp: "seccomp alone leaves to Landlock what is listed, and no more",
  both: "Landlock and seccomp together refuse every attempt on both threads",
  stage2: "Stage 2 refuses what leaked before it as well",
} as const;

const isX86 = Deno.build.arch === "x86_64";

for (const mode of PROBE_MODES) {
  Deno.test({
    name: CLAIMS[mode] + noSandbox,
    ignore: !canSandbox,
    fn: async (): Promise<void> => {
      const cells = await runProbe(mode);
      const wrong = cells.filter(({ isRight }) => !isRight);
      assertEquals(
        wrong.map(({ row, thread, text }) => `${thread}: ${row.name}: ${text}`),
        [],
      );
    },
  });
}

Deno.test("At least sixty attempts are made on main and pool threads", () => {
  const hostile = PROBE_ROWS.filter(({ mustPass }) => mustPass !== true);
  const onPool = hostile.filter(({ isMainOnly }) => isMainOnly !== true);
  assert(hostile.length >= 60, `${hostile.length} attempts`);
  assert(onPool.length >= 45, `${onPool.length} of them on a pool thread`);
  assertEquals(
    new Set(PROBE_ROWS.map(({ name }) => name)).size,
    PROBE_ROWS.length,
  );
});

Deno.test("Every row is refused by a layer, and both layers carry weight alone", () => {
  const hostile = PROBE_ROWS.filter(({ mustPass }) => mustPass !== true);
  assertEquals(hostile.filter(({ refusedBy }) => refusedBy.length === 0), []);
  const only = (layer: "landlock" | "seccomp"): number =>
    hostile.filter(({ refusedBy }) => refusedBy.join() === layer).length;
  assert(only("landlock") >= 10, `${only("landlock")} by Landlock alone`);
  assert(only("seccomp") >= 25, `${only("seccomp")} by seccomp alone`);
});

Deno.test({
  name: `A second exec, a trace and an x32 call end the driver with SIGSYS${
    noSandbox || (isX86 ? "" : " [not run: x32 is of x86-64]")
  }`,
  ignore: !canSandbox || !isX86,
  fn: async (): Promise<void> => {
    for (const call of ["execve", "ptrace", "x32"] as const) {
      const { isKilled, text } = await runKill(call);
      assert(isKilled, `${call}: ${text}`);
    }
  },
});

Deno.test({
  name:
    `Every start that must not happen ends with its named reason${noSandbox}`,
  ignore: !canSandbox,
  fn: async (): Promise<void> => {
    const results = await runRefusals();
    const wrong = results.filter(({ isRight }) => !isRight);
    assertEquals(wrong.map(({ name, text }) => `${name}: ${text}`), []);
  },
});

Deno.test("Every refusal that the launcher knows is provoked by a test", () => {
  assertEquals(refusalsUntried(), []);
});

Deno.test("C15: what is granted without being missed here is named with its reason", () => {
  const names = [...KEPT_CALLS, ...KEPT_REQUESTS].flatMap(({ names }) => names);
  assertEquals(new Set(names).size, names.length);
  const granted = [
    ...ALLOWED_CALLS.flatMap(({ calls }) => calls),
    ...CHECKED_CALLS.map(({ call }) => call),
    ...USB_REQUESTS.map(({ name }) => name),
  ];
  assertEquals(names.filter((name) => !granted.includes(name)), []);
  assertEquals(
    neededCalls().length + neededRequests().length + names.length,
    granted.length,
  );
});
