/** The least driver there is, to time how long a driver process takes to be ready. */

import { defineDriver, type Driver } from "../../driver/driver.ts";
import { endpointAddress } from "../../driver/usb.ts";

const driver: Driver<{ reports: number }> = defineDriver<{ reports: number }>({
  name: "start",
  description: "Is ready and counts reports",
  match: [{ vendorId: 0x1209 }],
  interfaces: [{ interfaceNumber: 0 }],
  init: () => ({ reports: 0 }),
  inputs: [{
    endpoint: endpointAddress(0x82),
    transfersInFlight: 2,
    handle: (state) => void state.reports++,
  }],
});

export default driver;
