import { assert, assertEquals } from "../../driver/std.ts";
import { parseRefusal } from "../../driver/host/sandbox_policy_failures.ts";
import {
  ALLOWED_CALLS,
  CHECKED_CALLS,
} from "../../driver/host/sandbox_policy_calls.ts";
import { pathGrants } from "../../driver/host/sandbox_policy_paths.ts";
import { sandboxPolicy } from "../../driver/host/sandbox_policy.ts";
import { USB_REQUESTS } from "../../driver/host/sandbox_policy_requests.ts";
import { runningArchitecture } from "../../ffi/linux/syscalls.ts";
import { isNotifyAvailable } from "../../ffi/linux/virtual_bus_available.ts";
import { LoopbackBus, runOnBus } from "./bus_run.ts";
import {
  bundleOf,
  canSandbox,
  exists,
  LIBUSB,
  noSandbox,
  Scratch,
} from "./harness.ts";
import { BUS_REFUSAL_ROWS } from "./refusal_bus_rows.ts";
import { tryOnBus } from "./refusals.ts";
import { driverCalls, openedPaths } from "./trace.ts";

const notify = await isNotifyAvailable();
const canRun = canSandbox && notify.isAvailable;
const noRun = noSandbox ||
  (notify.isAvailable ? "" : ` [not run: ${notify.reason}]`);
const STRACE = "/usr/bin/strace";

/** What a sandboxed driver finds on the loopback device. */
const RESULTS = {
  "speed": "high",
  "configuration": "1",
  "control out, then in": true,
  "stall": "stall",
  "bulk echo": true,
  "zero-length packet": "none",
  "interrupt reports": true,
  "time limit": "timedOut",
  "cancel": "cancelled",
  "halt": "stall",
  "after the halt": true,
  "kernel driver": "false",
  "alternate setting": true,
  "claim outside the mask": "access",
  "reset": "io",
  "set configuration": "busy",
  "open /dev/bus/usb/001/002": true,
  "open /etc/passwd": true,
  "open /sys/bus/usb/devices": true,
  "pending at unplug": "noDevice",
  "later": "noDevice",
};

function busTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: name + noRun, ignore: !canRun, fn });
}

for (const profile of ["default", "jitless"] as const) {
  busTest(
    `Real transfers pass the filter on descriptor 100, profile ${profile}`,
    async () => {
      const end = await runOnBus({ policy: { profile } });
      assertEquals([end.code, end.stderr], [0, ""]);
      assertEquals(end.results, RESULTS);
      assertEquals(end.sandbox?.stage2, true);
      assertEquals(end.sandbox?.noNewCode, profile === "jitless");
    },
  );
}

busTest("A driver that declares reset may reset its device", async () => {
  const end = await runOnBus({ policy: { requests: ["reset"] } });
  assertEquals(end.results, { ...RESULTS, reset: "none" });
});

busTest("A kernel driver makes way when the policy says so", async () => {
  const device = { kernelDrivers: { 0: "usbhid" } };
  const end = await runOnBus({ device, policy: { kernelDriver: "detach" } });
  assertEquals(end.results, RESULTS);
});

busTest(
  "A kernel driver comes back when the launcher is asked to",
  async () => {
    await using bus = new LoopbackBus({ kernelDrivers: { 0: "usbhid" } });
    const driver = "echo_driver";
    const detach = { driver, policy: { kernelDriver: "detach" } } as const;
    assertEquals((await bus.launch(detach)).code, 0);
    // It stays away: the driver gave up the right to bring it back.
    assertEquals((await bus.launch({ driver })).code, 0);
    assertEquals((await bus.launch({ isReattach: true })).code, 0);
    const { stderr } = await bus.launch({ driver });
    assertEquals(parseRefusal(stderr)?.refusal, "interface-busy");
  },
);

for (const row of BUS_REFUSAL_ROWS) {
  const { name, wanted } = row;
  busTest(`A start is refused with ${wanted} when ${name}`, async () => {
    const { isRight, text } = await tryOnBus(row);
    assert(isRight, text);
  });
}

busTest("C9: a driver cannot claim an interface outside its mask", async () => {
  const { code, stderr, results } = await runOnBus({
    policy: { interfaces: [1] },
  });
  assert(code !== 0 && results === undefined);
  assert(stderr.includes("claim interface 0"), stderr);
});

busTest(
  "C15: without a request that is granted the driver does not work",
  async () => {
    // The others, some of which hang: `deno task probes`.
    for (const name of ["SUBMITURB", "CLEAR_HALT", "SETINTERFACE"]) {
      assert(USB_REQUESTS.some((request) => request.name === name));
      const end = await runOnBus({ experiment: { omitRequests: [name] } });
      const isSame = JSON.stringify(end.results) === JSON.stringify(RESULTS);
      assert(end.code !== 0 || !isSame, `It works without ${name}`);
    }
  },
);

/**
 * What start, steady state and stop used when it was recorded, besides calls
 * the lists allow: refused without harm (caches, a log of Deno's own), and the
 * attempts of stage 2's self-probe.
 */
const REFUSED_WITHOUT_HARM = [
  "mkdir",
  "unlink",
  "pwrite64",
  "ftruncate",
  "fchown",
  "flock",
  "socket",
  "inotify_init1",
  "set_mempolicy",
  "mlock",
];

Deno.test({
  name:
    `C14: a traced driver opens only its list and makes only recorded calls${
      noRun || (exists(STRACE) ? "" : " [not run: there is no strace]")
    }`,
  ignore: !canRun || !exists(STRACE),
  fn: async (): Promise<void> => {
    await using scratch = await Scratch.make();
    const file = `${scratch.path}/trace`;
    const prefix = [STRACE, "-f", "-qq", "-s", "4096", "-o", file];
    const end = await runOnBus({ scratch, prefix });
    assertEquals([end.code, end.results], [0, RESULTS]);
    const calls = driverCalls(await Deno.readTextFile(file));
    const grants = pathGrants(
      sandboxPolicy({
        nodePath: scratch.node,
        expect: { vendorId: 1, productId: 1 },
        logPath: scratch.log,
        interfaces: [0],
        libraryPath: LIBUSB,
        driverPath: await bundleOf("bus_driver"),
      }),
      { denoPath: Deno.execPath(), architecture: runningArchitecture() },
    ).map(({ path }) => path).filter(exists).map((path) =>
      Deno.realPathSync(path)
    );
    const strangers = openedPaths(calls).filter((path) =>
      !grants.includes(Deno.realPathSync(path))
    );
    assertEquals(strangers, []);
    const known = new Set([
      ...ALLOWED_CALLS.flatMap(({ calls }) => calls),
      ...CHECKED_CALLS.map(({ call }) => call),
      ...REFUSED_WITHOUT_HARM,
    ]);
    const unknown = calls.filter(({ name }) => !known.has(name));
    assertEquals([...new Set(unknown.map(({ name }) => name))], []);
    const wrong = calls.filter(({ name, isRefused }) =>
      REFUSED_WITHOUT_HARM.includes(name) && !isRefused
    );
    assertEquals(wrong, []);
  },
});
