import { URL_PARAMETERS } from "../contract";

const allowed = URL_PARAMETERS.split(" ");
const terms = /^(q|s|query|search|search_query|keywords?)$/i;

/** The parameters of a URL that pass, as a query. */
const query = (url: URL, passes: (name: string) => unknown): string => new URLSearchParams([...url.searchParams].filter(([name]) => passes(name))).toString();

/** Whether URLs keep the parameter of a name. */
export const isAllowed = (name: string): boolean => allowed.includes(name.toLowerCase());

/** A URL without user, fragment and all parameters but those of the allowlist. "" where it is none of the web. */
export function cleanURL(raw: string): string {
  try {
    const url = new URL(raw);
    const kept = query(url, isAllowed);
    return /^http/.test(url.protocol) ? url.origin + url.pathname + (kept && "?" + kept) : "";
  } catch {
    return "";
  }
}

/** The campaign that a clean URL names. */
export const campaignOf = (url: string): string => query(new URL(url), (name) => /^utm_/i.test(name));

/** What a URL says was searched for. */
export const searchOf = (url: string): string => [...new URL(url).searchParams].find(([name, value]) => terms.test(name) && value.trim())?.[1]!.trim() || "";
