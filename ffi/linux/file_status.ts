/**
 * What a descriptor leads to, by `statx` on the descriptor itself, since a path
 * may lead elsewhere a moment later; and what a path leads to, where that is
 * what matters.
 *
 * @module
 */

import { cstring, type Libc, SyscallError } from "./libc.ts";

/** Kinds of files that matter here. */
export type FileType = "file" | "directory" | "character" | "other";

/** What a descriptor leads to. */
export interface FileStatus {
  readonly type: FileType;
  /** Permission bits, sticky bit included. */
  readonly mode: number;
  /** How many names it has. */
  readonly links: number;
  readonly userId: number;
  /** Same text, same file. */
  readonly identity: string;
  /** Of the device that a node stands for. */
  readonly deviceMajor: number;
}

/** `struct statx`. include/uapi/linux/stat.h. */
const STATX_BYTES = 256;
const OFFSET = {
  links: 16,
  userId: 20,
  mode: 28,
  inode: 32,
  nodeMajor: 128,
  major: 136,
  minor: 140,
} as const;
const STATX_BASIC = 0x7ff;
const AT_EMPTY_PATH = 0x1000;
const TYPES: ReadonlyMap<number, FileType> = new Map([
  [0o100000, "file"],
  [0o040000, "directory"],
  [0o020000, "character"],
]);

/** Looks at a descriptor. @throws {SyscallError} When the kernel refuses. */
export function fileStatus(libc: Libc, descriptor: number): FileStatus {
  const status = statusOf(libc, { from: descriptor, path: "" });
  if (typeof status !== "number") return status;
  throw new SyscallError("statx", status);
}

/** What a path leads to now, its links followed; the errno when it leads nowhere. */
export function statusOf(
  libc: Libc,
  file: { readonly from?: number; readonly path: string },
): FileStatus | number {
  const { from = AT_FDCWD, path } = file;
  const bytes = new Uint8Array(STATX_BYTES);
  const result = libc.call("statx", [
    from,
    cstring(path),
    path === "" ? AT_EMPTY_PATH : 0,
    STATX_BASIC,
    bytes,
  ]);
  return result < 0 ? -result : readStatus(new DataView(bytes.buffer));
}

function readStatus(view: DataView): FileStatus {
  const mode = view.getUint16(OFFSET.mode, true);
  const major = view.getUint32(OFFSET.major, true);
  const minor = view.getUint32(OFFSET.minor, true);
  return {
    type: TYPES.get(mode & 0o170000) ?? "other",
    mode: mode & 0o7777,
    links: view.getUint32(OFFSET.links, true),
    userId: view.getUint32(OFFSET.userId, true),
    identity: `${major}:${minor}:${view.getBigUint64(OFFSET.inode, true)}`,
    deviceMajor: view.getUint32(OFFSET.nodeMajor, true),
  };
}

/** Flags of `openat`, some of which differ by architecture. include/uapi/asm-generic/fcntl.h. */
export interface OpenFlags {
  readonly DIRECTORY: number;
  readonly NOFOLLOW: number;
  readonly RDWR: number;
  readonly WRONLY: number;
  readonly CREAT: number;
  readonly NOCTTY: number;
  readonly APPEND: number;
  readonly NONBLOCK: number;
  readonly CLOEXEC: number;
  readonly PATH: number;
}

/** The flags as this architecture has them. */
export function openFlags(libc: Pick<Libc, "architecture">): OpenFlags {
  const isArm = libc.architecture === "aarch64";
  return {
    DIRECTORY: isArm ? 0o40000 : 0o200000,
    NOFOLLOW: isArm ? 0o100000 : 0o400000,
    RDWR: 2,
    WRONLY: 1,
    CREAT: 0o100,
    NOCTTY: 0o400,
    APPEND: 0o2000,
    NONBLOCK: 0o4000,
    CLOEXEC: 0o2000000,
    PATH: 0o10000000,
  };
}

/** Relative paths start at the working directory. */
export const AT_FDCWD = -100;
