/**
 * A configuration to begin with: the devices that are plugged in and have a
 * driver, or an example as comments where there are none.
 *
 * @module
 */

/** A device for which an entry is made. */
export interface SampleDevice {
  readonly driver: string;
  readonly vendorId: number;
  readonly productId: number;
  readonly serialNumber?: string;
  /** As it says itself, for a comment. */
  readonly name?: string;
}

/** The text of a configuration. It can be served as it is when it names a device. */
export function sampleConfiguration(devices: readonly SampleDevice[]): string {
  return [
    "# Driver Space: the drivers that are kept running, and their devices.",
    "# Check:   driverspace serve FILE --check",
    "# Reload:  systemctl reload driverspace",
    "# Devices: driverspace list; drivers and their options: driverspace drivers",
    "",
    ...(devices.length === 0 ? EXAMPLE : devices.flatMap(entryLines)),
    "",
  ].join("\n");
}

const EXAMPLE: readonly string[] = [
  "# Without the signs at the beginning, and with the ids of your device:",
  "# [drivers.dmm]",
  '# driver = "usbtmc"',
  '# device = { vendor = "0957", product = "1755", serial = "MY47000001" }',
  "# required = true",
  "# [drivers.dmm.options]",
  '# poll = "READ?"',
];

function entryLines(
  device: SampleDevice,
  at: number,
  all: readonly SampleDevice[],
): string[] {
  const { driver, vendorId, productId, serialNumber, name } = device;
  const id = (value: number): string => value.toString(16).padStart(4, "0");
  const isAlone = all.filter((other) => other.driver === driver).length === 1;
  const match = [
    `vendor = "${id(vendorId)}"`,
    `product = "${id(productId)}"`,
    ...(serialNumber === undefined ? [] : [`serial = ${toml(serialNumber)}`]),
  ].join(", ");
  return [
    ...(name === undefined ? [] : [`# ${plain(name)}`]),
    `[drivers.${isAlone ? driver : `${driver}-${at + 1}`}]`,
    `driver = ${toml(driver)}`,
    `device = { ${match} }`,
    "",
  ];
}

/** A basic string. TOML 1.0, "String": JSON's escapes are among its own. */
function toml(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A comment ends with its line. */
function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?").slice(0, 120);
}
