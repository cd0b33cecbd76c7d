/**
 * Names of vendors and products out of the `usb.ids` list that most systems
 * have. Read where installed, never shipped.
 *
 * @module
 */

/** Where distributions keep it. */
export const USB_IDS_PATHS: readonly string[] = [
  "/usr/share/hwdata/usb.ids",
  "/usr/share/misc/usb.ids",
  "/var/lib/usbutils/usb.ids",
  "/usr/share/usb.ids",
];

/** A list larger than this is not what it claims to be; the real one has 0.8 MB. */
const MAX_LIST_LENGTH = 8 * 1024 * 1024;

/** Names by number. */
export interface UsbNames {
  vendor(vendorId: number): string | undefined;
  product(vendorId: number, productId: number): string | undefined;
}

/** Knows nothing: for systems without the list. */
export const NO_NAMES: UsbNames = {
  vendor: () => undefined,
  product: () => undefined,
};

/**
 * Reads a list. Lines that are neither vendor nor product are passed over, and
 * the list ends where its class section begins.
 */
export function parseUsbIds(text: string): UsbNames {
  const vendors = new Map<number, string>();
  const products = new Map<number, string>();
  let vendor = -1;
  for (const line of text.slice(0, MAX_LIST_LENGTH).split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const found = /^(\t?)([0-9a-f]{4}) {2}(.+)$/.exec(line);
    if (found === null) {
      // Interfaces of a product are indented twice; another section ends the vendors.
      if (!line.startsWith("\t")) vendor = -1;
      continue;
    }
    const [, indent, digits = "", name = ""] = found;
    const id = parseInt(digits, 16);
    if (indent === "") vendors.set(vendor = id, name);
    else if (vendor >= 0) products.set(vendor << 16 | id, name);
  }
  return {
    vendor: (vendorId) => vendors.get(vendorId),
    product: (vendorId, productId) => products.get(vendorId << 16 | productId),
  };
}

/** Reads the first list there is; no list gives no names. */
export function readUsbNames(
  paths: readonly string[] = USB_IDS_PATHS,
): UsbNames {
  for (const path of paths) {
    try {
      return parseUsbIds(Deno.readTextFileSync(path));
    } catch {
      continue;
    }
  }
  return NO_NAMES;
}
