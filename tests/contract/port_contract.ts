/**
 * The port contract: every sentence of `driver/port.ts` as a test, for whatever
 * provides a port.
 */

import {
  ALL_FEATURES,
  type ContractBench,
  type ContractFeature,
} from "./bench.ts";
import type { ContractTest } from "./contract_kit.ts";
import { ENUMERATION_TESTS } from "./enumeration_contract.ts";
import { FAILURE_TESTS } from "./failure_contract.ts";
import { INPUT_EDGE_TESTS } from "./input_edges_contract.ts";
import { INPUT_TESTS } from "./input_contract.ts";
import { ISOCHRONOUS_TESTS } from "./isochronous_contract.ts";
import { LIFETIME_TESTS } from "./lifetime_contract.ts";
import { OUTPUT_TESTS } from "./output_contract.ts";
import { OUTPUT_EDGE_TESTS } from "./output_edges_contract.ts";
import { SETTINGS_TESTS } from "./settings_contract.ts";
import { TRANSFER_TESTS } from "./transfer_contract.ts";

/** All tests, for runners of their own (in a guest, for instance). */
export const PORT_CONTRACT: readonly ContractTest[] = [
  ...ENUMERATION_TESTS,
  ...SETTINGS_TESTS,
  ...TRANSFER_TESTS,
  ...FAILURE_TESTS,
  ...INPUT_TESTS,
  ...INPUT_EDGE_TESTS,
  ...OUTPUT_TESTS,
  ...OUTPUT_EDGE_TESTS,
  ...ISOCHRONOUS_TESTS,
  ...LIFETIME_TESTS,
];

/** How to register the contract. */
export interface ContractOptions {
  /** What the bench can do. Default: everything. */
  readonly features?: ReadonlySet<ContractFeature>;
  /** Why all of it is ignored: the bench is missing here. */
  readonly ignoredBecause?: string;
}

/** Registers every test of the contract; each gets a bench of its own. */
export function portContract(
  name: string,
  makeBench: () => Promise<ContractBench>,
  options: ContractOptions = {},
): void {
  const features = options.features ?? ALL_FEATURES;
  for (const test of PORT_CONTRACT) {
    const missing = (test.needs ?? []).filter((need) => !features.has(need));
    const reason = options.ignoredBecause ??
      (missing.length > 0 ? `no ${missing.join(", ")} here` : undefined);
    Deno.test({
      name: `${name}: ${test.name}` +
        (reason === undefined ? "" : ` (ignored: ${reason})`),
      ignore: reason !== undefined,
      fn: () => runContractTest(test, makeBench),
    });
  }
}

/** Runs one test on a bench of its own. */
export async function runContractTest(
  test: ContractTest,
  makeBench: () => Promise<ContractBench>,
): Promise<void> {
  const bench = await makeBench();
  try {
    await test.run(bench);
  } finally {
    await bench.dispose();
  }
}
