/**
 * The smallest sandboxed driver: binds libusb, takes over descriptor 100, enters
 * stage 2, says READY with its report, and answers each chunk of stdin. With
 * `--spin` it hears and does nothing any more.
 */

import { writeSync } from "node:fs";
import {
  formatRefusal,
  LaunchRefused,
} from "../../driver/host/sandbox_policy_failures.ts";
import { takeLauncherReport } from "../../driver/host/sandbox_policy_report.ts";
import { Libc } from "../../ffi/linux/libc.ts";
import { DEVICE_DESCRIPTOR, LOG_DESCRIPTOR } from "../../ffi/linux/seccomp.ts";
import { enterStage2, verifyConfined } from "../../ffi/linux/stage2.ts";

const NO_DEVICE_DISCOVERY = 2;

async function main(): Promise<void> {
  const { report, rest } = takeLauncherReport(Deno.args);
  const [library = "", option = ""] = rest;
  const libc = Libc.open(library);
  verifyConfined(libc, report);
  // SAFETY: signatures of libusb.h; the buffers are used during the call only.
  const { symbols: libusb } = Deno.dlopen(library, {
    libusb_set_option: { parameters: ["usize", "i32"], result: "i32" },
    libusb_init: { parameters: ["buffer"], result: "i32" },
    libusb_wrap_sys_device: {
      parameters: ["usize", "isize", "buffer"],
      result: "i32",
    },
  });
  const context = new BigUint64Array(1);
  const handle = new BigUint64Array(1);
  libusb.libusb_set_option(0n, NO_DEVICE_DISCOVERY);
  const init = libusb.libusb_init(context);
  const wrap = libusb.libusb_wrap_sys_device(
    context[0] ?? 0n,
    BigInt(DEVICE_DESCRIPTOR),
    handle,
  );
  const sandbox = await enterStage2(libc, report);
  writeSync(LOG_DESCRIPTOR, "start\n");
  say({ ready: true, init, wrap, sandbox });
  while (option === "--spin");
  for await (const chunk of Deno.stdin.readable) {
    writeSync(LOG_DESCRIPTOR, `message of ${chunk.length} bytes\n`);
    say({ echo: chunk.length });
  }
  writeSync(LOG_DESCRIPTOR, "stop\n");
}

function say(message: unknown): void {
  const line = new TextEncoder().encode(`${JSON.stringify(message)}\n`);
  Deno.stdout.writeSync(line);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof LaunchRefused)) throw error;
  console.error(formatRefusal(error.refusal, error.message));
  Deno.exit(error.exitCode);
}
