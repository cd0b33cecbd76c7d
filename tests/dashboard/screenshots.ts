/**
 * Draws the pictures of the dashboard in docs/ anew, from a real supervisor with
 * virtual devices: `deno task screenshots`. Look at them before you keep them.
 */

import { Browser, CHROMIUM } from "./browser.ts";
import { Lab } from "./lab.ts";
import type { Tab } from "./tab.ts";

/** Plots of a minute are full then. */
const MINUTE_MS = 62_000;
/** What a page of a text needs not; larger pictures make a repository slow. */
const PICTURE_BYTES_MAX = 150_000;

const DOCS = new URL("../../docs/", import.meta.url);

async function main(): Promise<void> {
  if (CHROMIUM === undefined) throw new Error("There is no chromium here");
  await using lab = await Lab.start({
    entries: ["multimeter", "mouse", "failing", "absent"],
  });
  await using browser = await Browser.start();
  const address = await lab.address();
  const tab = await browser.open(address, { width: 1280, height: 720 });
  await lab.until("pump", "quarantined");
  await lab.until("dmm", "ready");
  await tab.untilText(".card", " V");
  await pass(MINUTE_MS / 2);
  await killOnce(lab);
  await pass(MINUTE_MS / 2);
  await keep(tab, "light");

  await show(tab, "#/drivers/pump", "Quarantine");
  await tab.resize({ width: 1280, height: 900 });
  await keep(tab, "quarantine");

  await show(tab, "#/drivers/dmm", "Ready");
  await tab.resize({ width: 1280, height: 1000, scheme: "dark" });
  await keep(tab, "dark");

  await tab.evaluate(`location.hash = "#/"`);
  await tab.resize({ width: 390, height: 844, isPhone: true, scale: 2 });
  await keep(tab, "phone");
}

/** So that there is a restart to be seen. */
async function killOnce(lab: Lab): Promise<void> {
  const { pid } = await lab.ask("/drivers/dmm");
  Deno.kill(pid, "SIGKILL");
  await lab.until("dmm", "ready");
}

async function show(tab: Tab, hash: string, text: string): Promise<void> {
  await tab.evaluate(`location.hash = ${JSON.stringify(hash)}`);
  await tab.untilText(".driver-title", text);
  await tab.until(`document.querySelector(".plot-area .plot-label")`);
}

async function keep(tab: Tab, name: string): Promise<void> {
  await pass(2_500);
  const picture = await tab.picture();
  const url = new URL(`dashboard-${name}.png`, DOCS);
  await Deno.writeFile(url, picture);
  const note = picture.length > PICTURE_BYTES_MAX ? ": too large" : "";
  console.log(`${url.pathname} ${Math.round(picture.length / 1000)} kB${note}`);
}

function pass(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

if (import.meta.main) await main();
