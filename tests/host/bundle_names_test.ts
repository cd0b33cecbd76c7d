import { nameClasses } from "../../driver/host/bundle_names.ts";
import { assertEquals } from "../../driver/std.ts";

/** What the bundler puts first. */
const NAMER =
  'var d=Object.defineProperty;var n=(t,e)=>d(t,"name",{value:e,configurable:!0});';

function named(body: string): string {
  const code = nameClasses(NAMER + body);
  assertEquals(code.startsWith(NAMER), true);
  return code.slice(NAMER.length);
}

Deno.test("A class of a small bundle is named where it stands, with its base or without", () => {
  assertEquals(
    named('var a=class{static{n(this,"Session")}#b=1};'),
    "var a=class Session{#b=1};",
  );
  assertEquals(
    named('var a=class extends Error{static{n(this,"UsbError")}};'),
    "var a=class UsbError extends Error{};",
  );
});

Deno.test("A class stays as it is where its name would hide another", () => {
  for (
    const body of [
      'var a=class{static{n(this,"Buffer")}b(){return Buffer.from("")}};',
      'var Ab=1;var a=class{static{n(this,"Ab")}b(){return Ab}};',
      'var a=class{static{n(this,"default")}};',
    ]
  ) assertEquals(named(body), body);
});

Deno.test("Only the bundler's own code is taken out", () => {
  for (
    const body of [
      'var a=class{static{register(this,"Session")}};',
      'var a="class{static{n(this,\\"Session\\")}}";',
      'var a=`class{static{n(this,"Session")}}`;',
    ]
  ) assertEquals(named(body), body);
  const alone = 'var a=class{static{n(this,"Session")}};';
  assertEquals(nameClasses(alone), alone);
});

Deno.test("Named in either way, a class says the same of itself", () => {
  const body = 'var a=class extends Error{static{n(this,"UsbError")}' +
    'static of(){return new a("gone")}};[a.name,a.of()instanceof a,a.length];';
  const evaluate: (code: string) => unknown = globalThis.eval;
  const before = evaluate(NAMER + body);
  assertEquals(before, ["UsbError", true, 0]);
  assertEquals(evaluate(nameClasses(NAMER + body)), before);
});
