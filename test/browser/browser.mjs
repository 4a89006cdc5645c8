// Chromium, driven through the demo's shop.
import { createRequire } from "node:module";

const require = createRequire(new URL("../../constructs/ingest/tracker/package.json", import.meta.url));
const { chromium } = require("playwright-core");

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"],
  });

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Asks until ok holds. */
export async function until(what, ok, ms = 20_000) {
  for (const end = Date.now() + ms; ; await sleep(50)) {
    if (await ok()) return;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
  }
}

/** A shopper's browser: a context of its own, with the shop at url and the gate before its collector. */
export class Shopper {
  constructor(context, { shop, gate }) {
    Object.assign(this, { context, shop, collector: gate });
    this.made = []; // events, as the shopper made them: TYPE, or TYPE:N of custom.n
    this.console = []; // what the pages complained of
    context.on("console", (m) => m.type() === "error" && this.console.push(m.text()));
    context.on("weberror", (e) => this.console.push(String(e.error())));
  }

  /** Opens a page of the shop in a new tab, and waits until it has loaded. */
  async open(path = "/") {
    const page = await this.context.newPage();
    await this.go(page, path);
    return page;
  }

  async go(page, path) {
    await page.goto(this.shop + path, { waitUntil: "load" });
    await this.ready(page);
  }

  /** Waits until the page has its tracker, and what is told at the start was told. */
  async ready(page) {
    await page.waitForFunction(() => window.shopstream?.loaded && document.readyState === "complete");
    await sleep(100);
  }

  /** Clicks what leads to another page of the shop. */
  async follow(page, selector) {
    await Promise.all([page.waitForEvent("load"), page.click(selector)]);
    await this.ready(page);
  }

  /** Tells of events by calls: custom.n counts from first. */
  async track(page, count, first = 0) {
    await page.evaluate(
      ([count, first]) => {
        for (let n = first; n < first + count; n++) window.shopstream("track", "add_to_wishlist", { items: [{ item_id: "SU-1", price: 1, currency: "EUR" }], custom: { n } });
      },
      [count, first],
    );
    this.expect(...Array.from({ length: count }, (_, i) => `add_to_wishlist:${first + i}`));
  }

  expect(...events) {
    this.made.push(...events);
  }

  /** Says how the gate answers: well, 503, 403, slow. */
  async gate(mode) {
    await fetch(`${this.collector}/gate?mode=${mode}`, { method: "POST" });
  }

  /** What came to the gate: {requests, events}. */
  async came() {
    return (await fetch(`${this.collector}/gate`)).json();
  }

  /** What the tracker keeps on the device, by name without the shop's prefix. */
  kept(page) {
    return page.evaluate(() => Object.fromEntries(Object.entries(localStorage).filter(([k]) => k.startsWith("shopstream.")).map(([k, v]) => [k.replace(/^[^/]*\//, ""), v])));
  }

  /** Waits until nothing waits on the device any more. */
  drained(page, ms) {
    return until("the queue is empty", async () => !Object.keys(await this.kept(page)).some((name) => /^[eb]\./.test(name)), ms);
  }

  /** Closes a tab as a shopper does: the page hears of it. */
  async close(page) {
    await Promise.all([page.waitForEvent("close"), page.close({ runBeforeUnload: true })]);
  }
}

export function assert(ok, message) {
  if (!ok) throw new Error(message);
}
