import type { EventType } from "../contract";
import { partsOf, type Parts } from "./event";
import { canIdentify } from "./id";
import { doc, later, on, report, safe } from "./native";
import { type ConsentState, type Settings } from "./settings";
import { attributes } from "./sources/attributes";
import { dataLayer } from "./sources/datalayer";
import { jsonld } from "./sources/jsonld";
import { onContent, onNavigation, page } from "./sources/page";
import type { Adapter, Source } from "./sources/source";
import { openTracker, type Tracker } from "./tracker";

/** The commands: shopstream("init", …), shopstream("track", …), shopstream("consent", …), shopstream("adapter", …). */
export interface Shopstream {
  /** Starts the tracker. A script tag with data-shop does it by itself. */
  (command: "init", settings: Settings): void;
  /** Tells of an event. */
  (command: "track", type: EventType, parts?: Parts): void;
  /** Says what the shopper decided; "unknown" takes it back. */
  (command: "consent", state: ConsentState): void;
  /** Adds a source: how the pages of the shop's platform are read. */
  (command: "adapter", adapter: Adapter): void;
}

const TITLE_MS = 50; // until a page of one has its title
const CONTENT_MS = 200;

/** Makes the function that takes commands. The first is init. */
export function newShopstream(): Shopstream {
  let tracker: Tracker | undefined;
  let adapt: ((adapter: Adapter) => void) | undefined;
  const run = safe((command: unknown, a?: any, b?: any) => {
    if (command === "init") {
      if (tracker) return;
      if (!a.shop || !a.endpoint || !canIdentify) return report("settings", "init");
      tracker = openTracker(a);
      tracker.start();
      if (a.sources !== "explicit") adapt = listen(tracker, a);
    } else if (!tracker) report("settings", "init");
    else if (command === "track") tracker.tell(0, a, b || {});
    else if (command === "consent") tracker.consent(a);
    else adapt?.(a);
  });
  return run as Shopstream;
}

function listen(tracker: Tracker, settings: Settings): (adapter: Adapter) => void {
  const sources: Source[] = [];
  const add = (adapter: Adapter): void => {
    const rank = sources.length + 1;
    sources.push(adapter((type, fields) => tracker.tell(rank, type, partsOf(fields, settings.currency))));
  };
  const scan = (): void => {
    tracker.view();
    for (const source of sources) safe(() => source.scan?.())();
  };
  let timer = false;
  const soon = (ms: number): void => {
    if (timer) return;
    timer = true;
    later(() => {
      timer = false;
      scan();
    }, ms);
  };
  for (const adapter of [attributes, jsonld, dataLayer]) add(adapter);
  add((tell) => page(tell, +(settings.errorPercent ?? 10)));
  tracker.enter();
  const ready = (): void => {
    scan();
    onContent(() => soon(CONTENT_MS));
  };
  if (doc.readyState === "loading") on(doc, "DOMContentLoaded", ready);
  else ready();
  onNavigation(
    safe(() => {
      if (!tracker.enter()) return;
      for (const source of sources) source.enter?.();
      soon(TITLE_MS);
    }),
  );
  on(doc, "click auxclick", ({ target, button }: MouseEvent) => {
    if (button < 2 && (target as Element)?.closest) for (const source of sources) source.click?.(target as Element);
  });
  return (adapter) => {
    add(adapter);
    soon(0);
  };
}
