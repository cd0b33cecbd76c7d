import { assert, assertEquals } from "../../driver/std.ts";
import type { SandboxReport } from "../../driver/host/sandbox_policy_report.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { seededRandom, VirtualBus } from "../../driver/sim/virtual_bus.ts";
import { ERRNO } from "../../ffi/linux/errno.ts";
import { isPreloadAvailable } from "../../ffi/linux/virtual_bus_available.ts";
import { SystemClock } from "../../ffi/linux/virtual_bus_clock.ts";
import { PreloadTransport } from "../../ffi/linux/virtual_bus_preload.ts";
import {
  bundleOf,
  canSandbox,
  exists,
  LIBUSB,
  runLaunch,
  Scratch,
} from "./harness.ts";

/** The preload library lies where libusb does. */
const PRELOAD = `${
  LIBUSB.slice(0, LIBUSB.lastIndexOf("/"))
}/libumockdev-preload.so.0`;
const preload = await isPreloadAvailable();
const canRun = canSandbox && exists(PRELOAD) && preload.isAvailable;
const noRun = canRun
  ? ""
  : ` [not run: ${
    preload.isAvailable
      ? "needs Linux, libusb, and umockdev beside it"
      : preload.reason
  }]`;

/** What the driver tells. */
interface Told {
  readonly echo: string;
  readonly canOpen: boolean;
  readonly canFork: boolean;
  /** The kernel's word to a Unix socket that wants to reach a file, before stage 2 and after. */
  readonly reached: readonly number[];
  readonly sandbox: SandboxReport;
}

Deno.test({
  name:
    `The virtual profile runs on the preload library's bus, filter and stage 2 in force${noRun}`,
  ignore: !canRun,
  fn: async (): Promise<void> => {
    await using scratch = await Scratch.make();
    const bus = new VirtualBus({
      clock: new SystemClock(),
      random: seededRandom(1),
    });
    await using transport = new PreloadTransport(bus);
    bus.plug(new Loopback());
    using client = transport.addClient();
    const { code, stdout, stderr } = await runLaunch({
      scratch,
      driver: await bundleOf("preload_driver"),
      driverArguments: [LIBUSB, scratch.log],
      experiment: {},
      policy: {
        profile: "virtual",
        virtualBus: {
          preloadPath: PRELOAD,
          folderPath: client.root.slice(0, client.root.lastIndexOf("/")),
          rootPath: client.root,
        },
      },
    });
    assertEquals([code, stderr], [0, ""]);
    const told = JSON.parse(stdout) as Told;
    const { echo, canOpen, canFork, sandbox } = told;
    assertEquals([echo, canOpen, canFork], ["preloaded", false, false]);
    // Weaker, and said to be: Landlock does not see whom a Unix socket reaches.
    assertEquals(told.reached, [-ERRNO.ECONNREFUSED, -ERRNO.EPERM]);
    assertEquals(sandbox.profile, "virtual");
    assert(sandbox.seccomp && sandbox.stage2);
    bus.close();
  },
});
