import { assertEquals, assertThrows } from "../../driver/std.ts";
import {
  interfaceMask,
  sandboxPolicy,
  type SandboxPolicyInput,
} from "../../driver/host/sandbox_policy.ts";
import {
  launcherArguments,
  parseLauncherArguments,
} from "../../driver/host/sandbox_policy_arguments.ts";
import {
  buildLauncherCommand,
  buildReattachCommand,
  driverCommandLine,
  driverEnvironment,
  LAUNCHER_TUNABLES,
  MALLOC_TUNABLES,
} from "../../driver/host/sandbox_policy_command.ts";
import { explainPolicy } from "../../driver/host/sandbox_policy_explain.ts";
import {
  formatRefusal,
  LaunchRefused,
  parseRefusal,
} from "../../driver/host/sandbox_policy_failures.ts";
import {
  findLibc,
  pathGrants,
} from "../../driver/host/sandbox_policy_paths.ts";
import {
  reportShortfall,
  type SandboxReport,
  takeLauncherReport,
} from "../../driver/host/sandbox_policy_report.ts";
import { requestsFor } from "../../driver/host/sandbox_policy_requests.ts";

const METER: SandboxPolicyInput = {
  nodePath: "/dev/bus/usb/001/002",
  expect: { vendorId: 0x0957, productId: 0x1755, serialNumber: "MY:1 2" },
  logPath: "/var/log/driverspace/meter.log",
  interfaces: [0, 2, 31],
  libraryPath: "/usr/lib/x86_64-linux-gnu/libusb-1.0.so.0",
  driverPath: "/var/cache/driverspace/meter.js",
};

Deno.test("A policy survives the way through the launcher's command line", () => {
  const policies = [
    sandboxPolicy(METER),
    sandboxPolicy({
      ...METER,
      profile: "jitless",
      kernelDriver: "detach",
      requests: ["reset", "streams"],
      driverArguments: ["--", "--device=x", "a b"],
      landlockAbiMinimum: 3,
      parentProcessId: 4711,
      isStandby: true,
      user: { userId: 65534, groupId: 65533 },
      isolate: true,
    }),
    sandboxPolicy({
      ...METER,
      profile: "virtual",
      virtualBus: {
        preloadPath: "/lib/preload.so",
        folderPath: "/tmp/bus",
        rootPath: "/tmp/bus/1",
      },
    }),
  ];
  for (const policy of policies) {
    assertEquals(parseLauncherArguments(launcherArguments(policy)), policy);
  }
});

Deno.test("Options may have their value apart", () => {
  const policy = parseLauncherArguments([
    "--device",
    "/dev/bus/usb/001/002",
    "--expect",
    "0957:1755",
    "--log",
    "/l/m.log",
    "--interfaces",
    "0x5",
    "--library",
    "/usr/lib/libusb-1.0.so.0",
    "--",
    "/d.js",
  ]);
  assertEquals(policy.interfaces, [0, 2]);
  assertEquals(policy.profile, "default");
  assertEquals(policy.landlockAbiMinimum, 1);
});

Deno.test("The mask of interfaces has a bit for each", () => {
  assertEquals(interfaceMask(sandboxPolicy(METER)), 0x8000_0005);
});

const GOOD = launcherArguments(sandboxPolicy(METER));

Deno.test("A wrong command line is refused with what is wrong", () => {
  const without = (name: string): string[] =>
    GOOD.filter((argument) => !argument.startsWith(`--${name}=`));
  const cases: readonly (readonly [readonly string[], string])[] = [
    [without("device"), "--device is missing"],
    [without("expect"), "--expect is missing"],
    [without("log"), "--log is missing"],
    [without("interfaces"), "--interfaces is missing"],
    [without("library"), "--library is missing"],
    [["--no-landlock", ...GOOD], "unknown --no-landlock"],
    [["--stand-in", ...GOOD], "unknown --stand-in"],
    [["--detach=yes", ...GOOD], "unknown --detach=yes"],
    [["--profile=default", ...GOOD], "--profile is given twice"],
    [GOOD.slice(0, GOOD.indexOf("--")), "no driver after --"],
  ];
  for (const [args, message] of cases) {
    assertThrows(() => parseLauncherArguments(args), SyntaxError, message);
  }
});

Deno.test("A policy out of bounds is refused", () => {
  const refuse = (change: Partial<SandboxPolicyInput>, what: string): void => {
    const input = { ...METER, ...change };
    assertThrows(() => sandboxPolicy(input), Error, what);
  };
  refuse({ logPath: "meter.log" }, "absolute path");
  refuse({ logPath: "/var/log/../meter.log" }, "without ..");
  refuse({ logPath: METER.driverPath }, "the driver starts from it");
  refuse({ nodePath: `/${"x".repeat(5000)}` }, "too long");
  refuse({ interfaces: [] }, "at least one");
  refuse({ interfaces: [32] }, "0 to 31");
  refuse({ expect: { vendorId: 0x10000, productId: 1 } }, "vendor or product");
  refuse({ landlockAbiMinimum: 0 }, "Landlock version");
  refuse({ parentProcessId: -1 }, "id of a process");
  refuse({ driverArguments: Array(65).fill("x") }, "at most 64");
  refuse({ driverArguments: ["a\0b"] }, "NUL");
  refuse({ profile: "virtual" }, "go together");
  refuse({
    virtualBus: { preloadPath: "/p", folderPath: "/f", rootPath: "/f/1" },
  }, "go together");
  const loose = METER as unknown as Record<string, unknown>;
  const typed = (change: object): SandboxPolicyInput =>
    ({ ...loose, ...change }) as SandboxPolicyInput;
  assertThrows(
    () => sandboxPolicy(typed({ profile: "none" })),
    TypeError,
    "profiles are default, jitless, virtual",
  );
  assertThrows(
    () => sandboxPolicy(typed({ requests: ["detach"] })),
    TypeError,
    "requests are setConfiguration, reset, streams",
  );
});

Deno.test("The launcher is started with one permission and nothing inherited", () => {
  const command = buildLauncherCommand(sandboxPolicy(METER), {
    denoPath: "/usr/bin/deno",
    launcherPath: "/cache/launcher.js",
    libcPath: "/lib/libc.so.6",
  });
  assertEquals(command.clearEnv, true);
  const allowed = command.args.filter((flag) => flag.startsWith("--allow"));
  assertEquals(allowed, ["--allow-ffi=/lib/libc.so.6"]);
  const at = command.args.indexOf("/cache/launcher.js");
  assertEquals(command.args[at + 1], "--libc=/lib/libc.so.6");
  assertEquals(
    parseLauncherArguments(command.args.slice(at + 2)),
    sandboxPolicy(METER),
  );
});

Deno.test("The launcher's memory is in huge pages; what a driver would have to read for that it may not", () => {
  const command = buildLauncherCommand(sandboxPolicy(METER), {
    denoPath: "/usr/bin/deno",
    launcherPath: "/cache/launcher.js",
  });
  const { GLIBC_TUNABLES = "" } = command.env;
  assertEquals(GLIBC_TUNABLES, LAUNCHER_TUNABLES);
  const words = GLIBC_TUNABLES.split(":");
  assertEquals(words.includes("glibc.malloc.hugetlb=1"), true);
  // Less than two of 2 MiB, and there may be none that is aligned.
  const pad = words.find((word) => word.startsWith("glibc.malloc.top_pad="));
  assertEquals(Number(pad?.split("=")[1]) >= 4 * 1024 * 1024, true);
  assertEquals(MALLOC_TUNABLES.includes("hugetlb"), false);
});

Deno.test("libc is named where a distribution keeps it, or reached through libusb", () => {
  const fedora = new Set(["/lib64/libc.so.6", "/usr/lib64/libc.so.6"]);
  assertEquals(
    findLibc("x86_64", (path) => fedora.has(path)),
    "/lib64/libc.so.6",
  );
  assertEquals(
    findLibc("aarch64", () => true),
    "/lib/aarch64-linux-gnu/libc.so.6",
  );
  assertEquals(findLibc("x86_64", () => false), undefined);
});

Deno.test("Interfaces are given back by the same command in another mode", () => {
  const host = { denoPath: "/deno", launcherPath: "/cache/launcher.js" };
  const policy = sandboxPolicy(METER);
  const { args } = buildReattachCommand(policy, host);
  const plain = buildLauncherCommand(policy, host).args;
  assertEquals(args.filter((flag) => flag !== "--reattach"), plain);
  assertEquals(
    args[args.indexOf("--reattach") - 1],
    `--libc=${METER.libraryPath}`,
  );
});

Deno.test("Every right is explained with its reason, every layer with its state", () => {
  const machine = {
    denoPath: "/usr/bin/deno",
    architecture: "x86_64",
    landlockAbi: 2,
    isRoot: false,
  } as const;
  const policy = sandboxPolicy({ ...METER, requests: ["reset"] });
  const { rights, layers, limits } = explainPolicy(policy, machine);
  assertEquals(rights.filter(({ reason }) => reason.trim() === ""), []);
  const said = rights.map(({ what }) => what).join("\n");
  for (const word of [METER.nodePath, METER.logPath, "RESET", "SUBMITURB"]) {
    assertEquals(said.includes(word), true, word);
  }
  const isActive = (name: string): boolean | undefined =>
    layers.find((layer) => layer.name === name)?.isActive;
  assertEquals(isActive("Landlock"), true);
  assertEquals(isActive("no new code"), false);
  const none = explainPolicy(policy, { ...machine, landlockAbi: 0 });
  assertEquals(
    none.layers.find(({ name }) => name === "Landlock")?.isActive,
    false,
  );
  assertEquals(limits.length > 0, true);
});

/** Loaders, libraries and the runtime would obey these. */
const SCRUBBED =
  /^(LD_|GLIBC_TUNABLES|MALLOC_|LIBUSB_DEBUG|DENO_V8_FLAGS|DENO_PERMISSION_BROKER_PATH|DENO_AUDIT_PERMISSIONS|DENO_TRACE_PERMISSIONS|DENO_CERT|DENO_AUTH_TOKENS|DENO_COVERAGE_DIR|NODE_OPTIONS|NODE_CHANNEL_FD|DENO_INTERNAL_CHILD_ENTRYPOINT|OTEL_|HTTPS?_PROXY|ALL_PROXY)/i;

Deno.test("The driver has one permission and an environment made from nothing", () => {
  const policy = sandboxPolicy(METER);
  const line = driverCommandLine(policy, { denoPath: "/deno", report: "{}" });
  const flags = line.filter((flag) => flag.startsWith("--allow"));
  assertEquals(flags, [`--allow-ffi=${METER.libraryPath}`]);
  const v8 = (words: readonly string[]): string[] =>
    words.filter((word) => word.startsWith("--v8-flags="));
  const bound =
    "--v8-flags=--max-old-space-size=256,--no-allocation-site-pretenuring";
  assertEquals(v8(line), [`${bound},--no-short-builtin-calls`]);
  const tight = driverCommandLine({ ...policy, profile: "jitless" }, {
    denoPath: "/deno",
    report: "{}",
  });
  assertEquals(v8(tight), [`${bound},--jitless`]);
  const environment = driverEnvironment(policy);
  assertEquals(
    environment.filter((entry) => SCRUBBED.test(entry)),
    [`GLIBC_TUNABLES=${MALLOC_TUNABLES}`],
    "Nothing that others could have set, only how memory is returned",
  );
});

Deno.test("No path of a real device's policy may be written, and none is a device", () => {
  const grants = pathGrants(sandboxPolicy(METER), {
    denoPath: "/usr/bin/deno",
    architecture: "aarch64",
  });
  assertEquals(
    grants.filter(({ access }) => access === "readWriteBelow"),
    [],
  );
  assertEquals(
    grants.filter(({ path }) => /^\/(dev|sys|proc)\//.test(path)),
    [],
  );
  assertEquals(grants.filter(({ reason }) => reason === ""), []);
});

Deno.test("A driver gets the requests it declares and no others", () => {
  const plain = requestsFor([]).map(({ name }) => name);
  assertEquals(plain.includes("RESET"), false);
  const more = requestsFor(["reset"]).map(({ name }) => name);
  assertEquals(more.filter((name) => !plain.includes(name)), [
    "RESET",
    "DISCONNECT_CLAIM",
  ]);
});

Deno.test("A refusal keeps its name and sentence through stderr", () => {
  const error = new LaunchRefused("log-symlink", "Cannot open /x: ELOOP");
  assertEquals(error.exitCode, 77);
  assertEquals(new LaunchRefused("configuration", "Cannot").exitCode, 78);
  const line = formatRefusal(error.refusal, error.message);
  const stderr = `noise\n${line}\n`;
  assertEquals(parseRefusal(stderr), {
    refusal: "log-symlink",
    message: "Cannot open /x: ELOOP. Name the file itself",
  });
  assertEquals(parseRefusal("launcher: nonsense: x"), undefined);
  assertEquals(parseRefusal("a driver's own words"), undefined);
});

const REPORT: SandboxReport = {
  landlockAbi: 7,
  seccomp: true,
  profile: "default",
  interfaces: 1,
  namespaces: [],
  userId: 0,
  stage2: true,
  noNewCode: false,
  verified: ["open a file"],
  failed: [],
};

Deno.test("The parent refuses a report that is less than the policy", () => {
  const policy = sandboxPolicy({ ...METER, landlockAbiMinimum: 2 });
  assertEquals(reportShortfall(policy, REPORT), []);
  const less: readonly Partial<SandboxReport>[] = [
    { landlockAbi: 1 },
    { seccomp: false },
    { stage2: false },
    { profile: "virtual" },
    { failed: ["open a file"] },
  ];
  for (const change of less) {
    const found = reportShortfall(policy, { ...REPORT, ...change });
    assertEquals(found.length, 1, JSON.stringify(change));
  }
  const tight = sandboxPolicy({ ...METER, profile: "jitless" });
  const report = { ...REPORT, profile: "jitless" } as const;
  assertEquals(reportShortfall(tight, report), ["new code can still be made"]);
});

Deno.test("The launcher's report is the last argument or none", () => {
  const { stage2: _, noNewCode: __, verified: ___, failed: ____, ...launcher } =
    REPORT;
  const text = JSON.stringify(launcher);
  assertEquals(takeLauncherReport(["a", `--sandbox=${text}`]), {
    report: launcher,
    rest: ["a"],
  });
  assertEquals(takeLauncherReport(["a"]), { report: undefined, rest: ["a"] });
  assertThrows(() => takeLauncherReport(["--sandbox={}"]), SyntaxError);
  assertThrows(() => takeLauncherReport(["--sandbox=x"]), SyntaxError);
});
