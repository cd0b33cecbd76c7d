/**
 * The text of a hardened systemd unit for the bridge: no device, no file to
 * write but Deno's cache, and on the network one broker, where its address is
 * known ahead.
 *
 * @module
 */

import { HARDENING_LINES } from "./hardening.ts";
import { checkName, quoted, type UnitFile } from "./unit.ts";

/** For what a unit is. */
export interface MqttUnitOptions {
  /** Program and arguments of the bridge; the program by its absolute path. */
  readonly command: readonly string[];
  /** What fetches its modules, once. */
  readonly fetch: readonly string[];
  /** Name or address of the broker. */
  readonly host: string;
  /** Who runs the supervisor; default `driverspace`. */
  readonly user?: string;
}

/**
 * Makes the unit.
 *
 * @throws {TypeError} When an argument cannot stand in a unit.
 * @throws {RangeError} When the user is no name of one.
 */
export function mqttUnit(options: MqttUnitOptions): UnitFile {
  const { command, fetch, host, user = "driverspace" } = options;
  checkName(user);
  const text = [
    "[Unit]",
    "Description=Driver Space: bridge to an MQTT broker",
    "Wants=network-online.target",
    "After=network-online.target driverspace.service",
    "# What fails again and again is started again and again: nobody may be near.",
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    "Type=exec",
    "# Deno's permissions: one broker, one socket, the files of its configuration.",
    `ExecStart=${command.map(quoted).join(" ")}`,
    "TimeoutStopSec=10s",
    "Restart=on-failure",
    "RestartSec=5s",
    "# Protocol, permission and configuration: no retry helps.",
    "RestartPreventExitStatus=76 77 78",
    ...ENVIRONMENT.map((variable) => `Environment=${variable}`),
    `User=${user}`,
    `Group=${user}`,
    ...SANDBOX_LINES,
    ...addressLines(host),
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    "",
  ].join("\n");
  return {
    path: "/etc/systemd/system/driverspace-mqtt.service",
    text,
    environment: ENVIRONMENT,
    commands: [
      `runuser -u ${user} -- env ${ENVIRONMENT.join(" ")} ${fetch.join(" ")}`,
      "systemctl daemon-reload",
      "systemctl enable --now driverspace-mqtt.service",
    ],
  };
}

/** The cache is the supervisor's: the same modules. */
const ENVIRONMENT: readonly string[] = [
  "DENO_DIR=/var/cache/driverspace/deno",
  "DENO_NO_UPDATE_CHECK=1",
];

const SANDBOX_LINES: readonly string[] = [
  "CacheDirectory=driverspace",
  ...HARDENING_LINES,
  "PrivateDevices=yes",
  "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
  "MemoryMax=256M",
  "TasksMax=64",
  "LimitCORE=0",
];

/** A name is looked up by a resolver that may be anywhere, and may change. */
function addressLines(host: string): string[] {
  const isAddress = host.includes(":") || /^\d+(\.\d+){3}$/.test(host);
  if (isAddress || host === "localhost") {
    return ["IPAddressDeny=any", `IPAddressAllow=${host}`];
  }
  return [
    "# With the broker's address instead of its name in the configuration,",
    "# IPAddressDeny=any and IPAddressAllow= would stand here.",
  ];
}
