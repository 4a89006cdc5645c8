import type { Consent } from "../contract";

/** What the shopper decided, or that it is not known yet. */
export type ConsentState = Consent["state"];

/** Settings of a shop. In a script tag, each is a data attribute: data-shop, data-error-percent, … */
export interface Settings {
  /** Required: the shop's publishable key. */
  shop: string;
  /** Required: URL of the collector, such as https://collect.example. */
  endpoint: string;
  /** What holds until the shopper decides; "unknown" keeps events in memory until then. Default "unknown". */
  consent?: ConsentState;
  /** What is sent of shoppers who decline: "nothing", or "anonymous" events without ids and cookies. Default "nothing". */
  denied?: "nothing" | "anonymous";
  /** Signals of the browser that count as declined, over all else: "gpc", "dnt", both or "". Default "gpc". */
  signals?: string;
  /** Days after which a visitor gets another id. Default 395. */
  visitorDays?: number;
  /** ISO 4217, where a source names none. */
  currency?: string;
  /** "explicit" hears nothing but shopstream('track', …). Default "", all sources. */
  sources?: "" | "explicit";
  /** Share of page loads that tell JavaScript errors, 0 to 100. Default 10. */
  errorPercent?: number;
}

/** The settings that the script's tag holds. */
export function settingsOf(tag: HTMLOrSVGElement | null): Settings | undefined {
  return tag?.dataset.shop ? (tag.dataset as unknown as Settings) : undefined;
}
