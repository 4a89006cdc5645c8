// What shoppers and the world do to the tracker. Each scenario has a context of
// its own in one browser, a shop and a gate before its collector; it says which
// events were made, and the test that runs this looks for them in what is
// stored. Reads {NAME: {shop, gate}} from standard input, prints a line of JSON
// for each.
import { text } from "node:stream/consumers";
import { assert, launch, Shopper, sleep, until } from "./browser.mjs";

const GRANTED = ["page_view", "list_view", "promo_view"]; // of the shop's home

const scenarios = {
  async "walks the shop"(s) {
    const page = await s.open();
    await page.click("button[data-consent=granted]");
    s.expect(...GRANTED, "consent");
    await page.fill("input[type=search]", "tent");
    await Promise.all([page.waitForEvent("load"), page.press("input[type=search]", "Enter")]);
    await s.ready(page);
    s.expect("page_view", "list_view", "search");
    await s.follow(page, "nav a[href='/list/boots']");
    s.expect("page_view", "list_view");
    await s.follow(page, ".card a[href='/product/SU-1042']");
    s.expect("list_click", "page_view", "list_view", "product_view");
    await page.click("#add");
    s.expect("add_to_cart");
    await page.click("#wish");
    s.expect("add_to_wishlist");
    await page.click("[data-shopstream-rating='4']");
    s.expect("rating");
    await s.follow(page, "a.cart");
    s.expect("page_view");
    await s.follow(page, "#buy");
    s.expect("page_view", "checkout_step");
    await page.click("#shipping button");
    await page.waitForSelector("#payment:not([hidden])");
    await sleep(150); // until the new address has its title
    s.expect("checkout_step", "page_view");
    await s.follow(page, "#payment button");
    s.expect("checkout_step", "page_view", "purchase");
    await page.reload();
    await s.ready(page);
    s.expect("page_view"); // and no second purchase
    await s.drained(page);
    await until("the panel shows what was acknowledged", () => page.evaluate((n) => document.querySelectorAll("#panel li.acknowledged").length === n, s.made.length));
  },

  async "closes the tab at once after a click"(s) {
    const page = await s.open("/product/SU-1042");
    s.expect("page_view", "list_view", "product_view");
    await page.evaluate(() => document.querySelector("#add").click());
    s.expect("add_to_cart");
    await s.close(page); // nothing more comes: the flush at the page's end is all there is
  },

  async "crashes after a click"(s) {
    const page = await s.open("/product/SU-1042");
    s.expect("page_view", "list_view", "product_view");
    await s.gate("503");
    await page.evaluate(() => document.querySelector("#add").click());
    s.expect("add_to_cart");
    await sleep(300); // the browser writes its storage by itself
    page.goto("chrome://crash").catch(() => {});
    await page.waitForEvent("crash");
    await s.gate("well");
    const next = await s.open("/cart");
    s.expect("page_view");
    await s.drained(next);
  },

  async "goes on while a batch is on its way"(s) {
    const page = await s.open("/list/boots");
    s.expect("page_view", "list_view");
    await s.gate("slow");
    await s.track(page, 60); // so many that they go at once
    await until("a batch is on its way", async () => (await s.came()).requests > 0);
    await s.follow(page, "nav a[href='/list/tents']");
    s.expect("page_view", "list_view");
    await s.gate("well");
    await s.drained(page);
  },

  async "is offline, then online"(s) {
    const page = await s.open("/product/SU-2007");
    s.expect("page_view", "list_view", "product_view");
    await s.drained(page);
    await s.context.setOffline(true);
    await page.click("#add");
    await page.click("#wish");
    s.expect("add_to_cart", "add_to_wishlist");
    await sleep(4000); // longer than a batch waits
    assert(Object.keys(await s.kept(page)).some((name) => name.startsWith("e.")), "nothing was kept while offline");
    await s.context.setOffline(false);
    await s.drained(page);
  },

  async "meets a collector that answers 503, then well"(s) {
    await s.gate("503");
    const page = await s.open("/list/packs");
    s.expect("page_view", "list_view");
    await until("it was tried again", async () => (await s.came()).requests >= 2);
    await s.track(page, 3);
    await s.gate("well");
    await s.drained(page, 30_000);
  },

  async "meets a firewall that answers 403, then well"(s) {
    await s.gate("403");
    const page = await s.open("/list/packs");
    s.expect("page_view", "list_view");
    await until("it was tried again", async () => (await s.came()).requests >= 3);
    await s.gate("well");
    await s.drained(page, 30_000);
  },

  async "uses two tabs"(s) {
    const one = await s.open("/list/boots");
    const two = await s.open("/list/tents");
    s.expect("page_view", "list_view", "page_view", "list_view");
    for (let n = 0; n < 40; n += 10) await Promise.all([s.track(one, 5, n), s.track(two, 5, n + 5)]);
    await Promise.all([s.follow(one, "nav a[href='/list/packs']"), s.close(two)]);
    s.expect("page_view", "list_view");
    await s.drained(one);
    s.anyOrder = true;
  },

  async "denies storage"(s) {
    await s.context.addInitScript(() => {
      for (const name of ["localStorage", "sessionStorage"])
        Object.defineProperty(window, name, {
          get() {
            throw new DOMException("denied", "SecurityError");
          },
        });
    });
    const page = await s.open("/list/boots");
    await s.track(page, 3);
    await s.follow(page, "nav a[href='/list/tents']");
    await s.track(page, 2, 3);
    await s.close(page);
    s.expect("page_view", "list_view", "page_view", "list_view");
    s.anyOrder = true; // each page is a session of its own
  },

  async "decides late, and takes it back"(s) {
    const page = await s.open("/product/SU-3110");
    await s.track(page, 1);
    await sleep(3500);
    assert((await s.came()).requests === 0 && !Object.keys(await s.kept(page)).length, "something was sent or kept before the shopper decided");
    await page.click("button[data-consent=granted]");
    s.made = ["page_view", "list_view", "product_view", "add_to_wishlist:0", "consent"];
    await page.click("#add");
    s.expect("add_to_cart");
    await s.drained(page);
    await page.evaluate(() => window.shopstream("consent", "denied"));
    const kept = Object.keys(await s.kept(page));
    assert(kept.filter((name) => name !== "consent").every((name) => /^(seq|order|pause)$/.test(name)), `kept after the withdrawal: ${kept}`);
    const before = (await s.came()).requests;
    await page.click("#add");
    await s.follow(page, "a.cart");
    await s.close(page);
    assert((await s.came()).requests === before, "something was sent after the withdrawal");
  },

  async "sends Global Privacy Control"(s) {
    await s.context.addInitScript(() => Object.defineProperty(Navigator.prototype, "globalPrivacyControl", { get: () => true }));
    const page = await s.open("/product/SU-3110");
    await page.click("#add");
    await page.evaluate(() => window.shopstream("consent", "granted"));
    await sleep(3500);
    const kept = Object.keys(await s.kept(page)).filter((name) => name !== "consent");
    await s.close(page);
    assert((await s.came()).requests === 0 && !kept.length, `something was sent or kept (${kept})`);
  },

  async "declines, in a shop that counts without ids"(s) {
    const page = await s.open("/product/SU-3110");
    await page.click("button[data-consent=denied]");
    await page.click("#add");
    s.expect("page_view", "list_view", "product_view", "consent", "add_to_cart");
    assert(Object.keys(await s.kept(page)).join() === "consent", "more than the decision was kept");
    await s.close(page);
  },

  async "has a strict Content-Security-Policy"(s) {
    await s.context.addInitScript(() => {
      window.violations = [];
      document.addEventListener("securitypolicyviolation", (e) => window.violations.push(e.violatedDirective + " " + e.blockedURI));
    });
    const page = await s.context.newPage();
    const response = await page.goto(s.shop + "/product/SU-4025");
    await s.ready(page);
    s.expect("page_view", "list_view", "product_view");
    const policy = response.headers()["content-security-policy"];
    assert(/default-src 'none'/.test(policy) && /require-trusted-types-for/.test(policy) && !/unsafe|nonce|\*/.test(policy), `the policy is not strict: ${policy}`);
    await page.click("#add");
    s.expect("add_to_cart");
    await s.drained(page);
    const violations = await page.evaluate(() => window.violations);
    assert(!violations.length, `violated: ${violations}`);
  },

  async "navigates within a page"(s) {
    const page = await s.open("/list/boots");
    s.expect("page_view", "list_view");
    for (const n of [1, 2, 3]) {
      await page.evaluate((n) => {
        history.pushState({}, "", `/list/boots/${n}`);
        document.title = `Page ${n}`;
      }, n);
      await sleep(500); // until its content was read
      s.expect("page_view", "list_view"); // the list is on the new page, too
    }
    await page.goBack();
    await sleep(500);
    s.expect("page_view", "list_view");
    await s.drained(page);
  },

  async "makes 500 events in a second"(s) {
    const page = await s.open("/list/boots");
    s.expect("page_view", "list_view");
    for (let n = 0; n < 500; n += 50) {
      await s.track(page, 50, n);
      await sleep(50);
    }
    await s.drained(page);
  },

  "has a clock two days ahead": (s) => clock(s, 48),
  "has a clock two days behind": (s) => clock(s, -48),

  async "redefines fetch"(s) {
    await s.context.addInitScript(() => {
      const { fetch } = window;
      window.fetch = (...args) => fetch(...args); // as monitors do
    });
    const page = await s.open("/list/boots");
    s.expect("page_view", "list_view");
    await page.evaluate(() => {
      window.calls = 0;
      const broken = () => {
        window.calls++;
        throw new Error("broken");
      };
      Object.assign(window, { fetch: broken, setTimeout: broken });
      Object.assign(JSON, { stringify: broken });
      navigator.sendBeacon = broken;
      Array.prototype.toJSON = () => "broken"; // an old library's
    });
    await s.track(page, 3);
    await page.evaluate(() => document.querySelector("nav a[href='/list/tents']").click());
    await page.waitForURL("**/list/tents");
    await s.ready(page);
    s.expect("page_view", "list_view");
    await s.drained(page);
  },

  // What users of other trackers reported, where nothing above covers it.

  async "makes an event while the page ends"(s) {
    const page = await s.open("/list/boots");
    s.expect("page_view", "list_view");
    await s.drained(page);
    await page.evaluate(() => {
      const track = (n) => window.shopstream("track", "add_to_wishlist", { items: [{ item_id: "SU-1", price: 1, currency: "EUR" }], custom: { n } });
      addEventListener("beforeunload", () => track(0));
      addEventListener("pagehide", () => track(1)); // behind the tracker's own
    });
    await s.follow(page, "nav a[href='/list/tents']");
    s.expect("add_to_wishlist:0", "add_to_wishlist:1", "page_view", "list_view");
    await s.drained(page);
  },

  async "flushes twice as the page ends"(s) {
    const page = await s.open("/list/boots");
    s.expect("page_view", "list_view");
    await s.drained(page);
    await s.track(page, 3);
    const before = (await s.came()).requests;
    await page.evaluate(() => {
      Object.defineProperty(document, "visibilityState", { get: () => "hidden", configurable: true });
      for (let i = 0; i < 3; i++) document.dispatchEvent(new Event("visibilitychange"));
    });
    await s.close(page);
    await sleep(500);
    const { requests } = await s.came();
    assert(requests === before + 1, `got ${requests - before} requests as the page ended, want 1`);
  },

  async "finds the collector away for long"(s) {
    await s.gate("503");
    const page = await s.open("/list/boots");
    s.expect("page_view", "list_view");
    await page.evaluate(() => {
      window.lost = [];
      addEventListener("shopstream:error", (e) => e.detail.code === "queue_full" && window.lost.push(e.detail.message));
    });
    for (let n = 0; n < 3000; n += 500) await s.track(page, 500, n);
    const { bytes, room, lost } = await page.evaluate(() => {
      const bytes = Object.entries(localStorage).reduce((sum, [k, v]) => sum + k.length + v.length, 0);
      let room = true;
      try {
        localStorage.setItem("the shop's own", "x".repeat(3_000_000));
        localStorage.removeItem("the shop's own");
      } catch {
        room = false;
      }
      return { bytes, room, lost: window.lost.length };
    });
    assert(bytes < 800_000, `the tracker keeps ${bytes} characters`);
    assert(room, "the shop has no room left");
    assert(lost > 0, "nothing was told of what was lost");
    s.made.splice(0, lost); // the oldest, and the page was told of each
    await s.gate("well");
    await s.drained(page, 30_000);
  },
};

async function clock(s, hours) {
  await s.context.addInitScript((ms) => {
    const { now } = Date;
    window.Date = class extends Date {
      constructor(...args) {
        args.length ? super(...args) : super(now() + ms);
      }
      static now() {
        return now() + ms;
      }
    };
  }, hours * 3600_000);
  const page = await s.open("/product/SU-5008");
  s.expect("page_view", "list_view", "product_view");
  await page.click("#add");
  s.expect("add_to_cart");
  await s.drained(page);
}

const AT_ONCE = 4;
const tasks = Object.entries(JSON.parse(await text(process.stdin)));
const browser = await launch();

async function work() {
  for (let task; (task = tasks.shift()); ) {
    const [name, where] = task;
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    context.setDefaultTimeout(15_000);
    const s = new Shopper(context, where);
    const began = Date.now();
    let error;
    try {
      if (!scenarios[name]) throw new Error("there is no such scenario");
      await scenarios[name](s);
    } catch (e) {
      error = `${e.message}\n${s.console.join("\n")}`;
    }
    await sleep(500); // what flies arrives, as after a tab's end
    await context.close();
    console.log(JSON.stringify({ name, made: s.made, any_order: !!s.anyOrder, error, seconds: (Date.now() - began) / 1000 }));
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, work));
await browser.close();
