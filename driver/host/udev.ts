/**
 * The udev rule that gives one group access to one kind of device, and the
 * commands that put it in force.
 *
 * @module
 */

import { hex } from "../usb.ts";

/** For whom and for what a rule is. */
export interface UdevRuleOptions {
  readonly vendorId: number;
  readonly productId: number;
  /** Default `driverspace`. */
  readonly group?: string;
  /** Name of the driver, for the file's name. Default: the ids. */
  readonly name?: string;
  /** Also for whoever sits at the machine: `TAG+="uaccess"`. */
  readonly seat?: boolean;
}

/** A rule as a file. */
export interface UdevRule {
  readonly path: string;
  readonly text: string;
  /** What makes it count for a device that is plugged in already. */
  readonly commands: readonly string[];
}

/**
 * Makes a rule. Never world-writable, never for a whole vendor; the file sorts
 * before 73, where the seat's rule is read.
 *
 * @throws {RangeError} When the group is no name of a group.
 */
export function udevRule(options: UdevRuleOptions): UdevRule {
  const { vendorId, productId, group = "driverspace", seat = false } = options;
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(group)) {
    throw new RangeError(
      `Cannot use ${JSON.stringify(group)} as a group: expected a name of ` +
        "lower case letters, digits, dashes and underscores",
    );
  }
  const vendor = hex(vendorId, 4).slice(2);
  const product = hex(productId, 4).slice(2);
  const name = options.name ?? `${vendor}-${product}`;
  const device = 'SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device"';
  const kernelIds = `${vendorId.toString(16)}/${productId.toString(16)}`;
  const access = `MODE="0660", GROUP="${group}"${
    seat ? ', TAG+="uaccess"' : ""
  }`;
  return {
    path: `/etc/udev/rules.d/70-driverspace-${name}.rules`,
    text: [
      `${device}, ATTR{idVendor}=="${vendor}", ATTR{idProduct}=="${product}", ${access}`,
      "# By ENV, not ATTR: attributes are gone when a device leaves, and systemd must see that.",
      `${device}, ENV{PRODUCT}=="${kernelIds}/*", TAG+="systemd"`,
      "",
    ].join("\n"),
    commands: [
      `getent group ${group} || groupadd --system ${group}`,
      `usermod --append --groups ${group} "$USER"`,
      "udevadm control --reload",
      "udevadm trigger --subsystem-match=usb",
    ],
  };
}
