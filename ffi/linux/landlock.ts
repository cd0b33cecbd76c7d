/**
 * Landlock: which paths the process, and what it executes, may still open.
 * include/uapi/linux/landlock.h, Documentation/userspace-api/landlock.rst.
 *
 * Every right the running kernel knows is handled, hence denied unless granted.
 * What older versions lack is closed by the seccomp filter, so version 1 does.
 *
 * @module
 */

import { assert } from "../../driver/assert.ts";
import { AT_FDCWD, openFlags, statusOf } from "./file_status.ts";
import { cstring, type Libc, SyscallError } from "./libc.ts";

/** LANDLOCK_ACCESS_FS_*. */
const EXECUTE = 1n << 0n;
const WRITE_FILE = 1n << 1n;
const READ_FILE = 1n << 2n;
const READ_DIR = 1n << 3n;
const MAKE_SOCK = 1n << 9n;
/** How many file system rights each version knows; later versions added none up to 7. */
const RIGHTS_BY_ABI = [0, 13, 14, 15, 15, 16] as const;
/** LANDLOCK_ACCESS_NET_BIND_TCP and CONNECT_TCP, from version 4. */
const ALL_TCP = 3n;
/** LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET and SIGNAL, from version 6. */
const ALL_SCOPES = 3n;
const RULE_PATH_BENEATH = 1;
const CREATE_RULESET_VERSION = 1;

/** What may be done with a path. */
export type PathAccess = "read" | "execute" | "readWriteBelow";

/** `readWriteBelow` names rights of folders: on a file the kernel refuses the rule. */
const ACCESS: Readonly<Record<PathAccess, bigint>> = {
  read: READ_FILE,
  execute: EXECUTE | READ_FILE,
  readWriteBelow: READ_FILE | READ_DIR | WRITE_FILE | MAKE_SOCK,
};

/** A path that stays open to the driver. */
export interface PathRule {
  readonly path: string;
  readonly access: PathAccess;
  /** May be absent on this machine. */
  readonly optional?: boolean;
}

/** Version the kernel offers, from 1; 0 where Landlock is absent or switched off. */
export function landlockAbi(libc: Libc): number {
  return Math.max(
    0,
    libc.call("landlock_create_ruleset", [0, 0, CREATE_RULESET_VERSION]),
  );
}

/** Rights of the file system that a version knows. */
export function handledRights(abi: number): bigint {
  assert(abi >= 1, "There is no Landlock below version 1");
  const known = RIGHTS_BY_ABI[Math.min(abi, RIGHTS_BY_ABI.length - 1)];
  return (1n << BigInt(known ?? 0)) - 1n;
}

/** `struct landlock_ruleset_attr` as far as a version knows it. */
export function rulesetAttributes(abi: number): BigUint64Array<ArrayBuffer> {
  const attributes = [handledRights(abi)];
  if (abi >= 4) attributes.push(ALL_TCP);
  if (abi >= 6) attributes.push(ALL_SCOPES);
  return new BigUint64Array(attributes);
}

/**
 * Makes a ruleset that denies all the kernel can deny, less `rules`, and gives
 * its descriptor.
 *
 * @throws {SyscallError} When a path cannot be opened or a rule is refused.
 */
export function createRuleset(
  libc: Libc,
  rules: readonly PathRule[],
  options: { readonly abi: number },
): number {
  const attributes = rulesetAttributes(options.abi);
  const ruleset = libc.check("landlock_create_ruleset", [
    attributes,
    attributes.byteLength,
    0,
  ]);
  for (const rule of rules) {
    addRule(libc, rule, { ruleset, handled: handledRights(options.abi) });
  }
  return ruleset;
}

/** Enters the ruleset for good; 0 or the negated errno. */
export function restrictSelf(libc: Libc, ruleset: number): number {
  return libc.call("landlock_restrict_self", [ruleset, 0]);
}

function addRule(
  libc: Libc,
  rule: PathRule,
  into: { readonly ruleset: number; readonly handled: bigint },
): void {
  if (rule.optional === true && !isThere(libc, rule.path)) return;
  const { PATH, CLOEXEC } = openFlags(libc);
  const descriptor = libc.call("openat", [
    AT_FDCWD,
    cstring(rule.path),
    PATH | CLOEXEC,
    0,
  ]);
  if (descriptor < 0) {
    throw new SyscallError(`open ${rule.path} for a rule`, -descriptor);
  }
  const access = ACCESS[rule.access] & into.handled;
  libc.check("landlock_add_rule", [
    into.ruleset,
    RULE_PATH_BENEATH,
    pathBeneath(access, descriptor),
    0,
  ]);
  libc.check("close", [descriptor]);
}

/** Most of what is optional is absent: asking takes one call that opens nothing. */
function isThere(libc: Libc, path: string): boolean {
  return typeof statusOf(libc, { path }) !== "number";
}

/** `struct landlock_path_beneath_attr`: packed, 12 bytes. */
function pathBeneath(
  access: bigint,
  descriptor: number,
): Uint8Array<ArrayBuffer> {
  const attribute = new Uint8Array(12);
  const view = new DataView(attribute.buffer);
  view.setBigUint64(0, access, true);
  view.setInt32(8, descriptor, true);
  return attribute;
}
