import { UsbError } from "../../driver/errors.ts";
import type { TransferStatus } from "../../driver/port.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStringIncludes,
} from "../../driver/std.ts";
import { LIBUSB_ERROR, LIBUSB_TRANSFER } from "../../ffi/libusb_constants.ts";
import {
  libusbError,
  submitFailure,
  transferStatus,
} from "../../ffi/libusb_errors.ts";

const CODES: Readonly<Record<string, string>> = {
  IO: "io",
  INVALID_PARAM: "invalidParameter",
  ACCESS: "access",
  NO_DEVICE: "noDevice",
  NOT_FOUND: "notFound",
  BUSY: "busy",
  TIMEOUT: "timedOut",
  OVERFLOW: "overflow",
  PIPE: "stall",
  INTERRUPTED: "cancelled",
  NO_MEM: "noMemory",
  NOT_SUPPORTED: "notSupported",
  OTHER: "io",
};

Deno.test("Every error of libusb has a code, a reason and a number", () => {
  for (const [name, number] of Object.entries(LIBUSB_ERROR)) {
    if (name === "SUCCESS") continue;
    const error = libusbError(number, {
      operation: "claim interface 0",
      device: "0957:1755@1-4",
    });
    assertInstanceOf(error, UsbError);
    assertEquals<string | undefined>(error.code, CODES[name], name);
    assertEquals(error.native, { source: "libusb", number });
    assertStringIncludes(
      error.message,
      "Cannot claim interface 0 on 0957:1755@1-4: ",
    );
    assert(!error.message.includes("undefined"));
  }
});

Deno.test("An error number libusb does not define is an io error that tells it", () => {
  const error = libusbError(-42, { operation: "reset" });
  assertEquals(error.code, "io");
  assertEquals(error.message, "Cannot reset: libusb failed with -42");
});

Deno.test("What the caller knows better stands in the message", () => {
  const error = libusbError(LIBUSB_ERROR.ACCESS, {
    operation: "open 0957:1755@1-4",
    device: "0957:1755@1-4",
    state: "starting",
    advice: "Run 'driverspace udev 0957:1755'",
  });
  assertEquals(
    error.message,
    "Cannot open 0957:1755@1-4: permission denied while starting. " +
      "Run 'driverspace udev 0957:1755'",
  );
});

Deno.test("Every transfer status has its word; an unknown one is an error", () => {
  const words: Readonly<Record<string, TransferStatus>> = {
    COMPLETED: "completed",
    ERROR: "error",
    TIMED_OUT: "timedOut",
    CANCELLED: "cancelled",
    STALL: "stall",
    NO_DEVICE: "noDevice",
    OVERFLOW: "overflow",
  };
  for (const [name, number] of Object.entries(LIBUSB_TRANSFER)) {
    assertEquals<TransferStatus | undefined>(
      transferStatus(number),
      words[name],
    );
  }
  assertEquals(transferStatus(99), "error");
});

Deno.test("What the world refuses at submit is an outcome, what the caller did wrong is not", () => {
  assertEquals(submitFailure(LIBUSB_ERROR.NO_DEVICE), "noDevice");
  assertEquals(submitFailure(LIBUSB_ERROR.NO_MEM), "noMemory");
  assertEquals(submitFailure(LIBUSB_ERROR.IO), "error");
  assertEquals(submitFailure(LIBUSB_ERROR.OTHER), "error");
  assertEquals(submitFailure(LIBUSB_ERROR.INVALID_PARAM), undefined);
  assertEquals(submitFailure(LIBUSB_ERROR.BUSY), undefined);
});
