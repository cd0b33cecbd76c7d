/**
 * C structs as tables: names, offsets, types and where they were read. A test
 * compares every table with the offsets the C compiler gives.
 *
 * @module
 */

import { assert } from "../driver/assert.ts";

/** C types that occur in the tables. Pointers have 8 bytes: 64-bit platforms only. */
export type FieldType =
  | "u8"
  | "u16"
  | "i16"
  | "i32"
  | "u32"
  | "i64"
  | "pointer";

/** One member: where it is, in bytes from the start, and what it is. */
export type Field = readonly [offsetBytes: number, type: FieldType];

/** A struct as the C compiler lays it out. */
export interface StructLayout<Name extends string = string> {
  /** As C writes it, `struct libusb_transfer`. */
  readonly cName: string;
  readonly sizeBytes: number;
  readonly fields: Readonly<Record<Name, Field>>;
}

/** Size of each type, in bytes. */
export const TYPE_SIZE_BYTES: Readonly<Record<FieldType, number>> = {
  u8: 1,
  u16: 2,
  i16: 2,
  i32: 4,
  u32: 4,
  i64: 8,
  pointer: 8,
};

/** Defines a layout; fields must be aligned and lie inside. */
export function defineStruct<Name extends string>(
  layout: StructLayout<Name>,
): StructLayout<Name> {
  for (const [name, field] of Object.entries<Field>(layout.fields)) {
    const [offset, type] = field;
    const size = TYPE_SIZE_BYTES[type];
    assert(
      offset % size === 0 && offset + size <= layout.sizeBytes,
      `${layout.cName}.${name} does not fit`,
    );
  }
  return layout;
}
