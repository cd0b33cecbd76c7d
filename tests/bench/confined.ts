/**
 * Our own client in the sandbox: the command of a launch, with all layers, of a
 * driver that is the client. Two things are not as in a driver process. The
 * zero-latency usbfs is preloaded into it, for which the launcher's test entry
 * grants one file more to read; and the node that the launcher opened is
 * replaced by the one that library plays, at the same descriptor.
 */

import { sandboxPolicy } from "../../driver/host/sandbox_policy.ts";
import { buildLauncherCommand } from "../../driver/host/sandbox_policy_command.ts";
import type { LaunchExperiment } from "../../ffi/linux/launcher.ts";
import { DEVICE_DESCRIPTOR } from "../../ffi/linux/seccomp.ts";
import { bundleOf, LIBC } from "../sandbox/harness.ts";

/** Where what it starts from lies. */
export interface ConfinedPlaces {
  /** libusb. */
  readonly library: string;
  /** The compiled `fake_usbfs.so`. */
  readonly fake: string;
  /** A folder of ours alone, for the log. */
  readonly folder: string;
  readonly nodePath: string;
}

/** The command that takes cases behind it. Exactly its environment, nothing inherited. */
export async function confinedCommand(
  places: ConfinedPlaces,
  design: string,
): Promise<string[]> {
  const logs = `${places.folder}/sandbox`;
  await Deno.mkdir(logs, { recursive: true, mode: 0o700 });
  const policy = sandboxPolicy({
    nodePath: places.nodePath,
    expect: { vendorId: 0x1209, productId: 1 },
    logPath: `${logs}/driver.log`,
    interfaces: [0],
    libraryPath: places.library,
    driverPath: await bundleOf("client_confined"),
    driverArguments: [design, places.library],
  });
  const launcherPath = await bundleOf("launcher_experiment");
  const { command, args, env } = buildLauncherCommand(policy, {
    denoPath: Deno.execPath(),
    launcherPath,
    ...LIBC,
  });
  const experiment: LaunchExperiment = {
    standIn: true,
    preload: {
      path: places.fake,
      environment: [`FAKE_USBFS_DESCRIPTOR=${DEVICE_DESCRIPTOR}`],
    },
  };
  const at = args.indexOf(launcherPath) + 1;
  return [
    "env",
    "-i",
    ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
    command,
    ...args.slice(0, at),
    JSON.stringify(experiment),
    ...args.slice(at),
  ];
}
