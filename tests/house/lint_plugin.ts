/** House rules as a lint plugin. */
const plugin: Deno.lint.Plugin = { name: "house", rules: {} };
export default plugin;
