/**
 * The text of a hardened systemd unit. Lines that would break Deno or USB are
 * left out on purpose; `docs/operations.md` names them.
 *
 * @module
 */

import { HARDENING_LINES } from "./hardening.ts";

/** For what a unit is. */
export interface UnitOptions {
  /** Program and arguments; the program by its absolute path. */
  readonly command: readonly string[];
  /** Default `driverspace`; the group of the udev rule. */
  readonly user?: string;
  /** Default: as the user. */
  readonly group?: string;
}

/** A unit as a file. */
export interface UnitFile {
  readonly path: string;
  readonly text: string;
  /** What puts it in force. */
  readonly commands: readonly string[];
  /** `NAME=VALUE` of the service's environment. */
  readonly environment: readonly string[];
}

/** Where the service keeps things: it has no home. */
const ENVIRONMENT: readonly string[] = [
  "XDG_CACHE_HOME=/var/cache",
  "XDG_STATE_HOME=/var/lib",
  "DENO_DIR=/var/cache/driverspace/deno",
  "DENO_NO_UPDATE_CHECK=1",
];

/**
 * Makes a unit.
 *
 * @throws {TypeError} When the program has no absolute path, or an argument cannot stand in a unit.
 * @throws {RangeError} When user or group is no name of one.
 */
export function systemdUnit(options: UnitOptions): UnitFile {
  const { command, user = "driverspace", group = user } = options;
  for (const name of [user, group]) checkName(name);
  if (command[0]?.startsWith("/") !== true) {
    throw new TypeError(
      `Cannot make a unit for ${
        JSON.stringify(command[0] ?? "")
      }: systemd needs the absolute path of the program`,
    );
  }
  const text = [
    "[Unit]",
    "Description=Driver Space: user space USB drivers under supervision",
    "After=systemd-udevd.service",
    "# What fails again and again is started again and again: nobody may be near.",
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    ...serviceLines(command.map(quoted).join(" ")),
    `User=${user}`,
    `Group=${group}`,
    ...SANDBOX_LINES,
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    "",
  ].join("\n");
  return {
    path: "/etc/systemd/system/driverspace.service",
    text,
    environment: ENVIRONMENT,
    commands: [
      `getent passwd ${user} || useradd --system --user-group ${user}`,
      "systemctl daemon-reload",
      "systemctl enable --now driverspace.service",
    ],
  };
}

function serviceLines(execStart: string): string[] {
  return [
    "Type=notify",
    "NotifyAccess=main",
    `ExecStart=${execStart}`,
    "ExecReload=kill -HUP $MAINPID",
    "WatchdogSec=10s",
    "TimeoutStartSec=15s",
    "TimeoutStopSec=10s",
    "# SIGTERM to the supervisor alone: it stops the drivers in order.",
    "KillMode=mixed",
    "Restart=on-failure",
    "RestartSec=2s",
    "# Permission and configuration: no retry helps.",
    "RestartPreventExitStatus=77 78",
    "# One driver killed for memory does not stop the others.",
    "OOMPolicy=continue",
    ...ENVIRONMENT.map((variable) => `Environment=${variable}`),
  ];
}

const SANDBOX_LINES: readonly string[] = [
  "StateDirectory=driverspace",
  "CacheDirectory=driverspace",
  "LogsDirectory=driverspace",
  "RuntimeDirectory=driverspace",
  ...HARDENING_LINES,
  "DeviceAllow=char-usb_device rw",
  "# The launcher confines each driver further.",
  "SystemCallFilter=landlock_create_ruleset landlock_add_rule landlock_restrict_self seccomp",
  "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
  "IPAddressDeny=any",
  "IPAddressAllow=localhost",
  "MemoryMax=512M",
  "TasksMax=256",
  "LimitCORE=0",
];

/** One argument of ExecStart. systemd.service(5), "Command lines". */
export function quoted(argument: string): string {
  if (/[\0\n\r]/.test(argument)) {
    throw new TypeError("Cannot put a line break into a unit");
  }
  const escaped = argument.replaceAll("\\", "\\\\").replaceAll('"', '\\"')
    .replaceAll("%", "%%").replaceAll("$", "$$$$");
  const isPlain = /^[A-Za-z0-9_./:=,+@-]+$/.test(argument);
  return isPlain ? argument : `"${escaped}"`;
}

/** @throws {RangeError} When it is no name of a user or group. */
export function checkName(name: string): void {
  if (/^[a-z_][a-z0-9_-]{0,31}$/.test(name)) return;
  throw new RangeError(
    `Cannot use ${JSON.stringify(name)} as a user or group: expected lower ` +
      "case letters, digits, dashes and underscores",
  );
}
