import type { Flat } from "../event";
import { doc, safe } from "../native";
import type { Source, TellFields } from "./source";

const PREFIX = "data-shopstream-";
const EVENT = `[${PREFIX}event]`;
const ITEM = `[${PREFIX}item-id]`;

/** The fields that an element and those around it have: data-shopstream-item-id is item_id. The nearest wins. */
function flat(from: Element, within?: Element): Flat {
  const out: Flat = {};
  for (let at: Element | null = from; at && at !== within; at = at.parentElement) {
    for (const { name, value } of at.attributes) {
      if (name.startsWith(PREFIX)) out[name.slice(PREFIX.length).replace(/-/g, "_")] ??= value;
    }
  }
  return out;
}

/** The fields of an element with all items in it. */
function whole(el: Element): Flat {
  const out = flat(el);
  const items = [...el.querySelectorAll(ITEM)].map((item) => flat(item, el));
  return items.length ? { ...out, items } : out;
}

/** data-shopstream-event="TYPE" on what an event is about, its fields on it and around it. */
export function attributes(tell: TellFields): Source {
  let seen = new WeakSet<Element>();
  const promotions = new IntersectionObserver(
    safe((entries: IntersectionObserverEntry[]) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        promotions.unobserve(target);
        tell("promo_view", flat(target));
      }
    }),
    { threshold: 0.5 },
  );
  return {
    enter(): void {
      seen = new WeakSet();
    },
    scan(): void {
      for (const el of doc.querySelectorAll(EVENT)) {
        if (seen.has(el)) continue;
        seen.add(el);
        const type = (el as HTMLElement).dataset.shopstreamEvent!;
        if (type === "promo_view") promotions.observe(el);
        else if (type === "product_view") tell(type, flat(el));
        else if (/^(list_view|search|checkout_step|purchase)$/.test(type)) tell(type as "search", whole(el));
      }
    },
    click(target: Element): void {
      const el = target.closest(EVENT);
      const type = (el as HTMLElement | null)?.dataset.shopstreamEvent;
      if (!el || !type) return;
      if (type === "promo_view") tell("promo_click", flat(el));
      else if (/^(add_to|remove_from)_|^rating$/.test(type)) tell(type as "rating", flat(el));
      else if (type === "list_view" && target.closest("a") && target.closest(ITEM)) tell("list_click", flat(target));
    },
  };
}
