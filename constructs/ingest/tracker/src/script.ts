// The script tag: takes over what the stub has collected.
import { newShopstream } from "./commands";
import { doc, on, safe, win } from "./native";
import { settingsOf } from "./settings";

interface Stub {
  (...args: unknown[]): void;
  q?: Iterable<unknown>[];
  loaded?: boolean;
}

const page = win as unknown as { shopstream?: Stub };
const stub = page.shopstream;
const tag = doc.currentScript;

if (!stub?.loaded) {
  const shopstream = newShopstream() as Stub;
  shopstream.loaded = true;
  page.shopstream = shopstream;
  const start = safe(() => {
    const settings = settingsOf(tag);
    if (settings) shopstream("init", settings);
    for (const args of stub?.q || []) shopstream(...args);
  });
  // A page that is only prepared for the shopper has no viewer yet.
  if ((doc as { prerendering?: boolean }).prerendering) on(doc, "prerenderingchange", start);
  else start();
}
