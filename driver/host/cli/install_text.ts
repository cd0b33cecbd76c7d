/**
 * A plan of an installation for people and machines.
 *
 * @module
 */

import type { FileOnDisk, FileState } from "../install/install_disk.ts";
import type { InstallPlan } from "../install/install_plan.ts";
import type { CliIo } from "./command.ts";
import { printJson } from "./output.ts";
import { harmless } from "./text.ts";

/** What is to be shown. */
export interface PlanToPrint {
  readonly plan: InstallPlan;
  readonly files: readonly FileOnDisk[];
  /** Ours, and no longer of use. */
  readonly obsolete: readonly string[];
  /** What a person should know. */
  readonly notes: readonly string[];
  /** Nothing would be run. */
  readonly isPackage: boolean;
}

const STATES: Readonly<Record<FileState, string>> = {
  new: "new",
  same: "is there, as planned",
  ours: "replaces what we wrote before",
  kept: "is there, and yours: kept",
  changed: "IN THE WAY: changed since we wrote it",
  foreign: "IN THE WAY: not ours",
};

/** Prints a plan: every file with all of its text, and every command. */
export function printPlan(
  io: CliIo,
  shown: PlanToPrint,
  options: { readonly isJson: boolean },
): void {
  if (options.isJson) return printJson(io, jsonPlan(shown));
  const { plan, files, obsolete, notes, isPackage } = shown;
  const lines = [
    ...files.flatMap(fileLines),
    ...obsolete.flatMap((
      path,
    ) => [`${path}`, "  removed: of no use any more", ""]),
    "Folders of the service:",
    ...plan.folders.map(({ path, mode, why }) =>
      `  ${path}  ${octal(mode)}  ${why}`
    ),
    "",
    ...(isPackage ? ["To be run where the package is installed, as root:"] : [
      "Then run, as root:",
    ]),
    ...[...plan.commands, plan.start].flatMap(({ line, why }) => [
      `  # ${why}`,
      `  ${line.join(" ")}`,
    ]),
    ...(notes.length === 0 ? [] : ["", "Note:"]),
    ...notes.map((note) => `  ${harmless(note, 500)}`),
    "",
    "Nothing was written.",
  ];
  io.out(lines.join("\n") + "\n");
}

function fileLines({ file, state }: FileOnDisk): string[] {
  const { path, mode, text, why } = file;
  return [
    path,
    `  ${octal(mode)} root:root, ${why}; ${STATES[state]}`,
    "",
    ...text.trimEnd().split("\n").map((line) =>
      line === "" ? "" : `    ${harmless(line, 2_000)}`
    ),
    "",
  ];
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

function jsonPlan(shown: PlanToPrint): unknown {
  const { plan, files, obsolete, notes } = shown;
  return {
    files: files.map(({ file, state }) => ({
      path: file.path,
      mode: octal(file.mode),
      owner: "root",
      group: "root",
      why: file.why,
      state,
      content: file.text,
    })),
    removed: obsolete,
    folders: plan.folders.map(({ path, mode, why }) => ({
      path,
      mode: octal(mode),
      why,
    })),
    commands: [...plan.commands, plan.start],
    notes,
  };
}
