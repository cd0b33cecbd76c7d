/**
 * Assembler and reference interpreter for seccomp filters, so that a policy is
 * tested for every architecture without installing it. Pure: no permission.
 *
 * Classic BPF over `struct seccomp_data {int nr; u32 arch; u64 ip; u64 args[6]}`;
 * include/uapi/linux/seccomp.h, Documentation/networking/filter.rst.
 *
 * @module
 */

import { assert } from "../../driver/assert.ts";
import {
  type Architecture,
  AUDIT_ARCHITECTURE,
  isSyscallName,
  syscallNumber,
  X32_BIT,
} from "./syscalls.ts";

/** SECCOMP_RET_ALLOW. */
export const ALLOW = 0x7fff0000;
/** SECCOMP_RET_KILL_PROCESS: the whole process, with SIGSYS. */
export const KILL = 0x80000000;

/** SECCOMP_RET_ERRNO: the call fails with this errno. */
export function failWith(errno: number): number {
  assert(errno > 0 && errno < 4096, "An errno fits into 12 bits");
  return 0x00050000 | errno;
}

/** Holds if `(args[argument] & mask) == value`; of the low word only if `width` is 32. */
export interface Condition {
  /** Which argument, 0..5. */
  readonly argument: number;
  readonly value: bigint;
  /** Default: all bits. */
  readonly mask?: bigint;
  /** 32 where the kernel itself truncates the argument. */
  readonly width: 32 | 64;
}

/** A verdict that holds when all conditions do. */
export interface Clause {
  readonly when: readonly Condition[];
  readonly then: number;
}

/** A plain verdict, or clauses of which the first that holds decides. */
export type Rule =
  | number
  | { readonly clauses: readonly Clause[]; readonly otherwise: number };

/** Rules by name of system call, tried in this order. */
export type Rules = Readonly<Record<string, Rule>>;

/** Opcodes that are used here. include/uapi/linux/bpf_common.h. */
const LOAD = 0x20;
const JEQ = 0x15;
const JGE = 0x35;
const JUMP = 0x05;
const AND = 0x54;
const RET = 0x06;
const LOW_WORD = 0xffffffffn;
const INSTRUCTION_BYTES = 8;
/** BPF_MAXINSNS: the kernel refuses longer programs. */
const INSTRUCTIONS_MAX = 4096;
/** `struct seccomp_data`. */
const RECORD_BYTES = 64;

/** `yes` and `no` are labels, or counts of instructions to skip. */
interface Instruction {
  readonly code: number;
  readonly k: number;
  readonly yes?: string | number;
  readonly no?: string | number;
  label?: string;
}

/** A program in the kernel's form: u16 code, u8 jt, u8 jf, u32 k each. */
export type Filter = Uint8Array<ArrayBuffer>;

/**
 * Assembles a filter. Another architecture's word, and x32's numbers, kill;
 * calls without a rule get `otherwise`. Names an architecture lacks are left out.
 */
export function assemble(
  rules: Rules,
  otherwise: number,
  architecture: Architecture,
): Filter {
  const known = knownCalls(rules, architecture);
  const program = prologue(architecture);
  // A conditional displacement has 8 bits, JUMP has 32: hence pairs.
  const verdicts = new Set<number>();
  for (const { name, number, rule } of known) {
    if (typeof rule === "number") verdicts.add(rule);
    const target = typeof rule === "number" ? verdictLabel(rule) : name;
    program.push({ code: JEQ, k: number, no: 1 });
    program.push({ code: JUMP, k: 0, yes: target });
  }
  program.push({ code: RET, k: otherwise });
  for (const verdict of verdicts) {
    program.push({ code: RET, k: verdict, label: verdictLabel(verdict) });
  }
  for (const { name, rule } of known) {
    if (typeof rule !== "number") {
      program.push(...clauseInstructions(name, rule));
    }
  }
  return encode(program);
}

/** A system call as a filter sees it. */
export interface Call {
  readonly number: number;
  readonly args?: readonly (number | bigint)[];
  readonly architecture: Architecture;
  /** The architecture word, where it is not that of `architecture`. */
  readonly audit?: number;
}

/** Runs a filter on one call and gives its verdict. */
export function interpret(filter: Filter, call: Call): number {
  const record = seccompRecord(call);
  const view = new DataView(filter.buffer);
  let accumulator = 0;
  for (let at = 0; at < filter.length / INSTRUCTION_BYTES; at++) {
    const offset = at * INSTRUCTION_BYTES;
    const code = view.getUint16(offset, true);
    const k = view.getUint32(offset + 4, true);
    const branch = (taken: boolean): number =>
      view.getUint8(offset + (taken ? 2 : 3));
    if (code === RET) return k;
    else if (code === LOAD) accumulator = record.getUint32(k, true);
    else if (code === AND) accumulator = (accumulator & k) >>> 0;
    else if (code === JUMP) at += k;
    else if (code === JEQ) at += branch(accumulator === k);
    else if (code === JGE) at += branch(accumulator >= k);
    else throw new RangeError(`Unknown BPF instruction ${code} at ${at}`);
  }
  throw new RangeError("The BPF program has no end");
}

function knownCalls(
  rules: Rules,
  architecture: Architecture,
): { name: string; number: number; rule: Rule }[] {
  const known = [];
  for (const [name, rule] of Object.entries(rules)) {
    assert(isSyscallName(name), `No number is known for ${name}`);
    const number = syscallNumber(name, architecture);
    if (number !== undefined) known.push({ name, number, rule });
  }
  return known;
}

function prologue(architecture: Architecture): Instruction[] {
  const program: Instruction[] = [
    { code: LOAD, k: 4 },
    { code: JEQ, k: AUDIT_ARCHITECTURE[architecture], yes: 1 },
    { code: RET, k: KILL },
    { code: LOAD, k: 0 },
  ];
  if (architecture === "x86_64") {
    program.push({ code: JGE, k: X32_BIT, no: 1 }, { code: RET, k: KILL });
  }
  return program;
}

function verdictLabel(verdict: number): string {
  return `verdict ${verdict}`;
}

function clauseInstructions(
  name: string,
  rule: Exclude<Rule, number>,
): Instruction[] {
  const program: Instruction[] = [];
  let label = name;
  rule.clauses.forEach((clause, index) => {
    const next = `${name} ${index}`;
    const block: Instruction[] = [
      ...clause.when.flatMap((condition) => test(condition, next)),
      { code: RET, k: clause.then },
    ];
    const first = block[0];
    assert(first !== undefined, "A clause has a verdict");
    first.label = label;
    program.push(...block);
    label = next;
  });
  program.push({ code: RET, k: rule.otherwise, label });
  return program;
}

/** Compares the low word, then the high one: both architectures are little endian. */
function test(condition: Condition, otherwise: string): Instruction[] {
  const { argument, value, mask = -1n, width } = condition;
  const program: Instruction[] = [];
  for (let half = 0; half < width / 32; half++) {
    const shift = BigInt(32 * half);
    const bits = (mask >> shift) & LOW_WORD;
    program.push({ code: LOAD, k: 16 + 8 * argument + 4 * half });
    if (bits !== LOW_WORD) program.push({ code: AND, k: Number(bits) });
    program.push({
      code: JEQ,
      k: Number((value >> shift) & LOW_WORD),
      no: otherwise,
    });
  }
  return program;
}

function encode(program: readonly Instruction[]): Filter {
  assert(program.length <= INSTRUCTIONS_MAX, "The kernel takes 4096 at most");
  const places = new Map<string, number>();
  program.forEach(({ label }, at) => {
    if (label !== undefined) places.set(label, at);
  });
  const bytes = new Uint8Array(program.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  program.forEach(({ code, k, yes, no }, at) => {
    const taken = distance(places, yes, at);
    const skipped = distance(places, no, at);
    const offset = at * INSTRUCTION_BYTES;
    view.setUint16(offset, code, true);
    if (code === JUMP) view.setUint32(offset + 4, taken, true);
    else {
      assert(taken < 256 && skipped < 256, "A branch reaches 255 further");
      view.setUint8(offset + 2, taken);
      view.setUint8(offset + 3, skipped);
      view.setUint32(offset + 4, k >>> 0, true);
    }
  });
  return bytes;
}

function distance(
  places: ReadonlyMap<string, number>,
  target: string | number | undefined,
  from: number,
): number {
  if (target === undefined || typeof target === "number") return target ?? 0;
  const place = places.get(target);
  assert(place !== undefined && place > from, `No ${target} further on`);
  return place - from - 1;
}

function seccompRecord(call: Call): DataView {
  const record = new DataView(new ArrayBuffer(RECORD_BYTES));
  record.setUint32(0, call.number >>> 0, true);
  record.setUint32(
    4,
    call.audit ?? AUDIT_ARCHITECTURE[call.architecture],
    true,
  );
  call.args?.forEach((argument, index) =>
    record.setBigUint64(
      16 + 8 * index,
      BigInt.asUintN(64, BigInt(argument)),
      true,
    )
  );
  return record;
}
