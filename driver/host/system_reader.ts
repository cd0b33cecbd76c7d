/**
 * What is read of the system to explain it: small files, modes of nodes, who we
 * are. An argument of everything that explains, so that tests tell of any system.
 *
 * @module
 */

import { readlinkSync } from "node:fs";

/** Owner and mode of a file. */
export interface FileFacts {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits only. */
  readonly mode: number;
}

/** Who a process is, as far as files are concerned. */
export interface Identity {
  readonly uid: number;
  readonly gids: readonly number[];
}

/** Reads what explains a system; `undefined` where there is nothing to read. */
export interface SystemReader {
  readonly platform: string;
  /** The bus is virtual. By `notify` its nodes can be opened, but are no files. */
  readonly virtualBus?: "preload" | "notify";
  readText(path: string): string | undefined;
  /** Facts of a file, or why there are none. */
  fileFacts(path: string): FileFacts | undefined;
  /** Last part of a symbolic link's target. */
  linkName(path: string): string | undefined;
  identity(): Identity;
}

/** Reads this machine. Needs all permissions for what lies under `/sys`, `/proc` and `/dev`. */
export function systemReader(): SystemReader {
  return {
    platform: Deno.build.os,
    ...virtualBus(),
    readText: (path) => orNothing(() => Deno.readTextFileSync(path)),
    fileFacts: (path) =>
      orNothing(() => {
        const { uid, gid, mode } = Deno.statSync(path);
        return { uid: uid ?? 0, gid: gid ?? 0, mode: (mode ?? 0) & 0o7777 };
      }),
    linkName: (path) =>
      orNothing(() => readlinkSync(path).split("/").at(-1) ?? ""),
    identity,
  };
}

/** As the transports of the virtual bus tell their clients. A service may not ask, and has a real one. */
function virtualBus(): Pick<SystemReader, "virtualBus"> {
  const variable = (name: string): string | undefined =>
    orNothing(() => Deno.env.get(name));
  if (variable("DRIVERSPACE_VIRTUAL_BUS") === "notify") {
    return { virtualBus: "notify" };
  }
  return variable("UMOCKDEV_DIR") === undefined
    ? {}
    : { virtualBus: "preload" };
}

/** Name of a user or group by its number, out of `/etc/passwd` or `/etc/group`. */
export function nameOfId(
  system: SystemReader,
  kind: "passwd" | "group",
  id: number,
): string {
  const lines = (system.readText(`/etc/${kind}`) ?? "").split("\n");
  const found = lines.find((line) => line.split(":")[2] === String(id));
  return found?.split(":")[0] ?? String(id);
}

function identity(): Identity {
  const status = orNothing(() => Deno.readTextFileSync("/proc/self/status"));
  const groups = /^Groups:\s*(.*)$/m.exec(status ?? "")?.[1] ?? "";
  return {
    uid: Deno.uid() ?? 0,
    gids: [
      Deno.gid() ?? 0,
      ...groups.split(/\s+/).filter((text) => text !== "").map(Number),
    ],
  };
}

function orNothing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
