/** Struct tables and constants against the C compiler and the installed header. */

import { assert, assertEquals } from "../../driver/std.ts";
import { type StructLayout, TYPE_SIZE_BYTES } from "../../ffi/layout.ts";
import * as constants from "../../ffi/libusb_constants.ts";
import * as structs from "../../ffi/libusb_structs.ts";
import { evaluateInC, hasCompiler } from "./c_compiler.ts";

const isMissing = !await hasCompiler();
const reason = isMissing ? " (ignored: no C compiler with libusb.h)" : "";

/** Of all tests together, so that the compiler runs once. */
const questions: string[] = [];
let answers: Promise<Map<string, number> | undefined> | undefined;

function compare(
  name: string,
  expected: Readonly<Record<string, number>>,
): void {
  questions.push(...Object.keys(expected));
  Deno.test({
    name: `${name}${reason}`,
    ignore: isMissing,
    fn: async () => {
      const found = await (answers ??= evaluateInC(questions));
      assert(found !== undefined);
      assertEquals(
        Object.fromEntries(
          Object.keys(expected).map((text) => [text, found.get(text) ?? NaN]),
        ),
        expected,
      );
    },
  });
}

const LAYOUTS: readonly StructLayout[] = [
  structs.TRANSFER,
  structs.PACKET,
  structs.DEVICE_DESCRIPTOR,
  structs.CONFIG_DESCRIPTOR,
  structs.INTERFACE,
  structs.INTERFACE_DESCRIPTOR,
  structs.ENDPOINT_DESCRIPTOR,
  structs.VERSION,
  structs.LIBUSB_POLLFD,
  structs.POLLFD,
  structs.TIMEVAL,
  structs.TIMESPEC,
];

for (const layout of LAYOUTS) {
  const { cName, sizeBytes, fields } = layout;
  const expected: Record<string, number> = { [`sizeof(${cName})`]: sizeBytes };
  for (const [name, [offset, type]] of Object.entries(fields)) {
    expected[`offsetof(${cName}, ${name})`] = offset;
    expected[`sizeof(((${cName} *)0)->${name})`] = TYPE_SIZE_BYTES[type];
  }
  compare(`${cName} lies as the C compiler lays it`, expected);
}

compare("The packet table begins inside the padding of a transfer", {
  "offsetof(struct libusb_transfer, iso_packet_desc)":
    structs.PACKET_TABLE_OFFSET,
});

compare(
  "Errors are numbered as in libusb.h",
  named("LIBUSB_", constants.LIBUSB_ERROR, { SUCCESS: "SUCCESS" }, "ERROR_"),
);
compare(
  "Transfer statuses are numbered as in libusb.h",
  named("LIBUSB_TRANSFER_", constants.LIBUSB_TRANSFER),
);
compare(
  "Transfer types are numbered as in libusb.h",
  named("LIBUSB_TRANSFER_TYPE_", constants.LIBUSB_TRANSFER_TYPE),
);
compare("Other constants are those of the headers", {
  LIBUSB_TRANSFER_ADD_ZERO_PACKET: constants.LIBUSB_TRANSFER_ADD_ZERO_PACKET,
  LIBUSB_OPTION_WEAK_AUTHORITY: constants.LIBUSB_OPTION_NO_DEVICE_DISCOVERY,
  LIBUSB_CONTROL_SETUP_SIZE: constants.LIBUSB_CONTROL_SETUP_SIZE,
  LIBUSB_CLASS_HUB: constants.LIBUSB_CLASS_HUB,
  POLLIN: constants.POLLIN,
  POLLOUT: constants.POLLOUT,
  "POLLERR | POLLHUP | POLLNVAL": constants.POLL_FAILED,
  "O_RDONLY | O_CLOEXEC": constants.O_RDONLY_CLOEXEC,
  CLOCK_MONOTONIC: constants.CLOCK_MONOTONIC,
});

Deno.test("The sentinel is no transfer status", () => {
  const statuses: readonly number[] = Object.values(constants.LIBUSB_TRANSFER);
  assert(!statuses.includes(constants.STATUS_PENDING));
});

function named(
  prefix: string,
  values: Readonly<Record<string, number>>,
  without: Readonly<Record<string, string>> = {},
  infix = "",
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name in without ? `${prefix}${name}` : `${prefix}${infix}${name}`,
      value,
    ]),
  );
}
