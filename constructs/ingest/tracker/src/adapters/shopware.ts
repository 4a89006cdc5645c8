import type { Flat } from "../event";
import type { Source, TellFields } from "../sources/source";

const text = (el: ParentNode | null, selector: string): string => {
  const found = el?.querySelector(selector);
  return (found?.getAttribute("content") || found?.textContent || "").trim();
};

/** An amount as people write it: 1.234,56 € or £1,234.56. */
export function money(words: string): number {
  const digits = words.replace(/[^\d.,]/g, "");
  const [, whole = "", cents = ""] = /^(.*?)(?:[.,](\d{1,2}))?$/.exec(digits)!;
  return Number(`${whole.replace(/\D/g, "")}.${cents}`);
}

/** The Storefront of Shopware 6, by the classes of its own theme. Form fields are not read. */
export function shopware(tell: TellFields): Source {
  const doc = document;
  const on = (...classes: string[]): boolean => classes.every((name) => doc.body.classList.contains("is-" + name));
  const product = (): Flat => ({
    item_id: text(doc, ".product-detail-ordernumber,[itemprop=sku]"),
    item_name: text(doc, ".product-detail-name"),
    item_brand: text(doc, ".product-detail-manufacturer-link"),
    price: Number(text(doc, "meta[itemprop=price]")) || money(text(doc, ".product-detail-price")),
    currency: text(doc, "meta[itemprop=priceCurrency]") || undefined,
  });
  const box = (el: Element): Flat => {
    const about = el.closest("[data-product-information]") || el.querySelector("[data-product-information]");
    return {
      item_id: JSON.parse(about?.getAttribute("data-product-information") || "{}").id,
      item_name: text(el, ".product-name"),
      price: money(text(el, ".product-price")),
    };
  };
  const line = (el: Element): Flat => {
    const quantity = Number(el.querySelector(".line-item-quantity")?.getAttribute("data-quantity")) || 1;
    return {
      item_id: text(el, ".line-item-product-number").split(/\s+/).pop(),
      item_name: text(el, ".line-item-label"),
      price: money(text(el, ".line-item-unit-price-value")) || money(text(el, ".line-item-total-price-value")) / quantity,
      quantity,
    };
  };
  const all = (selector: string, item: (el: Element) => Flat): Flat[] => [...doc.querySelectorAll(selector)].map(item);
  return {
    scan(): void {
      const list = on("ctl-search") ? "search_results" : on("ctl-navigation") && location.pathname;
      if (on("ctl-product")) tell("product_view", product());
      else if (list && doc.querySelector(".product-box")) {
        tell("list_view", { item_list_id: list, item_list_name: text(doc, "h1"), items: all(".product-box", box) });
      }
      const items = all(".line-item-product", line);
      const step = ["act-cartpage", "act-checkoutregisterpage", "act-confirmpage"].findIndex((name) => on(name)) + 1;
      if (step) tell("checkout_step", { step, items });
      const order = on("act-finishpage") && doc.querySelector(".finish-ordernumber");
      if (order) {
        const transaction_id = order.getAttribute("data-order-number") || text(doc, ".finish-ordernumber").split(/\D+/).join("");
        tell("purchase", { transaction_id, value: money(text(doc, ".checkout-aside-summary-total.summary-value,.checkout-aside-summary-value.checkout-aside-summary-total")), items });
      }
    },
    click(target: Element): void {
      const near = target.closest(".product-box");
      const item = (): Flat => (near ? box(near) : product());
      if (target.closest(".btn-buy")) tell("add_to_cart", item());
      else if (target.closest(".product-wishlist-action,.product-wishlist-btn")) tell("add_to_wishlist", item());
      else if (target.closest(".line-item-remove-button")) {
        const removed = target.closest(".line-item");
        if (removed) tell("remove_from_cart", line(removed));
      } else if (near && target.closest("a")) {
        tell("list_click", { ...box(near), item_list_id: on("ctl-search") ? "search_results" : location.pathname });
      }
    },
  };
}
