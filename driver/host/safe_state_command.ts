/**
 * The command lines of the process that makes a device safe: direct, and
 * through the launcher. It may do what the driver may, and less: the same
 * device, log and interfaces, and plain transfers only.
 *
 * @module
 */

import type { DriverConfig } from "./driver_config.ts";
import { policyOf, type SandboxedStart } from "./driver_command.ts";
import type { DriverManifest } from "./manifest.ts";
import { directFlags, RUN_FLAGS } from "./permissions.ts";
import {
  encodeSafeStateOrder,
  type SafeStateOrder,
} from "./safe_state_order.ts";
import { type SandboxPolicy, sandboxPolicy } from "./sandbox_policy.ts";

/** What a process is told for a driver. */
export function orderFor(
  manifest: DriverManifest,
  config: DriverConfig,
): SafeStateOrder {
  const { name, interfaces, kernelDriver, safeState } = manifest;
  return {
    driver: name,
    config: { ...config, options: {} },
    interfaces,
    kernelDriver,
    steps: safeState,
  };
}

/**
 * The policy of the sandboxed process. `start` is that of the driver, with the
 * bundle of this program.
 *
 * @throws {UsbError} `notFound` when the device lacks an interface of the driver.
 */
export function safeStatePolicy(start: SandboxedStart): SandboxPolicy {
  const { manifest, config } = start;
  return sandboxPolicy({
    ...policyOf(start),
    requests: [],
    driverArguments: [encodeSafeStateOrder(orderFor(manifest, config))],
  });
}

/** The command of direct mode. */
export function directSafeStateCommand(options: {
  /** `Deno.execPath()`. */
  readonly denoPath: string;
  /** The program's main module. */
  readonly programUrl: string;
  readonly order: SafeStateOrder;
}): string[] {
  const { denoPath, programUrl, order } = options;
  const { library, nodePath, logPath } = order.config;
  return [
    denoPath,
    ...RUN_FLAGS,
    ...directFlags({ library, nodePath, logPath }),
    programUrl,
    encodeSafeStateOrder(order),
  ];
}
