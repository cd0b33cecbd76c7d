/**
 * The house rules a machine can check while reading one file. What needs the
 * whole tree (layout, who imports whom) is in `architecture_test.ts`.
 */

/** Longest function, in lines: what a reader holds in view at once. */
const FUNCTION_LINES_MAX = 70;
/** Longest file, in lines. */
const FILE_LINES_MAX = 400;
/** Two subjects and their options. */
const PARAMETERS_MAX = 3;

/** The host's globals, which code below `driver/host` gets as arguments instead. */
const HOST_GLOBALS = new Set([
  "Deno",
  "clearInterval",
  "clearTimeout",
  "crypto",
  "fetch",
  "performance",
  "queueMicrotask",
  "setInterval",
  "setTimeout",
]);

/** Members of otherwise pure globals that ask the machine something. */
const IMPURE_MEMBERS = new Map([
  ["Date", new Set(["now"])],
  ["Math", new Set(["random"])],
]);

/** Whether a file must be pure: given time, chance and the host as arguments. */
function isPure(filename: string): boolean {
  return /\/driver\//.test(filename) && !/\/driver\/host\//.test(filename) &&
    !/\/tests\//.test(filename);
}

/** Line on which an offset lies, from 1. */
function lineOf(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < offset;) {
    line++;
    at = text.indexOf("\n", at + 1);
  }
  return line;
}

const pureCore: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    if (!isPure(context.filename)) return {};
    return {
      MemberExpression(node): void {
        if (node.object.type !== "Identifier") return;
        const { name } = node.object;
        const member = node.property.type === "Identifier"
          ? node.property.name
          : "";
        if (
          HOST_GLOBALS.has(name) || IMPURE_MEMBERS.get(name)?.has(member)
        ) {
          context.report({
            node,
            message:
              `${name}.${member} below driver/host: take it as an argument`,
          });
        }
      },
      CallExpression(node): void {
        if (
          node.callee.type === "Identifier" &&
          HOST_GLOBALS.has(node.callee.name)
        ) {
          context.report({
            node,
            message:
              `${node.callee.name}() below driver/host: take it as an argument`,
          });
        }
      },
      NewExpression(node): void {
        const isNow = node.callee.type === "Identifier" &&
          node.callee.name === "Date" && node.arguments.length === 0;
        if (isNow) {
          context.report({ node, message: "new Date() asks the machine" });
        }
      },
    };
  },
};

type AnyFunction =
  | Deno.lint.FunctionDeclaration
  | Deno.lint.FunctionExpression
  | Deno.lint.ArrowFunctionExpression;

const smallFunctions: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    const { text } = context.sourceCode;
    const check = (node: AnyFunction): void => {
      const lines = lineOf(text, node.range[1]) - lineOf(text, node.range[0]) +
        1;
      if (lines > FUNCTION_LINES_MAX) {
        context.report({
          node,
          message: `${lines} lines; at most ${FUNCTION_LINES_MAX}`,
        });
      }
    };
    return {
      FunctionDeclaration: check,
      FunctionExpression: check,
      ArrowFunctionExpression: check,
    };
  },
};

const fewParameters: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    return {
      "ExportNamedDeclaration > FunctionDeclaration"(
        node: Deno.lint.FunctionDeclaration,
      ): void {
        if (node.params.length > PARAMETERS_MAX) {
          context.report({
            node,
            message:
              `${node.params.length} parameters; at most ${PARAMETERS_MAX}, the last one options`,
          });
        }
      },
    };
  },
};

const smallFiles: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    return {
      Program(node): void {
        const lines = lineOf(
          context.sourceCode.text,
          context.sourceCode.text.length,
        );
        if (lines > FILE_LINES_MAX) {
          context.report({
            node,
            message: `${lines} lines; at most ${FILE_LINES_MAX} in a file`,
          });
        }
      },
    };
  },
};

const namedExports: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    // A driver module's default export is its contract with `driverspace run`.
    const mayDefault =
      /\/driver\/class\/[^/]+\/driver\.ts$|_driver\.ts$|lint_plugin\.ts$/;
    if (mayDefault.test(context.filename)) return {};
    return {
      ExportDefaultDeclaration(node): void {
        context.report({
          node,
          message: "Default exports are for driver modules only",
        });
      },
    };
  },
};

const unsafeCalls: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    const { text } = context.sourceCode;
    return {
      MemberExpression(node): void {
        if (
          node.object.type !== "Identifier" || node.object.name !== "Deno" ||
          node.property.type !== "Identifier"
        ) return;
        const member = node.property.name;
        if (/^Unsafe(Pointer|Callback|FnPointer|PointerView)$/.test(member)) {
          context.report({
            node,
            message:
              `Deno.${member} is refused under a scoped --allow-ffi: use usize and buffer`,
          });
        }
        if (member !== "dlopen") return;
        const above = text.slice(0, node.range[0]).split("\n").slice(-12)
          .join("\n");
        if (!above.includes("SAFETY:")) {
          context.report({
            node,
            message: "Deno.dlopen without a SAFETY comment above it",
          });
        }
      },
    };
  },
};

const plugin: Deno.lint.Plugin = {
  name: "house",
  rules: {
    "few-parameters": fewParameters,
    "named-exports": namedExports,
    "pure-core": pureCore,
    "small-files": smallFiles,
    "small-functions": smallFunctions,
    "unsafe-calls": unsafeCalls,
  },
};

export default plugin;
