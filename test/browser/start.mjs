// Measures what the tracker's start takes of the page's main thread, by the
// browser's own trace. Arguments: the URL of a page; by how much the browser
// slows the machine down, 4 for a phone of the middle class. Prints
// milliseconds of thread time, one for each load, as JSON.
import { launch, Shopper, sleep } from "./browser.mjs";

const LOADS = 7;

const [target, slowdown] = process.argv.slice(2);
const url = new URL(target);
const browser = await launch();
const loads = [];
for (let i = 0; i < LOADS; i++) {
  const context = await browser.newContext();
  await context.route("**/static/panel.js", (route) => route.abort()); // what it does as the tracker writes isn't the tracker's work
  const page = await context.newPage();
  const devtools = await context.newCDPSession(page);
  await devtools.send("Emulation.setCPUThrottlingRate", { rate: +slowdown });
  await browser.startTracing(page, { categories: ["devtools.timeline", "v8"] });
  await new Shopper(context, { shop: url.origin }).go(page, url.pathname);
  await sleep(500); // what it does once the page stands; the first batch goes later
  const { traceEvents } = JSON.parse(await browser.stopTracing());
  loads.push(spent(traceEvents));
  await context.close();
}
await browser.close();
console.log(JSON.stringify(loads));

/** The tracker's thread time: its script's evaluation, and every call into it from outside. */
function spent(events) {
  const own = events.filter((e) => e.ph === "X" && /^(EvaluateScript|FunctionCall|v8\.compile|v8\.produceCache)$/.test(e.name) && /\/s\.js$/.test(e.args.data?.url ?? e.args.fileName ?? ""));
  own.sort((a, b) => a.ts - b.ts || b.dur - a.dur);
  let us = 0;
  let end = 0;
  for (const e of own) {
    if (e.ts < end) continue; // within one that is counted
    us += e.tdur ?? e.dur;
    end = e.ts + e.dur;
  }
  if (!own.some((e) => e.name === "EvaluateScript")) throw new Error("the trace does not show the tracker's script");
  return us / 1000;
}
