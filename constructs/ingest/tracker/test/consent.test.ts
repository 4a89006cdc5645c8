import { afterEach, describe, expect, test, vi } from "vitest";
import { boot, close, hide, open, pass, sent, START, stored, types } from "./page";

afterEach(close);

const explicit = { sources: "explicit" as const };
const add = (page: any, n = 1): void => {
  for (let i = 0; i < n; i++) page.shopstream("track", "add_to_cart", { items: [boot] });
};

describe("While the shopper has not decided", () => {
  test("nothing is sent, and nothing is on the device", async () => {
    const page = await open({ ...explicit, consent: "unknown" });
    add(page);
    await pass(10_000);
    hide();
    expect(sent(page)).toEqual([]);
    expect(localStorage.length).toBe(0);
  });
  test("events wait, and go with ids once consent is granted", async () => {
    const page = await open({ ...explicit, consent: "unknown" });
    add(page, 2);
    page.shopstream("consent", "granted");
    await pass(3000);
    expect(types(page)).toEqual(["add_to_cart", "add_to_cart", "consent"]);
    expect(new Set(sent(page).map((e) => e.visitor_id)).size).toBe(1);
    expect(sent(page).map((e) => e.seq)).toEqual([0, 1, 2]);
  });
  test("a decision of the page before holds", async () => {
    const page = await open({ ...explicit, consent: "unknown" });
    page.shopstream("consent", "granted");
    const next = await open({ ...explicit, consent: "unknown" }, { keepStorage: true });
    add(next);
    await pass(3000);
    expect(types(next)).toContain("add_to_cart");
    void page;
  });
});

describe("Of a shopper who declines", () => {
  test("nothing is sent, and what waited is gone", async () => {
    const page = await open({ ...explicit, consent: "unknown" });
    add(page);
    page.shopstream("consent", "denied");
    add(page);
    await pass(10_000);
    hide();
    expect(sent(page)).toEqual([]);
    expect(stored("")).toEqual(["shopstream.pk_1/consent"]);
  });
  test("events go without ids, and nothing is on the device, where the shop says so", async () => {
    const page = await open({ ...explicit, consent: "denied", denied: "anonymous" });
    add(page, 2);
    expect(localStorage.length).toBe(0);
    await pass(3000);
    expect(sent(page)).toHaveLength(2);
    for (const event of sent(page)) expect(Object.keys(event)).not.toContain("visitor_id");
    for (const event of sent(page)) expect(Object.keys(event)).not.toContain("session_id");
  });
  test("after having granted it, ids leave the device and what still waits", async () => {
    const page = await open({ ...explicit, denied: "anonymous" });
    add(page);
    page.shopstream("consent", "denied");
    await pass(3000);
    expect(types(page)).toEqual(["add_to_cart", "consent"]);
    for (const event of sent(page)) expect(event.visitor_id ?? event.session_id).toBeUndefined();
    expect(stored("")).toEqual(["shopstream.pk_1/consent"]);
  });
  test("and grants it again, the visitor is another", async () => {
    const page = await open({ ...explicit, denied: "anonymous" });
    add(page);
    await pass(3000);
    page.shopstream("consent", "denied");
    page.shopstream("consent", "granted");
    add(page);
    await pass(3000);
    const ids = sent(page).map((e) => e.visitor_id).filter(Boolean);
    expect(new Set(ids).size).toBe(2);
  });
  test("in another tab, this one stops too", async () => {
    const page = await open(explicit);
    localStorage.setItem("shopstream.pk_1/consent", "denied");
    add(page);
    await pass(3000);
    expect(sent(page)).toEqual([]);
  });
});

describe("A signal of the browser", () => {
  test("Global Privacy Control counts as declined, over a decision", async () => {
    const page = await open({ ...explicit }, { gpc: true });
    page.shopstream("consent", "granted");
    add(page);
    await pass(3000);
    expect(sent(page)).toEqual([]);
  });
  test("Do Not Track counts where the shop says so", async () => {
    const heeds = await open({ ...explicit, signals: "gpc dnt" }, { dnt: true });
    add(heeds);
    await pass(3000);
    expect(sent(heeds)).toEqual([]);
    const ignores = await open(explicit, { dnt: true });
    add(ignores);
    await pass(3000);
    expect(sent(ignores)).toHaveLength(1);
  });
  test("can be left to the shop's own banner", async () => {
    const page = await open({ ...explicit, signals: "" }, { gpc: true });
    add(page);
    await pass(3000);
    expect(sent(page)).toHaveLength(1);
  });
});

describe("The session", () => {
  const session = async (ms: number): Promise<number> => {
    const page = await open(explicit);
    add(page);
    await pass(ms);
    add(page);
    await pass(3000);
    return new Set(sent(page).map((e) => e.session_id)).size;
  };
  test("lasts over 29 minutes without events", async () => expect(await session(29 * 60_000)).toBe(1));
  test("ends after 31 minutes without events", async () => expect(await session(31 * 60_000)).toBe(2));
  test("ends at midnight", async () => {
    const page = await open(explicit);
    vi.setSystemTime(new Date(2026, 2, 3, 23, 59, 50));
    add(page);
    vi.setSystemTime(new Date(2026, 2, 4, 0, 0, 10));
    add(page);
    await pass(3000);
    expect(new Set(sent(page).map((e) => e.session_id)).size).toBe(2);
    expect(sent(page).map((e) => e.seq)).toEqual([0, 0]);
  });
  test("ends with a new campaign", async () => {
    const page = await open({});
    await pass(3000);
    history.pushState({}, "", "/boots?utm_source=ads");
    await pass(3100);
    history.pushState({}, "", "/boots?utm_source=mail");
    expect(new Set(sent(page).map((e) => e.session_id)).size).toBe(2);
  });
  test("goes on across pages and tabs, and counts its events", async () => {
    const page = await open(explicit);
    add(page, 2);
    await pass(3000);
    const next = await open(explicit, { keepStorage: true });
    add(next);
    await pass(3000);
    expect(new Set([...sent(page), ...sent(next)].map((e) => e.session_id + e.visitor_id)).size).toBe(1);
    expect(sent(next)[0].seq).toBe(2);
    expect(next.posts[0]!.body.seq).toBe(1);
  });
});

describe("The visitor", () => {
  test("gets another id after as many days as the shop says", async () => {
    const page = await open({ ...explicit, visitorDays: 1 });
    add(page);
    await pass(25 * 3_600_000);
    add(page);
    await pass(3000);
    expect(new Set(sent(page).map((e) => e.visitor_id)).size).toBe(2);
  });
  test("out of the shop's sample sends nothing", async () => {
    const page = await open(explicit, { config: { sample_percent: 0 } });
    add(page);
    await pass(3000);
    expect(sent(page)).toEqual([]);
  });
});

describe("An event's id", () => {
  test("is a UUID of version 7 of its time; those of a page sort as they were made", async () => {
    const page = await open(explicit);
    add(page, 200);
    await pass(3000);
    const ids: string[] = sent(page).map((e) => e.event_id);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(ids).toEqual([...ids].sort());
    expect(parseInt(ids[0]!.replace("-", "").slice(0, 12), 16)).toBe(START);
  });
  test("tells the collector's time where the device's clock is days off", async () => {
    const page = await open(explicit, { date: new Date(START - 2 * 864e5).toUTCString() });
    add(page);
    await pass(3000);
    expect(parseInt(sent(page)[0].event_id.replace("-", "").slice(0, 12), 16)).toBe(START - 2 * 864e5);
    expect(sent(page)[0].client_ts).toBe(new Date(START).toISOString());
  });
});
