// Takes the README's picture of the demo's shop. Arguments: the shop's URL, the
// file to write. make screenshot.
import { launch, Shopper, until } from "./browser.mjs";

const [shop, file] = process.argv.slice(2);
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1360, height: 800 } });
const s = new Shopper(context, { shop });
const page = await s.open();
await page.click("button[data-consent=granted]");
await page.fill("input[type=search]", "tent");
await Promise.all([page.waitForEvent("load"), page.press("input[type=search]", "Enter")]);
await s.ready(page);
await s.follow(page, ".card a[href='/product/SU-2007']");
await page.click("#add");
await s.drained(page);
await s.follow(page, "a.brand");
const count = (state) => page.locator(`#panel li.${state}`).count();
await until("what is older is acknowledged, what this page tells still waits", async () => (await count("queued")) === 3 && !(await count("sent")));
await page.mouse.move(700, 790);
await page.screenshot({ path: file });
await browser.close();
