/**
 * `driverspace` in a guest, which has no sources and no bundler: the programs
 * it starts were bundled on the host and lie beside it.
 */

import usbtmc from "../../../driver/class/usbtmc/driver.ts";
import { runCli } from "../../../driver/host/cli/main.ts";
import { processIo } from "../../../driver/host/cli/process_io.ts";
import type { Toolbox } from "../../../driver/host/cli/toolbox.ts";
import { systemReader } from "../../../driver/host/system_reader.ts";
import { libraryCandidates, openLibrary } from "../../../ffi/library.ts";
import { LibusbPort } from "../../../ffi/libusb_port.ts";

const beside = (name: string): string =>
  new URL(`./${name}.js`, import.meta.url).pathname;

const toolbox: Toolbox = {
  version: "lab",
  drivers: [{ driver: usbtmc, moduleUrl: "file:///usbtmc" }],
  virtualDevices: [],
  driverProcessUrl: "file:///none",
  confinedProcessUrl: "file:///none",
  safeStateUrl: "file:///none",
  watchUrl: "file:///none",
  libraryCandidates: libraryCandidates(Deno.build),
  launcherUrl: "file:///none",
  bundles: {
    launcherPath: beside("launcher"),
    safeStatePath: beside("safe_state"),
    watchPath: beside("watch"),
    driverPaths: { usbtmc: beside("usbtmc_driver") },
  },
  system: systemReader(),
  findLibrary: () => {
    const { path, version, close } = openLibrary();
    close();
    return { path, version: version.text };
  },
  openPort: () => LibusbPort.open(),
  startBus: () => Promise.reject(new Error("The bus here is real")),
  sandboxFacts: () =>
    Promise.resolve({
      landlockAbi: 2,
      seccomp: "",
      transports: { preload: "not here", notify: "not here" },
    }),
};

Deno.exit(await runCli(Deno.args, { toolbox, io: processIo() }));
