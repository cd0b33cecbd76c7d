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
export type Rules = ReadonlyMap<string, Rule>;

/** Opcodes that are used here. include/uapi/linux/bpf_common.h. */
const LOAD = 0x20;
const JEQ = 0x15;
const JGE = 0x35;
const JUMP = 0x05;
const AND = 0x54;
const RET = 0x06;
/** In the word of an opcode: skip the next instruction when a comparison holds, or does not. */
const SKIP_IF = 1 << 16;
const SKIP_UNLESS = 1 << 24;
const LOW_WORD = 0xffffffffn;
const INSTRUCTION_BYTES = 8;
/** BPF_MAXINSNS: the kernel refuses longer programs. */
const INSTRUCTIONS_MAX = 4096;
/** `struct seccomp_data`. */
const RECORD_BYTES = 64;

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
  const program = new Program();
  addPrologue(program, architecture);
  const jumps: (readonly [at: number, rule: Rule])[] = [];
  for (const [name, rule] of rules) {
    assert(isSyscallName(name), `No number is known for ${name}`);
    const number = syscallNumber(name, architecture);
    if (number === undefined) continue;
    // A conditional displacement has 8 bits, JUMP has 32: hence pairs.
    program.add(JEQ | SKIP_UNLESS, number);
    jumps.push([program.add(JUMP, 0), rule]);
  }
  program.add(RET, otherwise);
  const verdicts = new Map<number, number>();
  for (const [at, rule] of jumps) {
    program.jumpTo(
      at,
      typeof rule === "number"
        ? verdictPlace(program, verdicts, rule)
        : addClauses(program, rule),
    );
  }
  return program.bytes();
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

/** Instructions as they are added. Places are counted in instructions. */
class Program {
  /** Two words each: `u16 code, u8 jt, u8 jf` and `u32 k`; both architectures are little endian. */
  readonly #words = new Uint32Array(2 * INSTRUCTIONS_MAX);
  #length = 0;

  /** Where the next instruction will stand. */
  get length(): number {
    return this.#length;
  }

  /** Adds an instruction; gives its place. */
  add(code: number, k: number): number {
    assert(this.#length < INSTRUCTIONS_MAX, "The kernel takes 4096 at most");
    const at = this.#length++;
    this.#words[2 * at] = code;
    this.#words[2 * at + 1] = k;
    return at;
  }

  /** Lets the JUMP at a place go to another. */
  jumpTo(at: number, place: number): void {
    assert(place > at, "Programs run forwards");
    this.#words[2 * at + 1] = place - at - 1;
  }

  /** Lets the comparison at a place go to the next instruction when it does not hold. */
  elseHere(at: number): void {
    const skipped = this.#length - at - 1;
    assert(skipped < 256, "A branch reaches 255 further");
    this.#words[2 * at] = JEQ | skipped << 24;
  }

  /** The program in the kernel's form. */
  bytes(): Filter {
    return new Uint8Array(this.#words.slice(0, 2 * this.#length).buffer);
  }
}

function addPrologue(program: Program, architecture: Architecture): void {
  program.add(LOAD, 4);
  program.add(JEQ | SKIP_IF, AUDIT_ARCHITECTURE[architecture]);
  program.add(RET, KILL);
  program.add(LOAD, 0);
  if (architecture !== "x86_64") return;
  program.add(JGE | SKIP_UNLESS, X32_BIT);
  program.add(RET, KILL);
}

/** Where a plain verdict is given; there is one place for each. */
function verdictPlace(
  program: Program,
  places: Map<number, number>,
  verdict: number,
): number {
  const known = places.get(verdict);
  if (known !== undefined) return known;
  const place = program.add(RET, verdict);
  places.set(verdict, place);
  return place;
}

/** Adds a rule's clauses; gives the place of the first. */
function addClauses(
  program: Program,
  rule: Exclude<Rule, number>,
): number {
  const place = program.length;
  for (const clause of rule.clauses) {
    const tests = clause.when.flatMap((condition) =>
      addTest(program, condition)
    );
    program.add(RET, clause.then);
    for (const at of tests) program.elseHere(at);
  }
  program.add(RET, rule.otherwise);
  return place;
}

/** Compares the low word, then the high one. Gives the places of the comparisons. */
function addTest(program: Program, condition: Condition): number[] {
  const { argument, value, mask = -1n, width } = condition;
  const places: number[] = [];
  for (let half = 0; half < width / 32; half++) {
    const shift = BigInt(32 * half);
    const bits = (mask >> shift) & LOW_WORD;
    program.add(LOAD, 16 + 8 * argument + 4 * half);
    if (bits !== LOW_WORD) program.add(AND, Number(bits));
    places.push(program.add(JEQ, Number((value >> shift) & LOW_WORD)));
  }
  return places;
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
