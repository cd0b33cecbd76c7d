/** A visit to a supervisor with a browser, step by step: each goes on where the last one was. */

import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../driver/std.ts";
import { HAS_NOTIFY } from "../cli/spawned.ts";
import type { Browser } from "./browser.ts";
import { factOf, lineOf, MISSING, OVERFLOW } from "./expressions.ts";
import type { Lab } from "./lab.ts";
import type { Tab } from "./tab.ts";

/** What there is to visit, and with what. */
export interface Bench {
  readonly lab: Lab;
  readonly tab: Tab;
  readonly browser: Browser;
  /** What `driverspace dashboard` printed. */
  readonly address: string;
}

/** Whether a part shows that its driver serves: on a busy machine it may do so degraded. */
const SERVES = `((part) => /Ready|Degraded/.test(
  document.querySelector(part + " .badge")?.textContent))`;

type Step = (bench: Bench) => Promise<void>;

/** The steps. */
export const VISIT: readonly (readonly [name: string, step: Step])[] = [
  ["all drivers at a glance", seeAllDrivers],
  ["a driver whose next process waits says so", seeStandby],
  ["the keyboard leads to a driver, whose plots move", goToDriver],
  ["arrow keys move through time on every plot", moveThroughTime],
  ["a command is sent and answered by keyboard alone", runCommand],
  ["what cannot be right is refused before it is sent", runWrongly],
  ["what the driver refuses is told in its words", runInVain],
  ["a driver that is killed shows why, and that it is back", killDriver],
  ["nothing is wider than a phone of 360 pixels", lookByPhone],
  ["nobody complained in all this time", hearComplaints],
];

async function seeAllDrivers({ tab }: Bench): Promise<void> {
  await tab.untilText(".card", " V");
  await tab.until(`document.querySelectorAll(".card").length === 3`);
  await tab.until(`${SERVES}(".card:nth-child(1)")`);
  await tab.until(`${SERVES}(".card:nth-child(2)")`);
  await tab.untilText("header", "1 No device");
  await tab.untilText("header", "Live");
  const text = await tab.text("main");
  for (const part of ["dmm", "Virtual Multimeter", "Boot Mouse", "No device"]) {
    assertStringIncludes(text, part);
  }
  assertEquals(await tab.evaluate("location.hash"), "", "no token is left");
  assertEquals(await tab.evaluate(MISSING), []);
}

/** On the bus where drivers have one. */
async function seeStandby({ lab, tab }: Bench): Promise<void> {
  const card = '.card:has(a[href="#/drivers/dmm"]) .card-foot';
  if (HAS_NOTIFY) await tab.untilText(card, "standby ready");
  const { standby } = await lab.ask("/drivers/dmm");
  assertEquals(standby, HAS_NOTIFY);
  const absent = '.card:has(a[href="#/drivers/balance"]) .card-foot';
  assert(!(await tab.text(absent)).includes("standby"));
}

async function goToDriver({ tab }: Bench): Promise<void> {
  await tab.tabTo('a[href="#/drivers/dmm"]');
  await tab.press("Enter");
  await tab.untilText("h1", "dmm");
  const { activeElement } = await tab.evaluate(
    `({ activeElement: document.activeElement.tagName })`,
  );
  assertEquals(activeElement, "H1", "the focus is on what is new");
  const titles = [
    "Reading",
    "Interrupts",
    "Latency",
    "Throughput",
    "Queue depth",
  ];
  for (const title of titles) {
    await tab.until(`/L.*L/.test(${lineOf(title)})`);
  }
  const before = await tab.evaluate(lineOf("Interrupts"));
  await tab.until(`${lineOf("Interrupts")} !== ${JSON.stringify(before)}`);
  await tab.untilText(".facts", "DS0001");
  const word = HAS_NOTIFY ? "ready" : "none";
  await tab.until(`${factOf("Standby")} === ${JSON.stringify(word)}`);
  await tab.untilText(".endpoints-panel", "interrupt");
  assertEquals(await tab.evaluate(MISSING), []);
}

async function moveThroughTime({ tab }: Bench): Promise<void> {
  await tab.tabTo(".plot-area");
  await tab.press("ArrowLeft", "ArrowLeft");
  await tab.until(`document.querySelectorAll(".plot-cursor").length > 1`);
  const said = await tab.evaluate(
    `document.activeElement.getAttribute("aria-valuetext")`,
  );
  assert(/^\d\d:\d\d:\d\d: /.test(said), said);
  await tab.press("Escape");
  await tab.until(`!document.querySelector(".plot-cursor")`);
}

async function runCommand({ tab }: Bench): Promise<void> {
  await tab.tabTo("#command");
  await tab.press("Tab");
  await tab.type("*IDN?");
  await tab.press("Enter");
  await tab.untilText(".result", "DS0001");
}

async function runWrongly({ tab }: Bench): Promise<void> {
  const results = `document.querySelectorAll(".result").length`;
  const before = await tab.evaluate(results);
  await tab.tabTo("#command");
  await tab.type("read");
  await tab.untilText("#command-about", "Reads the answer");
  await tab.press("Tab");
  await tab.type("0");
  await tab.press("Enter");
  await tab.untilText("form .problem[role=alert]", "Is not from 1 to");
  assertEquals(
    await tab.evaluate(`document.activeElement.getAttribute("aria-invalid")`),
    "true",
    "the focus is on what is wrong",
  );
  assertEquals(await tab.evaluate(results), before, "nothing was sent");
}

async function runInVain({ tab }: Bench): Promise<void> {
  await tab.evaluate(`(() => {
    const select = document.querySelector("#command");
    select.value = "query";
    select.dispatchEvent(new Event("change"));
  })()`);
  await tab.tabTo("#command");
  await tab.press("Tab");
  await tab.type("\u20ac?");
  await tab.press("Enter");
  await tab.untilText(".result-error", "more than one byte");
}

async function killDriver({ lab, tab }: Bench): Promise<void> {
  const before = Number(await tab.evaluate(factOf("Restarts")));
  const { pid } = await lab.until("dmm", "ready");
  Deno.kill(pid, "SIGKILL");
  await tab.untilText(".exits-panel", "Killed or out of memory");
  await tab.untilText(".history-panel", "Restarting");
  await tab.until(`${factOf("Restarts")} > ${before}`);
  await tab.until(`${SERVES}(".driver-title")`);
  await tab.until(`document.querySelector(".plot-mark")`);
  await tab.untilText(".log", "backoff");
  await tab.until(
    `/ s|ms/.test(document.querySelector(".exits-panel td:last-child").textContent)`,
  );
  await tab.until(`/L.*L/.test(${lineOf("Interrupts")})`);
}

async function lookByPhone({ tab }: Bench): Promise<void> {
  await tab.resize({ width: 360, height: 740, isPhone: true });
  for (const hash of ["#/drivers/dmm", "#/"]) {
    await tab.evaluate(`location.hash = ${JSON.stringify(hash)}`);
    await tab.until(`document.querySelector("h1").checkVisibility()`);
    assertEquals(await tab.evaluate(OVERFLOW), 0, hash);
  }
  await tab.resize({});
}

function hearComplaints({ tab }: Bench): Promise<void> {
  assertEquals(tab.complaints, []);
  const failures = tab.failures.filter((text) =>
    !text.endsWith("/commands/query")
  );
  assertEquals(failures, [], "only what the driver refused");
  return Promise.resolve();
}
