/** `navigator.usb` over the real libusb, for libraries that expect a browser's. */

import { LibusbPort } from "../../../ffi/libusb_port.ts";
import { createWebUsb, installWebUsb } from "../../../driver/web/webusb.ts";

/** Runs a program with `navigator.usb` in place; prints what it gives as one line of JSON. */
export async function withWebUsb(
  run: () => Promise<unknown>,
): Promise<void> {
  await using port = await LibusbPort.open();
  await using usb = createWebUsb({ port });
  const uninstall = installWebUsb(globalThis, usb);
  try {
    console.log(JSON.stringify(await run()));
  } finally {
    uninstall();
  }
}
