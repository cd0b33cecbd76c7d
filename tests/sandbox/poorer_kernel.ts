/**
 * Becomes a program that finds a kernel without what the machine's has: named
 * system calls fail, as they do where the kernel lacks them or refuses them.
 *
 *     poorer_kernel.ts LIBC REFUSED PROGRAM ARGUMENTS…
 *
 * REFUSED is a list of {@linkcode RefusedCall} as JSON.
 */

import { ALLOW, assemble, failWith, type Rule } from "../../ffi/linux/bpf.ts";
import { errnoName } from "../../ffi/linux/errno.ts";
import { cstring, Libc } from "../../ffi/linux/libc.ts";
import { installFilter, programAddress } from "../../ffi/linux/seccomp.ts";

/** A system call that fails. */
export interface RefusedCall {
  readonly call: string;
  readonly errno: number;
  /** Only where this argument has these bits, or exactly this value. */
  readonly only?: {
    readonly argument: number;
    readonly value: number;
    readonly mask?: number;
  };
  /** Not where this argument is zero. */
  readonly unlessZero?: number;
}

/** include/uapi/linux/prctl.h. */
const PR_SET_NO_NEW_PRIVS = 38;

function ruleFor({ errno, only, unlessZero }: RefusedCall): Rule {
  const fails = failWith(errno);
  if (unlessZero !== undefined) {
    const isZero = { argument: unlessZero, value: 0n, width: 64 } as const;
    return { clauses: [{ when: [isZero], then: ALLOW }], otherwise: fails };
  }
  if (only === undefined) return fails;
  const { argument, value, mask } = only;
  const condition = {
    argument,
    value: BigInt(value),
    width: 32,
    ...(mask === undefined ? {} : { mask: BigInt(mask) }),
  } as const;
  return { clauses: [{ when: [condition], then: fails }], otherwise: ALLOW };
}

function becomeOnPoorerKernel(args: readonly string[]): never {
  const [libcPath = "", refused = "[]", ...command] = args;
  const libc = Libc.open(libcPath);
  const calls = JSON.parse(refused) as readonly RefusedCall[];
  const rules = new Map(calls.map((call) => [call.call, ruleFor(call)]));
  const filter = assemble(rules, ALLOW, libc.architecture);
  const program = programAddress(libc, filter);
  const words = libc.stringArray(command);
  const environment = Object.entries(Deno.env.toObject())
    .map(([name, value]) => `${name}=${value}`);
  const variables = libc.stringArray(environment);
  libc.check("prctl", [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]);
  const installed = installFilter(libc, program, { allThreads: false });
  if (installed !== 0) throw new Error(`No filter: ${errnoName(-installed)}`);
  const result = libc.call("execve", [
    cstring(command[0] ?? ""),
    words,
    variables,
  ]);
  throw new Error(`Cannot execute ${command[0]}: ${errnoName(-result)}`);
}

if (import.meta.main) becomeOnPoorerKernel(Deno.args);
