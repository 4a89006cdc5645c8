import { nav } from "./native";
import type { ConsentState, Settings } from "./settings";
import type { Store } from "./store";

/** Under which name the shopper's decision is stored. */
export const DECISION = "consent";

/** Whether the browser says no by itself. */
function refuses(signals: string): unknown {
  const signs = nav as Navigator & { globalPrivacyControl?: boolean };
  return (signals.includes("gpc") && signs.globalPrivacyControl) || (signals.includes("dnt") && signs.doNotTrack === "1");
}

/** What holds now. */
export const consentOf = (store: Store, settings: Settings): ConsentState =>
  refuses(settings.signals ?? "gpc") ? "denied" : ((store.read(DECISION) || settings.consent || "unknown") as ConsentState);
