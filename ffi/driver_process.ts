/**
 * The body of a driver process: puts libusb, the loop and the host's frames
 * together. Nothing imports it; hosts start a program of two lines that calls
 * {@linkcode serveDriver} with a driver.
 *
 * @module
 */

import type { AnyDriver } from "../driver/driver.ts";
import { UsbError } from "../driver/errors.ts";
import {
  decodeDriverConfig,
  type DriverConfig,
} from "../driver/host/driver_config.ts";
import { type OpenedDevice, runDriver } from "../driver/host/driver_main.ts";
import { DRIVER_EXIT } from "../driver/host/exit_class.ts";
import type { LogSink } from "../driver/host/log.ts";
import { DescriptorSink, FileSink, NO_SINK } from "../driver/host/log_sink.ts";
import {
  askRuntime,
  checkDirectPermissions,
} from "../driver/host/permissions.ts";
import { LaunchRefused } from "../driver/host/sandbox_policy_failures.ts";
import {
  type LauncherReport,
  type SandboxReport,
  takeLauncherReport,
} from "../driver/host/sandbox_policy_report.ts";
import { StartClock } from "../driver/host/start_clock.ts";
import type { SandboxSummary } from "../driver/host/wire.ts";
import type { DeviceInfo } from "../driver/port.ts";
import { LibusbPort } from "./libusb_port.ts";
import { Libc } from "./linux/libc.ts";
import { DEVICE_DESCRIPTOR, LOG_DESCRIPTOR } from "./linux/seccomp.ts";
import { enterStage2, verifyConfined } from "./linux/stage2.ts";

const PERMISSIONS = [
  "ffi",
  "read",
  "write",
  "net",
  "env",
  "sys",
  "run",
  "import",
] as const;

/** As much as a pipe holds. */
const INPUT_BYTES = 64 * 1024;

/** Runs a driver as this process, from its arguments to its exit. */
export async function serveDriver(driver: AnyDriver): Promise<never> {
  sparePipe();
  endOnRejection();
  leaveInterruptToHost();
  let start: Start;
  try {
    start = readStart(Deno.args);
  } catch (error) {
    const code = error instanceof LaunchRefused
      ? error.exitCode
      : DRIVER_EXIT.config;
    console.error(error instanceof Error ? error.message : String(error));
    Deno.exit(code);
  }
  const { config } = start;
  const libc = once(() => Libc.open(config.library));
  const clock = new StartClock();
  const code = await runDriver({
    driver,
    config,
    clock,
    random: () => Math.random(),
    logSink: openLog(config, libc),
    input: readInput(),
    output: writeAll,
    pid: Deno.pid,
    open: () =>
      config.mode === "direct"
        ? openDirect(driver, config)
        : openLocked(start, { libc, clock }),
    turn: clock.turn,
    onReady: () => clock.started(),
  });
  Deno.exit(code);
}

/** What the arguments say. */
interface Start {
  readonly config: DriverConfig;
  readonly report: LauncherReport | undefined;
}

/** Makes something when it is first wanted. */
function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => made ??= make();
}

/** What a driver's author prints goes to stderr: stdout carries frames. */
function sparePipe(): void {
  for (const name of ["log", "info", "debug"] as const) {
    console[name] = console.error;
  }
}

/** A terminal sends Ctrl-C to the driver as well; only the host decides what it means. */
function leaveInterruptToHost(): void {
  Deno.addSignalListener("SIGINT", () => {});
}

/** A promise of the driver's own that nobody awaits is a bug of it, and ends it with our code. */
function endOnRejection(): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    console.error("Unhandled rejection:", event.reason);
    Deno.exit(DRIVER_EXIT.fault);
  });
}

function readStart(args: readonly string[]): Start {
  const { report, rest } = takeLauncherReport(args);
  return { config: decodeDriverConfig(rest[0]), report };
}

/** A log that cannot be opened is told and done without: it never stops a driver. */
function openLog(config: DriverConfig, libc: () => Libc): LogSink {
  if (config.mode === "sandboxed") {
    return new DescriptorSink(
      LOG_DESCRIPTOR,
      (descriptor, bytes) =>
        libc().call("write", [
          descriptor,
          bytes.slice(),
          bytes.length,
        ]),
    );
  }
  if (config.logPath === undefined) return NO_SINK;
  try {
    return new FileSink(config.logPath);
  } catch (error) {
    console.error(`Cannot write the log ${config.logPath}: ${error}`);
    return {
      write(): void {
        throw error;
      },
    };
  }
}

/** Direct mode: asks the runtime first, lets libusb open the node, then gives up every permission. */
async function openDirect(
  driver: AnyDriver,
  config: DriverConfig,
): Promise<OpenedDevice> {
  checkPermissions(config);
  const port = await LibusbPort.open({ libraryPath: config.library });
  const devices = await port.devices();
  const deviceInfo = devices.find((info) => isWanted(info, config));
  if (deviceInfo === undefined) {
    throw new UsbError({
      code: "noDevice",
      operation: `open ${config.nodePath}`,
      reason: "the device is gone",
    });
  }
  const device = await port.open(deviceInfo, {
    kernelDriver: driver.kernelDriver ?? "detach",
  });
  for (const name of PERMISSIONS) Deno.permissions.revokeSync({ name });
  return {
    device,
    sandbox: { mode: "direct", layers: {} },
    versions: versionsWith(port),
  };
}

function isWanted(info: DeviceInfo, config: DriverConfig): boolean {
  return info.nodePath === config.nodePath;
}

function checkPermissions(config: DriverConfig): void {
  const { library, nodePath, logPath } = config;
  const { missing, excess } = checkDirectPermissions(
    { library, nodePath, logPath },
    askRuntime,
  );
  if (missing.length > 0) {
    throw new UsbError({
      code: "access",
      operation: `open ${nodePath}`,
      reason: "the runtime does not grant what is needed",
      advice: `Run with ${missing.join(" ")}`,
    });
  }
  if (excess.length === 0 || config.allowExcess === true) return;
  throw new UsbError({
    code: "access",
    operation: `start the driver for ${nodePath}`,
    reason: `the runtime grants more than it needs: ${excess.join(" ")}`,
    advice: "Run with the flags that driverspace permissions prints, " +
      "or say --allow-excess-permissions",
  });
}

/** In the sandbox: takes over the descriptor, then closes every door behind it. */
async function openLocked(
  start: Start,
  parts: { readonly libc: () => Libc; readonly clock: StartClock },
): Promise<OpenedDevice> {
  const { config } = start;
  try {
    const libc = parts.libc();
    verifyConfined(libc, start.report);
    const port = await LibusbPort.open({
      libraryPath: config.library,
      discovery: false,
      turn: parts.clock.turn,
      checkPermissions: false,
    });
    const { busNumber, nodePath, portPath } = config;
    const device = await port.openDescriptor(DEVICE_DESCRIPTOR, {
      ...(busNumber === 0 ? {} : { busNumber }),
      nodePath,
      portPath,
      // The launcher did what had to be done; the filter refuses more.
      kernelDriver: "refuse",
    });
    const report = await enterStage2(libc, start.report);
    return {
      device,
      sandbox: summaryOf(report),
      versions: versionsWith(port),
    };
  } catch (error) {
    if (!(error instanceof LaunchRefused)) throw error;
    throw new UsbError({
      code: "access",
      operation: "start the driver",
      reason: error.message,
      cause: error,
    });
  }
}

function summaryOf(report: SandboxReport): SandboxSummary {
  return {
    mode: "sandboxed",
    layers: {
      "Landlock ABI": report.landlockAbi,
      "seccomp": report.seccomp,
      "stage 2": report.stage2,
      "no new code": report.noNewCode,
      "profile": report.profile,
      "verified": report.verified.length,
    },
    report: { ...report },
  };
}

function versionsWith(port: LibusbPort): Record<string, string> {
  return {
    deno: Deno.version.deno,
    libusb: port.library.version.text,
  };
}

/** What `Deno.stdin.readable` gives, without loading the streams of the web for it. */
async function* readInput(): AsyncGenerator<Uint8Array, void> {
  const buffer = new Uint8Array(INPUT_BYTES);
  for (;;) {
    const lengthBytes = await Deno.stdin.read(buffer);
    if (lengthBytes === null) return;
    yield buffer.slice(0, lengthBytes);
  }
}

async function writeAll(bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += await Deno.stdout.write(bytes.subarray(done));
  }
}
