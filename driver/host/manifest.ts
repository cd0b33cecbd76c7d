/**
 * The data parts of a driver, without its code: what hosts decide by, and what
 * help and forms are made from.
 *
 * @module
 */

import type {
  AnyDriver,
  InterfaceSelector,
  ParameterSpec,
  SafeStateStep,
  ValueSpecs,
} from "../driver.ts";
import type { DeviceMatch } from "../match.ts";

/** A command's data. */
export interface CommandManifest {
  readonly description: string;
  readonly params: Readonly<Record<string, ParameterSpec>>;
  readonly timeoutMs?: number;
  readonly idempotent: boolean;
}

/** A driver's data. */
export interface DriverManifest {
  readonly name: string;
  readonly description: string;
  readonly match: readonly DeviceMatch[];
  readonly interfaces: readonly InterfaceSelector[];
  readonly kernelDriver: "detach" | "refuse";
  readonly requests: readonly ("setConfiguration" | "reset" | "streams")[];
  /** Absent: it declares none. */
  readonly profile?: "default" | "jitless";
  readonly options: Readonly<Record<string, ParameterSpec>>;
  readonly commands: Readonly<Record<string, CommandManifest>>;
  /** Absent: it declares none. */
  readonly values?: ValueSpecs;
  readonly safeState: readonly SafeStateStep[];
}

/** Takes the data parts of a driver. */
export function manifestOf(driver: AnyDriver): DriverManifest {
  const commands = Object.entries(driver.commands ?? {}).map(
    ([name, command]): [string, CommandManifest] => [name, {
      description: command.description,
      params: command.params ?? {},
      ...(command.timeoutMs === undefined
        ? {}
        : { timeoutMs: command.timeoutMs }),
      idempotent: command.idempotent ?? false,
    }],
  );
  return {
    name: driver.name,
    description: driver.description,
    match: driver.match,
    interfaces: driver.interfaces,
    kernelDriver: driver.kernelDriver ?? "detach",
    requests: driver.requests ?? [],
    ...(driver.profile === undefined ? {} : { profile: driver.profile }),
    options: driver.options ?? {},
    commands: Object.fromEntries(commands),
    ...(driver.values === undefined ? {} : { values: driver.values }),
    safeState: driver.safeState ?? [],
  };
}
