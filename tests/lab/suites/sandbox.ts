/**
 * The sandboxed driver on a real kernel: its Landlock, its seccomp, and
 * usbfs's own interface mask; as root and as an ordinary user.
 */

import { parseRefusal } from "../../../driver/host/sandbox_policy_failures.ts";
import {
  sandboxPolicy,
  type SandboxPolicyInput,
} from "../../../driver/host/sandbox_policy.ts";
import {
  buildLauncherCommand,
  buildReattachCommand,
} from "../../../driver/host/sandbox_policy_command.ts";
import type { SandboxReport } from "../../../driver/host/sandbox_policy_report.ts";
import { assertEquals, assertStringIncludes } from "../../../driver/std.ts";
import { AT_FDCWD } from "../../../ffi/linux/file_status.ts";
import { cstring, Libc } from "../../../ffi/linux/libc.ts";
import { ExportedBus } from "./exported_bus.ts";
import { driverOf, run, until, waitForDevice } from "./sysfs_devices.ts";

const LIBRARY = "/usr/lib/x86_64-linux-gnu/libusb-1.0.so.0";
const LOOPBACK = "1209:0001";
const CDC_ACM = "1209:0003";
const MULTIMETER = "1209:0002";
/** Where an ordinary user can read the programs, and write a log. */
const FOLDER = "/srv/lab";
const USER_ID = 1000;
const EPERM = 1;
const EACCES = 13;
const EBUSY = 16;
const O_RDWR = 2;
/** USBDEVFS_CLAIMINTERFACE. include/uapi/linux/usbdevice_fs.h. */
const CLAIM_INTERFACE = 0x8004550f;

await run("mkdir", "-p", FOLDER);
const PROGRAMS = [
  "launcher",
  "bus_driver",
  "raw_driver",
  "driverspace",
  "usbtmc_driver",
] as const;
for (const name of PROGRAMS) {
  const program = new URL(`./${name}.js`, import.meta.url);
  await Deno.copyFile(program, `${FOLDER}/${name}.js`);
}
await run("chmod", "-R", "a+rX", FOLDER);
for (const id of [0, USER_ID]) {
  // A log's folder belongs to whom the driver runs as, alone.
  await Deno.mkdir(`${FOLDER}/log-${id}`, { mode: 0o700 });
  await Deno.chown(`${FOLDER}/log-${id}`, id, id);
}

const bus = await ExportedBus.start();
Deno.test.afterAll(() => bus.stop());

interface Launch {
  readonly driver: "bus_driver" | "raw_driver";
  readonly policy: Partial<SandboxPolicyInput> & { readonly nodePath: string };
  readonly isReattach?: boolean;
  readonly userId?: number;
}

interface End {
  readonly code: number;
  readonly stderr: string;
  readonly results: Readonly<Record<string, unknown>> | undefined;
  readonly sandbox: SandboxReport | undefined;
}

async function launch(what: Launch): Promise<End> {
  const policy = sandboxPolicy({
    expect: { vendorId: 0x1209, productId: 1, serialNumber: "0001" },
    logPath: `${FOLDER}/log-${what.userId ?? 0}/driver.log`,
    interfaces: [0],
    libraryPath: LIBRARY,
    driverPath: `${FOLDER}/${what.driver}.js`,
    driverArguments: [LIBRARY],
    ...what.policy,
  });
  const build = what.isReattach === true
    ? buildReattachCommand
    : buildLauncherCommand;
  const { command, args, env, clearEnv } = build(policy, {
    denoPath: Deno.execPath(),
    launcherPath: `${FOLDER}/launcher.js`,
  });
  const { userId } = what;
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    env,
    clearEnv,
    cwd: "/",
    ...(userId === undefined ? {} : { uid: userId, gid: userId }),
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return {
    code,
    stderr: decoder.decode(stderr),
    ...read(decoder.decode(stdout)),
  };
}

function read(text: string): Pick<End, "results" | "sandbox"> {
  try {
    return JSON.parse(text) as Pick<End, "results" | "sandbox">;
  } catch {
    return { results: undefined, sandbox: undefined };
  }
}

async function withLoopback(
  use: (nodePath: string) => Promise<void>,
): Promise<void> {
  await bus.control.plug("loopback");
  const { nodePath } = await waitForDevice(LOOPBACK);
  await run("udevadm", "settle");
  try {
    await use(nodePath);
  } finally {
    await bus.unplugAll();
  }
}

/** What the driver has to find; the rest of its results is the virtual bus's business. */
const WORKS = {
  "control out, then in": true,
  "stall": "stall",
  "bulk echo": true,
  "interrupt reports": true,
  "time limit": "timedOut",
  "cancel": "cancelled",
  "halt": "stall",
  "after the halt": true,
  "alternate setting": true,
  "claim outside the mask": "access",
  "open /etc/passwd": true,
  "open /sys/bus/usb/devices": true,
  "pending at unplug": "noDevice",
  "later": "noDevice",
};

function assertWorks(end: End): void {
  assertEquals([end.code, end.stderr], [0, ""]);
  const found = Object.keys(WORKS).map((name) => [name, end.results?.[name]]);
  assertEquals(Object.fromEntries(found), WORKS);
  assertEquals(end.sandbox?.stage2, true);
  assertEquals(end.sandbox?.landlockAbi, 2);
  assertEquals(end.sandbox?.seccomp, true);
}

Deno.test("Sandbox on a kernel: the driver works, and notices the unplug", () =>
  withLoopback(async (nodePath) => {
    assertWorks(await launch({ driver: "bus_driver", policy: { nodePath } }));
  }));

Deno.test("Sandbox on a kernel: without executable memory it starts from 6.3 on, and is refused before", () =>
  withLoopback(async (nodePath) => {
    const policy = { nodePath, profile: "jitless" } as const;
    const end = await launch({ driver: "bus_driver", policy });
    if (hasMemoryDenyWriteExecute()) {
      assertWorks(end);
      assertEquals(end.sandbox?.noNewCode, true);
    } else {
      assertEquals([end.code, end.results], [77, undefined]);
      const refusal = parseRefusal(end.stderr);
      assertEquals(refusal?.refusal, "executable-memory");
      assertStringIncludes(refusal?.message ?? "", "needs Linux 6.3");
    }
  }));

/** PR_SET_MDWE came with Linux 6.3; Debian 12 has 6.1. */
function hasMemoryDenyWriteExecute(): boolean {
  const [major = 0, minor = 0] = Deno.osRelease().split(".").map(Number);
  return major > 6 || (major === 6 && minor >= 3);
}

Deno.test("Sandbox on a kernel: mask and filter refuse what is not the driver's", () =>
  withLoopback(async (nodePath) => {
    const paths = [nodePath, "/dev/bus/usb/001/001", "/etc/passwd"];
    const { code, stderr, results, sandbox } = await launch({
      driver: "raw_driver",
      policy: { nodePath, driverArguments: [LIBRARY, ...paths] },
    });
    assertEquals([code, stderr], [0, ""]);
    assertEquals<unknown>(results, {
      "claim inside the mask": 0,
      "claim outside the mask": -EACCES,
      "set configuration": -EPERM,
      "reset": -EPERM,
      "detach": -EPERM,
      "widen the mask": -EPERM,
      [nodePath]: -EACCES,
      "/dev/bus/usb/001/001": -EACCES,
      "/etc/passwd": -EACCES,
    });
    assertEquals(sandbox?.interfaces, 1);
  }));

Deno.test("Sandbox on a kernel: a driver may reset where it declares that", () =>
  withLoopback(async (nodePath) => {
    const policy = { nodePath, requests: ["reset"] } as const;
    const { results } = await launch({ driver: "raw_driver", policy });
    assertEquals(results?.reset, 0);
  }));

Deno.test("Sandbox on a kernel: an ordinary user may with udev's permission, and only so", async () => {
  await withLoopback(async (nodePath) => {
    const end = await launch({
      driver: "bus_driver",
      policy: { nodePath },
      userId: USER_ID,
    });
    assertEquals(end.code, 77);
    assertEquals(parseRefusal(end.stderr)?.refusal, "device-access");
  });
  const rule = "/run/udev/rules.d/70-lab.rules";
  await Deno.mkdir("/run/udev/rules.d", { recursive: true });
  await Deno.writeTextFile(
    rule,
    'SUBSYSTEM=="usb", ATTR{idVendor}=="1209", MODE="0660", GROUP="1000"\n',
  );
  await run("udevadm", "control", "--reload");
  await withLoopback(async (nodePath) => {
    const { gid, mode } = await Deno.stat(nodePath);
    assertEquals([gid, (mode ?? 0) & 0o777], [USER_ID, 0o660]);
    const end = await launch({
      driver: "bus_driver",
      policy: { nodePath },
      userId: USER_ID,
    });
    assertWorks(end);
    assertEquals(end.sandbox?.userId, USER_ID);
  });
  await Deno.remove(rule);
  await run("udevadm", "control", "--reload");
});

Deno.test("Sandbox on a kernel: cdc_acm keeps its interfaces, makes way when told, and comes back", async () => {
  await bus.control.plug("cdcAcmEcho");
  const place = await waitForDevice(CDC_ACM);
  await until("cdc_acm", () => driverOf(place.name, 0) === "cdc_acm");
  const { nodePath } = place;
  const expect = { vendorId: 0x1209, productId: 3 };
  const refused = await launch({
    driver: "raw_driver",
    policy: { nodePath, expect, interfaces: [0, 1] },
  });
  assertEquals(parseRefusal(refused.stderr)?.refusal, "interface-busy");
  assertEquals(driverOf(place.name, 0), "cdc_acm");
  const policy = {
    nodePath,
    expect,
    interfaces: [0, 1],
    kernelDriver: "detach",
  } as const;
  const { code, results } = await launch({ driver: "raw_driver", policy });
  assertEquals([code, results?.["claim inside the mask"]], [0, 0]);
  assertEquals(driverOf(place.name, 0), undefined);
  const back = await launch({ driver: "raw_driver", policy, isReattach: true });
  assertEquals(back.code, 0);
  await until("cdc_acm is back", () => driverOf(place.name, 0) === "cdc_acm");
  await bus.unplugAll();
});

Deno.test("Sandbox on a kernel: a standby starts beside the driver that holds the interface, and gets it when that is gone", () =>
  withLoopback(async (nodePath) => {
    using libc = Libc.open(LIBRARY);
    const device = libc.check("openat", [AT_FDCWD, cstring(nodePath), O_RDWR]);
    libc.check("ioctl", [device, CLAIM_INTERFACE, new Uint32Array([0])]);
    const refused = await launch({
      driver: "raw_driver",
      policy: { nodePath },
    });
    assertEquals(parseRefusal(refused.stderr)?.refusal, "interface-busy");
    const policy = { nodePath, isStandby: true };
    const beside = await launch({ driver: "raw_driver", policy });
    assertEquals([beside.code, beside.stderr], [0, ""]);
    assertEquals(beside.results?.["claim inside the mask"], -EBUSY);
    libc.check("close", [device]);
    const after = await launch({ driver: "raw_driver", policy });
    assertEquals(after.results?.["claim inside the mask"], 0);
  }));

/** `driverspace` with the multimeter, as a person would type it; told to stop at the first reading. */
async function driverspace(
  ...args: readonly string[]
): Promise<
  { readonly code: number; readonly out: string; readonly err: string }
> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--allow-all", `${FOLDER}/driverspace.js`],
      ...args,
      ...["--device", MULTIMETER, "--log", `${FOLDER}/log-0/usbtmc.log`],
      // Code runs up to 20 times slower here.
      ...["--start-timeout", "2m"],
    ],
    cwd: "/",
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const err = new Response(child.stderr).text();
  let out = "";
  let isTold = false;
  for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
    out += piece;
    if (isTold || !/reading .* V/.test(out)) continue;
    isTold = true;
    child.kill("SIGTERM");
  }
  const { code } = await child.status;
  return { code, out, err: await err };
}

Deno.test("driverspace on a kernel: call and run drive the multimeter in the sandbox, and usbtmc of the kernel comes back", async () => {
  await run("modprobe", "usbtmc");
  await bus.plugMultimeter();
  const { name } = await waitForDevice(MULTIMETER);
  await run("udevadm", "settle");
  await until("the kernel's usbtmc", () => driverOf(name, 0) === "usbtmc");
  const call = await driverspace("call", "usbtmc", "*IDN?");
  assertEquals([call.code, call.err], [0, ""]);
  assertStringIncludes(call.out, "VM65");
  await until("usbtmc is back", () => driverOf(name, 0) === "usbtmc");
  const long = await driverspace(
    "run",
    "usbtmc",
    "--set",
    "poll=MEAS:VOLT:DC?",
  );
  assertEquals([long.code, long.err], [0, ""], long.out);
  assertStringIncludes(long.out, "sandbox Landlock ABI 2, seccomp, stage 2");
  await until("usbtmc is back", () => driverOf(name, 0) === "usbtmc");
  const lines = (await Deno.readTextFile(`${FOLDER}/log-0/usbtmc.log`))
    .trimEnd().split("\n").map((line) => JSON.parse(line) as { event: string });
  const ends = lines.filter(({ event }) => event === "driver.ended");
  assertEquals(ends.length, 2);
  await bus.unplugAll();
});
