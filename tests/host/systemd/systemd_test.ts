import {
  managerPath,
  NO_MANAGER,
  openManagerSocket,
} from "../../../driver/host/systemd/notify.ts";
import {
  ServiceNotifier,
  statusLine,
  watchdogMs,
} from "../../../driver/host/systemd/service_notifier.ts";
import { systemdUnit } from "../../../driver/host/systemd/unit.ts";
import { VirtualClock } from "../../../driver/loop/clock.ts";
import {
  assertEquals,
  assertLessOrEqual,
  assertStringIncludes,
  assertThrows,
} from "../../../driver/std.ts";

async function hear(notify: string, folder: string): Promise<unknown[]> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-check",
      "--unstable-net",
      "--allow-all",
      new URL("notify_fixture.ts", import.meta.url).href,
      notify,
      notify,
      `${folder}/own`,
    ],
  }).output();
  const text = new TextDecoder().decode(stdout).trim();
  if (text === "") throw new Error(new TextDecoder().decode(stderr));
  return text.split("\n").map((line) => JSON.parse(line));
}

Deno.test("systemd hears what it is told, by path and by abstract address", async () => {
  const folder = await Deno.makeTempDir();
  const isLinux = Deno.build.os === "linux";
  const abstract = `@driverspace-test-${Deno.pid}-${folder.split("/").at(-1)}`;
  try {
    // Left from a killed process, in the way of our own end.
    await Deno.writeTextFile(`${folder}/own`, "");
    for (
      const address of [`${folder}/notify`, ...(isLinux ? [abstract] : [])]
    ) {
      assertEquals(await hear(address, folder), [
        { problem: null },
        { heard: "READY=1" },
        { heard: "WATCHDOG=1" },
        { heard: "STOPPING=1" },
      ]);
    }
    assertThrows(() => Deno.statSync(`${folder}/own`), Deno.errors.NotFound);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Without systemd nothing is told; a wrong address and a missing flag say why", () => {
  assertEquals(openManagerSocket(undefined, "/x"), NO_MANAGER);
  assertEquals(openManagerSocket("", "/x"), NO_MANAGER);
  assertStringIncludes(
    openManagerSocket("relative", "/x").problem ?? "",
    "neither a path",
  );
  assertStringIncludes(
    openManagerSocket("/run/none", "/nowhere/own").problem ?? "",
    "Cannot notify systemd",
  );
  assertEquals(managerPath("@a/b"), "\0a/b");
  assertEquals(managerPath("@"), undefined);
});

Deno.test("The watchdog is fed by evaluations, and only so often", async () => {
  const clock = new VirtualClock();
  const heard: string[] = [];
  const notifier = new ServiceNotifier({
    clock,
    send: (message) => Promise.resolve(void heard.push(message)),
    watchdogMs: 10_000,
  });
  notifier.ready();
  for (let look = 0; look < 60; look++) {
    notifier.evaluated(["ready", "waiting-device"]);
    await clock.advance(250);
  }
  // The loop hangs: time passes, nothing is evaluated, nothing is told.
  await clock.advance(600_000);
  assertEquals(heard, [
    "READY=1",
    "WATCHDOG=1",
    "STATUS=drivers: 1 ready, 1 waiting-device",
    "WATCHDOG=1",
    "WATCHDOG=1",
  ]);
  notifier.reloading();
  notifier.stopping();
  assertEquals(heard.at(-2), "RELOADING=1");
  assertStringIncludes(heard.at(-1) ?? "", "STOPPING=1\nSTATUS=");
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("The watchdog's time is taken when it is ours and sound", () => {
  const of = (variables: Record<string, string>) =>
    watchdogMs((name) => variables[name], 42);
  assertEquals(of({ WATCHDOG_USEC: "10000000" }), 10_000);
  assertEquals(of({ WATCHDOG_USEC: "10000000", WATCHDOG_PID: "42" }), 10_000);
  assertEquals(of({ WATCHDOG_USEC: "10000000", WATCHDOG_PID: "7" }), undefined);
  assertEquals(of({ WATCHDOG_USEC: "-1" }), undefined);
  assertEquals(of({}), undefined);
  assertEquals(statusLine([]), "no drivers");
});

const COMMAND = [Deno.execPath(), "run", "cli.ts", "serve", "/etc/lab 1.toml"];

Deno.test("A service is never given up, but for what no retry helps", () => {
  const { text } = systemdUnit({ command: ["/usr/bin/driverspace"] });
  assertStringIncludes(text, "\nStartLimitIntervalSec=0\n");
  assertStringIncludes(text, "\nRestart=on-failure\n");
  assertStringIncludes(text, "\nRestartPreventExitStatus=77 78\n");
});

Deno.test("A unit quotes its command and refuses what cannot stand in it", () => {
  const { text } = systemdUnit({
    command: ["/usr/bin/driverspace", "serve", 'a "b" $HOME 100%\\'],
  });
  assertStringIncludes(
    text,
    'ExecStart=/usr/bin/driverspace serve "a \\"b\\" $$HOME 100%%\\\\"\n',
  );
  assertThrows(() => systemdUnit({ command: ["deno"] }), TypeError);
  assertThrows(() => systemdUnit({ command: [] }), TypeError);
  assertThrows(
    () => systemdUnit({ command: ["/bin/x", "a\nUser=root"] }),
    TypeError,
  );
  assertThrows(
    () => systemdUnit({ command: ["/bin/x"], user: "root\nX=" }),
    RangeError,
  );
});

function hasAnalyze(): boolean {
  try {
    return Deno.statSync("/usr/bin/systemd-analyze").isFile;
  } catch {
    return false;
  }
}

async function analyze(
  ...args: string[]
): Promise<[code: number, text: string]> {
  const { code, stdout, stderr } = await new Deno.Command(
    "/usr/bin/systemd-analyze",
    { args },
  ).output();
  const decoder = new TextDecoder();
  return [code, decoder.decode(stdout) + decoder.decode(stderr)];
}

const isMissing = hasAnalyze() ? "" : " [not run: no systemd-analyze]";

Deno.test({
  name: `systemd takes the unit and finds it well confined${isMissing}`,
  ignore: !hasAnalyze(),
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/driverspace.service`;
    try {
      const { text } = systemdUnit({ command: COMMAND });
      await Deno.writeTextFile(path, text);
      const [code, said] = await analyze("verify", "--man=no", path);
      const about = said.split("\n").filter((line) =>
        line.includes("driverspace.service")
      );
      assertEquals([code, about], [0, []], said);
      const [, exposure] = await analyze(
        "security",
        "--offline=yes",
        "--threshold=13",
        path,
      );
      const score = /exposure level for .*?: ([\d.]+)/i.exec(exposure)?.[1];
      assertLessOrEqual(Number(score), 1.3, exposure);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
