import type { EventType } from "../../contract";
import type { Flat } from "../event";
import { safe, win } from "../native";
import type { Source, TellFields } from "./source";

/** GA4's events: the contract's type, "" for the same one, or the step of a checkout. */
const TYPES: Record<string, string | number> = {
  search: "",
  view_search_results: "search",
  view_item: "product_view",
  view_item_list: "list_view",
  select_item: "list_click",
  add_to_cart: "",
  remove_from_cart: "",
  add_to_wishlist: "",
  begin_checkout: 1,
  add_shipping_info: 2,
  add_payment_info: 3,
  purchase: "",
  view_promotion: "promo_view",
  select_promotion: "promo_click",
};

/** A dataLayer in GA4's e-commerce format, by push({event, ecommerce}) or gtag("event", name, fields). */
export function dataLayer(tell: TellFields): Source {
  const layer: any[] = ((win as any).dataLayer ||= []);
  let early: any[] | undefined = [...layer]; // other sources come first
  const hear = safe((entry: any) => {
    const tagged = entry?.[0] === "event";
    const name: string = tagged ? entry[1] : entry?.event;
    if (!(name in TYPES)) return;
    const fields: Flat = (tagged ? entry[2] : entry.ecommerce || entry) || {};
    const step = Number(TYPES[name]);
    // Lists and promotions are also named by their items.
    const all = { ...fields.items?.[0], coupon: "", ...fields, step, option: fields.shipping_tier || fields.payment_type };
    tell((step ? "checkout_step" : TYPES[name] || name) as EventType, all);
  });
  const push = layer.push;
  layer.push = (...entries) => {
    const length = push.apply(layer, entries);
    for (const entry of entries) early ? early.push(entry) : hear(entry);
    return length;
  };
  return {
    scan(): void {
      const waiting = early || [];
      early = undefined;
      waiting.forEach((entry) => hear(entry));
    },
  };
}
