import { afterEach, describe, expect, test } from "vitest";
import { accepted, boot, close, hide, open, pass, sent, show, stored, types } from "./page";

afterEach(close);

const explicit = { sources: "explicit" as const };

describe("A batch", () => {
  test("has the contract's envelope and goes as plain text without credentials", async () => {
    const page = await open(explicit);
    page.shopstream("track", "product_view", { items: [boot] });
    await pass(3000);
    const { body, init } = page.posts[0]!;
    expect(body).toMatchObject({ v: 1, shop: "pk_1", seq: 0, sent_at: "2026-03-02T12:00:03.000Z" });
    expect(body.batch_id).toMatch(/^[0-9a-f-]{36}$/);
    expect(init).toMatchObject({ credentials: "omit", keepalive: true, headers: { "Content-Type": "text/plain" } });
  });
  test("waits three seconds for more events", async () => {
    const page = await open(explicit);
    page.shopstream("track", "product_view", { items: [boot] });
    await pass(2900);
    expect(page.posts).toHaveLength(0);
    page.shopstream("track", "add_to_cart", { items: [boot] });
    await pass(100);
    expect(types(page)).toEqual(["product_view", "add_to_cart"]);
  });
  test("goes at once where much waits, at most 50 events and 30 KB each, numbered in order", async () => {
    const page = await open(explicit);
    for (let i = 0; i < 500; i++) page.shopstream("track", "add_to_cart", { items: [{ ...boot, item_id: `SKU-${i}` }] });
    await pass(100);
    expect(sent(page).map((e) => e.items[0].item_id)).toEqual([...Array(500).keys()].map((i) => `SKU-${i}`));
    expect(page.posts.map((p) => p.body.seq)).toEqual([...page.posts.keys()]);
    for (const { body, init } of page.posts) {
      expect(body.events.length).toBeLessThanOrEqual(50);
      expect((init!.body as string).length).toBeLessThan(31_000);
    }
    expect(stored("e.")).toEqual([]);
  });
  test("of one large event goes alone", async () => {
    const page = await open(explicit);
    const custom = Object.fromEntries([...Array(31).keys()].map((i) => [`n${i}`, "x".repeat(1000)]));
    page.shopstream("track", "add_to_cart", { items: [boot], custom });
    await pass(3000);
    expect(sent(page)).toHaveLength(1);
  });
  test("never holds an event that is greater than allowed", async () => {
    const page = await open(explicit);
    page.shopstream("track", "add_to_cart", { items: [boot], custom: { a: "x".repeat(33_000) } });
    await pass(3000);
    expect(sent(page)).toEqual([]);
    expect(page.errors[0]!.code).toBe("event_too_large");
  });
});

describe("An event leaves the queue", () => {
  const acknowledgements: [string, any, boolean][] = [
    ["when the collector took as many as were sent", { status: 202, body: { accepted: 1 } }, true],
    ["not for another count", { status: 202, body: { accepted: 0 } }, false],
    ["not for a firewall's challenge, which is 202 too", { status: 202, body: "" }, false],
    ["not for a hotel's log-in page", { status: 200, body: "<html>" }, false],
    ["for 400 with the collector's code", { status: 400, body: { error: { code: "malformed_json", message: "m" } } }, true],
    ["for 413 with the collector's code", { status: 413, body: { error: { code: "batch_too_large", message: "m" } } }, true],
    ["not for 400 of somebody else", { status: 400, body: { error: { code: 400, message: "m" } } }, false],
    ["not for 400 that the gateway says by itself", { status: 400, body: { error: { code: "refused", message: "m" } } }, false],
    ["not for 403 of a firewall", { status: 403, body: "<html>" }, false],
    ["not for 403 with the collector's code", { status: 403, body: { error: { code: "shop_disabled", message: "m" } } }, false],
    ["not for the collector's code with another status", { status: 403, body: { error: { code: "malformed_json", message: "m" } } }, false],
    ["not for 408", { status: 408, body: { error: { code: "body_incomplete", message: "m" } } }, false],
    ["not for 429", { status: 429, body: { error: { code: "rate_exceeded", message: "m" } } }, false],
    ["not for 503", { status: 503, body: { error: { code: "unavailable", message: "m" } } }, false],
    ["not without network", "network", false],
  ];
  for (const [name, answer, leaves] of acknowledgements)
    test(name, async () => {
      const page = await open(explicit);
      page.answer = () => answer;
      page.shopstream("track", "product_view", { items: [boot] });
      await pass(3000);
      expect(page.posts).toHaveLength(1);
      expect(stored("e.")).toHaveLength(leaves ? 0 : 1);
      page.answer = accepted;
      await pass(3_600_000);
      expect(page.posts).toHaveLength(leaves ? 1 : 2);
      expect(stored("e.")).toEqual([]);
    });
  test("with a local error event where it is lost", async () => {
    const page = await open(explicit);
    page.answer = () => ({ status: 400, body: { error: { code: "malformed_json", message: "the body is none" } } });
    page.shopstream("track", "product_view", { items: [boot] });
    await pass(3000);
    expect(page.errors).toEqual([{ code: "malformed_json", message: "the body is none" }]);
  });
});

describe("A batch that failed", () => {
  test("goes again under its id and number, later each time", async () => {
    const page = await open(explicit);
    const at: number[] = [];
    page.answer = () => (at.push(Date.now()), { status: 500 });
    page.shopstream("track", "product_view", { items: [boot] });
    await pass(180_000);
    expect(new Set(page.posts.map((p) => p.body.batch_id + p.body.seq)).size).toBe(1);
    for (let i = 1; i < Math.min(at.length, 7); i++) {
      const waited = at[i]! - at[i - 1]!;
      expect(waited).toBeGreaterThanOrEqual(500 * 2 ** (i - 1));
      expect(waited).toBeLessThanOrEqual(1000 * 2 ** (i - 1) + 1);
    }
  });
  test("waits as long as Retry-After says, also on the next page", async () => {
    const page = await open(explicit);
    page.answer = () => ({ status: 503, headers: { "Retry-After": "120" } });
    page.shopstream("track", "product_view", { items: [boot] });
    await pass(60_000);
    expect(page.posts).toHaveLength(1);
    hide();
    expect(page.beacons).toHaveLength(0);
    const next = await open(explicit, { keepStorage: true });
    await pass(55_000);
    expect(next.posts).toHaveLength(0);
    await pass(10_000);
    expect(sent(next)).toHaveLength(1);
  });
  test("goes at once when the network is back", async () => {
    const page = await open(explicit);
    page.answer = () => "network";
    page.shopstream("track", "product_view", { items: [boot] });
    await pass(30_000);
    page.answer = accepted;
    const before = page.posts.length;
    window.dispatchEvent(new Event("online"));
    await pass(0);
    expect(page.posts).toHaveLength(before + 1);
    expect(stored("e.")).toEqual([]);
  });
});

describe("When the page ends", () => {
  test("what waits goes by beacon: the queue is flushed on unload", async () => {
    const page = await open(explicit);
    page.shopstream("track", "add_to_cart", { items: [boot] });
    hide();
    expect(page.beacons.flatMap((b) => b.events)).toHaveLength(1);
  });
  test("nothing goes twice, though two events tell of the end: no double flush", async () => {
    const page = await open(explicit);
    page.shopstream("track", "add_to_cart", { items: [boot] });
    hide();
    hide();
    expect(page.beacons).toHaveLength(1);
  });
  test("an event of the last moment is on the device, whatever becomes of the beacon: no race at unload", async () => {
    const page = await open(explicit);
    page.beaconTakes = () => false;
    page.shopstream("track", "add_to_cart", { items: [boot] });
    expect(stored("e.")).toHaveLength(1);
    hide();
    const next = await open(explicit, { keepStorage: true });
    await pass(3000);
    expect(types(next)).toEqual(["add_to_cart"]);
  });
  test("what a beacon took is sent once more, as the same batch, on the next page", async () => {
    const page = await open(explicit);
    page.shopstream("track", "add_to_cart", { items: [boot] });
    hide();
    const next = await open(explicit, { keepStorage: true });
    await pass(3000);
    expect(next.posts).toHaveLength(1);
    expect(next.posts[0]!.body).toMatchObject({ batch_id: page.beacons[0].batch_id, seq: 0, events: page.beacons[0].events });
    await pass(60_000);
    expect(next.posts).toHaveLength(1);
  });
  test("what a beacon took is sent once more when the page shows again", async () => {
    const page = await open(explicit);
    page.shopstream("track", "add_to_cart", { items: [boot] });
    hide();
    show();
    await pass(0);
    expect(page.posts[0]!.body.batch_id).toBe(page.beacons[0].batch_id);
    expect([...stored("e."), ...stored("b.")]).toEqual([]);
  });
  test("what is on its way by fetch isn't sent by beacon too", async () => {
    const page = await open(explicit);
    page.shopstream("track", "add_to_cart", { items: [boot] });
    page.answer = () => (hide(), accepted([1]));
    await pass(3000);
    expect(page.posts).toHaveLength(1);
    expect(page.beacons).toHaveLength(0);
  });
  test("beacons stay within what a page has", async () => {
    const page = await open(explicit);
    let quota = 65_536;
    page.beaconTakes = (text) => (quota -= text.length) >= 0 || ((quota += text.length), false);
    for (let i = 0; i < 300; i++) page.shopstream("track", "add_to_cart", { items: [boot], custom: { n: "x".repeat(500) } });
    hide();
    expect(quota).toBeGreaterThanOrEqual(0);
    expect(quota).toBeLessThan(40_000);
    const next = await open(explicit, { keepStorage: true });
    await pass(10_000);
    const ids = new Set([...sent(page), ...sent(next)].map((e) => e.event_id));
    expect(ids.size).toBe(300);
  });
});

describe("The queue", () => {
  test("survives a crash: the next page sends what was not acknowledged", async () => {
    const page = await open(explicit);
    page.shopstream("track", "add_to_cart", { items: [boot] });
    const next = await open(explicit, { keepStorage: true });
    await pass(3000);
    expect(types(next)).toEqual(["add_to_cart"]);
  });
  test("never fills the storage: the oldest go, and the page is told", async () => {
    const page = await open(explicit);
    page.answer = () => "network";
    for (let i = 0; i < 100; i++) page.shopstream("track", "add_to_cart", { items: [{ ...boot, item_id: `SKU-${i}` }], custom: { n: "x".repeat(20_000) } });
    const length = stored("e.").reduce((sum, key) => sum + localStorage.getItem(key)!.length, 0);
    expect(length).toBeLessThanOrEqual(1 << 19);
    expect(stored("e.").sort().map((key) => JSON.parse(localStorage.getItem(key)!).items[0].item_id).pop()).toBe("SKU-99");
    expect(page.errors[0]!.code).toBe("queue_full");
  });
  test("is in memory where storage is denied", async () => {
    const page = await open(explicit, { storageDenied: true });
    page.answer = () => "network";
    page.shopstream("track", "add_to_cart", { items: [boot] });
    await pass(3000);
    page.answer = accepted;
    await pass(60_000);
    expect(page.posts.length).toBe(2);
  });
  test("is in memory where the storage is full", async () => {
    const page = await open(explicit);
    const set = Storage.prototype.setItem;
    Storage.prototype.setItem = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
    page.shopstream("track", "add_to_cart", { items: [boot] });
    await pass(3000);
    Storage.prototype.setItem = set;
    expect(sent(page)).toHaveLength(1);
  });
  test("takes what other tabs left, and leaves alone what isn't its own", async () => {
    localStorage.clear();
    const page = await open(explicit);
    page.shopstream("track", "add_to_cart", { items: [boot] });
    localStorage.setItem("cart", "full");
    const key = stored("e.")[0]!;
    const other = key.replace(/.$/, (c) => (c === "0" ? "1" : "0"));
    localStorage.setItem(other, JSON.stringify({ ...JSON.parse(localStorage.getItem(key)!), event_id: other.slice(-36) }));
    await pass(3000);
    expect(new Set(sent(page).map((e) => e.event_id)).size).toBe(2);
    expect(localStorage.getItem("cart")).toBe("full");
  });
});
