import { afterEach, describe, expect, test, vi } from "vitest";
import { shopware } from "../src/adapters/shopware";
import { boot, close, open, pass, sent, types } from "./page";

afterEach(() => {
  close();
  history.replaceState({}, "", "https://shop.example/boots");
});

const click = (selector: string): unknown => document.querySelector(selector)!.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
const product = `data-shopstream-item-id="SKU-1" data-shopstream-item-name="Boot" data-shopstream-price="89.95" data-shopstream-currency="EUR"`;
const jsonld = (node: object): string => `<script type="application/ld+json">${JSON.stringify(node)}</script>`;
const ldBoot = { "@type": "Product", sku: "LD-1", name: "Boot", brand: { name: "Birke" }, offers: { price: "89.95", priceCurrency: "EUR" } };

describe("A page", () => {
  test("is told of with its title, its referrer and a URL of allowed parameters", async () => {
    history.replaceState({}, "", "/boots?utm_source=mail&token=secret&q=#top");
    const page = await open({});
    await pass(3000);
    expect(sent(page)[0]).toMatchObject({ type: "page_view", page: { title: "Boots" } });
    expect(sent(page)[0].page.url).toBe("https://shop.example/boots?utm_source=mail&q=");
  });
  test("of an app is told of when the address changes, once, with the one before as its referrer", async () => {
    const page = await open({});
    history.pushState({}, "", "/cart");
    history.replaceState({ scroll: 1 }, "", "/cart#bottom");
    await pass(0);
    document.title = "Cart";
    await pass(3100);
    expect(types(page)).toEqual(["page_view", "page_view"]);
    expect(sent(page)[1].page).toEqual({ url: "https://shop.example/cart", title: "Cart", referrer: "https://shop.example/boots" });
  });
  test("comes before what is done on it", async () => {
    const page = await open({});
    history.pushState({}, "", "/cart");
    page.shopstream("track", "add_to_cart", { items: [boot] });
    await pass(3100);
    expect(types(page)).toEqual(["page_view", "page_view", "add_to_cart"]);
  });
});

describe("A search", () => {
  test("is read from the address", async () => {
    history.replaceState({}, "", "/search?q=winter+boots");
    const page = await open({});
    await pass(3000);
    expect(sent(page)[1]).toMatchObject({ type: "search", search: { search_term: "winter boots" } });
  });
  test("is read from the search box where the page stays", async () => {
    const page = await open({}, { html: `<form><input type="search" value="boots"><input name="email" value="a@b.example"></form>` });
    const form = document.querySelector("form")!;
    form.addEventListener("submit", (e) => e.preventDefault());
    form.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }));
    await pass(3000);
    expect(sent(page)[1].search).toEqual({ search_term: "boots" });
    expect(JSON.stringify(page.posts)).not.toContain("b.example");
  });
});

describe("Attributes tell of", () => {
  test("a product", async () => {
    const page = await open({}, { html: `<main ${product} data-shopstream-event="product_view"></main>` });
    await pass(3000);
    expect(sent(page)[1]).toMatchObject({ type: "product_view", items: [boot] });
  });
  test("a list with its products, and a click in it", async () => {
    const page = await open({}, { html: `<ul data-shopstream-event="list_view" data-shopstream-item-list-id="shoes"><li ${product}><a href="#">Boot</a></li></ul>` });
    click("a");
    await pass(3000);
    expect(sent(page)[1]).toMatchObject({ type: "list_view", list: { item_list_id: "shoes" }, items: [boot] });
    expect(sent(page)[2]).toMatchObject({ type: "list_click", list: { item_list_id: "shoes" }, items: [boot] });
  });
  for (const type of ["add_to_cart", "remove_from_cart", "add_to_wishlist"])
    test(`${type} by a click, as often as it is clicked`, async () => {
      const page = await open({}, { html: `<div ${product}><button data-shopstream-event="${type}"><b>+</b></button></div>` });
      click("b");
      click("b");
      await pass(3000);
      expect(types(page).slice(1)).toEqual([type, type]);
      expect(sent(page)[1].items).toMatchObject([boot]);
    });
  test("a rating", async () => {
    const page = await open({}, { html: `<div ${product}><button data-shopstream-event="rating" data-shopstream-rating="4"></button></div>` });
    click("button");
    await pass(3000);
    expect(sent(page)[1]).toMatchObject({ type: "rating", rating: { value: 4 }, items: [boot] });
  });
  test("a step of the checkout and a purchase with its products", async () => {
    const page = await open({}, { html: `<i data-shopstream-event="checkout_step" data-shopstream-step="2" data-shopstream-option="invoice"></i>
      <div data-shopstream-event="purchase" data-shopstream-transaction-id="5001" data-shopstream-value="94.90" data-shopstream-currency="EUR"><p ${product}></p></div>` });
    await pass(3000);
    expect(sent(page)[1].checkout).toEqual({ step: 2, option: "invoice" });
    expect(sent(page)[2]).toMatchObject({ order: { transaction_id: "5001", value: 94.9 }, items: [boot] });
  });
  test("a promotion once it is seen, and a click on it", async () => {
    const page = await open({}, { html: `<a data-shopstream-event="promo_view" data-shopstream-promotion-id="summer"></a>` });
    await pass(100);
    expect(types(page)).toEqual([]);
    page.seen(document.querySelector("a")!);
    click("a");
    await pass(3000);
    expect(types(page)).toEqual(["page_view", "promo_view", "promo_click"]);
    expect(sent(page)[1].promotion).toEqual({ promotion_id: "summer" });
  });
  test("what is added to the page later", async () => {
    const page = await open({});
    document.body.innerHTML = `<main ${product} data-shopstream-event="product_view"></main>`;
    await pass(3500);
    expect(types(page)).toEqual(["page_view", "product_view"]);
  });
});

describe("JSON-LD tells of", () => {
  test("the page's one product, also in a graph", async () => {
    const page = await open({}, { html: jsonld({ "@graph": [{ "@type": "WebPage" }, ldBoot] }) });
    await pass(3000);
    expect(sent(page)[1]).toMatchObject({ type: "product_view", items: [{ item_id: "LD-1", item_name: "Boot", item_brand: "Birke", price: 89.95, currency: "EUR" }] });
  });
  test("nothing where there are two, or what isn't JSON", async () => {
    const page = await open({}, { html: jsonld([ldBoot, ldBoot]) + `<script type="application/ld+json">{</script>` });
    await pass(3000);
    expect(types(page)).toEqual(["page_view"]);
    expect(page.errors).toEqual([]);
  });
});

describe("The dataLayer tells of", () => {
  const ga4: [string, object, string, object][] = [
    ["view_item", { items: [boot] }, "product_view", { items: [boot] }],
    ["view_item_list", { item_list_id: "l", items: [boot] }, "list_view", { list: { item_list_id: "l" }, items: [boot] }],
    ["select_item", { items: [{ ...boot, item_list_id: "l" }] }, "list_click", { list: { item_list_id: "l" } }],
    ["add_to_cart", { currency: "EUR", items: [{ item_id: "SKU-1", price: "89.95", affiliation: "x" }] }, "add_to_cart", { items: [{ item_id: "SKU-1", price: 89.95, currency: "EUR" }] }],
    ["remove_from_cart", { items: [boot] }, "remove_from_cart", {}],
    ["add_to_wishlist", { items: [boot] }, "add_to_wishlist", {}],
    ["begin_checkout", { items: [boot] }, "checkout_step", { checkout: { step: 1 } }],
    ["add_shipping_info", { shipping_tier: "express", items: [boot] }, "checkout_step", { checkout: { step: 2, option: "express" } }],
    ["add_payment_info", { payment_type: "card" }, "checkout_step", { checkout: { step: 3, option: "card" } }],
    ["purchase", { transaction_id: 5001, value: 94.9, currency: "EUR", tax: 15, items: [boot] }, "purchase", { order: { transaction_id: "5001", value: 94.9, currency: "EUR", tax: 15 } }],
    ["view_promotion", { promotion_id: "p", creative_slot: "hero" }, "promo_view", { promotion: { promotion_id: "p", creative_slot: "hero" } }],
    ["select_promotion", { items: [{ promotion_id: "p" }] }, "promo_click", { promotion: { promotion_id: "p" } }],
    ["search", { search_term: "boots" }, "search", { search: { search_term: "boots" } }],
  ];
  for (const [event, ecommerce, type, parts] of ga4)
    test(`${event} as ${type}`, async () => {
      const page = await open({});
      const layer = (window as any).dataLayer;
      layer.push({ event, ecommerce });
      await pass(3000);
      expect(sent(page)[1]).toMatchObject({ type, ...parts });
      expect(JSON.stringify(page.posts)).not.toContain("affiliation");
    });
  test("what gtag says, and what was there before the script", async () => {
    const early = { event: "view_item", ecommerce: { items: [boot] } };
    const page = await open();
    (window as any).dataLayer = [early, { event: "gtm.js" }, undefined];
    page.shopstream("init", { shop: "pk_1", endpoint: "https://c.example", consent: "granted", errorPercent: 0 });
    (function (..._: unknown[]) {
      (window as any).dataLayer.push(arguments);
    })("event", "add_to_cart", { items: [boot] });
    await pass(3000);
    expect(types(page)).toEqual(["page_view", "product_view", "add_to_cart"]);
  });
});

describe("Of several sources", () => {
  test("the first counts for what a page shows", async () => {
    const page = await open({}, { html: `<main ${product} data-shopstream-event="product_view"></main>` + jsonld(ldBoot) });
    (window as any).dataLayer.push({ event: "view_item", ecommerce: { items: [boot] } });
    await pass(3000);
    expect(sent(page).filter((e) => e.type === "product_view").map((e) => e.items[0].item_id)).toEqual(["SKU-1"]);
  });
  test("the first counts for what a click does", async () => {
    const page = await open({}, { html: `<div ${product}><button data-shopstream-event="add_to_cart"></button></div>` });
    click("button");
    (window as any).dataLayer.push({ event: "add_to_cart", ecommerce: { items: [boot] } });
    await pass(3000);
    expect(types(page)).toEqual(["page_view", "add_to_cart"]);
  });
  test("the shop's own call always counts", async () => {
    const page = await open({}, { html: jsonld(ldBoot) });
    page.shopstream("track", "product_view", { items: [boot] });
    page.shopstream("track", "product_view", { items: [boot] });
    await pass(3000);
    expect(types(page)).toEqual(["page_view", "product_view", "product_view", "product_view"]);
  });
  test("a page of thanks that is loaded again tells of no second purchase", async () => {
    const order = { transaction_id: "5001", value: 94.9, currency: "EUR" };
    const page = await open({ sources: "explicit" });
    page.shopstream("track", "purchase", { order, items: [boot] });
    await pass(3000);
    const again = await open({ sources: "explicit" }, { keepStorage: true });
    again.shopstream("track", "purchase", { order, items: [boot] });
    await pass(3000);
    expect(sent(again)).toEqual([]);
  });
});

describe("A JavaScript error", () => {
  const fail = (): unknown => window.dispatchEvent(new ErrorEvent("error", { message: "cart is not defined", filename: "https://shop.example/cart.js?v=1", lineno: 17 }));
  test("is told of, at most five a page", async () => {
    const page = await open({ errorPercent: 100 });
    for (let i = 0; i < 9; i++) fail();
    await pass(3000);
    expect(sent(page).filter((e) => e.type === "error")).toHaveLength(5);
    expect(sent(page)[1].error).toEqual({ message: "cart is not defined", source: "https://shop.example/cart.js", line: 17 });
  });
  test("is not told of by pages out of the sample", async () => {
    const page = await open({ errorPercent: 0 });
    fail();
    await pass(3000);
    expect(types(page)).toEqual(["page_view"]);
  });
});

describe("An event", () => {
  test("holds what the contract has, and nothing else", async () => {
    const page = await open({ sources: "explicit" });
    page.shopstream("track", "add_to_cart", { items: [{ ...boot, quantity: 1.4, email: "a@b.example" } as never] });
    await pass(3000);
    expect(sent(page)[0].items).toEqual([{ ...boot, quantity: 1 }]);
  });
  test("leaves out a free gift, which the contract has no place for, and the page is told", async () => {
    const page = await open({ sources: "explicit" });
    page.shopstream("track", "add_to_cart", { items: [boot, { ...boot, price: 0 }] });
    await pass(3000);
    expect(sent(page)[0].items).toEqual([boot]);
    expect(page.errors).toEqual([{ code: "incomplete", message: "add_to_cart" }]);
  });
  test("that lacks what the contract requires is not sent, and the page is told", async () => {
    const page = await open({ sources: "explicit" });
    page.shopstream("track", "add_to_cart", {});
    await pass(3000);
    expect(sent(page)).toEqual([]);
    expect(page.errors[0]!.code).toBe("incomplete");
  });
  test("is cut to the contract's lengths, never to half a character", async () => {
    const page = await open({ sources: "explicit" });
    page.shopstream("track", "search", { search: { search_term: "x".repeat(1023) + "👢" } });
    await pass(3000);
    expect(sent(page)[0].search.search_term).toBe("x".repeat(1023) + "\ufffd");
  });
});

describe("The page", () => {
  test("never gets an exception", async () => {
    const page = await open({ sources: "explicit" });
    const circular: any = {};
    circular.custom = { circular };
    for (const args of [["track"], ["track", "nonsense", {}], ["track", "search", circular], [], ["init"], ["consent"], ["adapter", 1]])
      expect(() => (page.shopstream as any)(...args)).not.toThrow();
  });
  test("may redefine what the script uses, afterwards", async () => {
    const page = await open({ sources: "explicit" });
    const { fetch } = window;
    const { stringify } = JSON;
    const toJSON = (Array.prototype as any).toJSON;
    try {
      window.fetch = undefined as never;
      JSON.stringify = () => "broken";
      (Array.prototype as any).toJSON = () => "broken";
      page.shopstream("track", "add_to_cart", { items: [boot] });
      await pass(3000);
    } finally {
      window.fetch = fetch;
      JSON.stringify = stringify;
      delete (Array.prototype as any).toJSON;
      void toJSON;
    }
    expect(sent(page)[0].items).toEqual([boot]);
  });
  test("may end the click before the document hears of it", async () => {
    const page = await open({}, { html: `<div ${product}><button data-shopstream-event="add_to_cart"></button></div>` });
    document.querySelector("button")!.addEventListener("click", (e) => e.stopPropagation());
    click("button");
    await pass(3000);
    expect(types(page)).toContain("add_to_cart");
  });
});

describe("The adapter of Shopware", () => {
  test("tells of the list, of a click in it and of what goes into the cart", async () => {
    const box = `<div class="product-box" data-product-information='{"id":"SW-1","name":"Boot"}'><a class="product-name">Boot</a><span class="product-price">1.089,95 €*</span><button class="btn-buy"></button></div>`;
    const page = await open({ currency: "EUR" }, { html: `<h1>Boots</h1>${box}` });
    document.body.className = "is-ctl-navigation";
    page.shopstream("adapter", shopware);
    await pass(100);
    click("a");
    click(".btn-buy");
    await pass(3000);
    document.body.className = "";
    expect(types(page)).toEqual(["page_view", "list_view", "list_click", "add_to_cart"]);
    expect(sent(page)[3].items).toEqual([{ item_id: "SW-1", item_name: "Boot", price: 1089.95, currency: "EUR" }]);
  });
  test("tells of a purchase", async () => {
    const line = `<div class="line-item line-item-product"><span class="line-item-label">Boot</span><span class="line-item-product-number">Product number: SW-1</span><span class="line-item-total-price-value">€89.95*</span></div>`;
    const page = await open({ currency: "EUR" }, { html: `<p class="finish-ordernumber" data-order-number="10001"></p>${line}<dd class="checkout-aside-summary-value checkout-aside-summary-total">€94.90</dd>` });
    document.body.className = "is-ctl-checkout is-act-finishpage";
    page.shopstream("adapter", shopware);
    await pass(3000);
    document.body.className = "";
    expect(sent(page)[1]).toMatchObject({ type: "purchase", order: { transaction_id: "10001", value: 94.9, currency: "EUR" }, items: [{ item_id: "SW-1", price: 89.95 }] });
  });
});

describe("The script", () => {
  test("takes the settings of its tag, and the commands that the stub collected", async () => {
    const page = await open();
    const tag = document.createElement("script");
    Object.assign(tag.dataset, { shop: "pk_1", endpoint: "https://collect.example", consent: "granted", sources: "explicit" });
    const before = Object.getOwnPropertyDescriptor(document, "currentScript");
    Object.defineProperty(document, "currentScript", { value: tag, configurable: true });
    delete (window as any).shopstream;
    vi.resetModules();
    await import("../src/stub");
    (window as any).shopstream("track", "add_to_cart", { items: [boot] });
    await import("../src/script");
    await pass(3000);
    if (before) Object.defineProperty(document, "currentScript", before);
    else delete (document as any).currentScript;
    expect(types(page)).toEqual(["add_to_cart"]);
  });
});
