/**
 * What `driverspace install` puts on a machine, as data: files with their mode
 * and owner, the folders that systemd makes of them, and the commands that put
 * them in force. Pure: the same options give the same plan.
 *
 * @module
 */

import { mqttUnit, type MqttUnitOptions } from "../systemd/mqtt_unit.ts";
import { systemdUnit, type UnitFile } from "../systemd/unit.ts";
import { udevRule } from "../udev.ts";
import { sampleConfiguration, type SampleDevice } from "./sample.ts";

/** A file that is to be written. All of them belong to root:root. */
export interface PlannedFile {
  /** Absolute, without the root of a package. */
  readonly path: string;
  readonly mode: number;
  readonly text: string;
  /** For whom it is, in a few words. */
  readonly why: string;
  /** It is made once and then its owner's: never replaced, only removed unchanged. */
  readonly isSample: boolean;
}

/** A folder that the files have made. */
export interface PlannedFolder {
  readonly path: string;
  readonly mode: number;
  readonly why: string;
}

/** A command that puts the files in force. */
export interface PlannedCommand {
  readonly line: readonly string[];
  readonly why: string;
}

/** Everything. */
export interface InstallPlan {
  readonly files: readonly PlannedFile[];
  readonly folders: readonly PlannedFolder[];
  /** In this order, as root. */
  readonly commands: readonly PlannedCommand[];
  /** Its configuration names no driver yet. */
  readonly isEmpty: boolean;
  /** What starts the service, now and at every boot. */
  readonly start: PlannedCommand;
}

/** What a plan is made of. */
export interface InstallOptions {
  /** The program and its arguments, in front of `serve CONFIG`; absolute. */
  readonly program: readonly string[];
  /** The whole command of the service; default: the program and `serve CONFIG`. */
  readonly service?: readonly string[];
  /** Absolute path of the configuration. */
  readonly configuration: string;
  /** There is none yet: a sample with these devices is made. */
  readonly sample?: readonly SampleDevice[];
  /** It names no driver yet: there is nothing to get ready. */
  readonly isEmpty: boolean;
  /** Devices that get a udev rule. */
  readonly devices: readonly {
    readonly vendorId: number;
    readonly productId: number;
  }[];
  /** Who runs the service, and the group of the devices. */
  readonly user: string;
  /** Also for whoever sits at the machine. */
  readonly seat?: boolean;
  /** The bridge to an MQTT broker; absent: none is wanted. */
  readonly bridge?: Omit<MqttUnitOptions, "user">;
}

/** Name of the service and of its files. */
export const SERVICE = "driverspace";

const PUBLIC = 0o644;

/**
 * Makes the plan.
 *
 * @throws {TypeError} {RangeError} As {@linkcode systemdUnit} and {@linkcode udevRule}.
 */
export function installPlan(options: InstallOptions): InstallPlan {
  const { program, configuration, user } = options;
  const { service = [...program, "serve", configuration] } = options;
  const unit = systemdUnit({ command: service, user });
  const bridge = options.bridge && mqttUnit({ ...options.bridge, user });
  const units = [unit, ...(bridge === undefined ? [] : [bridge])];
  const rules = ruleFiles(options);
  const sysusers = `/etc/sysusers.d/${SERVICE}.conf`;
  const tmpfiles = `/etc/tmpfiles.d/${SERVICE}.conf`;
  const files = [
    file(sysusers, usersText(user), "the user and group of the service"),
    file(tmpfiles, foldersText(user), "its folders"),
    ...rules,
    file(unit.path, unit.text, "the service"),
    ...(bridge === undefined
      ? []
      : [file(bridge.path, bridge.text, "its bridge to the MQTT broker")]),
    ...sampleFiles(options),
  ];
  const reloadUdev = rules.length === 0 ? [] : RELOAD_UDEV;
  const prepare = asService(
    "fetch and bundle what the first start needs: the service has no network",
    { user, environment: unit.environment },
    [...program, "serve", configuration, "--prepare"],
  );
  const fetch = options.bridge && asService(
    "fetch the bridge's modules: it reaches its broker and nothing else",
    { user, environment: bridge?.environment ?? [] },
    options.bridge.fetch,
  );
  return {
    files,
    folders: FOLDERS,
    commands: [
      command("make user and group", "systemd-sysusers", sysusers),
      command("make its folders", "systemd-tmpfiles", "--create", tmpfiles),
      ...reloadUdev,
      RELOAD_SYSTEMD,
      ...(options.isEmpty ? [] : [prepare]),
      ...(fetch === undefined ? [] : [fetch]),
    ],
    isEmpty: options.isEmpty,
    start: command(
      "start it, now and at every boot",
      ...["systemctl", "enable", "--now", ...units.map(nameOf)],
    ),
  };
}

/** What goes with the removal of files: before them, and after. */
export function removalCommands(
  paths: readonly string[],
): {
  readonly before: readonly PlannedCommand[];
  readonly after: readonly PlannedCommand[];
} {
  const units = paths.filter((path) => path.endsWith(".service"));
  const hasUnit = units.length > 0;
  const hasRule = paths.some((path) => path.endsWith(".rules"));
  // First, while systemd still knows the units.
  const stop = command(
    "stop it, now and for good",
    ...["systemctl", "disable", "--now"],
    ...units.map((path) => nameOf({ path })),
  );
  return {
    before: hasUnit ? [stop] : [],
    after: [
      ...(hasRule ? RELOAD_UDEV : []),
      ...(hasUnit ? [RELOAD_SYSTEMD] : []),
    ],
  };
}

const RELOAD_SYSTEMD = command(
  "let systemd read the unit",
  ...["systemctl", "daemon-reload"],
);

const RELOAD_UDEV: readonly PlannedCommand[] = [
  command("let udev read the rules", "udevadm", "control", "--reload"),
  command(
    "for what is plugged in already",
    ...["udevadm", "trigger", "--subsystem-match=usb"],
  ),
];

/** As the unit's StateDirectory= and its like have them, so that neither changes the other's. */
const FOLDERS: readonly PlannedFolder[] = [
  ["/var/lib", "state, and logs that were given no place"],
  ["/var/log", "logs"],
  ["/var/cache", "bundles of drivers"],
].map(([parent, why]) => ({
  path: `${parent}/${SERVICE}`,
  mode: 0o755,
  why: why ?? "",
}));

function file(path: string, text: string, why: string): PlannedFile {
  return { path, mode: PUBLIC, text, why, isSample: false };
}

function command(why: string, ...line: string[]): PlannedCommand {
  return { line, why };
}

/** A command as the service will run, before it is there. */
function asService(
  why: string,
  who: Pick<UnitFile, "environment"> & { readonly user: string },
  line: readonly string[],
): PlannedCommand {
  return command(
    why,
    ...["runuser", "-u", who.user, "--", "env", `HOME=/var/lib/${SERVICE}`],
    ...who.environment,
    ...line,
  );
}

/** Name of a unit, by its file. */
function nameOf({ path }: { readonly path: string }): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** sysusers.d(5): a user with a group of its own, without a shell. */
function usersText(user: string): string {
  return [
    "# Runs Driver Space; its group is that of the devices in the udev rules.",
    `u ${user} - "Driver Space" /var/lib/${SERVICE}`,
    "",
  ].join("\n");
}

/** tmpfiles.d(5). */
function foldersText(user: string): string {
  return [
    "# What the service keeps; the unit would make them at its first start.",
    ...FOLDERS.map(({ path, mode }) =>
      `d ${path} 0${mode.toString(8)} ${user} ${user}`
    ),
    "",
  ].join("\n");
}

/** One file for each kind of device, under the name that `driverspace udev` gives it. */
function ruleFiles(options: InstallOptions): PlannedFile[] {
  const { devices, user, seat = false } = options;
  const byPath = new Map(
    devices.map(({ vendorId, productId }) => {
      const rule = udevRule({ vendorId, productId, group: user, seat });
      return [rule.path, file(rule.path, rule.text, "access to the device")];
    }),
  );
  return [...byPath.values()];
}

function sampleFiles(options: InstallOptions): PlannedFile[] {
  const { configuration, sample } = options;
  if (sample === undefined) return [];
  const text = sampleConfiguration(sample);
  const why = "the configuration: yours to change";
  return [{ ...file(configuration, text, why), isSample: true }];
}
