/**
 * Devices the `web` policy hides: security keys, whose protocols would let a
 * page ask them for another site's secrets. Data of the WebUSB specification's
 * `blocklist.txt`.
 *
 * @module
 */

/** Vendor, product, and the newest `bcdDevice` that is blocked. */
export type BlocklistEntry = readonly [
  vendorId: number,
  productId: number,
  deviceVersionMax: number,
];

const ANY_VERSION = 0xffff;

const PRODUCTS: Readonly<Record<number, readonly number[]>> = {
  // Feitian, KEY-ID, HyperFIDO.
  0x096e: [
    ...[0x0850, 0x0852, 0x0853, 0x0854, 0x0856],
    ...[0x0858, 0x085a, 0x085b, 0x0880],
  ],
  // HID Global BlueTrust Token.
  0x09c3: [0x0023],
  // Yubico.
  0x1050: [
    ...[0x0010, 0x0018, 0x0030, 0x0110, 0x0111, 0x0112, 0x0113],
    ...[0x0114, 0x0115, 0x0116, 0x0120, 0x0200, 0x0211, 0x0401],
    ...[0x0402, 0x0403, 0x0404, 0x0405, 0x0406, 0x0407, 0x0410],
  ],
  // U2F Zero.
  0x10c4: [0x8acf],
  // Titan.
  0x18d1: [0x5026],
  // VASCO.
  0x1a44: [0x00bb],
  // OnlyKey.
  0x1d50: [0x60fc],
  // Keydo AES, Neowave Keydo.
  0x1e0d: [0xf1ae, 0xf1d0],
  // Thetis.
  0x1ea8: [0xf025],
  // Nitrokey.
  0x20a0: [0x4287],
  // JaCarta.
  0x24dc: [0x0101],
  // Happlink.
  0x2581: [0xf1d0],
  // Bluink.
  0x2abe: [0x1002],
  // Feitian USB: HyperFIDO.
  0x2ccf: [0x0880],
};

/** The list; at present it blocks every version of each. */
export const BLOCKLIST: readonly BlocklistEntry[] = Object.entries(PRODUCTS)
  .flatMap(([vendor, products]) =>
    products.map((product) => [Number(vendor), product, ANY_VERSION] as const)
  );
