/** The usbtmc driver with its process around it, as the host bundles it. */

import driver from "../../../driver/class/usbtmc/driver.ts";
import { serveDriver } from "../../../ffi/driver_process.ts";

await serveDriver(driver);
