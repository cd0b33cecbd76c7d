import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../driver/std.ts";
import { pathGrants } from "../../driver/host/sandbox_policy_paths.ts";
import { sandboxPolicy } from "../../driver/host/sandbox_policy.ts";
import {
  reportShortfall,
  type SandboxReport,
} from "../../driver/host/sandbox_policy_report.ts";
import { runningArchitecture } from "../../ffi/linux/syscalls.ts";
import { until } from "../until.ts";
import {
  bundleOf,
  canSandbox,
  exists,
  finish,
  type Launch,
  launchCommand,
  LIBUSB,
  noSandbox,
  runLaunch,
  Scratch,
} from "./harness.ts";

/** A launch of the smallest driver. */
async function echo(
  scratch: Scratch,
  change: Partial<Launch> = {},
): Promise<Launch> {
  const driver = await bundleOf("echo_driver");
  return { scratch, driver, driverArguments: [LIBUSB], ...change };
}

interface Ready {
  readonly ready: true;
  readonly init: number;
  readonly sandbox: SandboxReport;
}

function firstLine(stdout: string): Ready {
  return JSON.parse(stdout.split("\n")[0] ?? "") as Ready;
}

Deno.test({
  name:
    `C1: a scoped --allow-ffi alone does not hold: libc reads the canary${noSandbox}`,
  ignore: !canSandbox,
  fn: async (): Promise<void> => {
    await using scratch = await Scratch.make();
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-prompt",
        "--no-config",
        "--no-lock",
        `--allow-ffi=${LIBUSB}`,
        await bundleOf("canary"),
        LIBUSB,
        `${scratch.path}/writable/secret`,
      ],
    }).output();
    const text = new TextDecoder().decode(stdout);
    assertStringIncludes(text, "Deno refused");
    assertStringIncludes(text, "libc gave secret");
  },
});

Deno.test({
  name:
    `A sandboxed driver starts, works, logs and says what it verified${noSandbox}`,
  ignore: !canSandbox,
  fn: async (): Promise<void> => {
    for (const profile of ["default", "jitless"] as const) {
      await using scratch = await Scratch.make();
      const launch = await echo(scratch, { policy: { profile } });
      const { code, stdout, stderr } = await runLaunch(launch, "one");
      assertEquals([code, stderr], [0, ""]);
      const { init, sandbox } = firstLine(stdout);
      assertEquals(init, 0);
      assertEquals(sandbox.profile, profile);
      assertEquals(sandbox.noNewCode, profile === "jitless");
      const policy = sandboxPolicy({
        nodePath: scratch.node,
        expect: { vendorId: 1, productId: 1 },
        logPath: scratch.log,
        interfaces: [0],
        libraryPath: LIBUSB,
        driverPath: launch.driver,
        profile,
      });
      assertEquals(reportShortfall(policy, sandbox), []);
      assertStringIncludes(stdout, '{"echo":3}');
      assertEquals(
        await Deno.readTextFile(scratch.log),
        "start\nmessage of 3 bytes\nstop\n",
      );
    }
  },
});

Deno.test({
  name:
    `C11: after stage 2 a driver's own tools work, and nothing that leads out${noSandbox}`,
  ignore: !canSandbox,
  fn: async (): Promise<void> => {
    for (const profile of ["default", "jitless"] as const) {
      await using scratch = await Scratch.make();
      const driver = await bundleOf("tools_driver");
      const { code, stdout, stderr } = await runLaunch({
        scratch,
        driver,
        driverArguments: [LIBUSB],
        policy: { profile },
      }, "input");
      assertEquals([code, stderr], [0, ""]);
      const results = Object.entries(JSON.parse(stdout) as object);
      assertEquals(results.filter(([, result]) => result !== true), []);
      assert(results.length > 15, stdout);
    }
  },
});

Deno.test({
  name:
    `C8: the driver holds its five descriptors and what its runtime made${noSandbox}`,
  ignore: !canSandbox,
  fn: async (): Promise<void> => {
    await using scratch = await Scratch.make();
    const child = (await launchCommand(await echo(scratch))).spawn();
    try {
      await untilReady(child);
      const { targets, limits, environment } = await lookInside(child.pid);
      assertStringIncludes(limits, "Max core file size        0");
      // Not dumpable: its descriptors are closed even to its own user.
      if (!mayTrace()) assertEquals(targets, undefined);
      else {
        // Append only: lines of the host, and what a rotation left, stay whole.
        const info = await Deno.readTextFile(`/proc/${child.pid}/fdinfo/101`);
        const flags = parseInt(/^flags:\s*(\d+)$/m.exec(info)?.[1] ?? "", 8);
        const O_APPEND = 0o2000;
        assertEquals(flags & O_APPEND, O_APPEND);
        const anonymous = /^(anon_inode:|pipe:|socket:)/;
        const named = (targets ?? []).filter((target) =>
          !anonymous.test(target)
        );
        const own = [scratch.node, scratch.log];
        const strangers = named.filter((target) => !own.includes(target));
        assertEquals(strangers, []);
        assertEquals(
          named.filter((target) => target === scratch.node).length,
          1,
        );
        const names = environment?.split("\0").map((entry) =>
          entry.split("=")[0] ?? ""
        );
        // The C library cuts the value of GLIBC_TUNABLES up where it stands.
        const allowed =
          /^(PATH|HOME|LANG|TZ|NO_COLOR|DENO_\w+|GLIBC_TUNABLES|glibc\.malloc\.\w+|)$/;
        assertEquals(names?.filter((name) => !allowed.test(name)), []);
      }
    } finally {
      await finish(child);
    }
  },
});

Deno.test({
  name:
    `Ctrl-C, which a terminal sends to the driver as well, does not end it${noSandbox}`,
  ignore: !canSandbox,
  fn: async (): Promise<void> => {
    await using scratch = await Scratch.make();
    const child = (await launchCommand(await echo(scratch))).spawn();
    await untilReady(child);
    child.kill("SIGINT");
    const { code, signal, stdout } = await finish(child, "one");
    assertEquals([code, signal], [0, null]);
    assertStringIncludes(stdout, '{"echo":3}');
  },
});

Deno.test({
  name: `The driver dies with its supervisor, even while it spins${noSandbox}`,
  ignore: !canSandbox,
  fn: async (): Promise<void> => {
    await using scratch = await Scratch.make();
    const launch = await echo(scratch);
    const supervisor = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--allow-all",
        new URL("./supervisor.ts", import.meta.url).pathname,
        scratch.path,
        launch.driver,
      ],
      stdout: "piped",
      stdin: "piped",
      stderr: "piped",
    }).spawn();
    const reader = supervisor.stdout.getReader();
    const { value } = await reader.read();
    reader.releaseLock();
    const driver = Number(new TextDecoder().decode(value).trim());
    assert(driver > 1, "The supervisor tells the driver's process id");
    supervisor.kill("SIGKILL");
    await finish(supervisor);
    await until("the driver's end", () => isGone(driver));
  },
});

Deno.test({
  name: `C15: no path is open that a start does not need${noSandbox}`,
  ignore: !canSandbox,
  fn: async (): Promise<void> => {
    await using scratch = await Scratch.make();
    const launch = await echo(scratch);
    const policy = sandboxPolicy({
      nodePath: scratch.node,
      expect: { vendorId: 1, productId: 1 },
      logPath: scratch.log,
      interfaces: [0],
      libraryPath: LIBUSB,
      driverPath: launch.driver,
    });
    const grants = pathGrants(policy, {
      denoPath: Deno.execPath(),
      architecture: runningArchitecture(),
    }).filter(({ path }) => exists(path));
    assert(grants.length >= 5, "The rules name the files of this machine");
    for (const { path } of grants) {
      const experiment = { standIn: true, omitPaths: [path] };
      const { code } = await runLaunch({ ...launch, experiment });
      assert(code !== 0, `It starts without ${path}`);
    }
  },
});

async function untilReady(child: Deno.ChildProcess): Promise<void> {
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  assert(value !== undefined, "The driver says READY");
}

/** What `/proc` tells of a process. */
async function lookInside(pid: number): Promise<{
  readonly targets: readonly string[] | undefined;
  readonly limits: string;
  readonly environment: string | undefined;
}> {
  const targets = await descriptorTargets(pid);
  const limits = await Deno.readTextFile(`/proc/${pid}/limits`);
  const environment = await Deno.readTextFile(`/proc/${pid}/environ`).catch(
    () => undefined,
  );
  return { targets, limits, environment };
}

/** What its descriptors lead to; `undefined` where we may not look. */
async function descriptorTargets(pid: number): Promise<string[] | undefined> {
  const targets: string[] = [];
  try {
    for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
      targets.push(await Deno.readLink(`/proc/${pid}/fd/${name}`));
    }
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) return undefined;
    throw error;
  }
  return targets;
}

/** Gone, or a zombie that nobody waits for. */
function isGone(pid: number): boolean {
  try {
    return /^State:\tZ/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return true;
  }
}

/** Whether this process may look into one that is not dumpable. capabilities(7), CAP_SYS_PTRACE. */
function mayTrace(): boolean {
  const CAP_SYS_PTRACE = 19n;
  const status = Deno.readTextFileSync("/proc/self/status");
  const effective = BigInt(
    `0x${/^CapEff:\s*(\w+)$/m.exec(status)?.[1] ?? "0"}`,
  );
  return (effective >> CAP_SYS_PTRACE & 1n) === 1n;
}
