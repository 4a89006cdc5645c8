import { CAPS, MAX_LENGTH, PARTS, REQUIRED_PARTS, type EventFields, type EventType } from "../contract";
import { report, size, stringify } from "./native";
import { cleanURL } from "./url";

/** The parts of an event, as a shop gives them. */
export type Parts = Omit<EventFields, "event_id" | "type" | "visitor_id" | "session_id" | "seq" | "client_ts">;
/** Fields by name, from whatever source: GA4's names are the contract's. */
export type Flat = Record<string, any>;

/** The types that tell of what a page shows: each of them once a page. */
export const isView = (type: string): boolean => /view|search|checkout|purchase|refund/.test(type);

/** Gives fields the contract's parts. */
export function partsOf(flat: Flat, currency?: string): Parts {
  flat = { ...flat, currency: flat.currency || currency };
  const items: Flat[] = flat.items || (flat.item_id ? [flat] : []);
  return {
    search: flat,
    list: flat,
    order: flat,
    checkout: flat,
    promotion: flat,
    error: flat.error,
    rating: { value: flat.rating, review: flat.review },
    items: items.map((item) => ({ currency: flat.currency, ...item })),
  } as Parts;
}

/** The parts as the contract has them, undefined where one is lacking that the type needs. What it doesn't know goes. */
export function clean(type: EventType, parts: Flat): Flat | undefined {
  const out: Flat = {};
  for (const name of Object.keys(PARTS) as (keyof typeof PARTS)[]) {
    const part = parts[name];
    if (!part) continue;
    if (name !== "items") {
      out[name] = fields(name, part);
      continue;
    }
    const items: Flat[] & { toJSON?: undefined } = [];
    items.toJSON = undefined; // old libraries give arrays one that breaks them
    for (const item of part) {
      const cleaned = fields(name, item);
      if (!cleaned) report("incomplete", type);
      else if (items.length < MAX_LENGTH.items) items.push(cleaned);
    }
    if (items.length) out.items = items;
  }
  if (parts.custom) out.custom = parts.custom;
  for (const needed of REQUIRED_PARTS[type].split(" ")) {
    if (!out[needed]) {
      report("incomplete", `${type} ${needed}`);
      return undefined;
    }
  }
  return out;
}

function fields(name: keyof typeof PARTS, part: Flat): Flat | undefined {
  const out: Flat = {};
  for (const word of PARTS[name].split(" ")) {
    const [, field = "", number, url, required] = /(\w+)([#%]?)(\/?)(!?)/.exec(word)!;
    let value = part[field];
    if (number) value = value >= 0 && value <= 1e12 && (value > 0 || !required) ? (number > "$" ? Math.round(value) : +value) : undefined;
    else if (value != null) value = String(value).slice(0, url ? MAX_LENGTH["page.url"] : CAPS.customText);
    if (url && value) value = cleanURL(value);
    if (value || value === 0) out[field] = value;
    else if (required) return undefined;
  }
  return out;
}

/** An event as it is sent. Half of a pair of characters, which a cut leaves, would have its whole batch refused. */
export const encode = (event: Flat): string => stringify(event).replace(/\\ud[89a-f]../g, "\\ufffd");

/** Whether an event is small enough to be taken. */
export const fits = (text: string): boolean => size(text) <= CAPS.eventBytes;
