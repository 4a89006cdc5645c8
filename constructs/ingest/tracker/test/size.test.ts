import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { boot, close, open, pass, sent } from "./page";

afterEach(close);

const build = "../../../build";

test("an event of a usual visit takes less than 600 bytes with its part of the batch", async () => {
  const page = await open({});
  const items = [boot];
  page.shopstream("track", "search", { search: { search_term: "winter boots", results: 24 } });
  page.shopstream("track", "list_view", { list: { item_list_id: "search_results" } });
  page.shopstream("track", "list_click", { list: { item_list_id: "search_results" }, items });
  page.shopstream("track", "product_view", { items });
  page.shopstream("track", "add_to_cart", { items });
  page.shopstream("track", "checkout_step", { checkout: { step: 1 } });
  page.shopstream("track", "purchase", { order: { transaction_id: "5001", value: 89.95, currency: "EUR" }, items });
  await pass(3000);
  const bodies = page.posts.map((p) => p.init!.body as string);
  const bytes = bodies.reduce((sum, body) => sum + new TextEncoder().encode(body).length, 0) / sent(page).length;
  expect(sent(page)).toHaveLength(8);
  expect(bytes).toBeLessThan(600);
  if (!process.env.BENCH) return;
  const release = JSON.parse(readFileSync(`${build}/tracker/integrity.json`, "utf8"));
  mkdirSync(`${build}/bench`, { recursive: true });
  const results = [
    { name: "size", value: release.bytes, unit: "B", input: "s.js" },
    { name: "size-gzipped", value: release.gzip_bytes, unit: "B", input: "s.js" },
    { name: "size-gzipped", value: gzipSync(readFileSync(`${build}/tracker/shopware.js`), { level: 9 }).length, unit: "B", input: "shopware.js" },
    { name: "bytes-per-event", value: bytes, unit: "B", input: "visit of 8 events" },
  ];
  writeFileSync(`${build}/bench/BenchmarkTracker.json`, JSON.stringify(results, null, 2) + "\n");
});
