/**
 * Shows a person what happens when things go wrong: breaks a running service in
 * eight ways, one after another, and prints for each how soon it was noticed,
 * the device safe, and the driver ready again, and what was lost.
 *
 *     deno run --allow-all tests/drill/drill.ts
 */

import { isNotifyAvailable } from "../../ffi/linux/virtual_bus_available.ts";
import { type Drill, DRILLS, type Outcome, settled } from "./drills.ts";
import { DrilledService } from "./service.ts";

const COLUMNS = [18, 12, 12, 12] as const;

function row(...cells: readonly string[]): string {
  const [events = "", ...rest] = cells.toReversed();
  const fixed = rest.toReversed().map((cell, at) =>
    at === 0 ? cell.padEnd(COLUMNS[0]) : cell.padStart(COLUMNS[at] ?? 0)
  );
  return `${fixed.join("")}  ${events}`;
}

function ms(value: number | undefined): string {
  return value === undefined ? "-" : `${Math.round(value)} ms`;
}

async function held(drill: Drill, service: DrilledService): Promise<Outcome> {
  try {
    await settled(service);
    return await drill.run(service);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return {
      detectedMs: undefined,
      safeMs: undefined,
      readyMs: undefined,
      events: "",
      note: "",
      broken: [reason],
    };
  }
}

function print(drill: Drill, outcome: Outcome): void {
  const { detectedMs, safeMs, readyMs, events, note } = outcome;
  const told = [events, note].filter(Boolean).join("; ");
  console.log(row(drill.name, ms(detectedMs), ms(safeMs), ms(readyMs), told));
  for (const promise of outcome.broken) console.log(`  NOT KEPT: ${promise}`);
}

async function main(): Promise<number> {
  const availability = await isNotifyAvailable();
  if (!availability.isAvailable) {
    console.error(`Cannot hold a drill: ${availability.reason}`);
    return 69;
  }
  console.log(
    "A heater on a virtual bus; driverspace serve drives it with the real libusb, in the sandbox.",
  );
  await using service = new DrilledService();
  await service.start();
  console.log(
    row(
      "fault",
      "noticed in",
      "safe in",
      "ready in",
      "readings, and what it was called",
    ),
  );
  let passed = 0;
  for (const drill of DRILLS) {
    const outcome = await held(drill, service);
    print(drill, outcome);
    if (outcome.broken.length === 0) passed++;
  }
  console.log(`\n${passed} passed, ${DRILLS.length - passed} failed`);
  return passed === DRILLS.length ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
