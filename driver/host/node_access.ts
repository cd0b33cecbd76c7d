/**
 * Why a device node can or cannot be opened: owner, group and mode against who
 * we are, as one sentence and the exact fix.
 *
 * @module
 */

import { type Identity, nameOfId, type SystemReader } from "./system_reader.ts";

/** What stands in the way of a node, and what to do about it. */
export interface AccessProblem {
  /** A sentence's end: `/dev/bus/usb/001/004 belongs to root:root, mode 0664`. */
  readonly problem: string;
  readonly advice: string;
}

/** Gives the problem with a node, or `undefined` when it may be read and written. */
export function accessProblem(
  system: SystemReader,
  nodePath: string,
  ids: string,
): AccessProblem | undefined {
  // There is no file that could belong to somebody: the bus answers each open.
  if (system.virtualBus === "notify") return undefined;
  const facts = system.fileFacts(nodePath);
  if (facts === undefined) {
    return {
      problem: `there is no node ${nodePath}`,
      advice: "In a container, pass the device through; else replug it",
    };
  }
  const who = system.identity();
  if (mayReadAndWrite(facts, who)) return undefined;
  const owner = nameOfId(system, "passwd", facts.uid);
  const group = nameOfId(system, "group", facts.gid);
  const mode = facts.mode.toString(8).padStart(4, "0");
  const needsGroup = facts.gid !== 0 && (facts.mode & 0o060) === 0o060;
  return {
    problem: `${nodePath} belongs to ${owner}:${group}, mode ${mode}, and ` +
      `we are user ${nameOfId(system, "passwd", who.uid)}`,
    advice: needsGroup
      ? `Join the group: usermod --append --groups ${group} "$USER", then log in again`
      : `Install the rule that driverspace udev ${ids} prints`,
  };
}

/** The kernel's rule: owner, else group, else others; root may always. */
function mayReadAndWrite(
  facts: { readonly uid: number; readonly gid: number; readonly mode: number },
  who: Identity,
): boolean {
  if (who.uid === 0) return true;
  if (facts.uid === who.uid) return (facts.mode & 0o600) === 0o600;
  if (who.gids.includes(facts.gid)) return (facts.mode & 0o060) === 0o060;
  return (facts.mode & 0o006) === 0o006;
}
