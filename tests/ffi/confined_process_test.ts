import {
  type DriverConfig,
  encodeDriverConfig,
} from "../../driver/host/driver_config.ts";
import { bundleDriver } from "../../driver/host/bundle.ts";
import { DRIVER_EXIT } from "../../driver/host/exit_class.ts";
import { assert, assertEquals, assertLess } from "../../driver/std.ts";

const DRIVER = new URL("../sandbox/start_driver.ts", import.meta.url).href;

function urlOf(process: string): string {
  return new URL(`../../ffi/${process}.ts`, import.meta.url).href;
}

/** The text that a process of the least driver there is has to read. */
async function bundleText(process: string): Promise<string> {
  const cacheFolder = await Deno.makeTempDir({ prefix: "driverspace-bundle-" });
  try {
    const { path } = await bundleDriver(
      { driverUrl: DRIVER, processUrl: urlOf(process) },
      { cacheFolder },
    );
    return await Deno.readTextFile(path);
  } finally {
    await Deno.remove(cacheFolder, { recursive: true });
  }
}

/** Of starts that a driver in the sandbox never makes. */
const ELSEWHERE = [
  "openDirect", // direct mode
  "checkDirectPermissions",
  "standBy", // a standby
  "parkLocked",
  "recordedDriver", // a full journal
  "RecordedPort",
  "FullTeller",
];
/**
 * 173 KiB today. Each KiB is about a tenth of a millisecond of every start: what
 * makes it grow by 5 % is asked whether a start needs it.
 */
const CONFINED_BYTES_MAX = 182 * 1024;

Deno.test("A driver that is only confined reads nothing of other starts", async () => {
  const [confined, whole] = await Promise.all([
    bundleText("confined_process"),
    bundleText("driver_process"),
  ]);
  const has = (text: string, name: string): boolean =>
    text.includes(`"${name}"`) || text.includes(`class ${name}`);
  assertEquals(ELSEWHERE.filter((name) => has(confined, name)), []);
  assertEquals(ELSEWHERE.filter((name) => !has(whole, name)), []);
  assertLess(confined.length, CONFINED_BYTES_MAX);
});

const CONFIG: DriverConfig = {
  instance: "start",
  boot: "unknown",
  mode: "sandboxed",
  library: "/none",
  nodePath: "/dev/bus/usb/001/002",
  portPath: "1-1",
  busNumber: 1,
  options: {},
};

async function started(
  config: DriverConfig,
): Promise<{ readonly code: number; readonly said: string }> {
  const program = `import driver from ${JSON.stringify(DRIVER)};
    import { serveDriver } from ${JSON.stringify(urlOf("confined_process"))};
    await serveDriver(driver);`;
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      `data:application/javascript,${encodeURIComponent(program)}`,
      encodeDriverConfig(config),
    ],
    stdin: "null",
    stdout: "null",
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(60_000),
  }).output();
  return { code, said: new TextDecoder().decode(stderr) };
}

Deno.test("A process refuses a start that it is not made for, before it touches anything", async () => {
  const starts = [
    [{ ...CONFIG, mode: "direct" }, "direct mode"],
    [{ ...CONFIG, isStandby: true }, "a standby"],
    [{ ...CONFIG, journal: "full" }, "a full journal"],
    [
      { ...CONFIG, isStandby: true, journal: "full" },
      "a standby and a full journal",
    ],
  ] as const;
  await Promise.all(starts.map(async ([config, what]) => {
    const { code, said } = await started(config);
    assertEquals(code, DRIVER_EXIT.config, said);
    assert(said.includes(`not made for ${what}.`), said);
  }));
});
